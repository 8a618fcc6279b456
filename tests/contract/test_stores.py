"""What both stores promise, written once: SQLite and PostgreSQL give the same answers."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, insert, inspect, select, text, update

from connector.codes import Code
from connector.crypto.seal import Sealed
from connector.errors import ConnectorError, Misconfigured, Temporary
from connector.ids import new_id
from connector.model import Identity, Presence
from connector.private import Private
from connector.services import intake
from connector.states import ReportState, RequestState, SubmissionState, TargetState
from connector.store import identities, reports, requests, schema, submissions, targets
from connector.store import tables as t
from connector.store.database import Database
from connector.store.moves import move
from tests.support.sealing import KEYRING
from tests.support.site import START, Bench

CANARY = "canary-5521@example.com"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with Database(store_url, pool_size=4, keyring=KEYRING) as made:
        schema.upgrade(made)
        yield made


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    yield made
    made.database.close()


def request_row(key: str = "k1", **values: Any) -> dict[str, Any]:
    return {
        "source": "onetrust",
        "request_key": key,
        "external": {"subtask_id": key},
        "request_types": [],
        "country": None,
        "is_test": False,
        "received_at": START,
        "due_at": START,
        "due_basis": "gdpr",
        **values,
    }


def at_once(number: int, what: Callable[[int], Any]) -> list[Any]:
    """Run something in this many threads that all begin at the same moment; give results or exceptions."""
    gate = threading.Barrier(number)

    def one(index: int) -> Any:
        gate.wait()
        try:
            return what(index)
        except Exception as error:  # noqa: BLE001 - handed to the test
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """The queue of the distributed engine has tables of its own, which only its library knows."""
    return kind != "table" or name is None or not name.startswith("procrastinate_")


class TestSchema:
    def test_an_empty_store_is_brought_up_to_date_once(self, empty_store_url: str) -> None:
        with Database(empty_store_url, keyring=KEYRING) as database:
            assert schema.upgrade(database) == (None, schema.newest())
            assert schema.upgrade(database) == (schema.newest(), schema.newest())
            schema.require_current(database)

    def test_the_migrations_make_exactly_the_tables_that_the_code_knows(self, database: Database) -> None:
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
            assert compare_metadata(context, t.metadata) == []

    def test_every_foreign_key_and_unique_rule_is_there(self, database: Database) -> None:
        with database.read() as connection:
            found = inspect(connection)
            for table in t.metadata.sorted_tables:
                wanted = {tuple(one.columns.keys()) for one in table.foreign_key_constraints}
                assert {tuple(one["constrained_columns"]) for one in found.get_foreign_keys(table.name)} == wanted

    def test_several_processes_may_upgrade_at_the_same_time(self, empty_store_url: str) -> None:
        def upgrade(_: int) -> None:
            with Database(empty_store_url, keyring=KEYRING) as database:
                schema.upgrade(database)

        assert at_once(3, upgrade) == [None] * 3
        with Database(empty_store_url, keyring=KEYRING) as database, database.read() as connection:
            context = MigrationContext.configure(connection, opts={"include_name": is_ours})
            assert compare_metadata(context, t.metadata) == []

    @pytest.mark.parametrize("revision", [None, "0000_of_the_future"])
    def test_any_other_revision_is_refused_by_name(self, empty_store_url: str, revision: str | None) -> None:
        with Database(empty_store_url, keyring=KEYRING) as database:
            if revision is not None:
                schema.upgrade(database)
                with database.write() as connection:
                    connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
            with pytest.raises(Misconfigured) as refusal:
                schema.require_current(database)
            assert refusal.value.code is Code.STORE_OUTDATED
            assert (revision or "none") in refusal.value.detail

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT value FROM targets",
            "SELECT value FROM identities",
            "SELECT callback_url FROM requests",
            "UPDATE identities SET value = 'ana@example.com'",
            "UPDATE requests SET callback_url = 'https://example.com/'",
        ],
    )
    def test_a_process_from_before_values_were_sealed_fails_and_takes_nothing_for_a_value(
        self, database: Database, statement: str
    ) -> None:
        """It would look up what is sealed, find nobody, and report a deletion that never was."""
        with pytest.raises(Misconfigured) as raised, database.write() as connection:
            connection.execute(text(statement))
        assert raised.value.code is Code.STORE_OUTDATED

    def test_reading_from_an_empty_store_says_that_it_is_outdated(self, empty_store_url: str) -> None:
        with (
            Database(empty_store_url, keyring=KEYRING) as database,
            pytest.raises(Misconfigured) as refusal,
            database.read() as connection,
        ):
            connection.execute(select(t.requests))
        assert refusal.value.code is Code.STORE_OUTDATED


class TestClaims:
    def test_of_many_equal_deliveries_at_once_exactly_one_is_new(self, bench: Bench) -> None:
        results = at_once(8, lambda _: bench.deliver("s1", event="e1"))
        assert [one.duplicate for one in results].count(False) == 1
        assert len({one.request_id for one in results}) == 1
        assert (len(bench.rows(t.requests)), len(bench.rows(t.deliveries))) == (1, 1)
        assert len(bench.rows(t.identities)) == 1

    def test_of_many_bare_bodies_at_once_exactly_one_is_new(self, bench: Bench) -> None:
        results = at_once(8, lambda _: bench.deliver("s1"))
        assert [one.duplicate for one in results].count(False) == 1

    def test_many_events_of_one_subtask_at_once_make_one_request(self, bench: Bench) -> None:
        results = at_once(8, lambda n: bench.deliver("s1", ("email", f"p{n}@example.com"), event=f"e{n}"))
        assert len({one.request_id for one in results}) == 1
        assert (len(bench.rows(t.deliveries)), len(bench.rows(t.identities))) == (8, 8)
        assert not any(one.duplicate for one in results)

    def test_one_event_for_two_subtasks_at_once_is_a_conflict_for_one(self, bench: Bench) -> None:
        results = at_once(6, lambda n: bench.deliver(f"s{n}", event="e1"))
        refused = [one for one in results if isinstance(one, ConnectorError)]
        assert {one.code for one in refused} == {Code.EVENT_CONFLICT}
        assert (len(refused), len(bench.rows(t.requests))) == (5, 1)

    def test_of_many_repeats_after_a_failure_at_once_exactly_one_starts_again(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s1@example.com"}
        bench.deliver("s1", event="e0")
        bench.run_to_end(2)
        assert bench.state() == "failed"
        results = at_once(6, lambda n: bench.deliver("s1", event=f"e{n + 1}"))
        assert [one.duplicate for one in results].count(False) == 1
        assert bench.dossier().request.attempt == 2

    def test_one_delivery_may_name_an_identity_twice(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", "a@example.com"), ("EMAIL", "a@example.com"), ("email", "b@example.com"))
        kinds = sorted((row.kind, row.value.reveal()) for row in bench.rows(t.identities))
        assert kinds == [("email", "a@example.com"), ("email", "b@example.com")]


class TestGuardedMoves:
    def test_of_many_workers_that_move_one_row_exactly_one_does(self, database: Database) -> None:
        with database.write() as connection:
            row, _ = requests.find_or_insert(connection, request_row(), START)

        def hold(_: int) -> bool:
            with database.write() as connection:
                return requests.move_request(connection, row, RequestState.HELD, START, reason="r")

        assert at_once(6, hold).count(True) == 1
        with database.read() as connection:
            moves = connection.scalars(select(t.history.c.state).order_by(t.history.c.id)).all()
        assert moves == [RequestState.RECEIVED, RequestState.HELD]

    def test_no_statement_holds_more_values_than_every_store_takes(self, database: Database) -> None:
        most = 0

        def note(_c: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, _many: bool) -> None:
            nonlocal most
            most = max(most, len(parameters))

        # SQLite's usual build takes 32,766 values, PostgreSQL's protocol 65,535.
        many = [f"{number:032x}" for number in range(33_000)]
        with database.write() as connection:
            event.listen(connection, "before_cursor_execute", note)
            assert move(connection, t.targets, many, TargetState.QUEUED, TargetState.SUBMITTING) == 0
            targets.look_again(connection, many, TargetState.QUEUED, START)
            targets.set_known_before(connection, many, Presence.ABSENT)
            reports.supersede(connection, many, START)
            assert submissions.known_remote_ids(connection, "main", many) == set()
            assert requests.lock_all(connection, many) == []
            assert targets.requests_with_reason(connection, many, ["r"]) == set()
            assert len(identities.count_states(connection, many)) == len(many)
        assert 0 < most < 32_766

    def test_a_life_in_many_parts_is_the_same(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connector.store.moves._MOST_VALUES", 2)
        names = [f"s{number}" for number in range(5)]
        for name in names:
            bench.knows(f"{name}@example.com")
            bench.deliver(name)
        bench.run_to_end()
        assert {bench.state(name) for name in names} == {"completed"}
        assert {tuple(bench.reporter.of(name)) for name in names} == {("IN_PROGRESS", "COMPLETED")}
        assert len(bench.lytics.calls) == 1

    def test_an_outcome_is_written_once(self, database: Database) -> None:
        values = {"id": "s" * 32, "account": "main", "deletion_api": "x", "lytics_table": "user", "field": "email"}
        with database.write() as connection:
            connection.execute(
                insert(t.submissions).values(
                    **values, state=SubmissionState.INTENDED, size=1, fingerprint="f", intended_at=START
                )
            )

        def end(index: int) -> bool:
            new = SubmissionState.ACCEPTED if index % 2 else SubmissionState.ABANDONED
            with database.write() as connection:
                return submissions.end_submission(connection, "s" * 32, new, START)

        assert at_once(6, end).count(True) == 1


class TestTransactions:
    def break_off(self, database: Database, error: BaseException) -> None:
        with database.write() as connection:
            requests.find_or_insert(connection, request_row(), START)
            raise error

    def test_an_error_leaves_nothing_behind(self, database: Database) -> None:
        with pytest.raises(KeyError):
            self.break_off(database, KeyError())
        with database.read() as connection:
            assert connection.execute(select(t.requests)).all() == []

    def test_a_death_leaves_nothing_behind_and_nothing_locked(self, database: Database) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.break_off(database, KeyboardInterrupt())
        with database.write() as connection:
            assert requests.find_or_insert(connection, request_row(), START)[1]

    def test_one_read_sees_one_moment(self, database: Database) -> None:
        with database.read() as reading:
            before = len(reading.execute(select(t.requests)).all())
            with database.write() as connection:
                requests.find_or_insert(connection, request_row(), START)
            assert len(reading.execute(select(t.requests)).all()) == before == 0
        with database.read() as reading:
            assert len(reading.execute(select(t.requests)).all()) == 1

    def test_writers_of_several_processes_wait_for_each_other(self, store_url: str, database: Database) -> None:
        """Each thread has a store of its own, as a web process and a worker have."""

        def many(index: int) -> None:
            with Database(store_url, pool_size=2, keyring=KEYRING) as own:
                for number in range(12):
                    with own.write() as connection:
                        requests.find_or_insert(connection, request_row(f"{index}-{number}"), START)
                    with own.read() as connection:
                        connection.execute(select(t.requests.c.id)).all()

        assert at_once(4, many) == [None] * 4
        with database.read() as connection:
            assert len(connection.execute(select(t.requests.c.id)).all()) == 48

    def test_the_store_says_that_it_is_writable(self, database: Database) -> None:
        database.check_writable()


class TestValues:
    @pytest.mark.parametrize(
        "moment",
        [
            datetime(2026, 11, 2, 9, 0, 0, 123456, tzinfo=UTC),
            datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            datetime(2000, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
        ],
    )
    def test_times_come_back_aware_in_utc_to_the_microsecond(self, database: Database, moment: datetime) -> None:
        with database.write() as connection:
            row, _ = requests.find_or_insert(connection, request_row(received_at=moment), START)
        assert row.received_at == moment
        assert row.received_at.tzinfo is UTC

    def test_times_are_compared_as_moments(self, database: Database) -> None:
        later = START + timedelta(microseconds=1)
        with database.write() as connection:
            for number, due in enumerate((later, START, START.astimezone(timezone(timedelta(hours=-8))))):
                requests.find_or_insert(connection, request_row(str(number), due_at=due), START)
            early = connection.scalars(select(t.requests.c.request_key).where(t.requests.c.due_at <= START)).all()
        assert sorted(early) == ["1", "2"]

    def test_a_naive_time_is_never_stored(self, database: Database) -> None:
        with pytest.raises(Temporary), database.write() as connection:
            requests.find_or_insert(connection, request_row(due_at=START.replace(tzinfo=None)), START)

    def test_personal_values_come_back_wrapped_and_whole(self, database: Database) -> None:
        value = "Zoë O'Néill \u202e+%_\\ 🦜"
        with database.write() as connection:
            row, _ = requests.find_or_insert(connection, request_row(), START)
            requests.add_identities(connection, row.id, [requests.NewIdentity("k", Private(value), "h")], START)
            (found,) = identities.of_requests(connection, [row.id])[row.id]
        assert found.value == Private(value)
        assert "Zo" not in repr(found)

    def test_words_and_documents_keep_their_kind(self, database: Database) -> None:
        external = {"subtask_id": "ü", "nested": 'a"b'}
        with database.write() as connection:
            row, _ = requests.find_or_insert(connection, request_row(external=external, request_types=["x"]), START)
        assert (row.state, row.external, row.request_types) == (RequestState.RECEIVED, external, ["x"])
        assert isinstance(row.state, RequestState)


class TestOnlyHolder:
    def test_a_second_holder_is_kept_out_until_the_first_lets_go(self, store_url: str) -> None:
        with Database(store_url, keyring=KEYRING) as one, Database(store_url, keyring=KEYRING) as other:
            with one.only_holder() as first, other.only_holder() as second, one.only_holder() as third:
                assert (first, second, third) == (True, False, False)
            # While the first process lives on, as its pool of connections does.
            with other.only_holder() as again:
                assert again

    def test_it_is_let_go_on_any_exception(self, store_url: str) -> None:
        with Database(store_url, keyring=KEYRING) as one, Database(store_url, keyring=KEYRING) as other:
            with pytest.raises(KeyboardInterrupt), one.only_holder():
                raise KeyboardInterrupt
            with other.only_holder() as again:
                assert again

    def test_holding_it_keeps_nobody_from_writing(self, store_url: str) -> None:
        with Database(store_url, keyring=KEYRING) as one, Database(store_url, keyring=KEYRING) as other:
            schema.upgrade(one)
            with one.only_holder(), other.write() as connection:
                assert requests.find_or_insert(connection, request_row(), START)[1]


class TestUnavailable:
    def told(self, error: ConnectorError) -> str:
        return "".join(traceback.format_exception(error))

    def test_a_statement_that_fails_names_no_value(self, database: Database) -> None:
        values = {"id": new_id(START), "request_id": "nobody", "kind": CANARY, "value": Sealed(CANARY)}
        with pytest.raises(Temporary) as failure, database.write() as connection:
            connection.execute(insert(t.identities).values(**values, value_hash=CANARY, state=None))
        assert failure.value.code is Code.STORE_UNAVAILABLE
        assert "canary" not in self.told(failure.value)

    def test_a_rule_that_is_broken_names_no_value(self, database: Database) -> None:
        with database.write() as connection:
            row, _ = requests.find_or_insert(connection, request_row(), START)
            requests.add_identities(connection, row.id, [requests.NewIdentity("k", Private("v"), "h")], START)
            requests.add_identities(connection, row.id, [requests.NewIdentity("k", Private(CANARY), "h2")], START)
        with pytest.raises(Temporary) as failure, database.write() as connection:
            connection.execute(update(t.identities).values(value_hash="h", kind=CANARY))
        assert "canary" not in self.told(failure.value)

    def test_a_delivery_that_cannot_be_stored_is_not_accepted(self, bench: Bench) -> None:
        with bench.database.write() as connection:
            connection.execute(text("DROP TABLE history"))
        with pytest.raises(ConnectorError) as failure:
            bench.deliver("s1", ("email", CANARY))
        assert failure.value.entry.status == 503
        assert "canary" not in self.told(failure.value)
        assert bench.log.records == []
        assert bench.rows(t.deliveries) == []


class TestLockedSqlite:
    """Somebody else sits on the file: an operator with a tool of their own, or a backup."""

    @pytest.fixture
    def database(self, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
        monkeypatch.setattr("connector.store.database.BUSY_TIMEOUT_MS", 20)
        with Database(f"sqlite:///{tmp_path / 'store.db'}") as made:
            schema.upgrade(made)
            yield made

    def test_a_write_is_temporary_and_a_read_goes_through(self, database: Database) -> None:
        with database.engine.connect() as other:
            other.exec_driver_sql("SELECT 1")
            other.rollback()
            other.execution_options(writes=True)
            other.begin()
            with pytest.raises(Temporary) as failure:
                database.check_writable()
            assert (failure.value.code, failure.value.detail) == (Code.STORE_UNAVAILABLE, "OperationalError")
            with database.read() as connection:
                connection.execute(select(t.requests)).all()
        database.check_writable()

    def test_a_lock_that_cannot_be_opened_is_temporary(self, tmp_path) -> None:
        (tmp_path / "other.db.writer").mkdir()
        with Database(f"sqlite:///{tmp_path / 'other.db'}") as database, pytest.raises(Temporary) as failure:
            database.check_writable()
        assert failure.value.detail == "IsADirectoryError"


@pytest.mark.postgres
class TestPostgresIsDown:
    URL = "postgresql+psycopg://nobody:word-canary@127.0.0.1:1/none?connect_timeout=2"

    @pytest.mark.parametrize("what", ["read", "write", "only_holder"])
    def test_everything_is_temporary_and_names_no_password(self, what: str) -> None:
        with Database(self.URL) as database, pytest.raises(Temporary) as failure, getattr(database, what)():
            pass
        assert (failure.value.code, failure.value.detail) == (Code.STORE_UNAVAILABLE, "OperationalError")
        assert "canary" not in "".join(traceback.format_exception(failure.value))

    def test_connections_that_were_cut_are_made_anew(self, postgres_url: str) -> None:
        with Database(postgres_url) as database:
            schema.upgrade(database)
            with Database(postgres_url) as other, other.write() as connection:
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
                )
            database.check_writable()


def test_a_life_on_either_store_ends_with_the_same_counts(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "77"))
    bench.run_to_end()
    (final,) = [row for row in bench.rows(t.reports) if row.final]
    assert final.state is ReportState.SENT
    assert "2 mapped to 2 Lytics fields: 1 deleted, 1 not found" in final.comment
    assert json.loads(json.dumps(bench.dossier().request.external)) == {"subtask_id": "s1"}


def test_the_hash_of_an_identity_depends_on_its_source_and_kind(bench: Bench) -> None:
    value = Private("a@example.com")
    hashes = {
        intake.named(bench.site, source, Identity(kind, value)).value_hash
        for source, kind in (("a", "email"), ("a", "EMAIL"), ("b", "email"), ("a", "login"))
    }
    assert len(hashes) == 3
