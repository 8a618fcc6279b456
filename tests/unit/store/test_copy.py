"""Moving a store from SQLite to PostgreSQL: everything arrives as it was, once, and its life goes on there."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from connector.codes import Code
from connector.crypto.seal import Sealed
from connector.errors import Misconfigured, Rejected, Temporary
from connector.states import RequestState
from connector.store import copy, copy_target, overview, schema, seal, sums
from connector.store import tables as t
from connector.store.copy import Copied, Phase, copy_store
from connector.store.database import Database
from connector.store.source_tables import key_uses
from tests.support.postgres import Server, plain
from tests.support.rich_store import TABLES, contents, go_on, rich_bench
from tests.support.site import START, Bench

pytestmark = [pytest.mark.postgres, pytest.mark.soak]

Told = Callable[[Phase, str, int, int], None]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is there does not leave; and parts are small, so that a small store has many."""
    monkeypatch.setattr(seal, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(copy_target, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(copy, "PART_ROWS", 4)
    monkeypatch.setattr(sums, "PART_ROWS", 3)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = rich_bench(tmp_path)
    yield made
    made.database.close()


def silent(_phase: Phase, _table: str, _done: int, _total: int) -> None:
    pass


def copied(source_url: str, target_url: str, tell: Told = silent) -> Copied:
    with Database(source_url) as source, Database(target_url, pool_size=2) as target:
        return copy_store(source, target, tell)


def refusal(source_url: str, target_url: str) -> Misconfigured:
    with pytest.raises(Misconfigured) as refused:
        copied(source_url, target_url)
    return refused.value


def execute(store_url: str, statement: str, **values: Any) -> None:
    with Database(store_url, pool_size=1) as database, database.write() as connection:
        connection.execute(text(statement), values)


class Interrupted(BaseException):
    """The process ends here."""


def interrupt_at(phase: Phase, done: int) -> Told:
    def tell(told: Phase, _table: str, rows: int, _total: int) -> None:
        if told is phase and rows >= done:
            raise Interrupted

    return tell


class TestWhatArrives:
    def test_the_store_to_copy_has_rows_in_every_table_and_most_states(self, bench: Bench) -> None:
        found = contents(bench)
        assert [name for name, rows in found.items() if not rows] == []
        states = Counter(str(one.state) for one in bench.rows(t.requests))
        assert {"completed", "failed", "held", "rejected", "working", "received"} <= set(states)
        assert {str(one.state) for one in bench.rows(t.submissions)} >= {"accepted", "refused", "intended"}

    def test_every_row_of_every_table_is_there_once_with_every_value(self, bench: Bench, postgres_url: str) -> None:
        before = contents(bench)
        bench.database.close()
        done = copied(bench.store_url, postgres_url)
        assert (done.is_equal, done.went_on, done.started_over) == (True, False, False)
        assert {one.table: one.source.rows for one in done.tables} == {name: len(rows) for name, rows in before.items()}
        bench.store_url = postgres_url
        bench.starts_again()
        assert contents(bench) == before

    def test_the_target_is_a_store_like_any_other_and_nothing_of_the_copy_is_left(
        self, bench: Bench, postgres_url: str
    ) -> None:
        copied(bench.store_url, postgres_url)
        with Database(postgres_url) as target:
            schema.require_current(target)
            assert schema.upgrade(target) == (schema.newest(), schema.newest())
        with psycopg.connect(plain(postgres_url)) as connection:
            (left,) = connection.execute("SELECT to_regclass('store_copy')").fetchone() or ()
            (last,) = connection.execute("SELECT max(id) FROM history").fetchone() or ()
            (following,) = (
                connection.execute("SELECT nextval(pg_get_serial_sequence('history', 'id'))").fetchone() or ()
            )
        assert (left, following) == (None, last + 1)

    def test_an_empty_store_is_copied_too_and_its_numbers_begin_at_one(self, tmp_path: Path, postgres_url: str) -> None:
        url = f"sqlite:///{tmp_path / 'empty.db'}"
        with Database(url) as source:
            schema.upgrade(source)
        assert copied(url, postgres_url).is_equal
        with psycopg.connect(plain(postgres_url)) as connection:
            following = connection.execute("SELECT nextval(pg_get_serial_sequence('history', 'id'))").fetchone()
        assert following == (1,)

    def test_every_row_is_told_of_and_the_end_is_the_total(self, bench: Bench, postgres_url: str) -> None:
        told: dict[Phase, list[tuple[int, int]]] = {}
        rows = sum(map(len, contents(bench).values()))
        bench.database.close()
        copied(bench.store_url, postgres_url, lambda phase, _, *numbers: told.setdefault(phase, []).append(numbers))
        assert {phase: numbers[-1] for phase, numbers in told.items()} == {
            Phase.COPYING: (rows, rows),
            Phase.COMPARING: (2 * rows, 2 * rows),
        }
        assert all(numbers == sorted(numbers) for numbers in told.values())

    def test_a_table_needs_a_key_to_be_copied_in_order(self) -> None:
        assert [one.name for one in TABLES if not list(one.primary_key)] == []

    def test_no_column_tells_a_missing_value_from_a_json_null(self) -> None:
        # Both are read as None, so that a copy could not tell which one it was.
        json_columns = [one for table in TABLES for one in table.columns if isinstance(one.type, t.JSON)]
        assert [one for one in json_columns if one.nullable and not one.type.none_as_null] == []


class TestLifeGoesOn:
    def test_what_was_open_is_ended_and_reported_once(self, bench: Bench, postgres_url: str) -> None:
        submitted = bench.lytics.submitted()
        copied(bench.store_url, postgres_url)
        go_on(bench, postgres_url)
        bench.run_to_end(12, minutes=5)
        for name in ("running-0", "running-1", "running-2", "unknown", "waits-1", "waits-2"):
            assert (name, bench.state(name)) == (name, "completed")
            assert bench.reporter.of(name) == ["IN_PROGRESS", "COMPLETED"]
        assert bench.state("held") == "held"
        assert bench.lytics.submitted() - submitted == Counter(
            {"waits-1@example.com": 1, "wäits 2@example.com": 1, "Ł-2": 1}
        )
        assert bench.lytics.submitted()["unknown@example.com"] == 1

    def test_duplicates_and_replays_of_earlier_deliveries_are_still_known(
        self, bench: Bench, postgres_url: str
    ) -> None:
        copied(bench.store_url, postgres_url)
        go_on(bench, postgres_url)
        assert bench.deliver("waits-1", event="e-waits-1").duplicate
        bench.headers = {"x_replay": "nonce-1", "x_replay_for": "86400"}
        assert bench.deliver("done-1", event="e-done-1").duplicate
        with pytest.raises(Rejected) as refused:
            bench.deliver("another", event="another")
        assert refused.value.code is Code.DELIVERY_REPLAYED

    def test_the_old_store_takes_nothing_more_not_even_from_a_receiver_that_has_it_open(
        self, bench: Bench, postgres_url: str
    ) -> None:
        rows = contents(bench)
        bench.database.close()
        copied(bench.store_url, postgres_url)
        for subtask in ("new", "waits-1"):
            with pytest.raises(Temporary) as refused:
                bench.deliver(subtask)
            assert refused.value.code is Code.STORE_UNAVAILABLE
        for step in (schema.require_current, schema.upgrade):
            with pytest.raises(Misconfigured) as moved:
                step(bench.database)
            assert moved.value.code is Code.STORE_MOVED
        assert contents(bench) == rows

    def test_no_row_of_the_old_store_can_be_changed_or_removed(self, bench: Bench) -> None:
        with bench.database.write() as connection:
            seal.close(connection)
        for table in TABLES:
            column = next(iter(table.primary_key)).name
            for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
                with pytest.raises(Temporary), bench.database.write() as connection:
                    connection.execute(text(statement))

    def test_a_store_that_was_moved_is_not_moved_again(
        self, bench: Bench, postgres_url: str, postgres_server: Server
    ) -> None:
        copied(bench.store_url, postgres_url)
        another = postgres_server.create()
        for url in (postgres_url, another):
            assert refusal(bench.store_url, url).code is Code.STORE_MOVED
        postgres_server.drop(another)


class TestGoingOn:
    @pytest.mark.parametrize("phase", [Phase.COPYING, Phase.COMPARING])
    @pytest.mark.parametrize("done", [1, 30, 90])
    def test_an_interrupted_copy_goes_on_and_no_row_is_lost_or_doubled(
        self, bench: Bench, postgres_url: str, phase: Phase, done: int
    ) -> None:
        before = contents(bench)
        bench.database.close()
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(phase, done))
        told: Counter[Phase] = Counter()
        again = copied(bench.store_url, postgres_url, lambda phase, *_: told.update([phase]))
        assert (again.is_equal, again.went_on, again.started_over) == (True, True, False)
        assert told[Phase.RETRACING] > 0
        bench.store_url = postgres_url
        bench.starts_again()
        assert contents(bench) == before

    def test_half_a_store_is_used_by_nobody(self, bench: Bench, postgres_url: str) -> None:
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(Phase.COPYING, 30))
        with Database(postgres_url) as target:
            for step in (schema.require_current, schema.upgrade):
                with pytest.raises(Misconfigured) as refused:
                    step(target)
                assert refused.value.code is Code.STORE_INCOMPLETE

    def test_the_source_stays_in_use_until_the_end(self, bench: Bench, postgres_url: str) -> None:
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(Phase.COMPARING, 90))
        schema.require_current(bench.database)
        assert not bench.deliver("meanwhile").duplicate

    def test_a_source_that_lived_on_meanwhile_is_copied_from_the_beginning(
        self, bench: Bench, postgres_url: str
    ) -> None:
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(Phase.COMPARING, 1))
        bench.deliver("meanwhile")
        bench.run_to_end()
        before = contents(bench)
        bench.database.close()
        again = copied(bench.store_url, postgres_url)
        assert (again.is_equal, again.went_on, again.started_over) == (True, True, True)
        bench.store_url = postgres_url
        bench.starts_again()
        assert contents(bench) == before

    def test_a_source_that_only_grew_behind_what_was_copied_goes_on(self, bench: Bench, postgres_url: str) -> None:
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(Phase.COPYING, 1))
        bench.deliver("meanwhile")
        bench.database.close()
        again = copied(bench.store_url, postgres_url)
        assert (again.is_equal, again.went_on, again.started_over) == (True, True, False)

    def test_a_copy_killed_after_it_had_closed_the_source_goes_on_too(
        self, bench: Bench, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def killed(_target: Database) -> None:
            raise Interrupted

        with monkeypatch.context() as patched:
            patched.setattr(copy_target, "open_store", killed)
            with pytest.raises(Interrupted):
                copied(bench.store_url, postgres_url)
        with pytest.raises(Temporary):
            bench.deliver("meanwhile")
        bench.database.close()
        assert copied(bench.store_url, postgres_url).is_equal
        go_on(bench, postgres_url)
        assert not bench.deliver("meanwhile").duplicate

    def test_the_file_is_known_again_in_another_place(self, bench: Bench, postgres_url: str, tmp_path: Path) -> None:
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(Phase.COPYING, 30))
        (tmp_path / "store.db").rename(tmp_path / "moved.db")
        assert copied(f"sqlite:///{tmp_path / 'moved.db'}", postgres_url).went_on


class TestComparison:
    ALTERATIONS = (
        (
            "identities",
            "UPDATE identities SET sealed_value = sealed_value || ' ' WHERE id = (SELECT max(id) FROM identities)",
        ),
        ("requests", "UPDATE requests SET external = '{}' WHERE id = (SELECT min(id) FROM requests)"),
        ("requests", "UPDATE requests SET received_at = received_at + interval '1 microsecond'"),
        ("reports", "DELETE FROM reports WHERE id = (SELECT min(id) FROM reports)"),
        ("targets", "UPDATE targets SET known_before = NULL WHERE known_before IS NOT NULL"),
        ("key_uses", "INSERT INTO key_uses VALUES ('a', 'b', now(), now())"),
        ("history", "UPDATE history SET id = -id WHERE id = (SELECT max(id) FROM history)"),
    )

    @pytest.mark.parametrize(("table", "statement"), ALTERATIONS)
    def test_what_differs_is_named_the_target_is_unusable_and_the_source_stays_in_use(
        self, bench: Bench, postgres_url: str, table: str, statement: str
    ) -> None:
        def alter(phase: Phase, _table: str, done: int, total: int) -> None:
            if phase is Phase.COPYING and done == total and not altered:
                altered.append(statement)
                with psycopg.connect(plain(postgres_url)) as connection:
                    connection.execute(statement)

        altered: list[str] = []
        done = copied(bench.store_url, postgres_url, alter)
        assert [one.table for one in done.tables if not one.is_equal] == [table]
        assert not done.is_equal
        with Database(postgres_url) as target, pytest.raises(Misconfigured) as unusable:
            schema.require_current(target)
        assert unusable.value.code is Code.STORE_INCOMPLETE
        assert "was not equal to its source" in refusal(bench.store_url, postgres_url).detail
        assert not bench.deliver("new").duplicate


class TestNobodyElse:
    def test_a_worker_on_the_source_is_named(self, bench: Bench, postgres_url: str) -> None:
        with Database(bench.store_url) as other, other.only_holder() as held:
            assert held
            found = refusal(bench.store_url, postgres_url)
        assert found.code is Code.WORKER_ALREADY_RUNNING
        assert "`connector worker`, `connector run`" in found.detail

    def test_a_receiver_that_has_the_source_open_is_named(self, bench: Bench, postgres_url: str) -> None:
        with Database(bench.store_url) as other, other.read():
            found = refusal(bench.store_url, postgres_url)
        assert found.code is Code.COPY_REFUSED
        assert "stop `connector web` or `connector run`" in found.detail
        with Database(postgres_url) as target:
            assert schema.current(target) is None

    def test_meanwhile_others_may_read_and_whoever_writes_waits_and_is_refused(
        self, bench: Bench, postgres_url: str
    ) -> None:
        outcome: list[Exception] = []
        seen: list[int] = []

        def write() -> None:
            try:
                bench.deliver("meanwhile")
            except Temporary as error:
                outcome.append(error)

        writer = threading.Thread(target=write)

        def tell(*_: object) -> None:
            if not seen:
                writer.start()
                with Database(bench.store_url) as other, other.read() as connection:
                    seen.append(sum(overview.overview(connection, START).requests.values()))
            assert outcome == []

        assert copied(bench.store_url, postgres_url, tell).is_equal
        writer.join(20)
        assert [one.code for one in outcome if isinstance(one, Temporary)] == [Code.STORE_UNAVAILABLE]
        go_on(bench, postgres_url)
        assert seen == [len(bench.rows(t.requests))]

    def test_a_worker_on_the_target_is_refused(self, bench: Bench, postgres_url: str) -> None:
        with Database(postgres_url) as other, other.only_holder() as held:
            assert held
            assert "connected to the target" in refusal(bench.store_url, postgres_url).detail

    def test_whoever_is_connected_to_the_target_is_refused(self, bench: Bench, postgres_url: str) -> None:
        with psycopg.connect(plain(postgres_url)):
            assert "connected to the target" in refusal(bench.store_url, postgres_url).detail


class TestTarget:
    def test_a_target_with_other_data_is_refused_and_left_alone(self, bench: Bench, postgres_url: str) -> None:
        other = Bench(postgres_url)
        other.deliver("theirs")
        before = contents(other)
        other.database.close()
        assert "holds other data" in refusal(bench.store_url, postgres_url).detail
        other.starts_again()
        assert contents(other) == before
        other.database.close()

    def test_an_unfinished_copy_of_another_store_is_refused_and_left_alone(
        self, bench: Bench, postgres_url: str, tmp_path: Path
    ) -> None:
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(Phase.COPYING, 30))
        other = f"sqlite:///{tmp_path / 'other.db'}"
        with Database(other) as database:
            schema.upgrade(database)
        assert "a part of another store" in refusal(other, postgres_url).detail
        assert copied(bench.store_url, postgres_url).went_on

    def test_a_copy_that_another_version_has_begun_is_refused(self, bench: Bench, postgres_url: str) -> None:
        with pytest.raises(Interrupted):
            copied(bench.store_url, postgres_url, interrupt_at(Phase.COPYING, 30))
        execute(postgres_url, "UPDATE store_copy SET revision = '0001'")
        assert "another version" in refusal(bench.store_url, postgres_url).detail

    def test_a_target_with_a_schema_of_the_future_is_refused(self, bench: Bench, postgres_url: str) -> None:
        with Database(postgres_url) as target:
            schema.upgrade(target)
        execute(postgres_url, "UPDATE alembic_version SET version_num = '9999'")
        found = refusal(bench.store_url, postgres_url)
        assert found.code is Code.STORE_OUTDATED
        assert "9999" in found.detail

    def test_an_empty_target_with_its_schema_is_taken(self, bench: Bench, postgres_url: str) -> None:
        with Database(postgres_url) as target:
            schema.upgrade(target)
        assert copied(bench.store_url, postgres_url).is_equal

    def test_an_outdated_source_is_refused(self, bench: Bench, postgres_url: str) -> None:
        execute(bench.store_url, "UPDATE alembic_version SET version_num = '0001'")
        assert refusal(bench.store_url, postgres_url).code is Code.STORE_OUTDATED

    def test_only_from_sqlite_and_only_to_postgresql(self, bench: Bench, postgres_url: str, tmp_path: Path) -> None:
        assert "the configured store is no SQLite file" in refusal(postgres_url, postgres_url).detail
        for url in (bench.store_url, f"sqlite:///{tmp_path / 'another.db'}"):
            assert "the target is no PostgreSQL database" in refusal(bench.store_url, url).detail

    def test_a_target_that_cannot_be_reached_is_named(self, bench: Bench, tmp_path: Path) -> None:
        with pytest.raises(Temporary) as failed:
            copied(bench.store_url, f"postgresql+psycopg://nobody@/none?host={tmp_path}")
        assert "the target cannot be reached" in failed.value.detail


class TestUnfitValues:
    """SQLite keeps what PostgreSQL does not take: longer text, and the character of number zero."""

    @pytest.mark.parametrize(("column", "value"), [("sealed_value", "canary\0@example.com"), ("kind", "canary" * 50)])
    def test_the_row_is_named_without_its_values_and_goes_along_once_it_is_mended(
        self, bench: Bench, postgres_url: str, column: str, value: str
    ) -> None:
        row = bench.rows(t.identities)[5]
        change = f"UPDATE identities SET {column} = :value WHERE id = :id"
        execute(bench.store_url, change, value=value, id=row.id)
        bench.database.close()
        found = refusal(bench.store_url, postgres_url)
        assert found.code is Code.COPY_REFUSED
        assert f"table identities, row {row.id}" in found.detail
        assert "canary" not in str(found)
        execute(bench.store_url, change, value="mended", id=row.id)
        assert copied(bench.store_url, postgres_url).is_equal


# PostgreSQL takes every text without the character of number zero; a lone surrogate is none.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1970, 2200))
TIMES = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "external": st.dictionaries(TEXTS, JSON, max_size=3),
            "request_types": st.lists(TEXTS, max_size=3),
            "country": st.none() | st.sampled_from(["DE", "FR", "ßß", "日本"]),
            "is_test": st.booleans(),
            "received_at": TIMES,
            "finished_at": st.none() | TIMES,
            "callback_url": st.none() | TEXTS.map(Sealed),
            "attempt": st.integers(0, 2**31 - 1),
            "reason": TEXTS,
        }
    ),
    max_size=9,
)
# Their order differs between SQLite and a PostgreSQL that sorts as a language does.
KEYS = st.sets(st.tuples(st.sampled_from(["a", "B", "ä", "_", "a b", "A-b"]), TEXTS), max_size=25)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, keys=KEYS)
def test_any_row_that_postgresql_can_hold_arrives_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Server, rows: list[dict[str, Any]], keys: set[Any]
) -> None:
    file = tmp_path_factory.mktemp("copy") / "store.db"
    url = f"sqlite:///{file}"
    fixed = {"source": "s", "state": RequestState.QUEUED, "due_at": START, "due_basis": "gdpr"}
    uses = [
        {"source": source, "secret_id": name, "first_used_at": START, "last_used_at": START} for source, name in keys
    ]
    with Database(url) as source:
        schema.upgrade(source)
        with source.write() as connection:
            for number, row in enumerate(rows):
                connection.execute(
                    insert(t.requests), {"id": f"{number:032}", "request_key": str(number), **fixed, **row}
                )
            for use in uses:
                connection.execute(insert(key_uses), use)
    target_url = postgres_server.create()
    try:
        assert copied(url, target_url).is_equal
        assert as_postgresql_says(target_url) == as_sqlite_says(file)
    finally:
        postgres_server.drop(target_url)


COLUMNS = "id, reason, attempt, country, sealed_callback_url"


def as_sqlite_says(file: Path) -> list[list[Any]]:
    """Read with a driver of its own, past the column types of the product."""
    connection = sqlite3.connect(file)
    times = "received_at, finished_at"
    rows = connection.execute(f"SELECT {COLUMNS}, is_test, {times}, external, request_types FROM requests").fetchall()
    uses = connection.execute("SELECT source, secret_id FROM key_uses").fetchall()
    connection.close()
    whole = [[*row[:5], bool(row[5]), *row[6:8], json.loads(row[8]), json.loads(row[9])] for row in rows]
    return [sorted(whole), sorted(map(list, uses))]


def as_postgresql_says(url: str) -> list[list[Any]]:
    shown = "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
    times = f"{shown.format('received_at')}, {shown.format('finished_at')}"
    query = f"SELECT {COLUMNS}, is_test, {times}, external::text, request_types::text FROM requests"
    with psycopg.connect(plain(url)) as connection:
        rows = connection.execute(query).fetchall()
        uses = connection.execute("SELECT source, secret_id FROM key_uses").fetchall()
    return [sorted([*row[:8], json.loads(row[8]), json.loads(row[9])] for row in rows), sorted(map(list, uses))]


def test_the_order_of_rows_is_that_of_code_points_whatever_language_the_database_has(
    tmp_path: Path, postgres_url: str
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    names = ["a", "B", "_", "ä", "A", "b", "é", "Z", "-", "日", "\U0001f600", "\uffff"]
    with Database(url) as source:
        schema.upgrade(source)
        with source.write() as connection:
            for name in names:
                values = {"source": name, "secret_id": name, "first_used_at": START, "last_used_at": START}
                connection.execute(insert(key_uses), values)
    with Database(postgres_url) as target:
        schema.upgrade(target)
    with psycopg.connect(plain(postgres_url), autocommit=True) as connection:
        found = connection.execute("SELECT collname FROM pg_collation WHERE collname IN ('en-x-icu', 'und-x-icu')")
        language = found.fetchone()
        if language is not None:
            for column in ("source", "secret_id"):
                connection.execute(f'ALTER TABLE key_uses ALTER {column} TYPE text COLLATE "{language[0]}"')
    assert copied(url, postgres_url).is_equal


def test_a_digest_tells_apart_what_differs_in_one_microsecond_or_in_a_missing_value() -> None:
    one = (START, None, "", 1, True, {"a": [1]}, Sealed("x"))
    others = [
        (START + timedelta(microseconds=1), *one[1:]),
        (START, "", "", 1, True, {"a": [1]}, Sealed("x")),
        (START, None, "", 1, True, {"a": [1.5]}, Sealed("x")),
        (START, None, "", 1, True, {"a": [1]}, Sealed("X")),
    ]
    digests = {sums.Sum().extended([row]).digest for row in (one, *others)}
    assert len(digests) == 5
    assert sums.Sum().extended([one, one]) == sums.Sum().extended([one]).extended([one])
    assert sums.Sum().extended([]) == sums.Sum()
    with pytest.raises(TypeError):
        sums.Sum().extended([(object(),)])
