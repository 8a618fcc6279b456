"""The schema's version: bring it up to date, or say that it is not. Migrations are Alembic's, in `migrations/`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from connector.codes import Code
from connector.errors import Misconfigured
from connector.store import data_keys, leftovers, pseudonym_keys
from connector.store.database import SCHEMA_LOCK, Database

SCRIPTS = Path(__file__).parent / "migrations"

# Written in the place of the revision by `connector db copy`, so that no process works on such a store.
MOVED: Final = "moved"
COPYING: Final = "copying"
COPY_FAILED: Final = "copy_failed"
_MARKED: Final = {MOVED: Code.STORE_MOVED, COPYING: Code.STORE_INCOMPLETE, COPY_FAILED: Code.STORE_INCOMPLETE}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def newest() -> str:
    """Return the newest revision that this version of the product knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _known() -> set[str]:
    return {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}


def current(database: Database) -> str | None:
    """Return the store's revision; None for an empty store."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the store to the newest revision in one transaction; return (before, after).

    Safe to repeat, also by several processes at once: they wait for each other.
    """
    before = current(database)
    _require_unmarked(before)
    if before is not None and before not in _known():
        found = f"found revision {before}, which this version does not know; a newer one wrote it"
        raise Misconfigured(Code.STORE_OUTDATED, found)
    config = _config()
    with database.write() as connection:
        if not database.is_sqlite:
            # SQLite lets one writer in at a time; here nothing would keep two from making the same table. Whoever comes
            # second waits for as long as the first needs.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    leftovers.remove(database)
    return before, newest()


def require_current(database: Database, *, hashes: bool = True) -> None:
    """Raise `Misconfigured` unless the store is at the newest revision, and every key is there that it needs.

    Args:
        hashes: whether that is asked of the pseudonym keys too.
    """
    found, wanted = current(database), newest()
    _require_unmarked(found)
    if found != wanted:
        raise Misconfigured(Code.STORE_OUTDATED, f"found revision {found or 'none'}, expected {wanted}")
    leftovers.require_none(database)
    data_keys.require_known(database)
    if hashes:
        pseudonym_keys.require_known(database)


def mark(connection: Connection, revision: str) -> None:
    """Write a mark, or a revision, in the place of the revision."""
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def _require_unmarked(revision: str | None) -> None:
    if revision in _MARKED:
        raise Misconfigured(_MARKED[revision])
