"""Indexes by which every step reads a backlog from its beginning, however long it or the history is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Name, table, columns, and which rows.
_SOME = (
    ("ix_requests_held_under", "requests", ["source", "mapping_digest", "id"], "state = 'held'"),
    ("ix_requests_not_mapped", "requests", ["state", "due_at", "id"], "mapping_digest = ''"),
    ("ix_targets_followed", "targets", ["account", "state", "next_at", "id"], "operation_id IS NOT NULL"),
    ("ix_targets_looked_up", "targets", ["account", "state", "due_at", "id"], "known_before IS NOT NULL"),
    ("ix_targets_not_looked_up", "targets", ["account", "state", "due_at", "id"], "known_before IS NULL"),
)


def upgrade() -> None:
    op.drop_index("ix_requests_state_due_at", "requests")
    op.create_index("ix_requests_state_due_at_id", "requests", ["state", "due_at", "id"], unique=False)
    for name, table, columns, where in _SOME:
        some = sa.text(where)
        op.create_index(name, table, columns, unique=False, sqlite_where=some, postgresql_where=some)
    op.create_index("ix_reports_state_request_id", "reports", ["state", "request_id"], unique=False)
    op.drop_index("ix_targets_account_state_next_at", "targets")
    # From here on an empty digest says that an open request has identities which came after it was mapped.
    op.execute(
        "UPDATE requests SET mapping_digest = '' WHERE state IN ('queued', 'working', 'held') "
        "AND id IN (SELECT request_id FROM identities WHERE state = 'received')"
    )
    op.drop_index("ix_identities_state", "identities")


def downgrade() -> None:
    op.create_index("ix_identities_state", "identities", ["state"], unique=False)
    op.create_index("ix_targets_account_state_next_at", "targets", ["account", "state", "next_at"], unique=False)
    op.drop_index("ix_reports_state_request_id", "reports")
    for name, table, _, _ in _SOME:
        op.drop_index(name, table)
    op.drop_index("ix_requests_state_due_at_id", "requests")
    op.create_index("ix_requests_state_due_at", "requests", ["state", "due_at"], unique=False)
