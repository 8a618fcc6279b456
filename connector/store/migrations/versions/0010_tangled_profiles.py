"""What a look-up found beyond a request and a person let pass, what was ever completed, and what was warned of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_INDEXES = (
    ("ix_requests_completed", ["source"], "state = 'completed'"),
    ("ix_requests_unwarned", ["source", "due_at", "id"], "warned_at IS NULL AND finished_at IS NULL"),
)


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
    op.add_column("requests", sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True))
    for name, columns, where in _INDEXES:
        some = sa.text(where)
        op.create_index(name, "requests", columns, unique=False, sqlite_where=some, postgresql_where=some)


def downgrade() -> None:
    for name, _, _ in _INDEXES:
        op.drop_index(name, "requests")
    op.drop_column("requests", "warned_at")
    op.drop_table("tangle_releases")
    op.drop_column("targets", "strangers_in")
    op.drop_column("targets", "strangers")
