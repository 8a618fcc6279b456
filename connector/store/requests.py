"""Requests and the deliveries that brought them: claim, insert, merge, move, read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, exists, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.ids import new_id
from connector.private import Private
from connector.states import IdentityState, RequestState, TargetState
from connector.store.columns import AnyRow
from connector.store.moves import move
from connector.store.tables import deliveries, history, identities, requests, targets


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery to be claimed: at most one row per (source, claim_key)."""

    source: str
    claim_key: str
    body_digest: str
    received_at: datetime
    sender_time: datetime | None
    principal: str
    secret_id: str


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """An identity as it arrives, with the keyed hash of its kind and value."""

    kind: str
    value: Private
    value_hash: str


def insert_if_new(connection: Connection, table: Table, values: Mapping[str, Any], unique: Sequence[str]) -> bool:
    """Insert a row unless one with the same `unique` columns exists; say whether it was inserted.

    A unique index decides, also between two processes at the same moment.
    """
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = dialect_insert(table).values(**values).on_conflict_do_nothing(index_elements=list(unique))
    # RETURNING tells on both databases; a row count does not.
    return connection.execute(statement.returning(table.c.id)).first() is not None


def claim(connection: Connection, one: Claim, request_id: str) -> AnyRow | None:
    """Claim a delivery for a request. Return None if this is its first use, else the earlier delivery's row."""
    fresh = insert_if_new(
        connection,
        deliveries,
        {
            "id": new_id(one.received_at),
            "source": one.source,
            "claim_key": one.claim_key,
            "body_digest": one.body_digest,
            "received_at": one.received_at,
            "sender_time": one.sender_time,
            "principal": one.principal,
            "secret_id": one.secret_id,
            "request_id": request_id,
        },
        ("source", "claim_key"),
    )
    if fresh:
        return None
    return connection.execute(
        select(deliveries.c.body_digest, deliveries.c.request_id).where(
            deliveries.c.source == one.source, deliveries.c.claim_key == one.claim_key
        )
    ).one()


def find_or_insert(connection: Connection, values: Mapping[str, Any], now: datetime) -> tuple[AnyRow, bool]:
    """Return the request row for (source, request_key), locked for this transaction, and whether it is new."""
    fresh = insert_if_new(
        connection,
        requests,
        {"id": new_id(now), "state": RequestState.RECEIVED, "attempt": 1, "reason": "", "mapping_digest": "", **values},
        ("source", "request_key"),
    )
    row = connection.execute(
        select(requests)
        .where(requests.c.source == values["source"], requests.c.request_key == values["request_key"])
        .with_for_update()
    ).one()
    if fresh:
        _remember(connection, row.id, now, RequestState.RECEIVED, "", 1)
    return row, fresh


def add_identities(connection: Connection, request_id: str, new: Sequence[NewIdentity], now: datetime) -> int:
    """Add the identities that the request does not have yet; return how many those are."""
    known = set(connection.scalars(select(identities.c.value_hash).where(identities.c.request_id == request_id)).all())
    rows = [
        {
            "id": new_id(now),
            "request_id": request_id,
            "kind": one.kind,
            "value": one.value,
            "value_hash": one.value_hash,
            "state": IdentityState.RECEIVED,
        }
        for one in new
        if one.value_hash not in known
    ]
    if rows:
        connection.execute(insert(identities), rows)
    return len(rows)


def set_external(connection: Connection, request_id: str, external: Mapping[str, str]) -> None:
    """Replace the source's own ids of a request."""
    connection.execute(update(requests).where(requests.c.id == request_id).values(external=dict(external)))


def move_request(
    connection: Connection,
    row: AnyRow,
    new: RequestState,
    now: datetime,
    *,
    reason: str = "",
    **values: Any,
) -> bool:
    """Move a request from the state in `row`, and write the move into its history. False if it had moved on."""
    attempt = values.get("attempt", row.attempt)
    if move(connection, requests, [row.id], row.state, new, reason=reason, **values) == 0:
        return False
    _remember(connection, row.id, now, new, reason, attempt)
    return True


def note_mapping(connection: Connection, request_id: str, *, reason: str, mapping_digest: str) -> None:
    """Write down under which rules a request was mapped, when its state did not change."""
    connection.execute(
        update(requests).where(requests.c.id == request_id).values(reason=reason, mapping_digest=mapping_digest)
    )


def start_again(connection: Connection, row: AnyRow, now: datetime) -> bool:
    """Begin a new attempt of a request that ended partial or failed: what failed is queued again, nothing else."""
    for ended in (TargetState.REFUSED, TargetState.FAILED):
        ids = connection.scalars(
            select(targets.c.id).where(targets.c.request_id == row.id, targets.c.state == ended)
        ).all()
        move(
            connection,
            targets,
            ids,
            ended,
            TargetState.QUEUED,
            reason="",
            tries=0,
            looks=0,
            known_before=None,
            submission_id=None,
            operation_id=None,
            batch_cap=None,
            next_at=now,
            entered_at=now,
        )
    return move_request(connection, row, RequestState.RECEIVED, now, attempt=row.attempt + 1, finished_at=None)


def to_map(connection: Connection, digests: Mapping[str, str], limit: int) -> Sequence[AnyRow]:
    """Return requests to be mapped, most urgent first.

    Those are: received; open with identities that came later; held under rules other than the present ones.

    Args:
        digests: the present mapping digest by source.
    """
    came_later = exists().where(identities.c.request_id == requests.c.id, identities.c.state == IdentityState.RECEIVED)
    held_before = [
        (requests.c.source == source) & (requests.c.mapping_digest != digest) for source, digest in digests.items()
    ]
    open_states = (RequestState.QUEUED, RequestState.WORKING, RequestState.HELD)
    return connection.execute(
        select(requests)
        .where(
            requests.c.source.in_(list(digests)),
            or_(
                requests.c.state == RequestState.RECEIVED,
                requests.c.state.in_(open_states) & came_later,
                (requests.c.state == RequestState.HELD) & or_(*held_before),
            ),
        )
        .order_by(requests.c.due_at, requests.c.id)
        .limit(limit)
    ).all()


def lock(connection: Connection, request_id: str) -> AnyRow | None:
    """Return the request row, locked for this transaction where the database can; None if there is none."""
    return connection.execute(select(requests).where(requests.c.id == request_id).with_for_update()).one_or_none()


def working(connection: Connection, request_ids: Collection[str]) -> Sequence[AnyRow]:
    """Return those of the given requests that are with Lytics now."""
    return connection.execute(
        select(requests)
        .where(requests.c.id.in_(list(request_ids)), requests.c.state == RequestState.WORKING)
        .order_by(requests.c.id)
        .with_for_update()
    ).all()


def _remember(
    connection: Connection, request_id: str, at: datetime, state: RequestState, reason: str, attempt: int
) -> None:
    connection.execute(
        insert(history).values(id=new_id(at), request_id=request_id, at=at, state=state, reason=reason, attempt=attempt)
    )
