"""Guards around a permanent act: `resume` a blown fuse, `hold` whom nothing may be deleted of.

Identities are read from a file or standard input, never from the command line, which others can see and shells keep.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import IO, Final

import click
from rich.console import Console

from connector.cli.context import Context, pass_context, print_json
from connector.cli.dlq import with_reason
from connector.cli.inspect import as_json, grid
from connector.private import Private
from connector.services import dead_letters, fuses, holds
from connector.store import fuses as store_fuses
from connector.store import holds as store_holds
from connector.store import schema
from connector.store.audit import Decision
from connector.store.fuses import Scope
from connector.wiring import open_database

_MOST: Final = 1_000_000_000


def _name(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    name = (value or _login()).strip(" ")
    if fault := dead_letters.fault_in(name):
        raise click.BadParameter(f"{fault}; name who decides, as your records call them")
    return name


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user has no name.
        return ""


by_whom = click.option("--by", callback=_name, help="Who decides; your login name unless given. It is recorded.")
from_file = click.option(
    "--file",
    "file",
    type=click.File("rb"),
    default=None,
    metavar="PATH",
    help="One identity per line, in UTF-8. Without it standard input is read.",
)


@click.command()
@click.option("--source", "source_names", multiple=True, metavar="NAME", help="The fuse of this source.")
@click.option("--account", "account_names", multiple=True, metavar="NAME", help="The fuse of this account.")
@click.option("--all", "everything", is_flag=True, help="Every fuse that is blown.")
@click.option(
    "--allow",
    type=click.IntRange(0, _MOST),
    default=0,
    show_default=True,
    help="So many values may pass uncounted within the window that begins now, beyond the limit.",
)
@with_reason
@by_whom
@as_json
@pass_context
def resume(
    context: Context,
    source_names: Sequence[str],
    account_names: Sequence[str],
    allow: int,
    reason: str,
    by: str,
    *,
    everything: bool,
    machine: bool,
) -> None:
    """Let the submissions behind a blown fuse go on. What it counts begins anew."""
    named = [*((Scope.SOURCE, one) for one in source_names), *((Scope.ACCOUNT, one) for one in account_names)]
    if everything == bool(named):
        raise click.UsageError("name the fuses with --source and --account, or give --all")
    with open_database(context.config) as database:
        schema.require_current(database)
        with database.read() as connection:
            blown = [(Scope(row.scope), str(row.name)) for row in store_fuses.blown(connection)]
        decision = Decision(by, reason, context.clock.now())
        results = [
            {"scope": scope.value, "name": name, "done": fuses.resume(database, scope, name, allow, decision)}
            for scope, name in dict.fromkeys(named or blown)
        ]
    if machine:
        print_json({"results": results})
    for one in [] if machine else results:
        click.echo(f"{one['scope']} {one['name']}: {'goes on' if one['done'] else 'its fuse is not blown'}")
    if not machine and not results:
        click.echo("no fuse is blown")
    if not all(one["done"] for one in results):
        click.get_current_context().exit(1)


@click.group()
def hold() -> None:
    """Legal hold: people of whom nothing may be deleted, by keyed hash."""


@hold.command("add")
@from_file
@with_reason
@by_whom
@as_json
@pass_context
def add_holds(context: Context, file: IO[bytes] | None, reason: str, by: str, *, machine: bool) -> None:
    """Put identities on the list. Every request that names one of them is refused from now on."""
    values = _identities(file)
    # Whoever has to be kept is listed, whatever else is missing.
    with context.open_site(hashes=False) as site:
        listed = holds.add(site, values, Decision(by, reason, context.clock.now()))
        late = holds.begun(site, values)
    if machine:
        print_json({"added": listed.done, "already": listed.already, "begun": late})
        return
    click.echo(f"{listed.done} added, {listed.already} on the list already")
    for one in late:
        click.echo(
            f"request {one} names one of them, and Lytics was asked to delete something of it before: see `show`"
        )


@hold.command("remove")
@from_file
@click.option("--id", "hold_ids", multiple=True, metavar="ID", help="A hold as `list` names it; instead of identities.")
@click.option(
    "--former-key",
    is_flag=True,
    help="All that were listed under a pseudonym key that is not configured; instead of both.",
)
@with_reason
@by_whom
@as_json
@pass_context
def remove_holds(
    context: Context,
    file: IO[bytes] | None,
    hold_ids: Sequence[str],
    reason: str,
    by: str,
    *,
    former_key: bool,
    machine: bool,
) -> None:
    """Take identities off the list. What is stopped by it is looked at again; what was refused stays refused."""
    if (file is not None) + bool(hold_ids) + former_key > 1:
        raise click.UsageError("give identities, or --id, or --former-key")
    values = [] if hold_ids or former_key else _identities(file)
    decision = Decision(by, reason, context.clock.now())
    with context.open_site(hashes=not former_key) as site:
        wanted = [one.lower() for one in hold_ids]
        gone = holds.remove_illegible(site, decision) if former_key else holds.remove(site, values, wanted, decision)
    if machine:
        print_json({"removed": gone.done, "not_listed": gone.already})
    else:
        click.echo(f"{gone.done} removed, {gone.already} were not on the list")
    if gone.already:
        click.get_current_context().exit(1)


@hold.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--after", metavar="ID", default="", help="Go on behind this one, the last of the page before.")
@as_json
@pass_context
def list_holds(context: Context, limit: int, after: str, *, machine: bool) -> None:
    """List the holds: since when, by whom, why. Whom they are about is not known here."""
    with context.open_site(hashes=False) as site:
        checks = site.pseudonymiser.checks
        with site.database.read() as connection:
            found = store_holds.listed(connection, after.lower(), limit + 1)
    page, more = found[:limit], len(found) > limit
    rows = [
        {
            "id": one.id,
            "placed_at": one.placed_at,
            "placed_by": one.placed_by,
            "reason": one.reason,
            "recognises": one.key_check in checks,
        }
        for one in page
    ]
    if machine:
        print_json({"holds": rows, "next": page[-1].id if more else None})
        return
    console = Console()
    cells = (
        (one["id"], one["placed_at"], one["placed_by"], one["reason"], "yes" if one["recognises"] else "no: former key")
        for one in rows
    )
    table = grid("Legal hold", ("id", "since", "by", "reason", "recognises"), cells)
    # To be copied into the next command.
    table.columns[0].no_wrap = True
    console.print(table)
    if more:
        console.print(f"There are more: --after {page[-1].id}", markup=False, soft_wrap=True)


def _identities(file: IO[bytes] | None) -> list[Private]:
    """Read one identity per line. What is wrong with a line is said with its number, never with its text."""
    given = (file or sys.stdin.buffer).read()
    try:
        text = given.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError("the identities are not UTF-8") from None
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        value = Private(line.strip())
        if not value:
            continue
        if fault := holds.fault_in(value):
            raise click.UsageError(f"line {number}: {fault}; nothing was changed")
        found.append(value)
    if not found:
        raise click.UsageError("no identity was given; nothing was changed")
    return list(dict.fromkeys(found))


COMMANDS = (resume, hold)
