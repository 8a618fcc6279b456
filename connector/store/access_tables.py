"""The tables of access requests: what is read about a person, and what became of it.

They stand apart from the targets of erasures on purpose: nothing that submits reads them, and nothing of an access
request is ever a target.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, text

from connector.states import FetchState
from connector.store.columns import Personal, UtcDateTime, Word
from connector.store.tables import ID, NAME, metadata

_WAITING = text("state = 'waiting'")
_HELD = text("profile IS NOT NULL")
_KEPT = text("document IS NOT NULL")

# One for each value of a mapped identity: the profile that it finds.
access_fetches = Table(
    "access_fetches",
    metadata,
    Column("id", ID, primary_key=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("identity_id", ForeignKey("identities.id"), nullable=False),
    Column("source", NAME, nullable=False),
    Column("account", NAME, nullable=False),
    Column("lytics_table", NAME, nullable=False),
    Column("field", NAME, nullable=False),
    # Both NULL once they were merged into the document, or the request ended.
    Column("value", Personal),
    Column("profile", Personal),
    Column("value_hash", String(64), nullable=False),
    Column("state", Word(FetchState), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("redacted", Boolean, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    # Until when the profile may be kept here.
    Column("keep_until", UtcDateTime),
    Index("ix_access_fetches_request_id", "request_id"),
    Index("ix_access_fetches_identity_id", "identity_id"),
    Index(
        "ix_access_fetches_waiting",
        "account",
        "next_at",
        "id",
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    ),
    Index("ix_access_fetches_kept", "source", "keep_until", "id", sqlite_where=_HELD, postgresql_where=_HELD),
)

# The answer to one attempt of a request. The document is destroyed after its delivery; the rest is evidence and stays.
access_results = Table(
    "access_results",
    metadata,
    Column("request_id", ForeignKey("requests.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("source", NAME, nullable=False),
    Column("document", Personal),
    Column("sha256", String(64), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("profiles", Integer, nullable=False),
    Column("redacted", Boolean, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("keep_until", UtcDateTime, nullable=False),
    # How and when it was handed over; an empty word if it never was.
    Column("delivered_how", String(16), nullable=False, default=""),
    Column("delivered_at", UtcDateTime),
    Column("shredded_at", UtcDateTime),
    Index("ix_access_results_kept", "source", "keep_until", "request_id", sqlite_where=_KEPT, postgresql_where=_KEPT),
)
