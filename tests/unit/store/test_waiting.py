"""How long the store makes somebody wait, and how long others wait for whoever stands still in the middle of it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, select, text, update

from connector.codes import Code
from connector.errors import Temporary
from connector.store import database as store
from connector.store import schema
from connector.store.database import Database
from connector.store.source_tables import key_uses
from tests.support.postgres import plain

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
# A wait without an end would be much longer, on any machine.
BOUND_S = 8.0
ROW = {"source": "s", "secret_id": "one", "first_used_at": START, "last_used_at": START}


class TestSqlite:
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        with Database(f"sqlite:///{tmp_path / 'store.db'}") as made:
            schema.upgrade(made)
            yield made

    def test_nobody_waits_without_an_end_for_a_writer_that_was_paused(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "BUSY_TIMEOUT_MS", 100)
        assert database.file is not None
        with database.file.with_name("store.db.writer").open("wb") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            began = time.monotonic()
            with pytest.raises(Temporary) as failure, database.write():
                pass
            assert 0.1 <= time.monotonic() - began < BOUND_S
            assert (failure.value.code, failure.value.detail) == (Code.STORE_UNAVAILABLE, "TimeoutError")
        database.check_writable()

    def test_nor_for_another_of_its_own_process(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store, "BUSY_TIMEOUT_MS", 100)
        with database.write(), pytest.raises(Temporary) as failure, database.write():
            pass
        assert failure.value.detail == "TimeoutError"
        database.check_writable()

    def test_a_look_at_whether_it_can_be_written_writes_and_changes_nothing(self, database: Database) -> None:
        assert database.file is not None
        with database.write() as connection:
            connection.execute(text("PRAGMA user_version = 4711"))
        log = database.file.with_name("store.db-wal")
        before = log.stat().st_size
        database.check_writable()
        assert log.stat().st_size > before
        with database.read() as connection:
            assert connection.scalar(text("PRAGMA user_version")) == 4711


@pytest.mark.postgres
class TestPostgres:
    @pytest.fixture
    def database(self, postgres_url: str) -> Iterator[Database]:
        with Database(postgres_url) as made:
            schema.upgrade(made)
            yield made

    @pytest.mark.parametrize(
        ("name", "value"), [("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "5s")]
    )
    def test_every_session_has_bounds_unless_the_operator_has_set_others(
        self, database: Database, name: str, value: str
    ) -> None:
        with database.read() as connection:
            assert connection.scalar(text(f"SHOW {name}")) == value
        with database.write() as connection:
            connection.execute(text(f"ALTER DATABASE {database.url.database} SET {name} = '77s'"))
        with Database(database.url.render_as_string(hide_password=False)) as other, other.read() as connection:
            assert connection.scalar(text(f"SHOW {name}")) == "77s"

    def test_a_row_that_is_locked_is_not_waited_for_without_an_end(
        self, database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with database.write() as connection:
            connection.execute(insert(key_uses).values(ROW))
        monkeypatch.setattr(store, "BUSY_TIMEOUT_MS", 100)
        with database.write() as holder, Database(postgres_url) as other:
            holder.execute(update(key_uses).values(source="t"))
            with pytest.raises(Temporary) as failure, other.write() as connection:
                connection.execute(update(key_uses).values(source="u"))
        assert failure.value.detail == "LockNotAvailable"

    def test_whoever_stands_still_in_the_middle_of_a_transaction_keeps_others_only_so_long(
        self, database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with database.write() as connection:
            connection.execute(insert(key_uses).values(ROW))
        monkeypatch.setattr(store, "IDLE_TIMEOUT_MS", 100)

        def stands_still() -> None:
            with Database(postgres_url) as paused, paused.write() as holder:
                holder.execute(update(key_uses).values(source="lost"))
                with database.write() as connection:
                    connection.execute(update(key_uses).values(source="won"))

        with pytest.raises(Temporary):
            stands_still()
        with database.read() as connection:
            assert connection.scalars(select(key_uses.c.source)).all() == ["won"]

    def test_a_standby_that_only_reads_cannot_be_written(self, database: Database, postgres_url: str) -> None:
        # As a standby has it; the rest of being one is shown with a real one.
        with database.write() as connection:
            connection.execute(text(f"ALTER DATABASE {database.url.database} SET default_transaction_read_only = on"))
        with Database(postgres_url) as standby, pytest.raises(Temporary) as failure:
            standby.check_writable()
        assert failure.value.detail == "ReadOnlySqlTransaction"

    def test_a_table_that_somebody_locks_is_found_by_a_look(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "_LOOK_TIMEOUT_MS", 100)
        with psycopg.connect(plain(database.url.render_as_string(hide_password=False))) as connection:
            connection.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Temporary) as failure:
                database.check_writable()
        assert failure.value.detail == "LockNotAvailable"
        database.check_writable()
