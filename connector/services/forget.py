"""End what has its time: returns whose deletion is over, watches and the values they keep, entries of the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from connector.crypto.pseudonym import target_scope
from connector.services.remember import rule_for, times
from connector.services.site import Site
from connector.states import FULFILLED_TARGETS, ReturnState, TargetState, WatchState
from connector.store import follow_ons, leftovers, returns, suppressions, watched
from connector.store.columns import AnyRow, Connection

# Rows in one transaction: a delivery that comes in meanwhile waits for no longer than that takes.
_AT_ONCE: Final = 100
# A deletion takes hours.
_LOOK_AGAIN: Final = timedelta(minutes=1)


def forget(site: Site) -> bool:
    """End some of what is over; say whether there may be more."""
    more = [_resolve(site), _end_watches(site), _end_entries(site)]
    return any(more)


def _resolve(site: Site) -> bool:
    """Write down what became of those who were deleted again, and watch over them anew."""
    now = site.clock.now()
    with site.database.read() as connection:
        if not returns.to_resolve(connection, now, 1):
            return False
    with site.database.write() as connection:
        looked_at = returns.to_resolve(connection, now, _AT_ONCE)
        found = [one for one in looked_at if one.is_gone or one.over_at is not None]
        waiting = [one.id for one in looked_at if one not in found]
        returns.look_again(connection, waiting, now + _LOOK_AGAIN)
        originals = follow_ons.lock_originals(connection, {one.request_id for one in found})
        there = {row.id: row for row in watched.lock(connection, {one.suppression_id for one in found})}
        left = _left(site, connection, found)
        by_follow_on: dict[tuple[str, str, ReturnState], list[AnyRow]] = defaultdict(list)
        for one in found:
            gone = left.get(one.id) in FULFILLED_TARGETS
            state = ReturnState.DELETED if gone else ReturnState.NOT_DELETED
            if returns.end(connection, one, state, now, "" if gone else _why(one, left.get(one.id))):
                by_follow_on[one.request_id, one.follow_on_id, state].append(one)
                _watch_on(site, connection, there.get(one.suppression_id), now, gone=gone)
        for request_id, follow_on_id, state in by_follow_on:
            said = "deleted_again" if state is ReturnState.DELETED else "not_deleted_again"
            follow_ons.tell(connection, originals.get(request_id), f"{said}: {follow_on_id}", now, owe=True)
    for (request_id, follow_on_id, state), those in by_follow_on.items():
        log = site.log.info if state is ReturnState.DELETED else site.log.error
        log("return_ended", request_id=request_id, follow_on_id=follow_on_id, state=state, count=len(those))
    return len(looked_at) == _AT_ONCE


def _left(site: Site, connection: Connection, found: Sequence[AnyRow]) -> dict[str, TargetState]:
    """Return how the follow-ons of returns left each value, by the id of the return.

    An entry and what deletes it again may be hashed under different keys.
    """
    entries = returns.entries(connection, found)
    states: dict[tuple[str, str], TargetState] = {}
    for one in returns.targets_of(connection, {one.follow_on_id for one in found}):
        hashes = [one.value_hash]
        if one.value is not None:
            hashes += site.pseudonymiser.each(target_scope(one.account, one.lytics_table, one.field), one.value)
        states |= {(one.request_id, each): one.state for each in hashes}
    ended = {one.id: states.get((one.follow_on_id, entries.get(one.id, ""))) for one in found}
    return {id_: state for id_, state in ended.items() if state is not None}


def _why(row: AnyRow, left: TargetState | None) -> str:
    """Say why somebody was not deleted again: how the follow-on left them, or ended itself."""
    if row.is_gone:
        return "record_gone"
    return str(row.ended_for or left or row.ended_as)


def _watch_on(site: Site, connection: Connection, row: AnyRow | None, now: datetime, *, gone: bool) -> None:
    if row is None or row.state is not WatchState.DELETING:
        return
    rule = rule_for(site, row.source, row.account)
    if rule is None:
        # Not watched any more: it is about to end.
        return
    if gone:
        watched.begin_anew(connection, row, now, **times(rule, now))
    else:
        next_at = rule.next_look(row.began_at, now) or row.ends_at
        watched.change(connection, row, WatchState.RETURNED, next_at=next_at)


def _end_watches(site: Site) -> bool:
    """Destroy the values of watches whose time is over, and of those that the configuration does not want any more."""

    def find(connection: Connection) -> Sequence[str]:
        over = list(watched.overdue(connection, site.clock.now(), _AT_ONCE))
        for source, account in watched.owners(connection):
            if len(over) < _AT_ONCE and rule_for(site, source, account) is None:
                over += watched.of_owner(connection, source, account, _AT_ONCE - len(over))
        return over

    ended, more = _end(site, find, watched.end)
    if ended:
        site.log.info("watches_ended", count=ended)
    return more


def _end_entries(site: Site) -> bool:
    """Remove entries whose time is over, with whatever is watched of them."""
    keep = site.suppression.keep
    if keep is None:
        return False
    before = site.clock.now() - keep

    def find(connection: Connection) -> Sequence[str]:
        return suppressions.older_than(connection, before, _AT_ONCE)

    ended, more = _end(site, find, suppressions.end)
    if ended:
        site.log.info("suppressions_ended", count=ended)
    return more


def _end(
    site: Site, find: Callable[[Connection], Sequence[str]], end: Callable[[Connection, Sequence[str]], int]
) -> tuple[int, bool]:
    """End what is found; return how many those were, and whether there may be more."""
    with site.database.read() as connection:
        if not find(connection):
            return 0, False
    with site.database.write() as connection:
        # Asked again: what was deleted once more meanwhile is watched anew.
        ids = find(connection)
        ended = end(connection, ids)
    # What was deleted is overwritten in the file; what the log still has of it goes here.
    leftovers.truncate_log(site.database)
    return ended, len(ids) == _AT_ONCE and ended > 0
