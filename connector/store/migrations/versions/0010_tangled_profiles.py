"""How many other identifiers a look-up found on a profile, and what a person let pass of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("targets", sa.Column("strangers", sa.Integer(), nullable=True))
    op.add_column("targets", sa.Column("strangers_in", sa.JSON(), nullable=True))
    op.create_table(
        "tangle_releases",
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("accepted", sa.JSON(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_tangle_releases_request_id"),
        sa.PrimaryKeyConstraint("request_id", name="pk_tangle_releases"),
    )


def downgrade() -> None:
    op.drop_table("tangle_releases")
    op.drop_column("targets", "strangers_in")
    op.drop_column("targets", "strangers")
