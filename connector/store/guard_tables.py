"""The tables of the guards: what fuses count and when they blew, the legal hold list, and what operators decided."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, text

from connector.store.columns import UtcDateTime
from connector.store.tables import ID, NAME, metadata

_SCOPE = String(8)
_HASH = String(64)
_STANDING = "removed_at IS NULL"
_NOT_LOGGED = "log_index IS NULL"

# One row for each source and account that has a fuse. What is counted begins anew when it is resumed.
fuses = Table(
    "fuses",
    metadata,
    Column("scope", _SCOPE, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("resumed_at", UtcDateTime),
    # Values that an operator let pass uncounted, as far as none has passed yet.
    Column("allowance", Integer, nullable=False, default=0),
    # NULL while it is whole; the rest says why it blew.
    Column("blown_at", UtcDateTime),
    Column("rule", String(12), nullable=False, default=""),
    Column("window_s", Integer, nullable=False, default=0),
    Column("most", Integer, nullable=False, default=0),
    Column("counted", Integer, nullable=False, default=0),
    Column("normal", Integer),
)

# How many values were handed to Lytics from a time on, until the next row begins.
fuse_counts = Table(
    "fuse_counts",
    metadata,
    Column("scope", _SCOPE, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("begins_at", UtcDateTime, primary_key=True),
    Column("number", Integer, nullable=False),
)

# Whom nothing may be deleted of, by keyed hash alone.
holds = Table(
    "holds",
    metadata,
    Column("id", ID, primary_key=True),
    Column("value_hash", _HASH, nullable=False),
    # Tells under which key the hashes were made, without telling the key.
    Column("key_check", _HASH, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("placed_by", String(64), nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    Index("ix_holds_value_hash", "value_hash"),
    Index("ix_holds_standing", "key_check", sqlite_where=text(_STANDING), postgresql_where=text(_STANDING)),
)

# Every form of a held identity that is looked for; gone once the hold is removed.
hold_forms = Table(
    "hold_forms",
    metadata,
    Column("value_hash", _HASH, primary_key=True),
    Column("hold_id", ForeignKey("holds.id"), primary_key=True),
    Index("ix_hold_forms_hold_id", "hold_id"),
)

# What operators decided that belongs to no single request: who, when, what and why. Never an identity.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(24), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("reason", String(64), nullable=False),
    # Its place in the audit log; NULL until it is there.
    Column("log_index", Integer),
    Index("ix_audit_not_logged", "id", sqlite_where=text(_NOT_LOGGED), postgresql_where=text(_NOT_LOGGED)),
)
