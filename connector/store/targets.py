"""Targets on their way: which are due for what, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, or_, select, text, update

from connector.model import Presence
from connector.states import TERMINAL_TARGETS, RequestState, TargetState
from connector.store import vault
from connector.store.columns import AnyRow
from connector.store.moves import move, parts
from connector.store.tables import operations, requests, targets

# Word for word as in the index that answers it.
_APPROVED: Final = text("targets.approved_at IS NOT NULL AND targets.state = 'queued'")
_BESIDE: Final = targets.alias("beside")
_NOT_SEEN: Final = _BESIDE.c.known_before.is_(None)
# Only targets of requests that no person has to look at first.
FREE_REQUESTS: Final = (RequestState.QUEUED, RequestState.WORKING)


def to_look_up_before(connection: Connection, account: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return queued targets that were not looked up yet, most urgent first."""
    rows = connection.execute(
        select(
            targets.c.id,
            targets.c.request_id,
            targets.c.lytics_table,
            targets.c.field,
            targets.c.value,
            targets.c.looks,
            targets.c.due_at,
        )
        .join(requests, requests.c.id == targets.c.request_id)
        .where(
            targets.c.account == account,
            targets.c.state == TargetState.QUEUED,
            targets.c.known_before.is_(None),
            targets.c.next_at <= now,
            requests.c.state.in_(FREE_REQUESTS),
        )
        .order_by(targets.c.due_at, targets.c.id)
        .limit(limit)
    ).all()
    return vault.opened(connection, rows, targets.c.value)


def set_known_before(
    connection: Connection, ids: Sequence[str], presence: Presence, strangers: Mapping[str, int] | None = None
) -> None:
    """Write down what the look-up before the deletion said, unless an earlier answer stands there.

    Args:
        strangers: how many identifiers the request does not name are on the profile, by field; None if not counted.
    """
    counted = {"strangers": None if strangers is None else max(strangers.values(), default=0)}
    seen = {"known_before": presence, "looks": 0, "strangers_in": dict(strangers) if strangers else None, **counted}
    for part in parts(ids):
        connection.execute(
            update(targets)
            .where(targets.c.id.in_(part), targets.c.state == TargetState.QUEUED, targets.c.known_before.is_(None))
            .values(seen)
        )


def to_submit(
    connection: Connection,
    account: str,
    now: datetime,
    limit: int,
    *,
    looked_up: bool,
    without: Collection[str] = (),
    approved: bool = False,
    asking: Collection[str] = (),
    whole: bool = False,
) -> Sequence[AnyRow]:
    """Return queued targets that may be submitted now, most urgent first.

    Args:
        looked_up: whether only targets that were looked up before may go.
        without: sources that have to wait.
        approved: whether only what a person approved may go.
        asking: sources of which only what a person approved may go.
        whole: whether nothing of a request may go before everything of it was looked up.
    """
    unseen = (_BESIDE.c.request_id == targets.c.request_id, _BESIDE.c.account == targets.c.account)
    incomplete = select(_BESIDE.c.id).where(*unseen, _BESIDE.c.state == TargetState.QUEUED, _NOT_SEEN).exists()
    due = (
        select(
            targets.c.id,
            targets.c.request_id,
            targets.c.lytics_table,
            targets.c.field,
            targets.c.value,
            targets.c.value_hash,
            targets.c.tries,
            targets.c.batch_cap,
            targets.c.entered_at,
            targets.c.due_at,
            requests.c.source,
            requests.c.hash_key,
        )
        .join(requests, requests.c.id == targets.c.request_id)
        .where(
            targets.c.account == account,
            targets.c.state == TargetState.QUEUED,
            targets.c.next_at <= now,
            requests.c.state.in_(FREE_REQUESTS),
            *([requests.c.source.not_in(sorted(without))] if without else []),
            *([or_(requests.c.source.not_in(sorted(asking)), targets.c.approved_at.is_not(None))] if asking else []),
            *([~incomplete] if whole else []),
        )
        .order_by(targets.c.due_at, targets.c.id)
        .limit(limit)
    )
    if approved:
        # These are few, and have an index of their own: which of them were looked up is seen afterwards.
        found = connection.execute(due.add_columns(targets.c.known_before).where(_APPROVED))
        fit = [row for row in found if row.known_before is not None or not looked_up]
        return vault.opened(connection, fit, targets.c.value)
    # Each of the two by its own index, from its beginning.
    kinds = [targets.c.known_before.is_not(None)] + ([] if looked_up else [targets.c.known_before.is_(None)])
    rows = [row for kind in kinds for row in connection.execute(due.where(kind))]
    first = sorted(rows, key=lambda row: (row.due_at, row.id))[:limit]
    return vault.opened(connection, first, targets.c.value)


def to_confirm(connection: Connection, account: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return targets whose deletion Lytics calls finished and whose look-up is due, longest waiting first."""
    rows = connection.execute(
        select(
            targets.c.id,
            targets.c.request_id,
            targets.c.lytics_table,
            targets.c.field,
            targets.c.value,
            targets.c.known_before,
            targets.c.looks,
            targets.c.entered_at,
            targets.c.operation_id,
            operations.c.requested,
            operations.c.deleted,
        )
        .join(operations, operations.c.id == targets.c.operation_id)
        .where(
            targets.c.account == account,
            targets.c.state == TargetState.CONFIRMING,
            targets.c.operation_id.is_not(None),
            targets.c.next_at <= now,
        )
        .order_by(targets.c.next_at, targets.c.id)
        .limit(limit)
    ).all()
    return vault.opened(connection, rows, targets.c.value)


def look_again(connection: Connection, ids: Sequence[str], state: TargetState, next_at: datetime) -> None:
    """Set when targets that stay in `state` are looked at next, and count the look."""
    for part in parts(ids):
        connection.execute(
            update(targets)
            .where(targets.c.id.in_(part), targets.c.state == state)
            .values(next_at=next_at, looks=targets.c.looks + 1)
        )


def end(
    connection: Connection, ids: Sequence[str], old: TargetState, new: TargetState, now: datetime, reason: str = ""
) -> int:
    """Move targets to a terminal state; return how many moved."""
    return move(connection, targets, ids, old, new, reason=reason, entered_at=now)


def begin_following(connection: Connection, ids: Sequence[str], operation_id: str, now: datetime) -> int:
    """Tie targets to the operation that deletes them; return how many moved."""
    return move(
        connection,
        targets,
        ids,
        TargetState.SUBMITTING,
        TargetState.SUBMITTED,
        operation_id=operation_id,
        entered_at=now,
        looks=0,
    )


def begin_confirming(connection: Connection, ids: Sequence[str], now: datetime, next_at: datetime) -> int:
    """Let the look-up decide about targets whose deletion Lytics calls finished; return how many moved."""
    return move(
        connection,
        targets,
        ids,
        TargetState.SUBMITTED,
        TargetState.CONFIRMING,
        next_at=next_at,
        looks=0,
        entered_at=now,
    )


def queue_again(
    connection: Connection,
    ids: Sequence[str],
    old: TargetState,
    now: datetime,
    next_at: datetime,
    *,
    reason: str,
    batch_cap: int | None = None,
    failures: int = 0,
) -> int:
    """Put targets back into the queue with one more try on their count; return how many moved.

    Args:
        batch_cap: the most values of their next call.
        failures: how many of their operations failed just now.
    """
    values: dict[str, Any] = {"batch_cap": batch_cap} if batch_cap is not None else {}
    if failures:
        values["failures"] = targets.c.failures + failures
    return move(
        connection,
        targets,
        ids,
        old,
        TargetState.QUEUED,
        reason=reason,
        submission_id=None,
        operation_id=None,
        tries=targets.c.tries + 1,
        looks=0,
        next_at=next_at,
        entered_at=now,
        **values,
    )


def of_operation(connection: Connection, operation_id: str, state: TargetState) -> Sequence[AnyRow]:
    """Return an operation's targets in `state`."""
    return connection.execute(
        select(targets.c.id, targets.c.request_id, targets.c.value_hash, targets.c.failures).where(
            targets.c.operation_id == operation_id, targets.c.state == state
        )
    ).all()


def of_submission(connection: Connection, submission_id: str, state: TargetState) -> Sequence[AnyRow]:
    """Return a submission's targets in `state`, with their values."""
    read = [targets.c[name] for name in ("id", "request_id", "value", "tries", "due_at", "entered_at")]
    asked = select(*read).where(targets.c.submission_id == submission_id, targets.c.state == state)
    rows = connection.execute(asked).all()
    return vault.opened(connection, rows, targets.c.value)


def unchanged(connection: Connection, rows: Sequence[AnyRow], state: TargetState) -> set[str]:
    """Return the ids of those rows that nobody has looked at or moved since they were read."""
    read = {one.id: (one.entered_at, one.looks) for one in rows}
    now: dict[str, Any] = {}
    for part in parts(read):
        found = connection.execute(
            select(targets.c.id, targets.c.entered_at, targets.c.looks)
            .where(targets.c.id.in_(part), targets.c.state == state)
            .order_by(targets.c.id)
            .with_for_update()
        )
        now |= {one.id: (one.entered_at, one.looks) for one in found}
    return {one for one, seen in read.items() if now.get(one) == seen}


def requests_with_reason(connection: Connection, request_ids: Collection[str], reasons: Collection[str]) -> set[str]:
    """Return which of the requests have a target that ended for one of these reasons."""
    found: set[str] = set()
    for part in parts(request_ids):
        found |= set(
            connection.scalars(
                select(targets.c.request_id).where(
                    targets.c.request_id.in_(part),
                    targets.c.state.in_(TERMINAL_TARGETS),
                    targets.c.reason.in_(list(reasons)),
                )
            )
        )
    return found
