"""The tables of the alerts, and of the ages of our own keys. None of them grows with history.

There is a row for each trouble, for each message not yet sent, and for each key.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, UniqueConstraint

from connector.alerting import Kind, Phase, Scope
from connector.store.columns import UtcDateTime, Word
from connector.store.tables import ID, NAME, metadata

# Remote systems that refused our credential or a permission, by the name that calls to them have.
refusals = Table(
    "refusals",
    metadata,
    Column("system", String(80), primary_key=True),
    Column("code", String(64), nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

# What operators were told.
alerts = Table(
    "alerts",
    metadata,
    Column("kind", Word(Kind), primary_key=True),
    Column("scope", Word(Scope), primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("told_at", UtcDateTime, nullable=False),
    # 0 once it is over.
    Column("told_count", Integer, nullable=False),
)

# Messages that a channel has not taken yet: at most one for each trouble, the latest.
alert_messages = Table(
    "alert_messages",
    metadata,
    Column("id", ID, primary_key=True),
    Column("channel", NAME, nullable=False),
    Column("kind", Word(Kind), nullable=False),
    Column("scope", Word(Scope), nullable=False),
    Column("name", NAME, nullable=False),
    Column("phase", Word(Phase), nullable=False),
    Column("number", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False, default=0),
    Column("next_at", UtcDateTime, nullable=False),
    UniqueConstraint("channel", "kind", "scope", "name"),
)

# When the keys that seal and sign were used first. The keys themselves are in no table.
own_keys = Table(
    "own_keys",
    metadata,
    Column("purpose", String(24), primary_key=True),
    Column("key_id", String(43), primary_key=True),
    Column("first_at", UtcDateTime, nullable=False),
)
