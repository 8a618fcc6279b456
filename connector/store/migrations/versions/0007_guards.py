"""Guards around a permanent act: fuses and what they count, the legal hold list, and what operators decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_SCOPE, _NAME, _HASH, _ID = sa.String(8), sa.String(64), sa.String(64), sa.String(32)


def upgrade() -> None:
    op.create_table(
        "fuses",
        sa.Column("scope", _SCOPE, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        _time("since"),
        _time("resumed_at", nullable=True),
        sa.Column("allowance", sa.Integer(), nullable=False),
        _time("blown_at", nullable=True),
        sa.Column("rule", sa.String(12), nullable=False),
        sa.Column("window_s", sa.Integer(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("normal", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("scope", "name", name="pk_fuses"),
    )
    op.create_table(
        "fuse_counts",
        sa.Column("scope", _SCOPE, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        _time("begins_at"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "name", "begins_at", name="pk_fuse_counts"),
    )
    _create_holds()
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        _time("at"),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(24), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )


def _create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", _ID, nullable=False),
        sa.Column("value_hash", _HASH, nullable=False),
        sa.Column("key_check", _HASH, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("placed_by", sa.String(64), nullable=False),
        _time("placed_at"),
        _time("removed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    op.create_index("ix_holds_value_hash", "holds", ["value_hash"])
    some = sa.text("removed_at IS NULL")
    op.create_index("ix_holds_standing", "holds", ["key_check"], sqlite_where=some, postgresql_where=some)
    op.create_table(
        "hold_forms",
        sa.Column("value_hash", _HASH, nullable=False),
        sa.Column("hold_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("value_hash", "hold_id", name="pk_hold_forms"),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name="fk_hold_forms_hold_id"),
    )
    op.create_index("ix_hold_forms_hold_id", "hold_forms", ["hold_id"])


def downgrade() -> None:
    for name in ("audit", "hold_forms", "holds", "fuse_counts", "fuses"):
        op.drop_table(name)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
