"""The suppression list, the watch over it, who came back, and requests that delete them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    _suppressions()
    _watched()
    _returns()
    op.create_table(
        "follow_ons",
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("follows", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_follow_ons_request_id"),
        sa.PrimaryKeyConstraint("request_id", name="pk_follow_ons"),
    )
    op.create_index("ix_follow_ons_follows", "follow_ons", ["follows"], unique=False)


def downgrade() -> None:
    for name in ("follow_ons", "returns", "watched", "suppressions"):
        op.drop_table(name)


def _suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("lytics_table", sa.String(64), nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("value_hash", sa.String(64), nullable=False),
        sa.Column("key_check", sa.String(64), nullable=False),
        sa.Column("share_hash", sa.String(64), nullable=False),
        sa.Column("share_key", sa.String(16), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suppressions"),
        sa.UniqueConstraint("account", "value_hash", name="uq_suppressions_account_value_hash"),
    )
    op.create_index("ix_suppressions_since", "suppressions", ["since", "id"], unique=False)
    op.create_index("ix_suppressions_key_check", "suppressions", ["key_check", "id"], unique=False)
    op.create_index("ix_suppressions_share_key", "suppressions", ["account", "share_key", "id"], unique=False)


def _watched() -> None:
    op.create_table(
        "watched",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("kek_id", sa.String(16), nullable=False),
        sa.Column("wrapped", sa.String(100), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("again", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["suppressions.id"], name="fk_watched_id"),
        sa.PrimaryKeyConstraint("id", name="pk_watched"),
    )
    looked_for = sa.text("state <> 'deleting'")
    op.create_index(
        "ix_watched_due",
        "watched",
        ["account", "next_at", "id"],
        unique=False,
        sqlite_where=looked_for,
        postgresql_where=looked_for,
    )
    op.create_index("ix_watched_ends_at", "watched", ["ends_at", "id"], unique=False)
    op.create_index("ix_watched_source", "watched", ["source", "account", "id"], unique=False)
    op.create_index("ix_watched_kek_id", "watched", ["kek_id", "id"], unique=False)


def _returns() -> None:
    op.create_table(
        "returns",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("suppression_id", sa.String(32), nullable=False),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("follow_on_id", sa.String(32), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["suppression_id"], ["suppressions.id"], name="fk_returns_suppression_id"),
        sa.PrimaryKeyConstraint("id", name="pk_returns"),
    )
    op.create_index("ix_returns_request_id", "returns", ["request_id", "id"], unique=False)
    op.create_index("ix_returns_suppression_id", "returns", ["suppression_id", "id"], unique=False)
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_returns_pending", "returns", ["look_at", "id"], unique=False, sqlite_where=pending, postgresql_where=pending
    )
