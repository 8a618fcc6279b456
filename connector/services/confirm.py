"""After Lytics says finished, look people up again. Completed is never said while somebody is still there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from connector.errors import ConnectorError
from connector.model import Presence, Target
from connector.policy.breaker import is_outage
from connector.policy.polling import next_look
from connector.services.look_up import ask
from connector.services.operation import by_counts
from connector.services.remote import HALTING, call_each
from connector.services.rules import LookUp
from connector.services.settle import settle
from connector.services.site import AccountWork, Site
from connector.states import TargetState
from connector.store import distinct, requests, targets
from connector.store.columns import AnyRow, Connection

# However long the worker or the account stood still, nobody fails on fewer look-ups than these.
_FEWEST_LOOKS = 3
# How a target ends, and why.
End: TypeAlias = tuple[TargetState, str]


def confirm(site: Site) -> bool:
    """Look up the targets that are due; say whether there may be more."""
    more = [_confirm_account(site, account) for account in site.active_accounts()]
    return any(more)


def _confirm_account(site: Site, account: AccountWork) -> bool:
    limit = site.budgets.look_up
    with site.database.read() as connection:
        rows = targets.to_confirm(connection, account.name, site.clock.now(), limit)
    if not rows:
        return False
    if account.look_up is LookUp.OFF:
        _confirm_by_counts(site, rows)
        return len(rows) == limit
    by_value = defaultdict(list)
    for row in rows:
        by_value[Target(row.lytics_table, row.field, row.value)].append(row)
    answers = call_each(list(by_value), ask(account), account.concurrency, site.stop, site.calls_to(account))
    now = site.clock.now()
    is_away = site.is_away(account)
    ends: dict[End, list[str]] = defaultdict(list)
    again: dict[datetime, list[str]] = defaultdict(list)
    with site.database.write() as connection:
        unchanged = _lock(connection, rows)
        for target, answer in answers:
            if isinstance(answer, HALTING):
                site.pause_account(account, answer)
                continue
            # Nobody fails because Lytics is away: only what it says, or keeps silent about, of a person counts.
            may_fail = not (is_away and is_outage(answer))
            for row in by_value[target]:
                if row.id in unchanged:
                    end = _end_by(account, row, answer, now, may_fail=may_fail)
                    next_at = next_look(row.looks + 1, now, account.confirming)
                    (again[next_at] if end is None else ends[end]).append(row.id)
        _end_all(connection, ends, now)
        for next_at, ids in again.items():
            targets.look_again(connection, ids, TargetState.CONFIRMING, next_at)
        settle(site, connection, {row.request_id for row in rows}, now)
    return len(rows) == limit and site.may_ask(account)


def _lock(connection: Connection, rows: Sequence[AnyRow]) -> set[str]:
    """Return the ids of those rows that are still as they were read before the calls, and keep them so."""
    requests.hold_all(connection, {row.request_id for row in rows})
    return targets.unchanged(connection, rows, TargetState.CONFIRMING)


def _end_by(
    account: AccountWork, row: AnyRow, answer: Presence | ConnectorError, now: datetime, *, may_fail: bool
) -> End | None:
    """Return how a target ends by the answer of a look-up; None if it is looked up again."""
    if answer is Presence.ABSENT:
        return _absent(row)
    waited = row.looks + 1 >= _FEWEST_LOOKS and now - row.entered_at >= timedelta(seconds=account.confirm_for_s)
    if not (waited and may_fail):
        return None
    return TargetState.FAILED, "still_present" if answer is Presence.PRESENT else "not_confirmed"


def _absent(row: AnyRow) -> End:
    """Tell a person who was deleted from one whom Lytics never knew."""
    if row.known_before is Presence.PRESENT:
        return TargetState.DELETED, ""
    if row.known_before is Presence.ABSENT or row.deleted == 0:
        return TargetState.NOT_FOUND, ""
    # Nobody looked before: gone for certain, but whether it was ever there is not known.
    return TargetState.DELETED, "known_before_unknown"


def _confirm_by_counts(site: Site, rows: Sequence[AnyRow]) -> None:
    """The look-up was switched off while targets waited for one: as for later ones, the counts have to do."""
    now = site.clock.now()
    ends: dict[End, list[str]] = defaultdict(list)
    with site.database.write() as connection:
        unchanged = _lock(connection, rows)
        sent = {one: distinct.values_of_operation(connection, one) for one in {row.operation_id for row in rows}}
        for row in rows:
            if row.id in unchanged:
                ends[by_counts(sent[row.operation_id], row.requested, row.deleted)].append(row.id)
        _end_all(connection, ends, now)
        settle(site, connection, {row.request_id for row in rows}, now)


def _end_all(connection: Connection, ends: Mapping[End, Sequence[str]], now: datetime) -> None:
    for (new, reason), ids in ends.items():
        targets.end(connection, ids, TargetState.CONFIRMING, new, now, reason)
