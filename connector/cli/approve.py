"""`preview` what would be deleted next, and `approve` exactly that. Values are shown masked."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.console import Console

from connector.cli.context import Context, pass_context, print_json
from connector.cli.dlq import with_reason
from connector.cli.guards import by_whom
from connector.cli.inspect import as_json, grid
from connector.services import approvals
from connector.services.approvals import Part, Preview
from connector.store.audit import Decision

of_account = click.option("--account", "account_name", help="The account, if there are several.")


@click.command()
@of_account
@click.option(
    "--examples", type=click.IntRange(0, 1_000), default=3, show_default=True, help="Masked values for each field."
)
@as_json
@pass_context
def preview(context: Context, account_name: str | None, examples: int, *, machine: bool) -> None:
    """Show what would be deleted next, by account, table and field, with a digest that names exactly that."""
    with context.open_site() as site, site.database.read() as connection:
        chosen = [site.accounts[context.pick_account(account_name)]] if account_name else site.accounts.values()
        seen = [approvals.preview(connection, one, examples, approvals.rules_of(site, one).sources) for one in chosen]
    if machine:
        print_json([asdict(one) for one in seen])
        return
    console = Console()
    for one in seen:
        _show(console, one)


def _show(console: Console, seen: Preview) -> None:
    if seen.held:
        console.print(
            f"account {seen.account}: {seen.held} requests are held and not shown here, because their profiles may be "
            "several people's; look, then let them go: `connector status --list 50`, `connector show ID`, "
            "`connector release ID`",
            soft_wrap=True,
        )
    if not seen.parts:
        console.print(f"account {seen.account}: nothing waits")
        return
    columns = ("table", "field", "values", "requests", "looked up", "not named by the requests", "for example")
    cells = (
        (one.table, one.field, one.values, one.requests, _words(one.known), _beside(one), ", ".join(one.examples))
        for one in seen.parts
    )
    console.print(grid(f"Account {seen.account}", columns, cells))
    if seen.waits:
        console.print(
            f"waits for: connector approve {seen.digest} --account {seen.account} --reason WHY", soft_wrap=True
        )
    else:
        console.print(f"goes without anybody's word; digest {seen.digest}", soft_wrap=True)


def _beside(part: Part) -> str:
    """Return what else goes with the profiles, as far as look-ups show it."""
    said = [f"up to {number} {name}" for name, number in part.strangers.items()]
    said = [f"{part.tangled} profiles with {', '.join(said)}"] if said else []
    return "; ".join([*said, *([f"{part.not_shown} profiles show no identifier"] if part.not_shown else [])])


def _words(known: dict[str, int]) -> str:
    return ", ".join(f"{number} {word.replace('_', ' ')}" for word, number in sorted(known.items()))


@click.command()
@click.argument("digest", metavar="DIGEST")
@of_account
@with_reason
@by_whom
@as_json
@pass_context
def approve(context: Context, digest: str, account_name: str | None, reason: str, by: str, *, machine: bool) -> None:
    """Approve exactly the set that DIGEST names; refused, with exit status 1, if anything of it changed."""
    with context.open_site() as site:
        name = context.pick_account(account_name)
        count = approvals.approve(site.database, name, digest.lower(), Decision(by, reason, site.clock.now()))
    if machine:
        print_json({"account": name, "approved": count})
    else:
        click.echo(f"{count} approved" if count else "that is not what waits now; look again with `connector preview`")
    if not count:
        click.get_current_context().exit(1)


COMMANDS = (preview, approve)
