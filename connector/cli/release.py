"""`release` requests that are held because their profile in Lytics may be several people's."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connector.cli.context import Context, pass_context, print_json
from connector.cli.dlq import with_reason
from connector.cli.guards import by_whom
from connector.cli.inspect import as_json
from connector.codes import Code
from connector.errors import Rejected
from connector.services import tangles
from connector.store import overview
from connector.store.audit import Decision
from connector.store.columns import Connection


@click.command()
@click.argument("names", metavar="ID...", nargs=-1, required=True)
@with_reason
@by_whom
@as_json
@pass_context
def release(context: Context, names: Sequence[str], reason: str, by: str, *, machine: bool) -> None:
    """Let requests go on that are held because their profile may be several people's. It is deleted whole.

    ID is our request id (or its beginning), or the subtask or reference id of the source. What `connector show` tells
    of the profile by then is let pass for good; if a later look-up finds more, the request is held again.
    """
    with context.open_site() as site:
        with site.database.read() as connection:
            ids = [_the_one(connection, name) for name in names]
        decision = Decision(by, reason, site.clock.now())
        results = {one: tangles.release(site, one, decision) for one in dict.fromkeys(ids)}
    if machine:
        print_json({"results": [{"id": one, "done": not why, "why": why} for one, why in results.items()]})
    else:
        for one, why in results.items():
            click.echo(f"{one}: {f'not released: {why}' if why else 'released'}")
    if any(results.values()):
        click.get_current_context().exit(1)


def _the_one(connection: Connection, name: str) -> str:
    found = overview.find(connection, name)
    if len(found) != 1:
        raise Rejected(Code.REQUEST_UNKNOWN, "several begin like this" if found else "")
    return str(found[0].id)


COMMANDS = (release,)
