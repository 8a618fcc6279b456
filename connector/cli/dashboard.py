"""`dashboard` serves the pages for people; `users` says who may sign in to it."""

from __future__ import annotations

import os
from typing import IO, Final

import click
from rich.console import Console

from connector.cli.context import Context, pass_context, print_json
from connector.cli.guards import by_whom
from connector.cli.inspect import as_json, grid
from connector.cli.serve import require_schema, server_command
from connector.private import Private
from connector.services.users import Role
from connector.store import audit
from connector.store.audit import Decision
from connector.wiring.dashboard import settings_of, users_of

_THREADS: Final = 8
_ROLES: Final = [one.word for one in Role]


@click.command()
@pass_context
def dashboard(context: Context) -> None:
    """Serve the dashboard on its own port. It needs neither receiver nor worker beside it."""
    given = settings_of(context.config)
    require_schema(context)
    arguments = server_command(given.host, given.port, _THREADS, "connector.wsgi:create_dashboard")
    os.execve(arguments[0], arguments, context.environment)  # noqa: S606 - our own interpreter, no shell


@click.group()
def users() -> None:
    """Who may sign in to the dashboard."""


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What the user may do; each includes the last.")
@click.option(
    "--password-file",
    type=click.File("rb"),
    help="Read the password from its first line (`-` is standard input); asked for without it.",
)
@by_whom
@pass_context
def users_add(context: Context, name: str, role: str, password_file: IO[bytes] | None, by: str) -> None:
    """Add the user NAME, or give it another role and password; what it has open ends."""
    file = users_of(context.config)
    password = _password(password_file)
    with context.open_site() as site:
        new = file.put(name, Role[role.upper()], password)
        with site.database.write() as connection:
            audit.note(connection, Decision(by, f"role {role}", site.clock.now()), "user_set", name)
    click.echo(f"user {name} {'added' if new else 'changed'}: {role}")


@users.command("remove")
@click.argument("name")
@by_whom
@pass_context
def users_remove(context: Context, name: str, by: str) -> None:
    """Remove the user NAME; what it has open ends."""
    file = users_of(context.config)
    with context.open_site() as site:
        if not file.remove(name):
            raise click.UsageError("there is no such user")
        with site.database.write() as connection:
            audit.note(connection, Decision(by, "removed", site.clock.now()), "user_removed", name)
    click.echo(f"user {name} removed")


@users.command("list")
@as_json
@pass_context
def users_list(context: Context, *, machine: bool) -> None:
    """List the users and their roles."""
    rows = [(one.name, one.role.word) for one in users_of(context.config).users().values()]
    if machine:
        print_json([{"name": name, "role": role} for name, role in sorted(rows)])
    else:
        Console().print(grid("Users of the dashboard", ("name", "role"), sorted(rows)))


def _password(file: IO[bytes] | None) -> Private:
    if file is None:
        return Private(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        return Private(file.readline().decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError:
        raise click.UsageError("the password file is not UTF-8") from None


COMMANDS = (dashboard, users)
