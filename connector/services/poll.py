"""Follow running operations to their end. Waiting never turns into success: only Lytics' own word ends one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from connector.errors import ConnectorError, Misconfigured, NotFound
from connector.model import RemoteState, RemoteStatus
from connector.policy.polling import next_look
from connector.policy.retry import next_try
from connector.services import operation as operation_end
from connector.services.remote import HALTING, call_each
from connector.services.settle import settle
from connector.services.site import AccountWork, Site
from connector.states import OperationState, TargetState
from connector.store import requests, submissions, targets
from connector.store.columns import AnyRow, Connection

# Lytics' list of operations may be long: it is read so often at most, and only where more waits than a run asks about.
_LIST_EVERY: Final = timedelta(minutes=15)
_MOST_BY_LIST: Final = 1_000


def poll(site: Site) -> bool:
    """Ask about the operations that are due, oldest first; say whether there may be more."""
    more = [_poll_account(site, account) for account in site.active_accounts()]
    return any(more)


def _poll_account(site: Site, account: AccountWork) -> bool:
    limit = site.budgets.poll
    with site.database.read() as connection:
        rows = submissions.to_poll(connection, account.name, site.clock.now(), limit)
    if len(rows) == limit and _end_by_list(site, account):
        return site.may_ask(account)

    def ask(row: AnyRow) -> RemoteStatus:
        return account.api.status(row.remote_id)

    for row, answer in call_each(rows, ask, account.concurrency, site.stop, site.calls_to(account)):
        now = site.clock.now()
        if isinstance(answer, HALTING):
            site.pause_account(account, answer)
        if isinstance(answer, Misconfigured):
            continue
        with site.database.write() as connection:
            if isinstance(answer, RemoteStatus):
                _take_status(site, connection, account, row, answer, now)
            else:
                _take_error(site, connection, account, row, answer, now)
    return len(rows) == limit and site.may_ask(account)


def _end_by_list(site: Site, account: AccountWork) -> bool:
    """End what Lytics' own list calls finished, where one call for each would take long; say whether it was any.

    The list can confirm, and nothing else: what it does not name, or cannot be read, is asked about one by one.
    """
    now, turn = site.clock.now(), f"list:{account.name}"
    if site.pauses.hold(turn, now):
        return False
    site.pauses.set(turn, now + _LIST_EVERY)
    for _, answer in call_each([account], lambda one: one.api.recent(), 1, site.stop, site.calls_to(account)):
        if isinstance(answer, HALTING):
            site.pause_account(account, answer)
        if isinstance(answer, ConnectorError):
            site.log.warning("recent_failed", account=account.name, code=answer.code)
            return False
        finished = {one.remote_id: one.status for one in answer if one.status.state is RemoteState.FINISHED}
        with site.database.read() as connection:
            rows = submissions.running(connection, account.name, finished)
        for row in rows[:_MOST_BY_LIST]:
            with site.database.write() as connection:
                _take_status(site, connection, account, row, finished[row.remote_id], now)
        return bool(rows)
    return False


def _take_status(
    site: Site, connection: Connection, account: AccountWork, row: AnyRow, status: RemoteStatus, now: datetime
) -> None:
    if status.state is RemoteState.RUNNING:
        submissions.still_running(connection, row.id, next_look(row.polls + 1, now, account.polling), status=status)
        _say_if_late(site, account, row, status.word, now)
        return
    finished = status.state is RemoteState.FINISHED
    new = OperationState.FINISHED if finished else OperationState.FAILED
    if not submissions.end_operation(connection, row.id, new, now, status):
        return
    members = _members(connection, row)
    if finished:
        counts = {"requested": status.requested, "deleted": status.deleted}
        ended = operation_end.finish(connection, account, row.id, members, **counts, now=now)
    else:
        ended = operation_end.submit_once_more(connection, account, members, now, reason="failed_at_lytics")
    settle(site, connection, {one.request_id for one in ended}, now)
    age_s = (now - row.started_at).total_seconds()
    site.log.info(
        "operation_ended", account=account.name, operation_id=row.id, state=new, count=len(members), age_s=age_s
    )


def _say_if_late(site: Site, account: AccountWork, row: AnyRow, word: str, now: datetime) -> None:
    """Lytics has no state for a deletion that is stuck, so its age has to tell."""
    age = now - row.started_at
    if age > account.alarm_after:
        site.log.error("operation_stuck", account=account.name, operation_id=row.id, state=word)
    elif age > account.warn_after:
        site.log.warning("operation_overdue", account=account.name, operation_id=row.id, state=word)


def _take_error(
    site: Site, connection: Connection, account: AccountWork, row: AnyRow, error: ConnectorError, now: datetime
) -> None:
    if not isinstance(error, NotFound):
        next_at = next_try(row.polls, error, now, site.rng, account.retry) or next_look(
            row.polls + 1, now, account.polling
        )
        submissions.still_running(connection, row.id, next_at)
        _say_if_late(site, account, row, row.word, now)
        site.log.warning("poll_failed", account=account.name, operation_id=row.id, code=error.code)
        return
    # An id that Lytics gave us and now denies: it may not have spread yet, and it is never taken for deleted.
    since = row.missing_since or now
    if now - since < timedelta(seconds=account.lost_after_s):
        submissions.still_running(
            connection, row.id, next_look(row.polls + 1, now, account.polling), missing_since=since
        )
        return
    if submissions.end_operation(connection, row.id, OperationState.LOST, now):
        members = _members(connection, row)
        ended = operation_end.submit_once_more(connection, account, members, now, reason="lost_at_lytics")
        settle(site, connection, {one.request_id for one in ended}, now)
        site.log.error("operation_lost", account=account.name, operation_id=row.id, count=len(members))


def _members(connection: Connection, row: AnyRow) -> Sequence[AnyRow]:
    """Return the targets of an operation that has just ended, their requests locked."""
    members = targets.of_operation(connection, row.id, TargetState.SUBMITTED)
    requests.hold_all(connection, {one.request_id for one in members})
    return members
