"""`suppression`: ask the list of who was deleted, hand out filters of it, see who came back, end entries.

Identities are read from a file or standard input, never from the command line, which others can see and shells keep.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console

from connector.cli.context import Context, pass_context, print_json
from connector.cli.dlq import with_reason
from connector.cli.guards import by_whom, from_file
from connector.cli.inspect import as_json, grid
from connector.model import Identity
from connector.private import Private
from connector.services import suppression
from connector.states import WatchState
from connector.store import returns as store_returns
from connector.store import suppressions as store_suppressions
from connector.store import watched as store_watched
from connector.store.audit import Decision

account_option = click.option("--account", "account_name", help="The account; not needed if there is only one.")
kind_option = click.option("--kind", help="What the identities are, as the mapping of a source names it: `email`.")


@click.group("suppression")
def suppression_group() -> None:
    """The suppression list: who was deleted, by keyed hash, and who came back."""


@suppression_group.command("check")
@account_option
@kind_option
@from_file
@as_json
@pass_context
def check(
    context: Context, account_name: str | None, kind: str | None, file: IO[bytes] | None, *, machine: bool
) -> None:
    """Say of each identity, line by line, whether it is on the list."""
    account = context.pick_account(account_name)
    asked = _identities(kind, file)
    with context.open_site() as site:
        found = suppression.check(site, account, asked)
    if machine:
        print_json({"suppressed": found})
        return
    for one in found:
        click.echo("yes" if one else "no")


@suppression_group.command("export")
@account_option
@click.option(
    "--false-positives",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=suppression.FALSE_POSITIVES,
    show_default=True,
    help="The share of others that the filter takes for deleted too.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
@as_json
@pass_context
def export(context: Context, account_name: str | None, false_positives: float, output: Path, *, machine: bool) -> None:
    """Write a filter of the list for a collector: see docs/suppression.md."""
    account = context.pick_account(account_name)
    if context.config.suppression.share_key is None:
        raise click.UsageError("set suppression.share_key first: the collector asks the filter with it")
    with context.open_site() as site:
        made = suppression.export(site, account, context.clock.now(), false_positives)
    output.write_bytes(made.content)
    if machine:
        print_json({"bytes": len(made.content), "entries": made.entries, "left_out": made.left_out})
        return
    click.echo(f"{made.entries} entries in {len(made.content)} bytes")
    if made.left_out:
        click.echo(f"{made.left_out} entries are not in it: they were made without this suppression.share_key")


@suppression_group.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--after", metavar="ID", default="", help="Go on behind this one, the last of the page before.")
@as_json
@pass_context
def list_entries(context: Context, limit: int, after: str, *, machine: bool) -> None:
    """List the entries: since when, for which request, and whether they are watched. Who they are is not known here."""
    with context.open_site(hashes=False) as site:
        checks = site.pseudonymiser.checks
        with site.database.read() as connection:
            found = store_suppressions.listed(connection, after.lower(), limit + 1)
            back = store_watched.count(connection, WatchState.RETURNED)
            became = store_returns.count(connection)
    page, more = found[:limit], len(found) > limit
    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "account": one.account,
            "field": f"{one.lytics_table}.{one.field}",
            "since": one.since,
            "source": one.source,
            "request_id": one.request_id,
            "watch": one.state,
            "next_look": one.next_at,
            "watched_until": one.ends_at,
            "deleted_again": one.again or 0,
            "recognises": one.key_check in checks,
        }
        for one in page
    ]
    if machine:
        next_id = page[-1].id if more else None
        print_json({"entries": rows, "next": next_id, "there_again": back, "returns": became})
        return
    console = Console()
    names = ("id", "account", "field", "since", "request_id", "watch", "next_look")
    table = grid("Suppression list", names, ([one[name] for name in names] for one in rows))
    # To be copied into the next command.
    table.columns[0].no_wrap = True
    console.print(table)
    console.print(f"{back} are there again, and were not deleted again")
    for state, number in sorted(became.items()):
        console.print(f"{number} came back: {state}")
    if more:
        console.print(f"There are more: --after {page[-1].id}", markup=False, soft_wrap=True)


@suppression_group.command("end")
@account_option
@kind_option
@from_file
@click.option("--id", "ids", multiple=True, metavar="ID", help="An entry as `list` names it; instead of identities.")
@click.option(
    "--former-key",
    is_flag=True,
    help="All that were made under a pseudonym key that is not configured; instead of both.",
)
@with_reason
@by_whom
@as_json
@pass_context
def end(
    context: Context,
    account_name: str | None,
    kind: str | None,
    file: IO[bytes] | None,
    ids: Sequence[str],
    reason: str,
    by: str,
    *,
    former_key: bool,
    machine: bool,
) -> None:
    """End entries, of people who came back by their own will: they are not looked for, nor deleted again."""
    if (file is not None or kind is not None) + bool(ids) + former_key > 1:
        raise click.UsageError("give identities with --kind, or --id, or --former-key")
    decision = Decision(by, reason, context.clock.now())
    asked = [] if ids or former_key else _identities(kind, file)
    account = "" if ids or former_key else context.pick_account(account_name)
    with context.open_site(hashes=not former_key) as site:
        if former_key:
            ended = suppression.end_illegible(site, decision)
        else:
            ended = suppression.end(site, account, asked, [one.lower() for one in ids], decision)
    if machine:
        print_json({"ended": ended.done, "not_listed": ended.unknown})
    else:
        click.echo(f"{ended.done} ended, {ended.unknown} were not on the list")
    if ended.unknown:
        click.get_current_context().exit(1)


def _identities(kind: str | None, file: IO[bytes] | None) -> list[Identity]:
    """Read one identity per line, in order, so that the answers can be told apart."""
    if kind is None:
        raise click.UsageError("say with --kind what the identities are")
    given = (file or sys.stdin.buffer).read()
    try:
        lines = given.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise click.UsageError("the identities are not UTF-8") from None
    if not lines:
        raise click.UsageError("no identity was given; nothing was changed")
    return [Identity(kind, Private(one)) for one in lines]


COMMANDS = (suppression_group,)
