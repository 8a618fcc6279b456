"""Whoever was deleted goes on the suppression list, and is watched over, in the commit that ends their request.

The list knows keyed hashes alone. To look somebody up again their value is needed: it is kept under a key of its own,
for as long as the watch lasts and where a source is watched at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.crypto.pseudonym import target_scope
from connector.policy.watching import WatchRule
from connector.services.rules import LookUp
from connector.services.site import Site
from connector.states import WatchState
from connector.store import follow_ons, suppressions, watched
from connector.store.columns import AnyRow, Connection
from connector.store.suppressions import NewEntry


def remember(site: Site, connection: Connection, ended: Sequence[AnyRow], now: datetime) -> None:
    """Put what is gone of locked requests, which ended just now, on the list.

    What a follow-on deleted again is on it already; see `services.forget`.
    """
    own = follow_ons.among(connection, [row.id for row in ended])
    sources = {row.id: row.source for row in ended if row.id not in own}
    rows = suppressions.gone(connection, sources)
    if not rows:
        return
    share = site.suppression.share
    new = [
        NewEntry(
            one.account,
            one.lytics_table,
            one.field,
            one.value,
            site.pseudonymiser.of_target(one.account, one.lytics_table, one.field, one.value),
            share.hash_of(one.account, one.lytics_table, one.field, one.value) if share is not None else "",
            sources[one.request_id],
            one.request_id,
        )
        for one in rows
    ]
    share_key = share.id if share is not None else ""
    keys = {one.key: _keys(site, one) for one in new}
    # Everybody locks watches before entries.
    known = suppressions.ids_of(connection, {each for those in keys.values() for each in those})
    there = {row.id: row for row in watched.lock(connection, known.values())}
    # An entry under a former key is this one, and comes under the present key with it.
    former = {own: [known[each] for each in those if each in known] for own, those in keys.items() if own not in known}
    renamed = {ids[0]: own for own, ids in former.items() if ids}
    suppressions.rename(connection, renamed, site.pseudonymiser.check)
    ids = suppressions.put(connection, new, site.pseudonymiser.check, share_key, now)
    _watch(site, connection, {ids[one.key]: one for one in new}, there, now)


def _keys(site: Site, one: NewEntry) -> list[tuple[str, str]]:
    """Return under which keys of the list an entry may be there."""
    scope = target_scope(one.account, one.table, one.field)
    return [(one.account, value_hash) for value_hash in site.pseudonymiser.each(scope, one.value)]


def rule_for(site: Site, source: str, account: str) -> WatchRule | None:
    """Return how deletions of a source in an account are watched, by the configuration as it is now; None if not."""
    work, where = site.sources.get(source), site.accounts.get(account)
    if work is None or where is None or where.look_up is LookUp.OFF:
        return None
    return work.watch


def _watch(
    site: Site, connection: Connection, entries: Mapping[str, NewEntry], there: Mapping[str, AnyRow], now: datetime
) -> None:
    """Watch over entries, from the beginning where somebody watches over them already.

    Args:
        there: the watches over them, locked.
    """
    begun = []
    for id_, one in sorted(entries.items()):
        rule, row = rule_for(site, one.source, one.account), there.get(id_)
        if rule is None:
            continue
        if row is None:
            begun.append(_row(connection, id_, one, rule, now))
        # Who is being deleted again is looked at when that is over.
        elif row.state is not WatchState.DELETING:
            about = {"source": one.source, "request_id": one.request_id, "again": 0}
            watched.begin_anew(connection, row, now, **times(rule, now), **about)
    watched.begin(connection, begun)


def _row(connection: Connection, id_: str, one: NewEntry, rule: WatchRule, now: datetime) -> dict[str, Any]:
    return {
        "id": id_,
        "account": one.account,
        "source": one.source,
        "request_id": one.request_id,
        **watched.seal(connection, id_, one.value),
        "state": WatchState.WATCHING,
        "began_at": now,
        **times(rule, now),
        "failures": 0,
        "again": 0,
    }


def times(rule: WatchRule, now: datetime) -> dict[str, datetime]:
    """Return when somebody is looked for next, and until when, if they were deleted just now."""
    return {"next_at": rule.next_look(now, now) or rule.ends_at(now), "ends_at": rule.ends_at(now)}
