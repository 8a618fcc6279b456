"""`connector db upgrade` is killed before, in and after every migration; each time it is as if it had not begun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from alembic import command as alembic
from alembic.script import ScriptDirectory

from connector.services.audit_check import check
from connector.store import schema
from connector.store.database import Database
from connector.store.tables import history, metadata
from tests.support.killed import COMMIT, killed_again_and_again
from tests.support.processes import ROOT
from tests.support.rich_store import contents
from tests.support.site import Bench

pytestmark = [pytest.mark.process, pytest.mark.soak]

OLDEST = "0001"
# A statement in the middle of each migration. The queue's is a single call on PostgreSQL, and none at all on SQLite.
MIDDLES = {
    "0001": "CREATE TABLE identities",
    "0002": "CREATE TABLE key_uses",
    "0003": "",
    "0004": "CREATE INDEX ix_targets_followed",
    "0005": "CREATE TABLE rolls",
    "0006": "ADD COLUMN remind_at",
    "0007": "CREATE TABLE holds",
    "0008": "ADD COLUMN approved_at",
    "0009": "CREATE TABLE access_fetches",
    "0010": "CREATE TABLE tangle_releases",
    "0011": "CREATE TABLE receipts",
    "0012": "CREATE INDEX ix_requests_readable",
    "0013": "CREATE TABLE watched",
    "0014": "CREATE TABLE alerts",
    "0015": "CREATE TABLE stamp_turn",
    "0016": "ADD COLUMN hash_key",
}
# None of these tables was there in the oldest schema.
NEW_TABLES = {
    *("replays", "key_uses", "rolls", "fuses", "fuse_counts", "holds", "hold_forms", "audit", "data_keys"),
    *("suppressions", "watched", "returns", "follow_ons", "refusals", "alerts", "alert_messages", "own_keys"),
    *("stamps", "stamp_turn"),
    *("access_fetches", "access_results", "tangle_releases", "ledger", "ledger_head", "checkpoints", "receipts"),
}
HASHED = ("requests", "deliveries", "submissions")
# Where there are rows, they are sealed.
SEALING = ("INSERT INTO data_keys", "UPDATE identities SET sealed_value", "UPDATE targets SET sealed_value")


def noted(revision: str) -> str:
    """Return what a migration ends with."""
    return "INSERT INTO alembic_version" if revision == OLDEST else f"SET version_num='{revision}'"


def arguments(store_url: str) -> list[str]:
    return ["--set", f"store.url={json.dumps(store_url)}", "db", "upgrade"]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}


def upgrade(store_url: str) -> tuple[int, str, str]:
    """Give the command in a process of its own, and return its exit status and what it wrote."""
    command = [sys.executable, "-m", "connector", *arguments(store_url)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def points_after(revision: str | None) -> list[str]:
    """Return the middle and the end of every migration that is still to come, and the commit of them all."""
    coming = [one for one in MIDDLES if revision is None or one > revision]
    points = [point for one in coming for point in (MIDDLES[one], noted(one)) if point]
    return [*points, COMMIT + noted(coming[-1])]


def is_current(database: Database) -> bool:
    schema.require_current(database)
    return True


def downgrade(database: Database, revision: str) -> None:
    config = schema._config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        alembic.downgrade(config, revision)


def old_rows(bench: Bench) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that the oldest schema has a place for.

    Where the audit log holds a move goes with the log itself, and under which key something was hashed is not known of
    what an older version hashed.
    """
    found = {name: rows for name, rows in contents(bench).items() if name not in NEW_TABLES}
    for name, column in (("history", "log_index"), *((one, "hash_key") for one in HASHED)):
        place = list(metadata.tables[name].c.keys()).index(column)
        found[name] = [(*row[:place], *row[place + 1 :]) for row in found[name]]
    return found


def test_every_migration_has_a_point_in_its_middle() -> None:
    known = ScriptDirectory.from_config(schema._config()).walk_revisions()
    assert sorted(MIDDLES) == sorted(one.revision for one in known)


def test_killed_at_any_point_of_the_first_upgrade_the_same_command_makes_the_whole_schema(
    empty_store_url: str,
) -> None:
    with Database(empty_store_url, pool_size=1) as database:
        with killed_again_and_again(arguments(empty_store_url), environment()) as killed_before:
            for point in ("CREATE TABLE alembic_version", *points_after(None)):
                assert killed_before(point) == -signal.SIGKILL, point
                assert schema.current(database) is None, point
        assert upgrade(empty_store_url) == (0, f"schema none → {schema.newest()}\n", "")
        assert is_current(database)


def test_killed_at_any_point_of_a_later_upgrade_no_row_is_lost_and_the_same_command_ends_well(store_url: str) -> None:
    bench = Bench(store_url)
    bench.knows("done@example.com")
    bench.deliver("done", ("email", "done@example.com"), event="e-done")
    bench.run_to_end()
    for number in range(6):
        bench.deliver(f"waits-{number}")
    before = old_rows(bench)
    downgrade(bench.database, OLDEST)
    bench.database.close()

    with Database(store_url, pool_size=1) as database:
        with killed_again_and_again(arguments(store_url), environment()) as killed_before:
            for point in (*SEALING, *points_after(OLDEST)):
                assert killed_before(point) == -signal.SIGKILL, point
                assert schema.current(database) == OLDEST, point
        assert upgrade(store_url) == (0, f"schema {OLDEST} → {schema.newest()}\n", "")
        assert is_current(database)
    bench.starts_again()
    assert old_rows(bench) == before
    assert bench.deliver("done", ("email", "done@example.com"), event="e-done").duplicate
    bench.run_to_end()
    assert {bench.state(f"waits-{number}") for number in range(6)} == {"completed"}
    # What happened before the log was there has its entries too.
    assert [row.id for row in bench.rows(history) if row.log_index is None] == []
    with bench.database.read() as connection:
        assert check(connection, bench.site.proofs).findings == []
    bench.database.close()
