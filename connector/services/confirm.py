"""After Lytics says finished, look people up again. Completed is never said while somebody is still there."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from connector.errors import ConnectorError, Misconfigured
from connector.model import Presence, Target
from connector.policy.polling import next_look
from connector.services.look_up import ask
from connector.services.settle import settle
from connector.services.site import AccountWork, LookUp, Site, call_each
from connector.states import TargetState
from connector.store import targets
from connector.store.columns import AnyRow, Connection


def confirm(site: Site) -> bool:
    """Look up the targets that are due; say whether there may be more."""
    accounts = [one for one in site.active_accounts() if one.look_up is not LookUp.OFF]
    more = [_confirm_account(site, account) for account in accounts]
    return any(more)


def _confirm_account(site: Site, account: AccountWork) -> bool:
    limit = site.budgets.look_up
    with site.database.read() as connection:
        rows = targets.to_confirm(connection, account.name, site.clock.now(), limit)
    by_value = defaultdict(list)
    for row in rows:
        by_value[Target(row.lytics_table, row.field, row.value)].append(row)
    answers = call_each(list(by_value), ask(account), account.concurrency, site.stop)
    now = site.clock.now()
    with site.database.write() as connection:
        for target, answer in answers:
            if isinstance(answer, Misconfigured):
                site.pause_account(account, answer)
                continue
            for row in by_value[target]:
                _take_answer(connection, account, row, answer, now)
        settle(site, connection, {row.request_id for row in rows}, now)
    return len(rows) == limit and not site.pauses.hold(account.name, now)


def _take_answer(
    connection: Connection, account: AccountWork, row: AnyRow, answer: Presence | ConnectorError, now: datetime
) -> None:
    old = TargetState.CONFIRMING
    if answer is Presence.ABSENT:
        new, reason = _absent(row)
        targets.end(connection, [row.id], old, new, now, reason)
    elif now - row.entered_at < timedelta(seconds=account.confirm_for_s):
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
