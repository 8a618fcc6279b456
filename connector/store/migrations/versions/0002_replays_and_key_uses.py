"""Replay keys of signed deliveries, the last use of each secret, and the address that a request's report goes to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "replays",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("replay_hash", sa.String(length=64), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_replays_request_id"),
        sa.PrimaryKeyConstraint("source", "replay_hash", name="pk_replays"),
    )
    op.create_index("ix_replays_expires_at", "replays", ["expires_at"], unique=False)
    op.create_index("ix_replays_request_id", "replays", ["request_id"], unique=False)
    op.create_table(
        "key_uses",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("secret_id", sa.String(length=200), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "secret_id", name="pk_key_uses"),
    )
    op.add_column("requests", sa.Column("callback_url", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("requests", "callback_url")
    op.drop_table("key_uses")
    op.drop_table("replays")
