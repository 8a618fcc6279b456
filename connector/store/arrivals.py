"""Insert what nobody knows yet, for many deliveries with a handful of statements.

A unique index decides for each row whether it is new, also between processes. Nothing is changed of what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, select

from connector.crypto.seal import DataKey
from connector.ids import new_ids
from connector.states import IdentityState, RequestState
from connector.store import vault
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
    ids = new_ids([at for _, _, _, _, at in arrived])
    keys = {id_: vault.new_key(connection, id_) for id_ in ids}
    rows = [_row(id_, one[0], keys[id_][0]) for id_, one in zip(ids, arrived, strict=True)]
    savepoint = connection.begin_nested()
    # A count costs a tenth of what it costs to be told each row; that they are all new is the rule.
    inserted = insert_where_new(connection, requests, rows, ("source", "request_key"))
    kept = set(ids) if inserted == len(ids) else _those_there(connection, ids)
    fresh = [(id_, one) for id_, one in zip(ids, arrived, strict=True) if id_ in kept]
    if not _claim_all(connection, fresh):
        savepoint.rollback()
        return [None] * len(arrived)
    savepoint.commit()
    vault.keep(connection, [keys[id_][1] for id_, _ in fresh])
    _remember(connection, fresh, {id_: key for id_, (key, _) in keys.items()})
    return [id_ if id_ in kept else None for id_ in ids]


def _row(id_: str, values: Mapping[str, Any], key: DataKey) -> dict[str, Any]:
    row = {**_BORN, **values, "id": id_}
    if row["callback_url"] is not None:
        row["callback_url"] = vault.seal(key, row["callback_url"], requests.c.callback_url, id_)
    return row


def _those_there(connection: Connection, ids: Sequence[str]) -> set[str]:
    return set(connection.scalars(select(requests.c.id).where(requests.c.id.in_(ids))))


def _claim_all(connection: Connection, fresh: Sequence[tuple[str, New]]) -> bool:
    """Claim deliveries and replay keys; say whether all of them were used for the first time."""
    ids = new_ids([claim.received_at for _, (_, claim, _, _, _) in fresh])
    claimed = [
        claim.columns(id_, request_id) for id_, (request_id, (_, claim, _, _, _)) in zip(ids, fresh, strict=True)
    ]
    if insert_where_new(connection, deliveries, claimed, ("source", "claim_key")) < len(claimed):
        return False
    told = [replay.columns(request_id) for request_id, (_, _, replay, _, _) in fresh if replay is not None]
    return insert_where_new(connection, replays, told, ("source", "replay_hash")) == len(told)


def _remember(connection: Connection, fresh: Sequence[tuple[str, New]], keys: Mapping[str, DataKey]) -> None:
    born = [
        {
            "request_id": request_id,
            "at": at,
            "state": values.get("state", RequestState.RECEIVED),
            "reason": "",
            "attempt": 1,
        }
        for request_id, (values, _, _, _, at) in fresh
    ]
    said = [
        (request_id, at, one)
        for request_id, (_, _, _, new, at) in fresh
        for one in {one.value_hash: one for one in reversed(new)}.values()
    ]
    rows = [
        {
            "id": id_,
            "request_id": request_id,
            "kind": one.kind,
            "value": vault.seal(keys[request_id], one.value, identities.c.value, id_),
            "value_hash": one.value_hash,
            "state": IdentityState.RECEIVED,
            "reason": "",
        }
        for id_, (request_id, _, one) in zip(new_ids([at for _, at, _ in said]), said, strict=True)
    ]
    insert_rows(connection, history, born)
    insert_rows(connection, identities, rows)
