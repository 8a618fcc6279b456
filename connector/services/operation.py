"""What the end of a remote operation means for the targets that it was to delete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.policy.polling import next_look
from connector.services.site import AccountWork, LookUp
from connector.states import OperationState, TargetState
from connector.store import targets
from connector.store.columns import AnyRow, Connection

# A failed or lost operation is submitted once more; then a person has to know.
_MOST_TRIES = 1


def finish(
    connection: Connection,
    account: AccountWork,
    ids: Sequence[str],
    *,
    requested: int | None,
    deleted: int | None,
    now: datetime,
) -> None:
    """Lytics says finished. The look-up has to agree; without one, the counts have to."""
    if account.look_up is not LookUp.OFF:
        targets.begin_confirming(connection, ids, now, next_look(0, now, account.confirming))
        return
    if deleted == 0 and requested:
        new, reason = TargetState.NOT_FOUND, "nobody_counted"
    elif requested is not None and deleted is not None and deleted < requested:
        # Some of the batch were not deleted, and Lytics does not say which.
        new, reason = TargetState.FAILED, "counts_disagree"
    else:
        new, reason = TargetState.DELETED, "not_looked_up"
    targets.end(connection, ids, TargetState.SUBMITTED, new, now, reason)


def submit_once_more(
    connection: Connection, account: AccountWork, members: Sequence[AnyRow], now: datetime, *, reason: str
) -> None:
    """The operation failed or was lost at Lytics: queue its targets again, but only once."""
    again = [one.id for one in members if one.tries < _MOST_TRIES]
    enough = [one.id for one in members if one.tries >= _MOST_TRIES]
    next_at = now + timedelta(seconds=account.retry.first_s)
    targets.queue_again(connection, again, TargetState.SUBMITTED, now, next_at, reason=reason)
    targets.end(connection, enough, TargetState.SUBMITTED, TargetState.FAILED, now, reason)


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
