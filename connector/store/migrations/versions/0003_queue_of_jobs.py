"""The queue of the distributed engine: Procrastinate's own schema, as its version 3.10 has it. PostgreSQL only.

The text is kept beside this file and not taken from the installed package: a new version's schema already contains
what that version's own migrations add, so that an old store and a new one would take different ways.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

_SCHEMA = Path(__file__).parents[1] / "sql" / "procrastinate_3_10.sql"
_TABLES = ("events", "periodic_defers", "jobs", "workers")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    # The driver takes several statements at once only if it is handed no parameters at all, not even none of them.
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(_SCHEMA.read_text(encoding="utf-8"))


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in _TABLES:
        op.execute(f"DROP TABLE procrastinate_{table} CASCADE")
    op.execute(
        "DO $$ DECLARE one record; BEGIN"
        " FOR one IN SELECT oid::regprocedure AS name FROM pg_proc"
        r" WHERE proname LIKE 'procrastinate\_%' AND pronamespace = current_schema()::regnamespace"
        " LOOP EXECUTE 'DROP FUNCTION ' || one.name || ' CASCADE'; END LOOP; END $$"
    )
    for kind in ("job_to_defer_v1", "job_status", "job_event_type"):
        op.execute(f"DROP TYPE procrastinate_{kind}")
