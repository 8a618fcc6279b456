"""A worker that stood still makes no call for work that others have taken over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text

from connector.engine.held import Held
from connector.errors import Temporary
from connector.lease import Lease
from connector.lytics.pace import Pace, RateLimit
from connector.store.database import Database
from tests.support.stores import bring_up_to_date

pytestmark = pytest.mark.postgres


class Lost(BaseException):
    """Stands for the new process, in which nothing of the old one goes on."""


def lose() -> None:
    raise Lost


class Bench:
    """A store with two workers, and the jobs of the first."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 100.0
        self.lease = Lease()
        self.worker, self.other = (self.add("workers", "DEFAULT VALUES") for _ in range(2))
        self.held = Held(database, lose, lambda: self.now)
        self.lease.confirm_by(self.held.confirm)
        self.pace = Pace(RateLimit(1000, stop=self.lease.stop), 4, lease=self.lease)

    def add(self, table: str, values: str) -> int:
        with self.database.write() as connection:
            found = connection.scalar(text(f"INSERT INTO procrastinate_{table} {values} RETURNING id"))
        assert isinstance(found, int)
        return found

    def job(self) -> int:
        return self.add("jobs", f"(queue_name, task_name, status, worker_id) VALUES ('q', 't', 'doing', {self.worker})")

    def take_over(self, job_id: int) -> None:
        with self.database.write() as connection:
            connection.execute(text(f"UPDATE procrastinate_jobs SET worker_id = {self.other} WHERE id = {job_id}"))

    def call(self) -> None:
        with self.pace.slot():
            pass


@pytest.fixture
def bench(ready_postgres_url: str) -> Iterator[Bench]:
    with Database(ready_postgres_url, pool_size=2) as database:
        bring_up_to_date(database)
        yield Bench(database)


def test_after_standing_still_no_call_is_made_for_what_others_have(bench: Bench) -> None:
    mine, lost = bench.job(), bench.job()
    with bench.held.job(mine, bench.worker), suppress(Lost), bench.held.job(lost, bench.worker):
        bench.call()
        bench.now += 6
        bench.call()
        bench.take_over(lost)
        bench.now += 6
        with pytest.raises(Lost):
            bench.call()
    # What is its own still is not touched.
    bench.now += 6
    bench.call()


def test_what_is_ended_is_not_looked_for_any_more(bench: Bench) -> None:
    one = bench.job()
    with bench.held.job(one, bench.worker):
        pass
    bench.take_over(one)
    bench.now += 6
    bench.call()


def test_a_job_is_begun_by_its_holder_only(bench: Bench) -> None:
    one = bench.job()
    bench.take_over(one)
    with pytest.raises(Lost), bench.held.job(one, bench.worker):
        pytest.fail("it was begun")


def test_the_store_is_asked_once_a_second_at_most(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    read = bench.database.read

    def counted() -> Any:
        asked.append(bench.now)
        return read()

    with bench.held.job(bench.job(), bench.worker):
        monkeypatch.setattr(Database, "read", lambda _: counted())
        for _ in range(40):
            bench.now += 0.125
            bench.call()
        monkeypatch.undo()
    assert len(asked) == 5


def test_what_cannot_be_found_out_keeps_a_call_from_being_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench.held.job(bench.job(), bench.worker):
        bench.now += 6
        monkeypatch.setattr("connector.store.jobs._IS_HELD", text("SELECT 1 / 0"))
        with pytest.raises(Temporary) as failure:
            bench.call()
        assert not failure.value.outcome_unknown
        monkeypatch.undo()
        bench.call()
