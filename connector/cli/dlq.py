"""`dlq`: dead letters, what was given up. Listed without an identity, sent on their way again, or left to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Final

import click
from rich.console import Console

from connector.cli.context import Context, pass_context, print_json
from connector.cli.inspect import as_json, grid, plain
from connector.codes import Code
from connector.errors import Rejected
from connector.services import dead_letters as service
from connector.services.dead_letters import Known
from connector.store import dead_letters, overview, schema
from connector.store.columns import Connection
from connector.store.database import Database
from connector.store.dead_letters import Kind, Letter
from connector.wiring import open_database

# Read at once while all are replayed.
_PAGE: Final = 200


def _for_the_record(_context: click.Context, _option: click.Parameter, value: str) -> str:
    reason = value.strip(" ")
    if fault := service.fault_in(reason):
        raise click.BadParameter(fault)
    return reason


of_source = click.option("--source", "source_name", help="Only this source's.")
of_kind = click.option("--kind", type=click.Choice([one.value for one in Kind]), help="Only reports, or only requests.")
with_reason = click.option(
    "--reason", required=True, callback=_for_the_record, help="Why; it is recorded, and must name nobody."
)


@click.group()
def dlq() -> None:
    """Dead letters: reports that were given up, requests that were not carried out in full."""


@dlq.command("list")
@of_source
@of_kind
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--after", metavar="ID", default="", help="Go on behind this one, the last of the page before.")
@click.option("--dropped", is_flag=True, help="Those that were dropped, instead of those that wait.")
@as_json
@pass_context
def list_letters(
    context: Context, source_name: str | None, kind: str | None, limit: int, after: str, *, dropped: bool, machine: bool
) -> None:
    """List dead letters, the oldest first."""
    with _store(context) as database, database.read() as connection:
        found = dead_letters.listed(
            connection, kinds=_kinds(kind), source=source_name, dropped=dropped, after=after.lower(), limit=limit + 1
        )
    page, more = found[:limit], len(found) > limit
    if machine:
        print_json({"letters": [asdict(one) for one in page], "next": page[-1].id if more else None})
        return
    console = Console()
    title = "Dropped dead letters" if dropped else "Dead letters"
    table = grid(title, ("id", "kind", "source", "what", "reason", "given up", "due"), (_cells(one) for one in page))
    # To be copied into the next command.
    table.columns[0].no_wrap = True
    console.print(table)
    if more:
        console.print(f"There are more: --after {page[-1].id}", markup=False, soft_wrap=True)


@dlq.command("show")
@click.argument("name", metavar="ID")
@as_json
@pass_context
def show_letter(context: Context, name: str, *, machine: bool) -> None:
    """Show one dead letter: why it was given up, its targets and history, and whether a replay would be done."""
    with _store(context) as database, database.read() as connection:
        letter = _find(connection, name)
        why = service.why_not(connection, letter, _known(context))
        (request,) = overview.find(connection, letter.request_id)
        dossier = overview.dossier(connection, request)
    unfulfilled = [one for one in dossier.targets if one.state in dead_letters.UNFULFILLED_TARGETS]
    if machine:
        rows = {"targets": unfulfilled, "history": dossier.history}
        told = {name: [overview.as_dict(one) for one in of_one] for name, of_one in rows.items()}
        print_json(asdict(letter) | {"replay_refused": why} | told)
        return
    console = Console()
    console.print(f"{letter.kind} {letter.id} from {letter.source}: {letter.state}", markup=False, highlight=False)
    console.print(f"{_what(letter)}; {letter.reason or 'no reason'}", markup=False, highlight=False)
    console.print(f"given up {plain(letter.ended_at)}, due {plain(letter.due_at)}, attempt {letter.attempt}")
    console.print(f"request {letter.request_id}", markup=False, highlight=False)
    lines = ((f"{one.lytics_table}.{one.field}", one.state, one.reason, one.tries) for one in unfulfilled)
    if unfulfilled:
        console.print(grid("Targets that were not deleted", ("field", "state", "reason", "tries"), lines))
    console.print(grid("History", ("at", "state", "reason"), ((h.at, h.state, h.reason) for h in dossier.history)))
    console.print(f"A replay would be refused: {why}" if why else "A replay would be done.", markup=False)


@dlq.command("replay")
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that wait, or those of --source and --kind.")
@of_source
@of_kind
@with_reason
@as_json
@pass_context
def replay_letters(
    context: Context,
    names: Sequence[str],
    source_name: str | None,
    kind: str | None,
    reason: str,
    *,
    everything: bool,
    machine: bool,
) -> None:
    """Send dead letters on their way again: queue a report, or begin a new attempt of what failed of a request."""
    if everything == bool(names):
        raise click.UsageError("name the dead letters, or give --all")
    if names and (source_name or kind):
        raise click.UsageError("--source and --kind go with --all")
    known = _known(context)
    with _store(context) as database:
        letters = _all(database, source_name, _kinds(kind)) if everything else iter(_named(database, names))
        _carry_out(
            letters,
            lambda one: service.replay(database, one, reason, context.clock.now(), known),
            "on its way again",
            machine=machine,
        )


@dlq.command("drop")
@click.argument("names", metavar="ID...", nargs=-1, required=True)
@with_reason
@as_json
@pass_context
def drop_letters(context: Context, names: Sequence[str], reason: str, *, machine: bool) -> None:
    """Let dead letters rest. They stay on record and are listed with --dropped."""
    with _store(context) as database:
        _carry_out(
            iter(_named(database, names)),
            lambda one: service.drop(database, one, reason, context.clock.now()),
            "dropped",
            machine=machine,
        )


def _carry_out(letters: Iterator[Letter], act: Callable[[Letter], str], done: str, *, machine: bool) -> None:
    """Act on each and say what became of it; exit status 1 if one was refused."""
    results = []
    for letter in letters:
        why = act(letter)
        results.append({"id": letter.id, "kind": letter.kind.value, "done": not why, "why": why})
        if not machine:
            click.echo(f"{letter.id} {letter.kind}: {f'not done: {why}' if why else done}")
    refused = sum(not one["done"] for one in results)
    if machine:
        print_json({"results": results, "done": len(results) - refused, "refused": refused})
    else:
        click.echo(f"{len(results) - refused} done, {refused} refused")
    if refused:
        click.get_current_context().exit(1)


def _all(database: Database, source: str | None, kinds: Sequence[Kind]) -> Iterator[Letter]:
    after = ""
    while True:
        with database.read() as connection:
            page = dead_letters.listed(connection, kinds=kinds, source=source, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _named(database: Database, names: Sequence[str]) -> list[Letter]:
    """Find every one before the first is acted on: a slip in one name changes nothing."""
    with database.read() as connection:
        return list(dict.fromkeys(_find(connection, one) for one in names))


def _find(connection: Connection, name: str) -> Letter:
    found = dead_letters.find(connection, name)
    if len(found) != 1:
        detail = "several dead letters begin like this" if found else "no dead letter has this id"
        raise Rejected(Code.REQUEST_UNKNOWN, detail)
    return found[0]


def _store(context: Context) -> Database:
    database = open_database(context.config)
    schema.require_current(database)
    return database


def _known(context: Context) -> Known:
    config = context.config
    asked = frozenset(
        name for name, one in config.sources.items() if one.read_back is not None and one.read_back.enabled
    )
    return Known({name: one.account for name, one in config.sources.items()}, frozenset(config.accounts), asked)


def _kinds(kind: str | None) -> tuple[Kind, ...]:
    return (Kind(kind),) if kind else tuple(Kind)


def _cells(one: Letter) -> tuple[object, ...]:
    return (one.id, one.kind, one.source, _what(one), one.reason, one.ended_at, one.due_at)


def _what(one: Letter) -> str:
    if one.kind is Kind.REPORT:
        return f"{one.status} not told, {one.tries} tries"
    return f"{one.state}: {one.refused} refused, {one.failed} failed"


COMMANDS = (dlq,)
