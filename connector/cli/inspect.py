"""Look, change nothing: `status`, `show ID`, `map FILE`. No command prints an identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.cli import fuses
from connector.cli.context import Context, pass_context, print_json
from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.mapping.apply import apply_rules
from connector.model import Purpose
from connector.services import approvals
from connector.services.kinds import Asked, asked_for, refusal_to_begin
from connector.states import IdentityState, RequestState
from connector.store import overview as store_overview
from connector.store import returns, schema
from connector.store.tangles import TANGLED
from connector.wiring import open_database, reading_of
from connector.wiring.accounts import approvals_of

as_json = click.option("--json", "machine", is_flag=True, help="Print JSON for a machine.")


def grid(title: str, headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """Return a table for the terminal; missing values are shown as a dash."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        # Not as markup: a label or a vendor's reason may hold brackets.
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def plain(value: Any) -> str:
    """Return a cell's text."""
    if value in {None, ""}:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return str(value)


@click.command()
@click.option("--list", "most", type=click.IntRange(1, 10_000), help="Name up to this many requests, not only counts.")
@as_json
@pass_context
def status(context: Context, most: int | None, machine: bool) -> None:
    """Show how many requests, targets and reports are in which state, and what needs attention."""
    now = context.clock.now()
    with open_database(context.config) as database:
        schema.require_current(database)
        with database.read() as connection:
            patience = {one: timedelta(days=given.warn_after_days) for one, given in context.config.accounts.items()}
            seen = store_overview.overview(connection, now, patience)
            blown = fuses.blown(connection, context.config, now)
            unapproved = approvals.awaited(connection, approvals_of(context.config))
            named = [*store_overview.needing_attention(connection, now, most)] if most else []
            ended = [*store_overview.with_ended_reports(connection, most)] if most else []
    if machine:
        lists = {"open": named, "unreported": ended} if most else {}
        listed = {name: [store_overview.as_dict(one) for one in rows] for name, rows in lists.items()}
        stopped = {"fuses": [asdict(one) for one in blown], "unapproved": unapproved}
        print_json(asdict(seen) | stopped | listed)
        return
    console = Console()
    for title, counts in (
        ("Requests", seen.requests),
        ("Targets", seen.targets),
        ("Submissions", seen.submissions),
        ("Operations at Lytics", seen.operations),
        ("Reports", seen.reports),
    ):
        console.print(grid(title, ("state", "number"), sorted(counts.items())))
    for title, rows in (("Open, the most pressing first", named), ("Finished, but the source was not told", ended)):
        if rows:
            lines = ((one.id, one.source, one.state, one.reason, one.due_at) for one in rows)
            console.print(grid(title, ("request", "source", "state", "reason", "due"), lines))
    observing = [name for name, one in context.config.accounts.items() if one.mode == "observe"]
    for line in (f"account {name} only observes: nothing is deleted in it" for name in observing):
        console.print(line)
    for line in attention(seen, blown, unapproved):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def attention(
    seen: store_overview.Overview, blown: Iterable[fuses.BlownFuse] = (), unapproved: Mapping[str, int] | None = None
) -> list[str]:
    """Return what a person should look at, most pressing first."""
    lines = [str(one) for one in blown]
    lines += [
        f"{number} values wait for approval in account {name}; look, then approve: `connector preview --account {name}`"
        for name, number in (unapproved or {}).items()
    ]
    if seen.late:
        lines.append(f"{seen.late} open requests are past their due date")
    lines.extend(f"{number} requests are held: {reason}" for reason, number in sorted(seen.held_by_reason.items()))
    if dead := seen.reports.get("dead"):
        lines.append(f"{dead} reports were given up; see `connector dlq list --kind report`")
    if seen.unfulfilled:
        lines.append(
            f"{seen.unfulfilled} requests were not carried out in full; see `connector dlq list --kind request`"
        )
    if seen.unreported_due:
        lines.append(f"{seen.unreported_due} last reports fail although their due date is near or past")
    if conflicts := seen.reports.get("conflict"):
        lines.append(f"{conflicts} requests were decided at the source meanwhile; nothing was overwritten")
    if unknown := seen.submissions.get("unknown"):
        lines.append(f"{unknown} bulk calls have an unknown outcome and are being looked into")
    if seen.overdue_operations:
        lines.append(
            f"{seen.overdue_operations} deletions have been under way at Lytics for longer than warn_after_days"
        )
    if seen.returned:
        lines.append(
            f"{seen.returned} deleted values are in Lytics again; see the log and `connector suppression list`"
        )
    if seen.due_within_7_days:
        lines.append(f"{seen.due_within_7_days} open requests are due within 7 days")
    return lines or ["nothing needs attention"]


@click.command()
@click.argument("name", metavar="ID")
@as_json
@pass_context
def show(context: Context, name: str, machine: bool) -> None:
    """Show one request: its history, identities by kind, targets, operations and reports.

    ID is our request id (or its beginning), or the subtask or reference id of the source.
    """
    with open_database(context.config) as database, database.read() as connection:
        found = store_overview.find(connection, name)
        if len(found) != 1:
            raise Rejected(Code.REQUEST_UNKNOWN, "several begin like this" if found else "")
        dossier = store_overview.dossier(connection, found[0])
        follows = returns.followed(connection, found[0].id)
        waits = [one for one in fuses.blown(connection, context.config, context.clock.now()) if one.keeps(dossier)]
    if machine:
        behind = {"behind_fuses": [asdict(one) for one in waits]}
        print_json({"request": store_overview.as_dict(found[0]), **_rows(dossier), **behind})
        return
    console = Console()
    one = dossier.request
    console.print(f"[bold]{one.id}[/] from {one.source}: [bold]{one.state}[/] {escape(one.reason)}")
    due = f"due {plain(one.due_at)} ({one.due_basis})"
    console.print(f"received {plain(one.received_at)}, {due}, attempt {one.attempt}")
    console.print(", ".join(f"{key} {value}" for key, value in sorted(one.external.items())), markup=False)
    if one.confirmed_at is not None:
        missing = f"; answers that look like an identity and are named by no rule: {one.unnamed}" if one.unnamed else ""
        console.print(f"listed by {one.source} since {plain(one.confirmed_at)}{missing}")
    if one.state is RequestState.HELD and one.reason == TANGLED:
        console.print(
            "held: its profile in Lytics may be several people's, and would be deleted whole; see the targets. Let it "
            f"go with: connector release {one.id} --reason WHY",
            markup=False,
            soft_wrap=True,
        )
    if follows:
        console.print(f"deletes again what came back of request {follows}; its source is told nothing of it")
    for fuse in waits:
        console.print(f"waits: {fuse}", markup=False, highlight=False, soft_wrap=True)
    console.print(grid("History", ("at", "state", "reason"), ((h.at, h.state, h.reason) for h in dossier.history)))
    console.print(
        grid("Identities", ("kind", "state", "reason"), ((i.kind, i.state, i.reason) for i in dossier.identities))
    )
    console.print(
        grid(
            "Targets",
            ("field", "state", "reason", "known before", "not named", "tries", "operation at Lytics", "its state"),
            (
                (f"{t.lytics_table}.{t.field}", t.state, t.reason, *_seen(t), t.tries, t.remote_id, t.word)
                for t in dossier.targets
            ),
        )
    )
    console.print(
        grid(
            "Reports",
            ("created", "status", "state", "tries", "reason", "comment"),
            ((r.created_at, r.status, r.state, r.tries, r.reason, r.comment) for r in dossier.reports),
        )
    )


def _seen(target: Any) -> tuple[Any, str]:
    """Return what the look-up said, and how many identifiers beyond the request it showed on the profile."""
    shown = ", ".join(f"{number} {name}" for name, number in sorted((target.strangers_in or {}).items()))
    return target.known_before, shown


def _rows(dossier: store_overview.Dossier) -> dict[str, Any]:
    return {
        name: [store_overview.as_dict(row) for row in getattr(dossier, name)]
        for name in ("history", "deliveries", "identities", "targets", "reports")
    }


@click.command("map")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", "source_name", help="The source whose rules apply; not needed if there is only one.")
@as_json
@pass_context
def map_file(context: Context, file: Path, source_name: str | None, machine: bool) -> None:
    """Show what the payload in FILE would map to. Nothing is stored, sent or deleted."""
    dialect, rules, scope = reading_of(context.config.sources[context.pick_source(source_name)])
    payload = file.read_bytes()
    call = dialect.parse(payload, Inbound("POST", "", (), payload))
    result = apply_rules(rules, call.identities)
    refusal = refusal_to_begin(scope, is_test=call.is_test, request_types=call.request_types)
    asked = asked_for(scope, call.request_types)
    rows = [
        {
            "kind": identity.kind,
            "state": mapped.state.value,
            "reason": str(mapped.reason),
            "targets": [f"{one.table}.{one.field}" for one in mapped.targets],
        }
        for identity, mapped in zip(call.identities, result.mapped, strict=True)
    ]
    if machine:
        counts = {state.value: result.count(state) for state in IdentityState if state is not IdentityState.RECEIVED}
        print_json(
            {
                "purpose": call.purpose.value,
                "asked": asked.value,
                "identities": rows,
                "counts": counts,
                "hold_reason": str(result.hold_reason),
                "refusal": refusal,
            }
        )
        return
    console = Console()
    console.print(
        grid(
            f"What {file.name} maps to",
            ("kind", "state", "reason", "Lytics fields"),
            ((row["kind"], row["state"], row["reason"], ", ".join(row["targets"])) for row in rows),
        )
    )
    goes_on = "read and handed over" if asked is Asked.ACCESS else "queued for deletion"
    verdict = f"held: {result.hold_reason}" if result.hold_reason else goes_on
    if refusal:
        verdict = f"rejected: {refusal}"
    if call.purpose is not Purpose.REQUEST:
        verdict = f"answered and not stored: {call.purpose}"
    console.print(f"The request would be {verdict}.")


COMMANDS = (status, show, map_file)
