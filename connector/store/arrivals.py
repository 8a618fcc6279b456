"""Insert what nobody knows yet, for many deliveries with a handful of statements.

A unique index decides for each row whether it is new, also between processes. Nothing is changed of what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from connector.ids import new_id
from connector.states import IdentityState, RequestState
from connector.store.bulk import insert_rows, insert_where_new
from connector.store.claims import Claim, Replay
from connector.store.requests import NewIdentity
from connector.store.tables import deliveries, history, identities, replays, requests

New: TypeAlias = tuple[Mapping[str, Any], Claim, Replay | None, Sequence[NewIdentity], datetime]

_BORN: Final = {"state": RequestState.RECEIVED, "attempt": 1, "reason": "", "mapping_digest": ""}


def insert_new(connection: Connection, arrived: Sequence[New]) -> list[str | None]:
    """Store the deliveries whose request is new; return its id for each, or None for one that has to be looked at.

    If a delivery of a new request was claimed before, nothing is inserted at all: it is for the caller to find out what
    it is, one by one.
    """
    rows = [{**_BORN, **values, "id": new_id(at)} for values, _, _, _, at in arrived]
    savepoint = connection.begin_nested()
    inserted = insert_where_new(connection, requests, rows, ("source", "request_key"), "id")
    fresh = [(row["id"], one) for row, one in zip(rows, arrived, strict=True) if row["id"] in inserted]
    if not _claim_all(connection, fresh):
        savepoint.rollback()
        return [None] * len(arrived)
    savepoint.commit()
    _remember(connection, fresh)
    return [row["id"] if row["id"] in inserted else None for row in rows]


def _claim_all(connection: Connection, fresh: Sequence[tuple[str, New]]) -> bool:
    """Claim deliveries and replay keys; say whether all of them were used for the first time."""
    claimed = [claim.columns(request_id) for request_id, (_, claim, _, _, _) in fresh]
    if len(insert_where_new(connection, deliveries, claimed, ("source", "claim_key"), "id")) < len(claimed):
        return False
    told = [replay.columns(request_id) for request_id, (_, _, replay, _, _) in fresh if replay is not None]
    return len(insert_where_new(connection, replays, told, ("source", "replay_hash"), "replay_hash")) == len(told)


def _remember(connection: Connection, fresh: Sequence[tuple[str, New]]) -> None:
    born = [
        {"request_id": request_id, "at": at, "state": RequestState.RECEIVED, "reason": "", "attempt": 1}
        for request_id, (_, _, _, _, at) in fresh
    ]
    said = [
        {
            "id": new_id(at),
            "request_id": request_id,
            "kind": one.kind,
            "value": one.value,
            "value_hash": one.value_hash,
            "state": IdentityState.RECEIVED,
            "reason": "",
        }
        for request_id, (_, _, _, new, at) in fresh
        for one in {one.value_hash: one for one in reversed(new)}.values()
    ]
    insert_rows(connection, history, born)
    insert_rows(connection, identities, said)
