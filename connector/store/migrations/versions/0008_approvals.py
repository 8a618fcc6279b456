"""What a person approved before it was handed to Lytics."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_INDEXES = (
    ("ix_targets_unapproved", ["account", "id"], "approved_at IS NULL AND state = 'queued'"),
    ("ix_targets_approved", ["account", "due_at", "id"], "approved_at IS NOT NULL AND state = 'queued'"),
)


def upgrade() -> None:
    op.add_column("targets", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True))
    for name, columns, where in _INDEXES:
        some = sa.text(where)
        op.create_index(name, "targets", columns, unique=False, sqlite_where=some, postgresql_where=some)


def downgrade() -> None:
    for name, _, _ in _INDEXES:
        op.drop_index(name, "targets")
    op.drop_column("targets", "approved_at")
