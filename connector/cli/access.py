"""Access requests: `list` what is not over, `show` what became of one, `export` its data, once, for you alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from connector.cli.context import Context, pass_context, print_json
from connector.cli.dlq import with_reason
from connector.cli.guards import by_whom
from connector.cli.inspect import as_json, grid
from connector.codes import Code
from connector.errors import Refused, Rejected
from connector.services.export import export
from connector.store import access as store
from connector.store import requests
from connector.store.audit import Decision

_OWNER_ALONE: Final = 0o600


@click.group()
def access() -> None:
    """Access requests: what waits, and taking the data of one."""


@access.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@as_json
@pass_context
def list_waiting(context: Context, limit: int, *, machine: bool) -> None:
    """List the access requests that are not over, the most urgent first."""
    with context.open_site() as site, site.database.read() as connection:
        rows = store.waiting(connection, limit)
    if machine:
        print_json([row._asdict() for row in rows])
        return
    columns = ("request", "source", "state", "reason", "due", "profiles", "bytes", "destroyed after")
    cells = (
        (one.id, one.source, one.state.value, one.reason, one.due_at, one.profiles, one.bytes, one.keep_until)
        for one in rows
    )
    Console().print(grid("Access requests", columns, cells))


@access.command("show")
@click.argument("request_id", metavar="REQUEST_ID")
@as_json
@pass_context
def show(context: Context, request_id: str, *, machine: bool) -> None:
    """Show what became of an access request: its look-ups, its answer, when that was destroyed. Never what was read."""
    with context.open_site() as site, site.database.read() as connection:
        if requests.seen(connection, request_id) is None:
            raise Rejected(Code.REQUEST_UNKNOWN)
        look_ups, results = store.look_ups_of(connection, request_id), store.results_of(connection, request_id)
    if machine:
        print_json({"look_ups": [one._asdict() for one in look_ups], "answers": [one._asdict() for one in results]})
        return
    console = Console()
    said = (
        (one.account, one.lytics_table, one.field, one.state.value, one.reason, one.redacted, one.tries)
        for one in look_ups
    )
    console.print(grid("Look-ups", ("account", "table", "field", "state", "reason", "redacted", "tries"), said))
    headings = ("attempt", "made", "profiles", "redacted", "bytes", "SHA-256", "handed over", "how", "destroyed")
    answers = (
        (
            *(one.attempt, one.made_at, one.profiles, one.redacted, one.bytes, one.sha256),
            *(one.delivered_at, one.delivered_how, one.shredded_at),
        )
        for one in results
    )
    console.print(grid("Answers", headings, answers))


@access.command("export")
@click.argument("request_id", metavar="REQUEST_ID")
@click.option(
    "--to",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; it must not be there yet, and only you will be able to read it.",
)
@with_reason
@by_whom
@as_json
@pass_context
def export_data(context: Context, request_id: str, path: Path, reason: str, by: str, *, machine: bool) -> None:
    """Write the data of an access request into a file, once; here it is destroyed with that, and the source is told."""
    kept: list[Path] = []
    with context.open_site() as site:
        try:
            done = export(site, request_id, _into(path, kept), Decision(by, reason, site.clock.now()))
        except Refused:
            # What stands in the file is not the answer. After any other error it may be all that is left of it.
            for one in kept:
                one.unlink(missing_ok=True)
            raise
    if machine:
        print_json({"request": request_id, "sha256": done.sha256, "bytes": done.size})
    else:
        click.echo(f"{done.size} bytes, SHA-256 {done.sha256}; destroyed here")


def _into(path: Path, kept: list[Path]) -> Callable[[bytes], None]:
    """Return what writes a new file, and returns only once it is on the disk."""

    def keep(content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, _OWNER_ALONE)
        except OSError as error:
            raise click.ClickException(f"the file cannot be made: {error.strerror}") from None
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise click.ClickException(f"the file cannot be written: {error.strerror}") from None
        kept.append(path)
        folder = os.open(path.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    return keep


COMMANDS = (access,)
