"""Under which pseudonym key hashes were made. Those from before have no id: there was one key only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_TABLES = ("requests", "deliveries", "submissions")


def upgrade() -> None:
    for name in _TABLES:
        op.add_column(name, sa.Column("hash_key", sa.String(16), nullable=False, server_default=""))
    readable = sa.text("shredded_at IS NULL")
    op.create_index(
        "ix_requests_hash_key",
        "requests",
        ["hash_key", "id"],
        unique=False,
        sqlite_where=readable,
        postgresql_where=readable,
    )


def downgrade() -> None:
    op.drop_index("ix_requests_hash_key", "requests")
    for name in reversed(_TABLES):
        op.drop_column(name, "hash_key")
