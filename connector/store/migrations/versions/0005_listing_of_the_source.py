"""What a source itself lists for a request: when it is asked, since when it lists it, and what no rule names there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Name, columns, which rows before, which rows from here on.
_NARROWED = (
    ("ix_requests_held_under", ["source", "mapping_digest", "id"], "state = 'held'"),
    ("ix_requests_not_mapped", ["state", "due_at", "id"], "mapping_digest = ''"),
)
_FREE = " AND confirm_at IS NULL"
_COLUMNS = ("confirm_at", "confirm_tries", "confirmed_at", "answered_at", "unnamed")
_ANSWERED = "confirm_at IS NULL AND answered_at IS NOT NULL AND finished_at IS NULL"


def upgrade() -> None:
    for name in ("confirm_at", "confirmed_at", "answered_at"):
        op.add_column("requests", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in ("confirm_tries", "unnamed"):
        op.add_column("requests", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    for name, columns, where in _NARROWED:
        _index_again(name, columns, where + _FREE)
    op.create_table(
        "rolls",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_rolls"),
    )
    _index_some("ix_requests_asked", ["source", "confirm_at", "id"], "confirm_at IS NOT NULL")
    _index_some("ix_requests_answered", ["source", "answered_at", "id"], _ANSWERED)


def downgrade() -> None:
    op.drop_table("rolls")
    op.drop_index("ix_requests_answered", "requests")
    op.drop_index("ix_requests_asked", "requests")
    for name, columns, where in _NARROWED:
        _index_again(name, columns, where)
    # Whoever goes back has nobody who asks: what waits for a listing would wait for ever.
    op.execute("UPDATE requests SET state = 'held', reason = 'not_listed' WHERE state = 'unconfirmed'")
    for name in _COLUMNS:
        op.drop_column("requests", name)


def _index_again(name: str, columns: list[str], where: str) -> None:
    op.drop_index(name, "requests")
    _index_some(name, columns, where)


def _index_some(name: str, columns: list[str], where: str) -> None:
    some = sa.text(where)
    op.create_index(name, "requests", columns, unique=False, sqlite_where=some, postgresql_where=some)
