"""The one-time use of a delivery: by its event or body, and by what its signature covers. A unique index decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from connector.ids import new_id
from connector.store.columns import AnyRow
from connector.store.insertion import insert_if_new
from connector.store.tables import deliveries, replays


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery to be claimed: at most one row per (source, claim_key).

    Attributes:
        hash_key: under which key it was hashed, and
        former_digests: what the body's digest is under the others.
    """

    source: str
    claim_key: str
    body_digest: str
    received_at: datetime
    sender_time: datetime | None
    principal: str
    secret_id: str
    hash_key: str = ""
    former_digests: frozenset[str] = frozenset()

    def has_body(self, digest: str) -> bool:
        """Say whether a delivery's digest, under whichever key, is that of this body."""
        return digest == self.body_digest or digest in self.former_digests

    def columns(self, id_: str, request_id: str) -> dict[str, Any]:
        """Return the row of this delivery."""
        return {
            "id": id_,
            "source": self.source,
            "claim_key": self.claim_key,
            "body_digest": self.body_digest,
            "hash_key": self.hash_key,
            "received_at": self.received_at,
            "sender_time": self.sender_time,
            "principal": self.principal,
            "secret_id": self.secret_id,
            "request_id": request_id,
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """What tells one delivery from every other of its source: at most one row per (source, replay_hash)."""

    source: str
    replay_hash: str
    body_digest: str
    expires_at: datetime | None

    def columns(self, request_id: str) -> dict[str, Any]:
        """Return the row of this key."""
        return {
            "source": self.source,
            "replay_hash": self.replay_hash,
            "body_digest": self.body_digest,
            "request_id": request_id,
            "expires_at": self.expires_at,
        }


# Statements that every delivery needs are built once: building one anew costs more than the database does.
_CLAIMED = select(deliveries.c.body_digest, deliveries.c.request_id).where(
    deliveries.c.source == bindparam("source"), deliveries.c.claim_key == bindparam("claim_key")
)
_REPLAYED = select(replays.c.body_digest, replays.c.request_id).where(
    replays.c.source == bindparam("source"), replays.c.replay_hash == bindparam("replay_hash")
)
_KEEP_REPLAY = (
    update(replays)
    .where(
        replays.c.source == bindparam("at"),
        replays.c.replay_hash == bindparam("key"),
        replays.c.expires_at < bindparam("until"),
    )
    .values(expires_at=bindparam("until"))
)


def claim(connection: Connection, one: Claim, request_id: str) -> AnyRow | None:
    """Claim a delivery for a request. Return None if this is its first use, else the earlier delivery's row."""
    if (
        insert_if_new(connection, deliveries, one.columns(new_id(one.received_at), request_id), ("source", "claim_key"))
        is not None
    ):
        return None
    return connection.execute(_CLAIMED, {"source": one.source, "claim_key": one.claim_key}).one()


def claim_replay(connection: Connection, one: Replay, request_id: str) -> AnyRow | None:
    """Claim what tells a delivery apart. Return None if this is its first use, else the row of the earlier one."""
    if insert_if_new(connection, replays, one.columns(request_id), ("source", "replay_hash")) is not None:
        return None
    return connection.execute(_REPLAYED, {"source": one.source, "replay_hash": one.replay_hash}).one()


def keep_replay(connection: Connection, one: Replay) -> None:
    """Keep a replay key for as long as its latest delivery would be accepted."""
    if one.expires_at is not None:
        connection.execute(_KEEP_REPLAY, {"at": one.source, "key": one.replay_hash, "until": one.expires_at})
