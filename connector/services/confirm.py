"""After Lytics says finished, look people up again. Completed is never said while somebody is still there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.errors import ConnectorError
from connector.model import Presence, Target
from connector.policy.breaker import is_outage
from connector.policy.polling import next_look
from connector.services.look_up import ask
from connector.services.operation import by_counts
from connector.services.remote import HALTING, call_each
from connector.services.settle import settle
from connector.services.site import AccountWork, LookUp, Site
from connector.states import TargetState
from connector.store import requests, targets
from connector.store.columns import AnyRow, Connection

# However long the worker or the account stood still, nobody fails on fewer look-ups than these.
_FEWEST_LOOKS = 3


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
    with site.database.write() as connection:
        unchanged = _lock(connection, rows)
        for target, answer in answers:
            if isinstance(answer, HALTING):
                site.pause_account(account, answer)
                continue
            for row in by_value[target]:
                if row.id in unchanged:
                    # Nobody fails because Lytics is away: only what it says, or keeps silent about, of a person counts.
                    _take_answer(connection, account, row, answer, now, may_fail=not (is_away and is_outage(answer)))
        settle(site, connection, {row.request_id for row in rows}, now)
    return len(rows) == limit and site.may_ask(account)


def _lock(connection: Connection, rows: Sequence[AnyRow]) -> set[str]:
    """Return the ids of those rows that are still as they were read before the calls, and keep them so."""
    requests.lock_all(connection, {row.request_id for row in rows})
    return targets.unchanged(connection, rows, TargetState.CONFIRMING)


def _take_answer(
    connection: Connection,
    account: AccountWork,
    row: AnyRow,
    answer: Presence | ConnectorError,
    now: datetime,
    *,
    may_fail: bool,
) -> None:
    waited = row.looks + 1 >= _FEWEST_LOOKS and now - row.entered_at >= timedelta(seconds=account.confirm_for_s)
    old = TargetState.CONFIRMING
    if answer is Presence.ABSENT:
        new, reason = _absent(row)
        targets.end(connection, [row.id], old, new, now, reason)
    elif not (waited and may_fail):
        targets.look_again(connection, [row.id], old, next_look(row.looks + 1, now, account.confirming))
    else:
        reason = "still_present" if answer is Presence.PRESENT else "not_confirmed"
        targets.end(connection, [row.id], old, TargetState.FAILED, now, reason)


def _absent(row: AnyRow) -> tuple[TargetState, str]:
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
    with site.database.write() as connection:
        unchanged = _lock(connection, rows)
        for row in rows:
            if row.id in unchanged:
                sent = targets.values_of_operation(connection, row.operation_id)
                new, reason = by_counts(sent, row.requested, row.deleted)
                targets.end(connection, [row.id], TargetState.CONFIRMING, new, now, reason)
        settle(site, connection, {row.request_id for row in rows}, now)
