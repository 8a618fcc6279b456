"""The audit log as a Merkle tree with its checkpoints, receipts, and where the log holds a move or a decision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_LOGGED = ("history", "audit")
_NOT_LOGGED = sa.text("log_index IS NULL")
_OWED = sa.text("issued_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("hashes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_ledger"),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_head"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kid", sa.String(43), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoints"),
    )
    op.create_table(
        "receipts",
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kid", sa.String(43), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("request_id", "attempt", "number", name="pk_receipts"),
    )
    op.create_index(
        "ix_receipts_owed", "receipts", ["request_id", "attempt"], sqlite_where=_OWED, postgresql_where=_OWED
    )
    for name in _LOGGED:
        op.add_column(name, sa.Column("log_index", sa.Integer(), nullable=True))
        op.create_index(f"ix_{name}_not_logged", name, ["id"], sqlite_where=_NOT_LOGGED, postgresql_where=_NOT_LOGGED)


def downgrade() -> None:
    for name in _LOGGED:
        op.drop_index(f"ix_{name}_not_logged", name)
        op.drop_column(name, "log_index")
    for name in ("receipts", "checkpoints", "ledger_head", "ledger"):
        op.drop_table(name)
