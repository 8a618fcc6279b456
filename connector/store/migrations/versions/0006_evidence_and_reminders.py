"""The evidence that was filed with a report, and when people at the source are told again that the work goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("reports", sa.Column("evidence", sa.JSON(), nullable=True))
    op.add_column("reports", sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True))
    some = sa.text("remind_at IS NOT NULL")
    op.create_index(
        "ix_reports_reminded", "reports", ["source", "remind_at", "id"], sqlite_where=some, postgresql_where=some
    )


def downgrade() -> None:
    op.drop_index("ix_reports_reminded", "reports")
    for name in ("remind_at", "evidence"):
        op.drop_column("reports", name)
