"""The tables of what stays after a deletion: who is not to be collected again, who is looked for, and who came back.

None of them refers to a request: its record may be removed before the watch over it ends, and after it.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint, text

from connector.states import ReturnState, WatchState
from connector.store.columns import Personal, UtcDateTime, Word
from connector.store.tables import ID, NAME, metadata

_HASH = String(64)
_LOOKED_FOR = "state <> 'deleting'"
_THERE_AGAIN = "state <> 'watching'"
_PENDING = "state = 'pending'"

# Who was deleted, by keyed hash alone.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account", NAME, nullable=False),
    Column("lytics_table", NAME, nullable=False),
    Column("field", NAME, nullable=False),
    Column("value_hash", _HASH, nullable=False),
    # Tells under which key the hash was made, without telling the key.
    Column("key_check", _HASH, nullable=False),
    # The same under the key that is shared with collectors, and that key's id; empty where there was none.
    Column("share_hash", _HASH, nullable=False, default=""),
    Column("share_key", String(16), nullable=False, default=""),
    # The last request that it was deleted for.
    Column("source", NAME, nullable=False),
    Column("request_id", ID, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    UniqueConstraint("account", "value_hash"),
    Index("ix_suppressions_since", "since", "id"),
    Index("ix_suppressions_key_check", "key_check", "id"),
    Index("ix_suppressions_share_key", "account", "share_key", "id"),
)

# What has to be known to look somebody up again. The row holds the key of its own value: with the row, both are gone.
watched = Table(
    "watched",
    metadata,
    Column("id", ForeignKey("suppressions.id"), primary_key=True),
    Column("account", NAME, nullable=False),
    Column("source", NAME, nullable=False),
    Column("request_id", ID, nullable=False),
    Column("value", Personal, nullable=False),
    Column("kek_id", String(16), nullable=False),
    Column("wrapped", String(100), nullable=False),
    Column("state", Word(WatchState), nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    # Look-ups in a row that told nothing, and how often it was deleted again.
    Column("failures", Integer, nullable=False, default=0),
    Column("again", Integer, nullable=False, default=0),
    Index(
        "ix_watched_due", "account", "next_at", "id", sqlite_where=text(_LOOKED_FOR), postgresql_where=text(_LOOKED_FOR)
    ),
    Index("ix_watched_ends_at", "ends_at", "id"),
    Index("ix_watched_source", "source", "account", "id"),
    Index("ix_watched_kek_id", "kek_id", "id"),
    # Few are, of many that are watched.
    Index(
        "ix_watched_there_again",
        "source",
        "state",
        "id",
        sqlite_where=text(_THERE_AGAIN),
        postgresql_where=text(_THERE_AGAIN),
    ),
)

# Each time that somebody was found again.
returns = Table(
    "returns",
    metadata,
    Column("id", ID, primary_key=True),
    Column("suppression_id", ForeignKey("suppressions.id"), nullable=False),
    Column("request_id", ID, nullable=False),
    Column("state", Word(ReturnState), nullable=False),
    # Why nothing was deleted, in one word.
    Column("reason", String(64), nullable=False, default=""),
    Column("found_at", UtcDateTime, nullable=False),
    # The request that deletes it again.
    Column("follow_on_id", ID),
    Column("ended_at", UtcDateTime),
    # When it is looked at whether that request is over.
    Column("look_at", UtcDateTime, nullable=False),
    Index("ix_returns_request_id", "request_id", "id"),
    Index("ix_returns_suppression_id", "suppression_id", "id"),
    Index("ix_returns_pending", "look_at", "id", sqlite_where=text(_PENDING), postgresql_where=text(_PENDING)),
)

# Requests of our own, which delete again what came back; no source is told of them.
follow_ons = Table(
    "follow_ons",
    metadata,
    Column("request_id", ForeignKey("requests.id"), primary_key=True),
    # The request that it follows.
    Column("follows", ID, nullable=False),
    Index("ix_follow_ons_follows", "follows"),
)
