"""Submissions and the operations that follow from them: intent, answer, polling."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from connector.ids import new_id
from connector.model import RemoteStatus
from connector.states import OperationState, RequestState, SubmissionState, TargetState
from connector.store.columns import AnyRow
from connector.store.moves import move
from connector.store.requests import insert_if_new, move_request
from connector.store.tables import operations, requests, submissions, targets


def intend(
    connection: Connection,
    *,
    account: str,
    deletion_api: str,
    lytics_table: str,
    field: str,
    members: Sequence[AnyRow],
    now: datetime,
) -> tuple[str, list[AnyRow]]:
    """Write the intent of one bulk call: the exact set of targets, before the call is made.

    Returns:
        The submission's id, and those members that are really part of it: a target that another worker took in the
        meantime is not.
    """
    submission_id = new_id(now)
    hashes = sorted({one.value_hash for one in members})
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
            intended_at=now,
        )
    )
    ids = [one.id for one in members]
    taken = move(
        connection,
        targets,
        ids,
        TargetState.QUEUED,
        TargetState.SUBMITTING,
        submission_id=submission_id,
        entered_at=now,
        reason="",
    )
    mine = list(members)
    if taken != len(ids):
        own = set(connection.scalars(select(targets.c.id).where(targets.c.submission_id == submission_id)).all())
        mine = [one for one in members if one.id in own]
    queued = connection.execute(
        select(requests).where(
            requests.c.id.in_({one.request_id for one in mine}), requests.c.state == RequestState.QUEUED
        )
    ).all()
    for row in queued:
        move_request(connection, row, RequestState.WORKING, now)
    return submission_id, mine


def end_submission(
    connection: Connection,
    submission_id: str,
    old: SubmissionState,
    new: SubmissionState,
    now: datetime,
    *,
    reason: str = "",
    correlation_id: str = "",
) -> bool:
    """Write down what became of a call. False if somebody else has done so."""
    return (
        move(
            connection,
            submissions,
            [submission_id],
            old,
            new,
            answered_at=now,
            reason=reason[:200],
            correlation_id=correlation_id[:128],
        )
        == 1
    )


def open_submissions(
    connection: Connection, account: str, state: SubmissionState, before: datetime
) -> Sequence[AnyRow]:
    """Return an account's submissions in `state` that were intended before a time, oldest first."""
    return connection.execute(
        select(submissions)
        .where(submissions.c.account == account, submissions.c.state == state, submissions.c.intended_at < before)
        .order_by(submissions.c.intended_at)
    ).all()


def follow(
    connection: Connection,
    *,
    account: str,
    submission_id: str,
    remote_id: str,
    target_ids: Sequence[str],
    now: datetime,
    first_look_at: datetime,
) -> AnyRow:
    """Tie targets to the operation that deletes them, and return the operation.

    Lytics answers a repeated value with its original id, so the operation may exist already, even finished.
    """
    insert_if_new(
        connection,
        operations,
        {
            "id": new_id(now),
            "account": account,
            "submission_id": submission_id,
            "remote_id": remote_id,
            "state": OperationState.RUNNING,
            "word": "",
            "polls": 0,
            "next_at": first_look_at,
            "started_at": now,
        },
        ("account", "remote_id"),
    )
    operation = connection.execute(
        select(operations).where(operations.c.account == account, operations.c.remote_id == remote_id)
    ).one()
    move(
        connection,
        targets,
        target_ids,
        TargetState.SUBMITTING,
        TargetState.SUBMITTED,
        operation_id=operation.id,
        entered_at=now,
        looks=0,
    )
    return operation


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
    return set(
        connection.scalars(
            select(operations.c.remote_id).where(
                operations.c.account == account, operations.c.remote_id.in_(list(remote_ids))
            )
        ).all()
    )


def _seen(status: RemoteStatus) -> dict[str, Any]:
    return {"word": status.word[:40], "requested": status.requested, "deleted": status.deleted}
