"""Alerts: who refuses us, what operators were told, and what they still have to be told; and how old our keys are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_NAME = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "refusals",
        sa.Column("system", sa.String(80), nullable=False),
        sa.Column("code", _NAME, nullable=False),
        _time("first_at"),
        _time("last_at"),
        sa.PrimaryKeyConstraint("system", name="pk_refusals"),
    )
    op.create_table(
        "alerts",
        *_whose(),
        _time("since"),
        _time("told_at"),
        sa.Column("told_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "scope", "name", name="pk_alerts"),
    )
    op.create_table(
        "alert_messages",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("channel", _NAME, nullable=False),
        *_whose(),
        sa.Column("phase", sa.String(24), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _time("since"),
        _time("created_at"),
        sa.Column("tries", sa.Integer(), nullable=False),
        _time("next_at"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_messages"),
        sa.UniqueConstraint("channel", "kind", "scope", "name", name="uq_alert_messages_channel_kind_scope_name"),
    )
    op.create_table(
        "own_keys",
        sa.Column("purpose", sa.String(24), nullable=False),
        sa.Column("key_id", sa.String(43), nullable=False),
        _time("first_at"),
        sa.PrimaryKeyConstraint("purpose", "key_id", name="pk_own_keys"),
    )
    there_again = sa.text("state <> 'watching'")
    op.create_index(
        "ix_watched_there_again",
        "watched",
        ["source", "state", "id"],
        sqlite_where=there_again,
        postgresql_where=there_again,
    )


def downgrade() -> None:
    op.drop_index("ix_watched_there_again", "watched")
    for name in ("own_keys", "alert_messages", "alerts", "refusals"):
        op.drop_table(name)


def _whose() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("scope", sa.String(24), nullable=False),
        sa.Column("name", _NAME, nullable=False),
    )


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)
