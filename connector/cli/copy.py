"""`db copy`: move an installation from SQLite to PostgreSQL."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final, Self

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from connector.cli.context import Context, pass_context, print_json
from connector.cli.inspect import as_json, grid
from connector.config.fields import StoreUrl
from connector.config.section import Section, Surroundings
from connector.private import Secret
from connector.store.copy import Copied, Phase, copy_store
from connector.store.database import Database
from connector.wiring import open_database

# Seconds between two plain lines.
_PLAIN_EVERY_S: Final = 2.0


class _Target(Section):
    """The target is named as the store is in the configuration, and checked alike."""

    url: StoreUrl


@click.command("copy")
@click.argument("url", metavar="TARGET")
@as_json
@pass_context
def db_copy(context: Context, url: str, machine: bool) -> None:
    """Copy the SQLite store into an empty PostgreSQL database, compare both, and close the SQLite store.

    TARGET is the database's URL, or a reference to it: env:NAME or file:PATH. Stop receiver and worker before. If it
    is interrupted, the same command goes on.
    """
    secret = _target(context, url)
    console = Console(stderr=True, quiet=machine)
    with (
        open_database(context.config) as source,
        Database(secret.reveal(), pool_size=2) as target,
        View(console) as view,
    ):
        done = copy_store(source, target, view.tell)
    if machine:
        print_json(_as_document(done))
    else:
        _print(done, secret.id, str(source.file))
    sys.exit(0 if done.is_equal else 1)


def _target(context: Context, url: str) -> Secret:
    surroundings = Surroundings(context.environment, Path(context.config_path).resolve().parent, ())
    try:
        return _Target.model_validate({"url": url}, context=surroundings).url
    except ValidationError as error:
        # Of the library's text only ours: the rest shows what was found, which may hold a password.
        raise click.UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _as_document(done: Copied) -> dict[str, object]:
    tables = [
        {"table": one.table, "rows": one.source.rows, "digest": one.source.digest, "equal": one.is_equal}
        for one in done.tables
    ]
    return {"equal": done.is_equal, "went_on": done.went_on, "started_over": done.started_over, "tables": tables}


def _print(done: Copied, target: str, file: str) -> None:
    rows = ((one.table, one.source.rows, one.target.rows, "yes" if one.is_equal else "NO") for one in done.tables)
    Console().print(grid("Compared", ("table", "rows in SQLite", "rows in PostgreSQL", "equal"), rows))
    if done.started_over:
        click.echo("The SQLite store was changed since the earlier copy; everything was copied again.")
    if not done.is_equal:
        names = ", ".join(one.table for one in done.tables if not one.is_equal)
        click.echo(f"NOT EQUAL: {names}. The target is marked as unusable, and the SQLite store stays in use.")
        return
    click.echo(
        "Both stores are equal. What is left to do:\n"
        f'  1. Set url = "{target}" in the table [store] of the configuration; leave both keys as they are.\n'
        "  2. Start receiver and worker.\n"
        f"  3. {file} takes nothing any more, but still holds sealed values: keep it as you keep a backup,\n"
        "     or remove it with the files beside it that begin with its name."
    )


class View:
    """A bar where there is a terminal, a plain line now and then where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<44}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal or console.quiet,
        )
        self._bars: dict[Phase, TaskID] = {}
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()

    def tell(self, phase: Phase, table: str, done: int, total: int) -> None:
        words = f"{phase}, {table}" if done < total else phase.value
        if self._progress.disable:
            self._say(f"{words}: {done} of {total} rows")
            return
        if phase not in self._bars:
            self._bars[phase] = self._progress.add_task(words)
        self._progress.update(self._bars[phase], description=words, completed=done, total=total)

    def _say(self, words: str) -> None:
        now = time.monotonic()
        if now - self._said_at > _PLAIN_EVERY_S:
            self._said_at = now
            self._console.print(words, soft_wrap=True)
