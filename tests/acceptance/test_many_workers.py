"""Several real workers on one PostgreSQL: killed, paused, and with wrong clocks. See also `test_store_faults`."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.store import schema
from connector.store.database import Database
from tests.acceptance.test_processes import Town
from tests.support.processes import Running, started, until

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.soak]

SUBMIT = "delete_submit"
REPORT = "subtask_status"
# Begins the command line with every clock of the process set to another time.
SKEWED = """
import sys, time
from datetime import UTC, datetime, timedelta
from connector import clock
ahead_s, genuine = float(sys.argv.pop(1)), time.time
time.time = lambda: genuine() + ahead_s
clock.SystemClock.now = lambda self: datetime.now(UTC) + timedelta(seconds=ahead_s)
from connector.cli.main import main
sys.exit(main())
"""


class Cluster(Town):
    """A town whose store is a PostgreSQL, with workers that are started one by one."""

    def __init__(self, folder: Path, lytics: FakeLytics, onetrust: FakeOneTrust, store: str) -> None:
        super().__init__(folder, lytics, onetrust)
        self.settings = [one for one in self.settings if not one.startswith(("store.url", "engine.tick_s"))]
        self.settings += [f"store.url={json.dumps(store)}", "engine.tick_s=1", "accounts.main.unknown_wait_s=3"]
        self.store = store
        self.database = Database(store, pool_size=1)
        schema.upgrade(self.database)

    def worker(self) -> AbstractContextManager[Running]:
        return self.start("worker")

    def skewed_worker(self, ahead_s: float) -> AbstractContextManager[Running]:
        chosen = [part for one in self.settings for part in ("--set", one)]
        return started([sys.executable, "-c", SKEWED, str(ahead_s), *chosen, "worker"], self.folder)

    def ask(self, statement: Any) -> Any:
        with self.database.read() as connection:
            return connection.execute(statement).all()

    def worker_ids(self) -> set[int]:
        return {one.id for one in self.ask(text("SELECT id FROM procrastinate_workers"))}

    def all_done_once(self, number: int) -> None:
        assert self.times_submitted() == {1: number}
        assert self.final_writes() == {1: number}
        assert self.lytics.profiles == []

    def holder_of(self, step: str) -> int:
        """Return the id of a worker that is in a step now, or 0."""
        found = self.ask(
            text(
                "SELECT worker_id FROM procrastinate_jobs WHERE status = 'doing' AND args ->> 'step' = :step"
            ).bindparams(step=step)
        )
        return found[0].worker_id if found else 0


@pytest.fixture
def cluster(tmp_path: Path, postgres_url: str) -> Iterator[Cluster]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        made = Cluster(tmp_path, lytics, onetrust, postgres_url)
        with made.database:
            yield made


def records(*running: Running) -> Iterator[dict[str, Any]]:
    for line in (line for one in running for line in one.text().splitlines() if line.startswith("{")):
        # The last one may be half written yet.
        with suppress(ValueError):
            yield json.loads(line)


def actions(*running: Running) -> Counter[str]:
    return Counter(one["action"] for one in records(*running))


@contextmanager
def two_workers(cluster: Cluster, *ahead_s: float) -> Iterator[dict[int, Running]]:
    """Give a receiver and two workers, by the ids under which PostgreSQL knows them."""
    with ExitStack() as stack:
        web = stack.enter_context(cluster.start("web"))
        found: dict[int, Running] = {}
        for one in ahead_s or (0.0, 0.0):
            running = stack.enter_context(cluster.skewed_worker(one) if one else cluster.worker())
            until(lambda: cluster.worker_ids() - found.keys(), "another worker works", running)
            (worker_id,) = cluster.worker_ids() - found.keys()
            found[worker_id] = running
        until(cluster.is_up, "the receiver is ready", web)
        yield found


def test_a_worker_killed_in_the_middle_of_a_call_is_replaced_within_seconds_and_nothing_is_done_twice(
    cluster: Cluster,
) -> None:
    cluster.lytics.faults.turn_on("slow_answer", 0.03, times=1, operation=SUBMIT)
    subtasks = cluster.people(20)
    with two_workers(cluster) as workers:
        assert {each.status for each in cluster.onetrust.fire(subtasks, threads=4)} == {202}
        until(lambda: cluster.lytics.calls[SUBMIT] and cluster.holder_of("submit"), "one submits", *workers.values())
        victim = workers.pop(cluster.holder_of("submit"))
        victim.popen.kill()
        killed_at = time.monotonic()
        (other,) = workers.values()
        until(lambda: actions(other)["jobs_taken_over"], "the other takes over", other)
        took_s = time.monotonic() - killed_at
        until(cluster.all_completed, "everything is reported", other)
        cluster.all_done_once(20)
        assert actions(other)["submission_found"] == 1
        assert other.terminate() == 0
        assert "person-" not in victim.text() + other.text()
    assert took_s < 15


def test_a_worker_paused_until_its_jobs_were_taken_over_begins_anew_and_harms_nothing(cluster: Cluster) -> None:
    cluster.onetrust.faults.turn_on("slow_answer", 0.02, times=2, operation=REPORT)
    subtasks = cluster.people(6)
    # And their clocks are half a minute apart.
    with two_workers(cluster, 0.0, 30.0) as workers:
        cluster.onetrust.fire(subtasks, threads=4)
        until(lambda: cluster.onetrust.calls[REPORT], "one reports", *workers.values())
        paused = workers.pop(cluster.holder_of("report"))
        paused.popen.send_signal(signal.SIGSTOP)
        (other,) = workers.values()
        until(lambda: actions(other)["jobs_taken_over"], "the other takes over", other)
        paused.popen.send_signal(signal.SIGCONT)
        until(lambda: actions(paused)["worker_restarts"], "the paused one has noticed", paused)
        until(lambda: actions(paused)["worker_started"] == 2, "it works again", paused)
        until(cluster.all_completed, "everything is reported", paused, other)
        cluster.all_done_once(6)
        assert (paused.terminate(), other.terminate()) == (0, 0)
