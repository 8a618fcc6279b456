"""Stamps of a time-stamping authority on checkpoints, and when it may be asked next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "stamps",
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stamped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority", sa.String(16), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_stamps"),
    )
    op.create_table(
        "stamp_turn",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stamp_turn"),
    )


def downgrade() -> None:
    for name in ("stamp_turn", "stamps"):
        op.drop_table(name)
