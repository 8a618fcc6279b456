"""Look for people who came back: profiles that Lytics shows again after their deletion was confirmed.

What follows is settled by source: it is said, or they are deleted again. The latter is a request of our own, a
follow-on, which goes the whole way of a deletion: look-up, approval, fuses, legal hold, tangled profiles, the call, its
end and its confirmation. The request that it follows stays as it ended; its history and its receipts say what came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connector.crypto.pseudonym import target_scope
from connector.errors import ConnectorError
from connector.model import Presence, Target
from connector.policy.watching import Reaction, WatchRule, try_again
from connector.services import follow_on
from connector.services.look_up import ask
from connector.services.remember import rule_for
from connector.services.remote import HALTING, call_each
from connector.services.site import AccountWork, Site
from connector.states import WatchState
from connector.store import follow_ons, leftovers, returns, watched
from connector.store.columns import AnyRow, Connection

# Why nothing is deleted: it is only to be said, or the source deletes again, but not without end.
ALARM: Final = "alarm"
TOO_OFTEN: Final = "too_often"
_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody who is watched, and what the look-up said of them.

    Attributes:
        watch: the row as it was read, with the field to look in.
    """

    watch: AnyRow
    target: Target
    answer: Presence | ConnectorError


@dataclass(frozen=True, slots=True)
class Told:
    """What is said in the log once it is committed."""

    request_id: str
    source: str
    count: int
    follow_on_id: str = ""
    reason: str = ""


@dataclass(slots=True)
class Outcome:
    """What one run did: what is to be said, and how many were looked for a last time."""

    told: list[Told] = field(default_factory=list)
    ended: int = 0


def watch(site: Site) -> bool:
    """Look for those who are due; say whether there may be more."""
    more = [_watch_account(site, account) for account in site.active_accounts()]
    return any(more)


def _watch_account(site: Site, account: AccountWork) -> bool:
    limit = site.budgets.watch
    with site.database.read() as connection:
        rows = watched.due(connection, account.name, site.clock.now(), limit)
        # Whoever is not watched any more is not asked about; their values are about to go.
        wanted = [row for row in rows if rule_for(site, row.source, account.name) is not None]
        values = {row.id: watched.opened(connection, row) for row in wanted}
    if not wanted:
        return False
    by_target: dict[Target, list[AnyRow]] = defaultdict(list)
    for row in wanted:
        by_target[Target(row.lytics_table, row.field, values[row.id])].append(row)
    answers = call_each(list(by_target), ask(account), account.concurrency, site.stop, site.calls_to(account))
    site.reached("seen")
    seen = []
    for target, answer in answers:
        if isinstance(answer, HALTING):
            # It says nothing about anybody.
            site.pause_account(account, answer)
        else:
            seen += [Seen(row, target, answer) for row in by_target[target]]
    with site.database.write() as connection:
        done = _write_down(site, connection, account, {one.watch.id: one for one in seen}, site.clock.now())
    site.reached("watched")
    for one in done.told:
        _say(site, account, one)
    if done.ended:
        # What was deleted is overwritten in the file; what the log still has of it goes here.
        leftovers.truncate_log(site.database)
        site.log.info("watches_ended", account=account.name, count=done.ended)
    return len(rows) == limit and site.may_ask(account)


def _write_down(
    site: Site, connection: Connection, account: AccountWork, seen: Mapping[str, Seen], now: datetime
) -> Outcome:
    """Write down what was seen, and what follows from it."""
    done = Outcome()
    originals = follow_ons.lock_originals(connection, {one.watch.request_id for one in seen.values()})
    rows = [row for row in watched.lock(connection, seen) if _is_same(row, seen[row.id].watch)]
    there = {row.id for row in rows if seen[row.id].answer is Presence.PRESENT}
    hashes = {one: set(site.pseudonymiser.each(_scope(seen[one]), seen[one].target.value)) for one in there}
    under_way = follow_ons.being_deleted(connection, {each for those in hashes.values() for each in those})
    came_back: dict[tuple[str, str], list[AnyRow]] = defaultdict(list)
    for row in rows:
        rule = rule_for(site, row.source, account.name)
        if rule is None:
            continue
        if row.id not in there:
            _not_there(connection, row, seen[row.id].answer, rule, now, done)
        elif not hashes[row.id].isdisjoint(under_way):
            # A request deletes it already; if it succeeds, the watch begins anew.
            watched.look_again(connection, row.id, now + _A_DAY)
        else:
            came_back[row.request_id, row.source].append(row)
    for (request_id, _), those in came_back.items():
        _react(site, connection, originals.get(request_id), [(row, seen[row.id]) for row in those], now, done)
    return done


def _scope(seen: Seen) -> str:
    return target_scope(seen.watch.account, seen.target.table, seen.target.field)


def _is_same(row: AnyRow, read: AnyRow) -> bool:
    return (row.state, row.next_at, row.began_at) == (read.state, read.next_at, read.began_at)


def _not_there(
    connection: Connection,
    row: AnyRow,
    answer: Presence | ConnectorError,
    rule: WatchRule,
    now: datetime,
    done: Outcome,
) -> None:
    if answer is not Presence.ABSENT:
        watched.look_again(connection, row.id, try_again(row.failures, now), row.failures + 1)
        return
    watched.change(connection, row, WatchState.WATCHING)
    _go_on(connection, row, rule, now, done)


def _go_on(connection: Connection, row: AnyRow, rule: WatchRule, now: datetime, done: Outcome) -> None:
    """Set when somebody is looked for next; if that was the last time, their value goes."""
    next_at = rule.next_look(row.began_at, now)
    if next_at is None:
        done.ended += watched.end(connection, [row.id])
    else:
        watched.look_again(connection, row.id, next_at)


def _react(
    site: Site,
    connection: Connection,
    original: AnyRow | None,
    found: Sequence[tuple[AnyRow, Seen]],
    now: datetime,
    done: Outcome,
) -> None:
    """Do what is settled for those of one request who came back.

    Args:
        original: their request, locked; None if its record is gone.
    """
    first = found[0][0]
    rule = rule_for(site, first.source, first.account)
    assert rule is not None
    deleted = [pair for pair in found if rule.reacts(pair[0].again) is Reaction.DELETE]
    alarmed = [row for row, _ in found if rule.reacts(row.again) is Reaction.ALARM]
    if deleted:
        done.told.append(_delete_again(site, connection, original, deleted, now))
    # Once for each return, however often they are still there.
    new = [row for row in alarmed if row.state is not WatchState.RETURNED]
    reason = TOO_OFTEN if rule.reaction is Reaction.DELETE else ALARM
    for row in new:
        returns.add(connection, row, now, reason=reason)
        watched.change(connection, row, WatchState.RETURNED)
    for row in alarmed:
        _go_on(connection, row, rule, now, done)
    if new:
        follow_ons.tell(connection, original, f"profile_returned: {reason}", now, owe=True)
        done.told.append(Told(first.request_id, first.source, len(new), reason=reason))


def _delete_again(
    site: Site, connection: Connection, original: AnyRow | None, found: Sequence[tuple[AnyRow, Seen]], now: datetime
) -> Told:
    row = found[0][0]
    follow_on_id = follow_on.begin(site, connection, row, [one.target for _, one in found], now)
    for one, _ in found:
        returns.add(connection, one, now, follow_on_id=follow_on_id)
        watched.change(connection, one, WatchState.DELETING, again=one.again + 1)
    follow_ons.tell(connection, original, f"profile_returned: {follow_on_id}", now, owe=False)
    return Told(row.request_id, row.source, len(found), follow_on_id)


def _say(site: Site, account: AccountWork, told: Told) -> None:
    if told.follow_on_id:
        site.log.warning(
            "deletion_repeated",
            request_id=told.request_id,
            follow_on_id=told.follow_on_id,
            source=told.source,
            account=account.name,
            count=told.count,
        )
        return
    site.log.error(
        "profile_returned",
        request_id=told.request_id,
        source=told.source,
        account=account.name,
        count=told.count,
        reason=told.reason,
    )
