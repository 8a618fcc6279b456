"""The tables of what can be shown afterwards: the audit log as a Merkle tree, its checkpoints, and the receipts.

In the code the audit log is called the ledger, because a log is what processes write to standard error.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from connector.store.columns import UtcDateTime
from connector.store.tables import ID, metadata

_OWED = "issued_at IS NULL"

# Written once, never changed, never removed.
ledger = Table(
    "ledger",
    metadata,
    # Counted from 0 without a gap.
    Column("place", Integer, primary_key=True, autoincrement=False),
    # Canonical JSON; what the leaf of the tree is made of.
    Column("entry", Text, nullable=False),
    # In hex, one behind the other: of the leaf, and of every node of the tree that it completes, from below.
    Column("hashes", Text, nullable=False),
)

# One row: how many entries there are. Whoever appends holds it locked.
ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("signed_at", UtcDateTime, nullable=False),
    Column("kid", String(43), nullable=False),
    Column("note", Text, nullable=False),
)

# One for each attempt of a request that ended. It stays when the request is removed, so it does not refer to it.
receipts = Table(
    "receipts",
    metadata,
    Column("request_id", ID, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    # 0 for the receipt itself; what becomes known later has the numbers behind it.
    Column("number", Integer, primary_key=True),
    Column("owed_at", UtcDateTime, nullable=False),
    # NULL as long as it is owed; then the rest is there too.
    Column("issued_at", UtcDateTime),
    Column("kid", String(43), nullable=False, default=""),
    Column("jws", Text, nullable=False, default=""),
    Column("log_index", Integer),
    Index("ix_receipts_owed", "request_id", "attempt", sqlite_where=text(_OWED), postgresql_where=text(_OWED)),
)
