"""`audit`: who decided what, and whether the audit log is what it was."""

from __future__ import annotations

import base64
from dataclasses import asdict
from datetime import datetime
from typing import IO

import click
from rich.console import Console
from rich.progress import Progress

from connector.cli.context import Context, pass_context, print_json
from connector.cli.inspect import as_json, grid
from connector.proof import note
from connector.proof.note import Checkpoint
from connector.proof.verdict import Refuted
from connector.services import audit_check
from connector.services.proofs import Proofs
from connector.services.stamp_check import Stamped
from connector.store import audit as store_audit
from connector.store import ledger, overview, schema, stamps
from connector.wiring import open_database, proofs_of


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@as_json
@click.pass_context
def audit(click_context: click.Context, limit: int, *, machine: bool) -> None:
    """Show what operators decided, the latest first: who, when, what and why."""
    if click_context.invoked_subcommand is not None:
        return
    context: Context = click_context.find_object(Context) or click_context.obj
    with open_database(context.config) as database:
        schema.require_current(database)
        with database.read() as connection:
            rows = store_audit.latest(connection, limit)
    if machine:
        print_json([overview.as_dict(one) for one in rows])
        return
    lines = ((one.at, one.actor, one.action, one.subject, one.reason) for one in rows)
    Console().print(grid("Decisions", ("at", "by", "what", "of what", "reason"), lines))


@audit.command("verify")
@click.option(
    "--checkpoint",
    "kept_files",
    type=click.File("rb"),
    multiple=True,
    metavar="PATH",
    help="A checkpoint that was kept elsewhere; the log has to begin as it says. May be given again.",
)
@as_json
@pass_context
def verify_log(context: Context, kept_files: tuple[IO[bytes], ...], *, machine: bool) -> None:
    """Read the whole audit log and name the first bad entry; exit status 1 if anything is not what it was."""
    proofs = proofs_of(context.config)
    kept = [_kept(one, proofs) for one in kept_files]
    console = Console(stderr=True)
    with open_database(context.config) as database, Progress(console=console, transient=True) as progress:
        schema.require_current(database)
        task = progress.add_task("entries", total=None)

        def notice(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)

        with database.read() as connection:
            checked = audit_check.check(connection, proofs, kept, notice)
    if machine:
        print_json({**asdict(checked), "holds": checked.holds, "root": base64.b64encode(checked.root).decode()})
    else:
        for line in _lines(checked):
            click.echo(line)
    if not checked.holds:
        click.get_current_context().exit(1)


def _lines(checked: audit_check.Checked) -> list[str]:
    lines = [f"BAD  {one}" for one in checked.findings]
    if len(checked.findings) >= audit_check.MOST_FINDINGS:
        lines.append("     … and perhaps more")
    lines.append(f"{checked.size} entries are what they were; {checked.checkpoints} checkpoints agree with them")
    if checked.holds and checked.signed < checked.size:
        lines.append(f"the last {checked.size - checked.signed} entries are under no signed checkpoint yet")
    lines += _attested(checked.stamped)
    if checked.waiting:
        lines.append(f"{checked.waiting} moves and decisions wait for the worker to put them into the log")
    if checked.gone:
        lines.append(f"{checked.gone} entries are about requests that are no longer in the store")
    return lines


def _attested(stamped: Stamped) -> list[str]:
    lines = []
    if stamped.first is not None and stamped.last is not None:
        seen = f"a time-stamping authority has seen the first {stamped.first.size} entries at {_time(stamped.first.at)}"
        if stamped.count > 1:
            seen += f", and the first {stamped.last.size} at {_time(stamped.last.at)}; {stamped.count} stamps hold"
        lines.append(seen)
    if stamped.unchecked:
        lines.append(f"{stamped.unchecked} stamps were not checked: proof.stamps says nobody whose stamps are trusted")
    return lines


def _kept(file: IO[bytes], proofs: Proofs) -> Checkpoint:
    try:
        return note.read_checkpoint(file.read().decode(errors="replace"), proofs.origin, proofs.keys)
    except Refuted as refuted:
        raise click.ClickException(f"{file.name}: {refuted}") from None


@audit.command()
@click.option("--key", "show_key", is_flag=True, help="The key for tools that follow such logs, instead.")
@click.option(
    "--stamp",
    "stamp_file",
    type=click.File("wb", lazy=True),
    metavar="PATH",
    help="Print the latest one that a time-stamping authority stamped, and write its stamp there.",
)
@pass_context
def checkpoint(context: Context, *, show_key: bool, stamp_file: IO[bytes] | None) -> None:
    """Print the latest signed checkpoint. Keep it where nobody who can change the store can change it."""
    proofs = proofs_of(context.config)
    if show_key:
        for one in proofs.keys:
            click.echo(note.verifier_key(proofs.origin, one))
        return
    with open_database(context.config) as database:
        schema.require_current(database)
        with database.read() as connection:
            latest = ledger.latest_checkpoint(connection) if stamp_file is None else stamps.latest(connection)
    if latest is None:
        what, needs = ("signed", "signing_keys") if stamp_file is None else ("stamped", "stamps")
        raise click.ClickException(f"no checkpoint was {what} yet; it needs proof.{needs} and a worker that runs")
    if stamp_file is not None:
        stamp_file.write(stamps.token_of(latest))
        click.echo(f"stamped at {_time(latest.stamped_at)} by the authority {latest.authority}", err=True)
    click.echo(latest.note, nl=False)


@audit.command()
@click.option("--entry", "place", type=click.IntRange(0), help="Show that the log holds this entry.")
@click.option("--from", "old", type=click.IntRange(1), help="Show that the log only grew since it had this size.")
@click.option("--size", type=click.IntRange(1), help="The size of the log; its present one unless given.")
@pass_context
def proof(context: Context, place: int | None, old: int | None, size: int | None) -> None:
    """Print an inclusion or a consistency proof by RFC 9162, as JSON."""
    if (place is None) == (old is None):
        raise click.UsageError("give either --entry or --from")
    with open_database(context.config) as database:
        schema.require_current(database)
        with database.read() as connection:
            whole = ledger.size_of(connection)
            size = whole if size is None else size
            if size > whole or (size if old is None else old) > size or (place is not None and place >= size):
                raise click.UsageError(f"the log has {whole} entries")
            said: dict[str, object] = {"size": size, "root": _text(ledger.root_at(connection, size))}
            if old is not None:
                path = ledger.consistency(connection, old, size)
                said |= {"from": old, "from_root": _text(ledger.root_at(connection, old))}
            else:
                assert place is not None
                path = ledger.inclusion(connection, place, size)
                row = ledger.entry(connection, place)
                said |= {"index": place, "entry": row.entry if row is not None else None}
    print_json({**said, "path": [_text(one) for one in path]})


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


COMMANDS = (audit,)
