"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.columns import Personal, UtcDateTime, Word

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
