"""`keys`: which secrets are in use, so that a rotation can be finished, and keys that sign. Values are never shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connector.cli.context import Context, pass_context, print_json
from connector.cli.inspect import as_json, grid
from connector.cli.pseudonyms import drop_pseudonym, pseudonyms
from connector.cli.verify import kind_of
from connector.config.checks import AllOfCheck, AnyOfCheck, Check
from connector.config.checks.base import CheckSection
from connector.policy.rotation import Held, Line, Standing, Use, key_report
from connector.proof.keys import key_set, new_pem, public_from_pem
from connector.services import pseudonyms as service
from connector.services import rehash, rewrap
from connector.store import keys as store_keys
from connector.store import schema
from connector.store.database import Database
from connector.wiring import keeping_of, open_database, proofs_of, pseudonymiser_of

_WORDS = {Standing.NOT_YET: "not yet", Standing.NOT_CONFIGURED: "not configured"}


@click.group()
def keys() -> None:
    """Secrets and keys: which ones count, and which ones are in use."""


@keys.command()
@click.option("--source", "source_name", help="Only this source.")
@as_json
@pass_context
def report(context: Context, source_name: str | None, machine: bool) -> None:
    """Show for every secret whether it counts, when it was used, and whether it can be removed."""
    chosen = {context.pick_source(source_name)} if source_name is not None else set(context.config.sources)
    now = context.clock.now()
    with open_database(context.config) as database:
        schema.require_current(database)
        with database.read() as connection:
            rows = store_keys.uses(connection)
    uses = [Use(row.source, row.secret_id, row.first_used_at, row.last_used_at) for row in rows]
    sources = {name: one.verify for name, one in context.config.sources.items()}
    held = [one for name, checks in sources.items() for one in held_in(name, checks)]
    publishing = {name for name, checks in sources.items() if any(map(_is_published, _leaves(checks)))}
    lines = key_report(held, uses, publishing, now)
    if source_name is not None:
        lines = [one for one in lines if one.source in chosen]
    if machine:
        print_json([asdict(one) for one in lines])
        return
    Console().print(
        grid(
            "Secrets and keys",
            ("source", "check", "id", "counts", "first used", "last used", "last 30 days", "advice"),
            (_cells(one) for one in lines),
        )
    )


@keys.command()
@as_json
@pass_context
def sealing(context: Context, machine: bool) -> None:
    """Show the keys that everything personal is sealed with, and which of them can be removed."""
    with open_database(context.config) as database:
        found = rewrap.uses(database)
    if machine:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (one.id, one.name or "not configured", "yes" if one.seals else "", one.data_keys, _advice(one)) for one in found
    )
    Console().print(grid("Sealing keys", ("id", "reference", "seals", "requests under it", "advice"), rows))


def _advice(one: rewrap.KeyUse) -> str:
    if not one.name:
        return "put it back into store.sealing_keys"
    if one.seals:
        return "keep"
    return "connector keys rotate" if one.data_keys else "can be removed"


_SEALING, _PSEUDONYM = "sealing", "pseudonym"


@keys.command()
@click.argument("which", type=click.Choice([_SEALING, _PSEUDONYM]), required=False)
@pass_context
def rotate(context: Context, which: str | None) -> None:
    """Bring what is sealed under the first of store.sealing_keys, and what is hashed under store.pseudonym_key.

    Receiver and worker go on meanwhile. If it is interrupted, the same command goes on. WHICH is for one of the two.
    """
    with open_database(context.config) as database:
        # What can be read is hashed anew from itself, so that a lost pseudonym key is no reason not to.
        schema.require_current(database, hashes=False)
        if which in (None, _SEALING):
            _rotate_sealing(context, database)
        if which in (None, _PSEUDONYM):
            _rotate_pseudonyms(context, database)


def _rotate_sealing(context: Context, database: Database) -> None:
    with _told("data keys") as tell:
        done = rewrap.rewrap_all(database, tell)
    click.echo(f"{done} data keys were brought under {context.config.store.sealing_keys[0].id}")
    for one in rewrap.uses(database):
        if not one.seals:
            click.echo(f"{one.name} opens nothing any more: take it out of store.sealing_keys, then destroy it")


def _rotate_pseudonyms(context: Context, database: Database) -> None:
    pseudonymiser = pseudonymiser_of(context.config)
    with _told("hashes") as tell:
        done = rehash.rehash_all(database, pseudonymiser, tell)
    click.echo(f"{done} requests and entries were hashed under {pseudonymiser.name}")
    for one in service.uses(database, pseudonymiser, keeping_of(context.config)):
        if one.name and not one.hashes:
            click.echo(f"{one.name}: {one.advice}")


@contextmanager
def _told(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give what shows how far it is, where somebody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what)
        yield lambda at, of: progress.update(bar, completed=at, total=of)


def _cells(line: Line) -> tuple[object, ...]:
    recently = "used" if line.used_recently else "not used"
    used = (line.first_used_at, line.last_used_at, recently)
    return (line.source, line.check, line.secret_id, counts(line), *used, line.advice)


def counts(line: Line) -> str:
    """Say whether a secret counts, in a word or two."""
    word = _WORDS.get(line.standing, line.standing.value)
    return word if line.ends_in_days is None else f"{word}, ends in {line.ends_in_days} d"


def held_in(source: str, checks: Sequence[Check], group: str = "", place: str = "") -> Iterator[Held]:
    """Give the secrets of a source's checks.

    Args:
        group: of the alternatives that these checks are part of; else each check is a group of its own.
        place: of the check that these are inside of.
    """
    for number, check in enumerate(checks, 1):
        here = f"{place}.{number}".lstrip(".")
        if isinstance(check, AllOfCheck):
            joined = group or (here if isinstance(check, AnyOfCheck) else "")
            yield from held_in(source, check.checks, joined, here)
        elif isinstance(check, CheckSection):
            for part, secrets in enumerate(check.secret_groups):
                # Keys of our own never take the place of what proves the sender.
                of = f"{here}/{part}" if part else group or here
                for secret in secrets:
                    shown = secret.id[: store_keys.MAX_ID_CHARS]
                    yield Held(source, kind_of(check), of, shown, secret.not_before, secret.not_after)


def _leaves(checks: Sequence[Check]) -> Iterator[CheckSection]:
    for check in checks:
        if isinstance(check, AllOfCheck):
            yield from _leaves(check.checks)
        elif isinstance(check, CheckSection):
            yield check


def _is_published(check: CheckSection) -> bool:
    """Say whether the sender publishes the keys of a check: it names where, or has none of its own."""
    return bool(check.key_addresses) or not any(True for _ in check.live_secrets)


@keys.command("new-signing")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def new_signing(path: Path) -> None:
    """Make a key that signs receipts and checkpoints, and write it to PATH, which must not be there yet."""
    pem = new_pem(os.urandom(32))
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(pem)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"key {public_from_pem(pem).kid}")
    click.echo("Put its reference first in proof.signing_keys, and keep it apart from the store and its backups.")


@keys.command("public")
@pass_context
def show_public(context: Context) -> None:
    """Print the public keys under which receipts are verified, as /.well-known/jwks.json shows them."""
    print_json(key_set(proofs_of(context.config).keys))


keys.add_command(pseudonyms)
keys.add_command(drop_pseudonym)

COMMANDS = (keys,)
