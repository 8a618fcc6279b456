"""A copy of the database and its backups name nobody: every file is searched for marked values after a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connector.codes import Code
from connector.crypto.keyring import Keyring
from connector.errors import Temporary
from connector.private import Secret
from connector.services import rewrap, shred
from connector.store import leftovers, resealing, schema
from connector.store import tables as t
from connector.store.database import Database
from connector.store.seal_tables import data_keys
from connector.store.watch_tables import watched
from tests.acceptance.journey import journey
from tests.support.canary import Marker, Search
from tests.support.rich_store import contents
from tests.support.sealing import KEYRING, SEALING
from tests.support.site import Bench
from tests.support.stores import all_bytes

MARK = "canary7f3a"
SEARCH = Search((Marker("somebody", MARK),))
OTHER = Secret("another-sealing-key-of-good-length-000", "test:other")


@pytest.fixture
def lived(store_url: str) -> Iterator[Bench]:
    """A store in which marked people were deleted, held, refused, failed, called back and are still waiting."""
    bench = Bench(store_url)
    bench.knows(f"{MARK}-done@example.com")
    bench.deliver("done", ("email", f"{MARK}-done@example.com"), ("loyalty id", f"{MARK}-L1"))
    bench.lytics.refuses = {f"{MARK}-no@example.com"}
    bench.deliver("refused", ("email", f"{MARK}-no@example.com"))
    bench.deliver("held", ("email", f"{MARK}-held@example.com"), ("shoe size", f"{MARK}-44"))
    bench.lytics.errors = [Temporary(Code.REMOTE_FAULT)]
    bench.run_to_end()
    bench.deliver("waits", ("email", f"{MARK}-waits@example.com"))
    yield bench
    bench.database.close()


def named_in(found: bytes) -> list[str]:
    return SEARCH.find(found)


def test_nobody_is_named_in_the_store_or_in_a_copy_of_it(lived: Bench) -> None:
    found = all_bytes(lived.database)
    assert len(lived.rows(t.identities)) == 6
    assert lived.rows(t.identities)[0].value_hash.encode() in found
    assert named_in(found) == []


def test_a_run_of_the_whole_product_leaves_nobody_named_and_shreds_them_in_the_end(store_url: str) -> None:
    """As wired for the shipped configuration: signed callbacks in, deleted at Lytics, told to OneTrust."""
    with journey(store_url) as made:
        people = [f"{MARK}-{number}@example.com" for number in range(3)]
        for one in people:
            made.knows(one)
        asked = [made.ask(one) for one in people]
        made.accept(*asked)
        made.run_until_told(*asked)
        assert {made.state(one) for one in asked} == {"completed"}
        assert {value for _, value in made.submitted()} >= set(people)
        assert named_in(all_bytes(made.site.database)) == []
        made.pass_time(31 * 86_400.0)
        with made.site.database.read() as connection:
            assert connection.scalars(select(data_keys.c.request_id)).all() == []
            assert all(connection.scalars(select(t.requests.c.shredded_at)))
        assert [made.written(one) for one in asked] == [["IN_PROGRESS", "COMPLETED"]] * 3
        # Who is looked for is kept for longer, sealed; then it is gone from the file, and not only from its table.
        with made.site.database.read() as connection:
            sealed = connection.scalars(select(watched.c.value)).all()
        assert len(sealed) == 3
        assert named_in(all_bytes(made.site.database)) == []
        made.pass_time(60 * 86_400.0)
        with made.site.database.read() as connection:
            assert connection.scalars(select(watched.c.id)).all() == []
        if made.site.database.is_sqlite:
            found = all_bytes(made.site.database)
            assert not [one for one in sealed if one.text.encode() in found]


def test_the_search_would_find_somebody(lived: Bench) -> None:
    with lived.database.write() as connection:
        resealing.open_all(connection)
    assert named_in(all_bytes(lived.database))


def test_what_an_earlier_version_left_readable_is_gone_from_every_file_after_the_upgrade(lived: Bench) -> None:
    before = contents(lived)
    _as_an_earlier_version_left_it(lived)
    assert named_in(all_bytes(lived.database))
    with lived.database.write() as connection:
        assert resealing.seal_all(connection) == 4
        leftovers.mark(connection)
    if lived.database.is_sqlite:
        assert named_in(all_bytes(lived.database))
    leftovers.remove(lived.database)
    schema.require_current(lived.database)
    if not lived.database.is_sqlite:
        with lived.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM FULL")
    assert named_in(all_bytes(lived.database)) == []
    assert {name: rows for name, rows in contents(lived).items() if name != "data_keys"} == {
        name: rows for name, rows in before.items() if name != "data_keys"
    }


def _as_an_earlier_version_left_it(bench: Bench) -> None:
    with bench.database.write() as connection:
        resealing.open_all(connection)
        connection.execute(data_keys.delete())
    if bench.database.is_sqlite:
        # Rows that were deleted, as versions did that overwrote nothing.
        with bench.database.engine.connect() as connection:
            raw = connection.connection.cursor()
            raw.execute("COMMIT") if connection.in_transaction() and raw.connection.in_transaction else None
            raw.execute("PRAGMA secure_delete = OFF")
            raw.execute("CREATE TABLE gone (word TEXT)")
            raw.executemany("INSERT INTO gone VALUES (?)", [(f"{MARK}-gone-{number}" * 20,) for number in range(100)])
            raw.execute("DROP TABLE gone")
            raw.execute("PRAGMA secure_delete = ON")


class TestLeftovers:
    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'store.db'}"

    @pytest.mark.parametrize("at", ["VACUUM", "PRAGMA wal_checkpoint", "PRAGMA application_id = 0"])
    def test_interrupted_at_any_statement_the_store_says_so_and_the_same_again_ends_well(
        self, lived: Bench, monkeypatch: pytest.MonkeyPatch, at: str
    ) -> None:
        with lived.database.write() as connection:
            leftovers.mark(connection)
        before = contents(lived)
        give = leftovers._give

        def ended(cursor: Any, statement: str) -> Any:
            if statement.startswith(at):
                raise KeyboardInterrupt
            return give(cursor, statement)

        with monkeypatch.context() as patch:
            patch.setattr(leftovers, "_give", ended)
            with pytest.raises(KeyboardInterrupt):
                schema.upgrade(lived.database)
        with pytest.raises(Exception, match="readable leftovers"):
            schema.require_current(lived.database)
        schema.upgrade(lived.database)
        schema.require_current(lived.database)
        assert contents(lived) == before

    def test_while_somebody_reads_nothing_is_said_to_be_clean(
        self, lived: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with lived.database.write() as connection:
            leftovers.mark(connection)
        with Database(lived.store_url) as other, other.engine.connect() as reader:
            reader.exec_driver_sql("SELECT count(*) FROM requests").all()
            monkeypatch.setattr(leftovers, "_is_busy", lambda _cursor: True)
            with pytest.raises(Temporary, match="reading"):
                leftovers.remove(lived.database)
        with pytest.raises(Exception, match="readable leftovers"):
            schema.require_current(lived.database)


def test_a_destroyed_data_key_is_gone_from_every_file(lived: Bench) -> None:
    wrapped = [one.wrapped.encode() for one in lived.rows(data_keys)]
    done = next(one for one in lived.rows(t.requests) if one.state.value == "completed")
    theirs = next(one.wrapped.encode() for one in lived.rows(data_keys) if one.request_id == done.id)
    assert theirs in all_bytes(lived.database)
    lived.clock.advance(days=31)
    while shred.shred(lived.site):
        continue
    found = all_bytes(lived.database)
    assert theirs not in found
    assert sum(one in found for one in wrapped) == len(wrapped) - 1


class TestRotation:
    def with_keys(self, bench: Bench, *secrets: Secret) -> None:
        bench.database.close()
        bench.database = Database(bench.store_url, pool_size=4, keyring=Keyring(secrets))
        bench.site = replace(bench.site, database=bench.database)

    def test_every_key_is_changed_while_requests_come_in_and_nothing_is_lost(self, lived: Bench) -> None:
        """As docs/rotation.md says: the new key opens, then it seals, then all come under it, then the old one goes."""
        before = contents(lived)
        bench = lived
        for number, ring in enumerate(((SEALING, OTHER), (OTHER, SEALING))):
            self.with_keys(bench, *ring)
            bench.deliver(f"between-{number}")

        def goes_on(done: int, _total: int) -> None:
            bench.deliver(f"while-{done}")
            bench.pass_time(seconds=30)

        assert rewrap.rewrap_all(bench.database, goes_on) >= 5
        used = {one.name: one.data_keys for one in rewrap.uses(bench.database)}
        assert used[SEALING.id] == 0
        self.with_keys(bench, OTHER)
        schema.require_current(bench.database)
        bench.run_to_end()
        assert {bench.state(one) for one in ("between-0", "between-1", "while-0", "waits")} == {"completed"}
        values = {row[0]: row for row in contents(bench)["identities"]}
        assert all(values[row[0]][3] == row[3] for row in before["identities"])

    def test_ended_halfway_it_goes_on_where_it_was(self, lived: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rewrap, "_AT_ONCE", 1)
        before = contents(lived)["identities"]
        self.with_keys(lived, OTHER, SEALING)

        def ends(done: int, _total: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            rewrap.rewrap_all(lived.database, ends)
        assert [one.data_keys for one in rewrap.uses(lived.database)] == [2, 2]
        assert contents(lived)["identities"] == before
        assert rewrap.rewrap_all(lived.database, lambda *_: None) == 2
        assert contents(lived)["identities"] == before

    @pytest.mark.parametrize("ring", [(OTHER,), (Secret("z" * 40, "test:z"), OTHER)])
    def test_without_the_key_nothing_starts_nothing_is_lost_and_the_key_mends_it(
        self, lived: Bench, ring: tuple[Secret, ...]
    ) -> None:
        before = contents(lived)
        self.with_keys(lived, *ring)
        with pytest.raises(Exception, match=KEYRING.current.id) as refused:
            schema.require_current(lived.database)
        assert refused.value.code is Code.SEALING_KEY_MISSING  # type: ignore[attr-defined]
        self.with_keys(lived, SEALING)
        schema.require_current(lived.database)
        assert contents(lived) == before


class TestRestored:
    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'store.db'}"

    def test_a_restored_store_that_is_older_reports_nothing_twice_and_shreds_anew(
        self, lived: Bench, tmp_path: Path
    ) -> None:
        """What was shredded comes back with the backup, readable to whoever has the key; and it goes again."""
        assert lived.database.file is not None
        leftovers.truncate_log(lived.database)
        backup = lived.database.file.read_bytes()
        told = len(lived.reporter.sent)
        lived.clock.advance(days=31)
        while shred.shred(lived.site):
            continue
        file = tmp_path / "restored.db"
        file.write_bytes(backup)
        lived.store_url = f"sqlite:///{file}"
        lived.starts_again()
        assert any(one.shredded_at is None for one in lived.rows(t.requests) if one.state.value == "completed")
        while shred.shred(lived.site):
            continue
        assert all(one.shredded_at is not None for one in lived.rows(t.requests) if one.state.value == "completed")
        lived.run_to_end()
        assert len([one for one in lived.reporter.sent[told:] if one.external["subtask_id"] == "done"]) == 0
