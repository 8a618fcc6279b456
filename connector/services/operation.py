"""What the end of a remote operation means for the targets that it was to delete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.policy.polling import next_look
from connector.services.rules import LookUp
from connector.services.site import AccountWork
from connector.states import OperationState, TargetState
from connector.store import distinct, targets
from connector.store.columns import AnyRow, Connection


def finish(
    connection: Connection,
    account: AccountWork,
    operation_id: str,
    members: Sequence[AnyRow],
    *,
    requested: int | None,
    deleted: int | None,
    now: datetime,
) -> Sequence[AnyRow]:
    """Lytics says finished. The look-up has to agree; without one, the counts have to. Return what ended.

    Args:
        members: its targets that were submitted.
    """
    ids = [one.id for one in members]
    if account.look_up is not LookUp.OFF:
        targets.begin_confirming(connection, ids, now, next_look(0, now, account.confirming))
        return ()
    sent = distinct.values_of_operation(connection, operation_id, TargetState.SUBMITTED)
    new, reason = by_counts(sent, requested, deleted)
    targets.end(connection, ids, TargetState.SUBMITTED, new, now, reason)
    return members


# Why a target counts as fulfilled although nobody looked it up after Lytics had finished.
NOT_LOOKED_UP = ("not_looked_up", "nobody_counted")


def by_counts(sent: int, requested: int | None, deleted: int | None) -> tuple[TargetState, str]:
    """Return what Lytics' counts alone say about the values of one operation.

    Args:
        sent: how many distinct values were given to it.
    """
    if requested not in (None, sent):
        # It does not speak of the values that we sent.
        return TargetState.FAILED, "counts_disagree"
    if deleted == 0:
        return TargetState.NOT_FOUND, NOT_LOOKED_UP[1]
    if deleted is not None and deleted < sent:
        # Some were not deleted, and Lytics does not say which.
        return TargetState.FAILED, "counts_disagree"
    return TargetState.DELETED, NOT_LOOKED_UP[0]


def submit_once_more(
    connection: Connection, account: AccountWork, members: Sequence[AnyRow], now: datetime, *, reason: str
) -> Sequence[AnyRow]:
    """The operation failed or was lost at Lytics: queue its targets again, but only once. Then a person has to know.

    Return what ended.
    """
    again = [one.id for one in members if one.failures == 0]
    enough = [one for one in members if one.failures > 0]
    next_at = now + timedelta(seconds=account.retry.first_s)
    targets.queue_again(connection, again, TargetState.SUBMITTED, now, next_at, reason=reason, failures=1)
    targets.end(connection, [one.id for one in enough], TargetState.SUBMITTED, TargetState.FAILED, now, reason)
    return enough


def end_at_once(
    connection: Connection, account: AccountWork, operation: AnyRow, ids: Sequence[str], now: datetime
) -> None:
    """Lytics answered with the id of an operation that ended before.

    Whether that old deletion covers what came since is not documented: only a look-up can tell.
    """
    if operation.state is OperationState.FINISHED and account.look_up is not LookUp.OFF:
        targets.begin_confirming(connection, ids, now, next_look(0, now, account.confirming))
    else:
        targets.end(connection, ids, TargetState.SUBMITTED, TargetState.FAILED, now, "earlier_operation")
