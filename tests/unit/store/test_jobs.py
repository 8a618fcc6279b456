"""The job that a delivery's own transaction adds: there if, and only if, the delivery is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from connector.store import jobs, schema
from connector.store.database import Database
from connector.store.jobs import Wake
from tests.support.postgres import plain
from tests.support.processes import until

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with Database(postgres_url, pool_size=4) as made:
        schema.upgrade(made)
        yield made


def waiting(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT * FROM procrastinate_jobs ORDER BY id")).all())


def begin_all(database: Database) -> None:
    """Let a worker take every job that waits, as the library does it."""
    with database.write() as connection:
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'"))


def test_it_exists_after_the_commit_and_carries_names_only(database: Database) -> None:
    with database.write() as connection:
        Wake("map")(connection)
    (job,) = waiting(database)
    assert (job.queue_name, job.task_name, job.lock, job.status) == ("connector", "step", "map", "todo")
    assert job.args == {"step": "map", "name": ""}
    assert json.dumps(job.args) == '{"name": "", "step": "map"}'


def test_a_part_of_a_step_has_the_lock_of_its_part(database: Database) -> None:
    with database.write() as connection:
        for name in ("a", "b"):
            Wake("read_back", name, f"source:{name}")(connection)
    found = [(one.lock, one.args) for one in waiting(database)]
    assert found == [(f"source:{name}", {"step": "read_back", "name": name}) for name in ("a", "b")]


def test_it_does_not_exist_if_the_transaction_is_rolled_back(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            Wake("map")(connection)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert waiting(database) == []


def test_a_second_one_is_left_out_and_the_transaction_goes_on(database: Database) -> None:
    wake = Wake("map")
    for name in ("a", "b"):
        with database.write() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS accepted (name text)"))
            connection.execute(text("INSERT INTO accepted VALUES (:name)"), {"name": name})
            wake(connection)
            wake(connection)
    assert len(waiting(database)) == 1
    with database.read() as connection:
        assert set(connection.scalars(text("SELECT name FROM accepted"))) == {"a", "b"}


def test_a_job_that_was_begun_does_not_count_for_what_came_after(database: Database) -> None:
    wake = Wake("map")
    for _ in range(2):
        with database.write() as connection:
            wake(connection)
        begin_all(database) if len(waiting(database)) == 1 else None
    assert len(waiting(database)) == 2


def test_two_threads_at_once_add_one_and_neither_fails(database: Database) -> None:
    wake = Wake("map")

    def accept(_: int) -> None:
        with database.write() as connection:
            wake(connection)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(accept, range(12))) == [None] * 12
    assert len(waiting(database)) == 1


def test_one_process_does_not_wait_for_the_commit_of_another(database: Database) -> None:
    here, elsewhere = Wake("map"), Wake("map")
    with database.write() as one:
        here(one)
        with database.write() as other:
            other.execute(text("SET LOCAL lock_timeout = '1s'"))
            elsewhere(other)
    assert len(waiting(database)) == 2


def test_a_job_is_held_by_the_worker_that_took_it_alone(database: Database) -> None:
    with database.write() as connection:
        Wake("map")(connection)
        (mine, other) = (
            connection.scalar(text("SELECT worker_id FROM procrastinate_register_worker_v1()")) for _ in range(2)
        )
        job_id = connection.scalar(
            text("SELECT id FROM procrastinate_fetch_job_v2(ARRAY['connector'], :mine)"), {"mine": mine}
        )
        assert [jobs.is_held(connection, job_id, one) for one in (mine, other)] == [True, False]
        connection.execute(text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)"), {"id": job_id})
        assert not jobs.is_held(connection, job_id, mine)


def test_one_at_a_time_takes_over(database: Database) -> None:
    with jobs.only_one_takes_over(database) as one, jobs.only_one_takes_over(database) as other:
        assert (one, other) == (True, False)
    with jobs.only_one_takes_over(database) as again:
        assert again


def test_the_driver_is_told_what_the_url_says_and_to_notice_a_dead_connection() -> None:
    url = "postgresql+psycopg://me:secret@/name?host=one,two&port=1,2&target_session_attrs=read-write&keepalives_idle=9"
    with Database(url) as database:
        told = jobs.connect_arguments(database)
    assert (told["user"], told["password"], told["dbname"]) == ("me", "secret", "name")
    assert (told["host"], told["target_session_attrs"]) == ("one,two", "read-write")
    assert (str(told["keepalives_idle"]), told["keepalives_count"]) == ("9", 3)


@contextmanager
def standing_still(url: str, statement: str) -> Iterator[psycopg.Connection]:
    """Give a session whose client has sent a statement in a pipeline, and goes no further."""
    connection = psycopg.connect(plain(url))
    with suppress(psycopg.OperationalError), connection, connection.pipeline():
        connection.execute(statement)
        connection.pgconn.send_flush_request()
        connection.pgconn.flush()
        yield connection


class TestSessionsOfPausedProcesses:
    @pytest.fixture
    def impatient(self, database: Database) -> Iterator[Database]:
        url = database.url.update_query_dict({"options": "-c idle_in_transaction_session_timeout=100"})
        with Database(url.render_as_string(hide_password=False)) as made:
            yield made

    def test_what_they_hold_locked_is_free_again(self, database: Database, impatient: Database) -> None:
        with database.write() as connection:
            Wake("map")(connection)
        url = database.url.render_as_string(hide_password=False)
        with standing_still(url, "UPDATE procrastinate_jobs SET attempts = 7"):
            # PostgreSQL itself takes it for active, whatever the bound is.
            assert jobs.end_paused_sessions(database) == 0
            until(lambda: jobs.end_paused_sessions(impatient) == 1, "it is ended")
            begin_all(database)
            assert jobs.end_paused_sessions(impatient) == 0
        assert [(one.status, one.attempts) for one in waiting(database)] == [("doing", 0)]

    def test_whoever_waits_between_transactions_or_copies_is_left_alone(
        self, database: Database, impatient: Database
    ) -> None:
        url = plain(database.url.render_as_string(hide_password=False))
        with psycopg.connect(url) as copier, psycopg.connect(url, autocommit=True) as idle:
            idle.execute("CREATE TABLE lines (line text)")
            with copier.cursor().copy("COPY lines FROM STDIN") as copy:
                copy.write_row(("one",))
                is_long_enough = "SELECT state_change < clock_timestamp() - interval '0.2 s' FROM pg_stat_activity"
                where = f"{is_long_enough} WHERE pid = {copier.info.backend_pid}"
                until(lambda: idle.execute(where).fetchone() == (True,), "the copy stands still")
                assert jobs.end_paused_sessions(impatient) == 0
            copier.commit()
            assert idle.execute("SELECT count(*) FROM lines").fetchone() == (1,)
