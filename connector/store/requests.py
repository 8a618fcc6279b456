"""Requests and the deliveries that brought them: claim, insert, merge, move, read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, insert, or_, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.ids import new_id
from connector.private import Private
from connector.states import IdentityState, RequestState, TargetState
from connector.store.columns import AnyRow
from connector.store.moves import move, parts
from connector.store.tables import deliveries, history, identities, replays, requests, targets


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
class Replay:
    """What tells one delivery from every other of its source: at most one row per (source, replay_hash)."""

    source: str
    replay_hash: str
    body_digest: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """An identity as it arrives, with the keyed hash of its kind and value."""

    kind: str
    value: Private
    value_hash: str


# Statements that every delivery needs are built once: building one anew costs more than the database does.
_BY_KEY = (
    select(requests)
    .where(requests.c.source == bindparam("source"), requests.c.request_key == bindparam("request_key"))
    .with_for_update()
)
_HASHES_OF = select(identities.c.value_hash).where(identities.c.request_id == bindparam("request_id"))
_CLAIMED = select(deliveries.c.body_digest, deliveries.c.request_id).where(
    deliveries.c.source == bindparam("source"), deliveries.c.claim_key == bindparam("claim_key")
)
_REPLAYED = select(replays.c.body_digest, replays.c.request_id).where(
    replays.c.source == bindparam("source"), replays.c.replay_hash == bindparam("replay_hash")
)
_ADD_IDENTITY = insert(identities)
_ADD_HISTORY = insert(history)


@cache
def insert_or_leave(dialect: str, table: Table, unique: tuple[str, ...]) -> Any:
    """Return the statement that inserts rows except where one with the same `unique` columns exists.

    A unique index decides, also between two processes at the same moment.
    """
    dialect_insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return dialect_insert(table).on_conflict_do_nothing(index_elements=list(unique))


@cache
def _insert_and_return(dialect: str, table: Table, unique: tuple[str, ...]) -> Any:
    # RETURNING tells on both databases whether there was an insertion; a row count does not.
    return insert_or_leave(dialect, table, unique).returning(table)


def insert_if_new(
    connection: Connection, table: Table, values: Mapping[str, Any], unique: tuple[str, ...]
) -> AnyRow | None:
    """Insert a row and return it, or return None if one with the same `unique` columns exists."""
    statement = _insert_and_return(connection.dialect.name, table, unique)
    return connection.execute(statement, dict(values)).one_or_none()


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
    if fresh is not None:
        return None
    return connection.execute(_CLAIMED, {"source": one.source, "claim_key": one.claim_key}).one()


def claim_replay(connection: Connection, one: Replay, request_id: str) -> AnyRow | None:
    """Claim what tells a delivery apart. Return None if this is its first use, else the row of the earlier one."""
    values = {
        "source": one.source,
        "replay_hash": one.replay_hash,
        "body_digest": one.body_digest,
        "request_id": request_id,
        "expires_at": one.expires_at,
    }
    if insert_if_new(connection, replays, values, ("source", "replay_hash")) is not None:
        return None
    return connection.execute(_REPLAYED, {"source": one.source, "replay_hash": one.replay_hash}).one()


def find_or_insert(connection: Connection, values: Mapping[str, Any], now: datetime) -> tuple[AnyRow, bool]:
    """Return the request row for (source, request_key), locked for this transaction, and whether it is new."""
    given = {"id": new_id(now), "state": RequestState.RECEIVED, "attempt": 1, "reason": "", "mapping_digest": ""}
    row = insert_if_new(connection, requests, {**given, **values}, ("source", "request_key"))
    if row is not None:
        _remember(connection, [(row.id, 1)], now, RequestState.RECEIVED, "")
        return row, True
    key = {"source": values["source"], "request_key": values["request_key"]}
    return connection.execute(_BY_KEY, key).one(), False


def add_identities(
    connection: Connection, request_id: str, new: Sequence[NewIdentity], now: datetime, *, look: bool = True
) -> int:
    """Add the identities that the request does not have yet; return how many those are.

    Args:
        look: whether it may have some; False for a request that was inserted in this transaction.
    """
    known = set(connection.scalars(_HASHES_OF, {"request_id": request_id}).all()) if look else set()
    distinct = {one.value_hash: one for one in reversed(new) if one.value_hash not in known}
    rows = [
        {
            "id": new_id(now),
            "request_id": request_id,
            "kind": one.kind,
            "value": one.value,
            "value_hash": one.value_hash,
            "state": IdentityState.RECEIVED,
        }
        for one in reversed(distinct.values())
    ]
    if rows:
        connection.execute(_ADD_IDENTITY, rows)
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
    _remember(connection, [(row.id, attempt)], now, new, reason)
    return True


def begin_work(connection: Connection, rows: Sequence[AnyRow], now: datetime) -> None:
    """Move those of the locked requests that are queued to working: the first of their targets goes to Lytics."""
    queued = [row for row in rows if row.state is RequestState.QUEUED]
    move(connection, requests, [row.id for row in queued], RequestState.QUEUED, RequestState.WORKING, reason="")
    _remember(connection, [(row.id, row.attempt) for row in queued], now, RequestState.WORKING, "")


def finish(connection: Connection, rows: Sequence[AnyRow], new: RequestState, now: datetime) -> None:
    """End locked requests that are with Lytics, and write the moves into their history."""
    ids = [row.id for row in rows]
    move(connection, requests, ids, RequestState.WORKING, new, reason="", finished_at=now)
    _remember(connection, [(row.id, row.attempt) for row in rows], now, new, "")


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
            failures=0,
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
    if not digests:
        return []
    # Three selections, each by an index of its own: one condition would walk through all open requests at every tick.
    came_later = (
        select(requests.c.id)
        .join(identities, identities.c.request_id == requests.c.id)
        .where(
            identities.c.state == IdentityState.RECEIVED,
            requests.c.state.in_((RequestState.QUEUED, RequestState.WORKING, RequestState.HELD)),
        )
    )
    other_rules = or_(
        *(and_(requests.c.source == source, requests.c.mapping_digest != digest) for source, digest in digests.items())
    )
    ids = union(
        select(requests.c.id).where(requests.c.state == RequestState.RECEIVED),
        came_later,
        select(requests.c.id).where(requests.c.state == RequestState.HELD, other_rules),
    )
    return connection.execute(
        select(requests)
        .where(requests.c.id.in_(ids), requests.c.source.in_(list(digests)))
        .order_by(requests.c.due_at, requests.c.id)
        .limit(limit)
    ).all()


def lock(connection: Connection, request_id: str) -> AnyRow | None:
    """Return the request row, locked for this transaction where the database can; None if there is none."""
    return connection.execute(select(requests).where(requests.c.id == request_id).with_for_update()).one_or_none()


def lock_all(connection: Connection, request_ids: Collection[str]) -> list[AnyRow]:
    """Return request rows, locked for this transaction in the order of their ids. Call it before touching targets."""
    rows: list[AnyRow] = []
    for part in parts(set(request_ids)):
        statement = select(requests).where(requests.c.id.in_(part)).order_by(requests.c.id).with_for_update()
        rows += connection.execute(statement).all()
    return rows


def _remember(
    connection: Connection, moved: Sequence[tuple[str, int]], at: datetime, state: RequestState, reason: str
) -> None:
    """Write a move of requests, given as (id, attempt), into their history."""
    rows = [
        {"request_id": request_id, "at": at, "state": state, "reason": reason, "attempt": attempt}
        for request_id, attempt in moved
    ]
    if rows:
        connection.execute(_ADD_HISTORY, rows)
