"""`keys pseudonyms` and `keys drop-pseudonym`: which pseudonym keys are needed, and how one is given up."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.console import Console

from connector.cli.context import Context, pass_context, print_json
from connector.cli.dlq import with_reason
from connector.cli.guards import by_whom
from connector.cli.inspect import as_json, grid
from connector.services import pseudonyms as service
from connector.store import schema
from connector.store.audit import Decision
from connector.wiring import keeping_of, open_database, pseudonymiser_of


@click.command()
@as_json
@pass_context
def pseudonyms(context: Context, machine: bool) -> None:
    """Show the keys that hashes are made under, for what each is needed and until when."""
    with open_database(context.config) as database:
        schema.require_current(database, hashes=False)
        found = service.uses(database, pseudonymiser_of(context.config), keeping_of(context.config))
    if machine:
        print_json([{**asdict(one), "advice": one.advice} for one in found])
        return
    rows = (
        (
            one.id,
            one.name or "not configured",
            "yes" if one.hashes else "",
            one.need.last_used_at,
            one.need.requests,
            one.need.holds,
            one.need.entries,
            "yes" if one.need.repeats else "",
            one.advice,
        )
        for one in found
    )
    names = ("id", "reference", "hashes", "last used", "requests", "holds", "entries", "calls", "advice")
    table = grid("Pseudonym keys", names, rows)
    # To be copied into the next command.
    table.columns[0].no_wrap = True
    Console().print(table)


@click.command("drop-pseudonym")
@click.argument("key_id", metavar="ID")
@with_reason
@by_whom
@pass_context
def drop_pseudonym(context: Context, key_id: str, reason: str, by: str) -> None:
    """Do without the former pseudonym key ID, which nobody is on a list under: calls of its time are then new ones."""
    with open_database(context.config) as database:
        schema.require_current(database, hashes=False)
        decision = Decision(by, reason, context.clock.now())
        known = service.give_up(database, pseudonymiser_of(context.config), key_id.lower(), decision)
    if not known:
        raise click.ClickException("no such key was ever used; `connector keys pseudonyms` lists them")
    click.echo(f"{key_id.lower()} is not needed any more: take it out of store.other_pseudonym_keys, then destroy it")
