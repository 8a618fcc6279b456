"""Data keys, and everything personal sealed with them: in this transaction, so that no store is ever half sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store import leftovers, resealing

revision = "0012"
down_revision = "0011"

_INDEXES = (
    ("ix_requests_readable", ["state", "finished_at", "id"], "finished_at IS NOT NULL AND shredded_at IS NULL"),
    ("ix_requests_shredded", ["finished_at", "id"], "shredded_at IS NOT NULL AND purged_at IS NULL"),
)
_MOMENTS = ("shredded_at", "purged_at")


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("kek_id", sa.String(16), nullable=False),
        sa.Column("wrapped", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_data_keys_request_id")),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_data_keys")),
    )
    op.create_index("ix_data_keys_kek_id_request_id", "data_keys", ["kek_id", "request_id"], unique=False)
    for name in _MOMENTS:
        op.add_column("requests", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name, columns, where in _INDEXES:
        some = sa.text(where)
        op.create_index(name, "requests", columns, unique=False, sqlite_where=some, postgresql_where=some)
    if resealing.seal_all(op.get_bind()):
        leftovers.mark(op.get_bind())


def downgrade() -> None:
    resealing.open_all(op.get_bind())
    for name, _, _ in _INDEXES:
        op.drop_index(name, "requests")
    for name in _MOMENTS:
        op.drop_column("requests", name)
    op.drop_table("data_keys")
