"""Submissions and the operations that follow from them: intent, answer, polling."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, select, update

from connector.ids import new_id
from connector.model import RemoteStatus
from connector.states import SUBMISSION_MOVES, OperationState, RequestKind, SubmissionState, TargetState
from connector.store.columns import AnyRow
from connector.store.insertion import insert_or_leave
from connector.store.moves import move, parts
from connector.store.requests import begin_work, lock_all
from connector.store.tables import operations, submissions, targets
from connector.store.targets import FREE_REQUESTS

# Members and their requests, all of them locked → the members that may go.
Admit: TypeAlias = Callable[[Connection, Sequence[AnyRow], Sequence[AnyRow]], list[AnyRow]]

OPEN_SUBMISSIONS: Final = (SubmissionState.INTENDED, SubmissionState.UNKNOWN)


def intend(
    connection: Connection,
    *,
    account: str,
    deletion_api: str,
    lytics_table: str,
    field: str,
    members: Sequence[AnyRow],
    now: datetime,
    admit: Admit | None = None,
) -> tuple[str, list[AnyRow]]:
    """Write the intent of one bulk call: the exact set of targets, before the call is made.

    Args:
        admit: decides, under the locks of this transaction, which of the members may be part of it.

    Returns:
        The submission's id, and those members that are really part of it: a target that another worker took in the
        meantime, whose request is held by now, or which is not admitted, is not. No intent is written if none is left.
    """
    owners = lock_all(connection, {one.request_id for one in members})
    # An access request has no targets and is in no such state. This is the last gate before a call, so it asks as well.
    free = {row.id for row in owners if row.state in FREE_REQUESTS and row.kind is not RequestKind.ACCESS}
    mine = _still_queued(connection, members, free)
    submission_id = new_id(now)
    if mine and admit is not None:
        mine = admit(connection, mine, owners)
    if not mine:
        return submission_id, []
    hashes = sorted({one.value_hash for one in mine})
    connection.execute(
        submissions.insert().values(
            id=submission_id,
            account=account,
            deletion_api=deletion_api,
            lytics_table=lytics_table,
            field=field,
            state=SubmissionState.INTENDED,
            size=len(hashes),
            fingerprint=hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
            hash_key=mine[0].hash_key,
            intended_at=now,
        )
    )
    move(
        connection,
        targets,
        [one.id for one in mine],
        TargetState.QUEUED,
        TargetState.SUBMITTING,
        submission_id=submission_id,
        entered_at=now,
        reason="",
    )
    served = {one.request_id for one in mine}
    begin_work(connection, [row for row in owners if row.id in served], now)
    return submission_id, mine


def _still_queued(connection: Connection, members: Sequence[AnyRow], free: Collection[str]) -> list[AnyRow]:
    queued: set[str] = set()
    for part in parts([one.id for one in members]):
        queued |= set(
            connection.scalars(
                select(targets.c.id)
                .where(targets.c.id.in_(part), targets.c.state == TargetState.QUEUED)
                .order_by(targets.c.id)
                .with_for_update()
            )
        )
    return [one for one in members if one.id in queued and one.request_id in free]


def end_submission(
    connection: Connection,
    submission_id: str,
    new: SubmissionState,
    now: datetime,
    *,
    reason: str = "",
    correlation_id: str = "",
) -> bool:
    """Write down what became of a call, also if it was given up for lost meanwhile. False if its end is known."""
    values = {"answered_at": now, "reason": reason[:200], "correlation_id": correlation_id[:128]}
    return any(
        move(connection, submissions, [submission_id], old, new, **values) == 1
        for old in OPEN_SUBMISSIONS
        if new in SUBMISSION_MOVES[old]
    )


def any_open(connection: Connection, account: str, since: datetime) -> bool:
    """Say whether the outcome of any of an account's calls that were intended after a time is still unknown."""
    return (
        connection.execute(
            select(submissions.c.id)
            .where(
                submissions.c.state.in_(OPEN_SUBMISSIONS),
                submissions.c.account == account,
                submissions.c.intended_at > since,
            )
            .limit(1)
        ).first()
        is not None
    )


def in_state(connection: Connection, account: str, state: SubmissionState) -> Sequence[AnyRow]:
    """Return an account's submissions in `state`, oldest first."""
    return connection.execute(
        select(submissions)
        .where(submissions.c.account == account, submissions.c.state == state)
        .order_by(submissions.c.intended_at, submissions.c.id)
    ).all()


def follow(
    connection: Connection,
    *,
    account: str,
    submission_id: str,
    remote_ids: Collection[str],
    now: datetime,
    first_look_at: datetime,
) -> Mapping[str, AnyRow]:
    """Return the operations with these ids, locked, as they are now; those that are new begin to run.

    Lytics answers a repeated value with its original id, so an operation may exist already, even finished. One that was
    lost runs again: Lytics knows it after all. The lock keeps it from ending before its targets are tied to it.
    """
    rows = [
        {
            "id": new_id(now),
            "account": account,
            "submission_id": submission_id,
            "remote_id": one,
            "state": OperationState.RUNNING,
            "word": "",
            "polls": 0,
            "next_at": first_look_at,
            "started_at": now,
        }
        for one in sorted(remote_ids)
    ]
    if rows:
        connection.execute(insert_or_leave(connection.dialect.name, operations, ("account", "remote_id")), rows)
    found = _operations(connection, account, remote_ids)
    lost = [one.id for one in found.values() if one.state is OperationState.LOST]
    again = {"polls": 0, "next_at": first_look_at, "missing_since": None, "finished_at": None}
    if move(connection, operations, lost, OperationState.LOST, OperationState.RUNNING, **again):
        found = _operations(connection, account, remote_ids)
    return found


def _operations(connection: Connection, account: str, remote_ids: Collection[str]) -> dict[str, AnyRow]:
    found: dict[str, AnyRow] = {}
    for part in parts(remote_ids):
        found |= {one.remote_id: one for one in connection.execute(_named(account, part).with_for_update())}
    return found


def _named(account: str, part: Sequence[str]) -> Select[Any]:
    named = (operations.c.account == account, operations.c.remote_id.in_(part))
    return select(operations).where(*named).order_by(operations.c.id)


def to_poll(connection: Connection, account: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return running operations whose next look is due, oldest first."""
    return connection.execute(
        select(operations)
        .where(
            operations.c.account == account,
            operations.c.state == OperationState.RUNNING,
            operations.c.next_at <= now,
        )
        .order_by(operations.c.next_at, operations.c.id)
        .limit(limit)
    ).all()


def running(connection: Connection, account: str, remote_ids: Collection[str]) -> Sequence[AnyRow]:
    """Return those of the operations, by Lytics' ids, that are still running."""
    rows = (row for part in parts(remote_ids) for row in connection.execute(_named(account, part)))
    return [row for row in rows if row.state is OperationState.RUNNING]


def still_running(
    connection: Connection,
    operation_id: str,
    next_at: datetime,
    *,
    status: RemoteStatus | None = None,
    missing_since: datetime | None = None,
) -> None:
    """Set the next look at an operation and what was seen of it.

    Args:
        status: None if the look failed; then only the time changes.
        missing_since: since when Lytics answers that it does not know the id.
    """
    values: dict[str, Any] = {"next_at": next_at, "polls": operations.c.polls + 1}
    if status is not None:
        values |= _seen(status) | {"missing_since": None}
    elif missing_since is not None:
        values["missing_since"] = missing_since
    connection.execute(
        update(operations)
        .where(operations.c.id == operation_id, operations.c.state == OperationState.RUNNING)
        .values(**values)
    )


def end_operation(
    connection: Connection, operation_id: str, new: OperationState, now: datetime, status: RemoteStatus | None = None
) -> bool:
    """End an operation; False if somebody else has done so."""
    values = _seen(status) if status is not None else {}
    return move(connection, operations, [operation_id], OperationState.RUNNING, new, finished_at=now, **values) == 1


def known_remote_ids(connection: Connection, account: str, remote_ids: Sequence[str]) -> set[str]:
    """Return which of these ids belong to operations that we follow or followed."""
    known: set[str] = set()
    for part in parts(remote_ids):
        known |= set(
            connection.scalars(
                select(operations.c.remote_id).where(operations.c.account == account, operations.c.remote_id.in_(part))
            )
        )
    return known


def _seen(status: RemoteStatus) -> dict[str, Any]:
    return {"word": status.word[:40], "requested": status.requested, "deleted": status.deleted}
