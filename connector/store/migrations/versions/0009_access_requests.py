"""Access requests: what is read about a person, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_WHEN = sa.DateTime(timezone=True)
_INDEXES = (
    ("ix_access_fetches_request_id", "access_fetches", ["request_id"], ""),
    ("ix_access_fetches_identity_id", "access_fetches", ["identity_id"], ""),
    ("ix_access_fetches_waiting", "access_fetches", ["account", "next_at", "id"], "state = 'waiting'"),
    ("ix_access_fetches_kept", "access_fetches", ["source", "keep_until", "id"], "profile IS NOT NULL"),
    ("ix_access_results_kept", "access_results", ["source", "keep_until", "request_id"], "document IS NOT NULL"),
)


def upgrade() -> None:
    op.add_column("requests", sa.Column("kind", sa.String(24), nullable=True))
    # Whatever was mapped so far is an erasure. What has further identities to be mapped counts as one by its state.
    op.execute("UPDATE requests SET kind = 'erasure' WHERE mapping_digest <> ''")
    op.create_table(
        "access_fetches",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("identity_id", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("lytics_table", sa.String(64), nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("value_hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("redacted", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", _WHEN, nullable=False),
        sa.Column("next_at", _WHEN, nullable=False),
        sa.Column("keep_until", _WHEN, nullable=True),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_access_fetches_request_id"),
        sa.ForeignKeyConstraint(["identity_id"], ["identities.id"], name="fk_access_fetches_identity_id"),
        sa.PrimaryKeyConstraint("id", name="pk_access_fetches"),
    )
    op.create_table(
        "access_results",
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("profiles", sa.Integer(), nullable=False),
        sa.Column("redacted", sa.Boolean(), nullable=False),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.Column("keep_until", _WHEN, nullable=False),
        sa.Column("delivered_how", sa.String(16), nullable=False),
        sa.Column("delivered_at", _WHEN, nullable=True),
        sa.Column("shredded_at", _WHEN, nullable=True),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_access_results_request_id"),
        sa.PrimaryKeyConstraint("request_id", "attempt", name="pk_access_results"),
    )
    for name, table, columns, where in _INDEXES:
        some = sa.text(where) if where else None
        op.create_index(name, table, columns, unique=False, sqlite_where=some, postgresql_where=some)


def downgrade() -> None:
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table)
    op.drop_table("access_results")
    op.drop_table("access_fetches")
    op.drop_column("requests", "kind")
