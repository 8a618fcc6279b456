"""How many other identifiers a look-up found on a profile, what a person let pass of it, and what was ever completed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"


_COMPLETED = sa.text("state = 'completed'")


def upgrade() -> None:
    some = {"sqlite_where": _COMPLETED, "postgresql_where": _COMPLETED}
    op.create_index("ix_requests_completed", "requests", ["source"], unique=False, **some)
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
    op.drop_index("ix_requests_completed", "requests")
