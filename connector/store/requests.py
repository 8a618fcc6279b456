"""Requests and the deliveries that brought them: claim, insert, merge, move, read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, delete, insert, select, text, update

from connector.ids import new_id
from connector.private import Private
from connector.states import IdentityState, RequestKind, RequestState, TargetState
from connector.store import vault
from connector.store.access_tables import access_fetches
from connector.store.addresses import sealed_address
from connector.store.columns import AnyRow
from connector.store.insertion import insert_if_new
from connector.store.moves import move, parts
from connector.store.tables import history, identities, requests, targets


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """An identity as it arrives, with the keyed hash of its kind and value, and those under other keys."""

    kind: str
    value: Private
    value_hash: str
    former: frozenset[str] = frozenset()


# Statements that every delivery needs are built once: building one anew costs more than the database does.
_BY_KEY = (
    select(requests)
    .where(requests.c.source == bindparam("source"), requests.c.request_key == bindparam("request_key"))
    .with_for_update()
)
_HASHES_OF = select(identities.c.value_hash).where(identities.c.request_id == bindparam("request_id"))
# Word for word as in the indexes that answer them. A request is not mapped as long as it has identities that the rules
# were not applied to.
_NOT_MAPPED = text("mapping_digest = '' AND confirm_at IS NULL")
_HELD = text("state = 'held' AND confirm_at IS NULL")
_MAPPED_BEFORE = (RequestState.QUEUED, RequestState.WORKING, RequestState.HELD, RequestState.FETCHING)
# What steps decide by; the rest is of use to nobody but the source.
_DECIDING = (
    requests.c.id,
    requests.c.source,
    requests.c.state,
    requests.c.reason,
    requests.c.attempt,
    requests.c.kind,
    requests.c.request_types,
    requests.c.is_test,
    requests.c.received_at,
    requests.c.due_at,
)
_ADD_IDENTITY = insert(identities)
_ADD_HISTORY = insert(history)


def find_or_insert(connection: Connection, values: Mapping[str, Any], now: datetime) -> tuple[AnyRow, bool]:
    """Return the request row for (source, request_key), locked for this transaction, and whether it is new."""
    id_ = new_id(now)
    given = {"id": id_, "state": RequestState.RECEIVED, "attempt": 1, "reason": "", "mapping_digest": ""}
    data_key, kept = vault.new_key(connection, id_)
    sealed = {"callback_url": sealed_address(data_key, id_, values.get("callback_url"))}
    row = insert_if_new(connection, requests, {**given, **values, **sealed}, ("source", "request_key"))
    if row is not None:
        vault.keep(connection, [kept])
        _remember(connection, [(row.id, 1)], now, row.state, "")
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
    key = vault.keys_of(connection, [request_id])[request_id] if distinct else None
    rows = [
        {
            "id": id_,
            "request_id": request_id,
            "kind": one.kind,
            "value": vault.seal(key, one.value, identities.c.value, id_),
            "value_hash": one.value_hash,
            "state": IdentityState.RECEIVED,
        }
        for id_, one in ((new_id(now), one) for one in reversed(distinct.values()))
        if key is not None
    ]
    if rows:
        connection.execute(_ADD_IDENTITY, rows)
    if rows and look:
        # What is there was mapped without them.
        connection.execute(update(requests).where(requests.c.id == request_id).values(mapping_digest=""))
    return len(rows)


def knows(connection: Connection, request_id: str, named: Collection[NewIdentity]) -> bool:
    """Say whether a request has all of these identities, under whichever key it was hashed."""
    known = set(connection.scalars(_HASHES_OF, {"request_id": request_id}))
    return all(one.value_hash in known or not one.former.isdisjoint(known) for one in named)


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


def move_requests(
    connection: Connection, rows: Sequence[AnyRow], new: RequestState, now: datetime, *, reason: str = "", **values: Any
) -> None:
    """Move locked requests, each from the state in its row, and write the moves into their history."""
    by_state: dict[RequestState, list[str]] = defaultdict(list)
    for row in rows:
        by_state[row.state].append(row.id)
    for old, ids in by_state.items():
        move(connection, requests, ids, old, new, reason=reason, **values)
    _remember(connection, [(row.id, row.attempt) for row in rows], now, new, reason)


def begin_work(connection: Connection, rows: Sequence[AnyRow], now: datetime) -> None:
    """Move those of the locked requests that are queued to working: the first of their targets goes to Lytics."""
    move_requests(connection, [row for row in rows if row.state is RequestState.QUEUED], RequestState.WORKING, now)


def finish(connection: Connection, rows: Sequence[AnyRow], new: RequestState, now: datetime) -> None:
    """End locked requests that are with Lytics, and write the moves into their history."""
    move_requests(connection, rows, new, now, finished_at=now)


def note_mapping(
    connection: Connection, rows: Sequence[AnyRow], kind: RequestKind, *, reason: str, mapping_digest: str
) -> None:
    """Write down under which rules locked requests were mapped whose state did not change."""
    values = {"kind": kind, "reason": reason, "mapping_digest": mapping_digest}
    for part in parts([row.id for row in rows]):
        connection.execute(update(requests).where(requests.c.id.in_(part)).values(**values))


def begin_anew(connection: Connection, row: AnyRow) -> None:
    """Let a locked request whose data key was destroyed begin as on its first day, with a new one."""
    if row.shredded_at is None or vault.has_key(connection, row.id):
        return
    for table in (access_fetches, targets, identities):
        connection.execute(delete(table).where(table.c.request_id == row.id))
    vault.keep(connection, [vault.new_key(connection, row.id)[1]])
    fresh = {"shredded_at": None, "purged_at": None, "callback_url": None, "mapping_digest": ""}
    connection.execute(update(requests).where(requests.c.id == row.id).values(fresh))


def start_again(connection: Connection, row: AnyRow, now: datetime, reason: str = "", *, asked: bool) -> bool:
    """Begin a new attempt of a request that ended partial or failed: what failed is queued again, nothing else.

    Args:
        asked: whether its source is asked what it lists: time has passed, and people change their minds.
    """
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
            strangers=None,
            strangers_in=None,
            submission_id=None,
            operation_id=None,
            batch_cap=None,
            approved_at=None,
            next_at=now,
            entered_at=now,
        )
    again = {"attempt": row.attempt + 1, "finished_at": None, "warned_at": None}
    again |= {"confirm_at": now if asked else None, "confirm_tries": 0}
    first = RequestState.UNCONFIRMED if asked else RequestState.RECEIVED
    return move_request(connection, row, first, now, reason=reason, **again)


def external_of(connection: Connection, request_id: str) -> Mapping[str, str]:
    """Return the source's own ids of a request."""
    found: Mapping[str, str] = connection.execute(
        select(requests.c.external).where(requests.c.id == request_id)
    ).scalar_one()
    return found


def in_state(connection: Connection, state: RequestState) -> Sequence[str]:
    """Return the ids of all requests in a state, the most urgent first."""
    asked = select(requests.c.id).where(requests.c.state == state).order_by(requests.c.due_at, requests.c.id)
    return connection.scalars(asked).all()


def to_map(connection: Connection, digests: Mapping[str, str], limit: int) -> Sequence[AnyRow]:
    """Return requests to be mapped, most urgent first.

    Those are: received; open with identities that came later; held under rules other than the present ones.

    Args:
        digests: the present mapping digest by source.
    """
    if not digests:
        return []
    # Several selections, each by an index of its own and no longer than `limit`: one condition would walk through all
    # open requests at every tick.
    here = requests.c.source.in_(list(digests))
    urgent_first = select(requests).order_by(requests.c.due_at, requests.c.id).limit(limit)
    selections = [
        urgent_first.where(requests.c.state == RequestState.RECEIVED, here),
        *(urgent_first.where(_NOT_MAPPED, requests.c.state == state, here) for state in _MAPPED_BEFORE),
    ]
    in_turn = select(requests).order_by(requests.c.mapping_digest, requests.c.id).limit(limit)
    for source, digest in digests.items():
        held = in_turn.where(_HELD, requests.c.source == source)
        # Not `!=`, which no index answers.
        selections += [held.where(requests.c.mapping_digest < digest), held.where(requests.c.mapping_digest > digest)]
    found = {row.id: row for one in selections for row in connection.execute(one)}
    return sorted(found.values(), key=lambda row: (row.due_at, row.id))[:limit]


def lock_all(connection: Connection, request_ids: Collection[str]) -> list[AnyRow]:
    """Return request rows, locked for this transaction in the order of their ids. Call it before touching targets."""
    return [row for part in parts(set(request_ids)) for row in connection.execute(_locking(part, _DECIDING))]


def seen(connection: Connection, request_id: str) -> AnyRow | None:
    """Return a request as `lock_all` does, but not locked; None if there is none."""
    return connection.execute(select(*_DECIDING).where(requests.c.id == request_id)).one_or_none()


def hold_all(connection: Connection, request_ids: Collection[str]) -> None:
    """Lock requests like `lock_all`, where nothing of them is needed.

    SQLite has one writer at a time, and needs no locks.
    """
    if connection.dialect.name != "sqlite":
        for part in parts(set(request_ids)):
            connection.execute(_locking(part, (requests.c.id,))).all()


def _locking(part: Sequence[str], columns: Sequence[Column[Any]]) -> Select[Any]:
    return select(*columns).where(requests.c.id.in_(part)).order_by(requests.c.id).with_for_update()


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
