"""The store fails under real processes while callbacks come in: full, locked, restarted, failed over; a worker paused.

Each time the same is asked: nothing is answered 2xx that is not stored, nothing is lost, nothing is done twice, and
the receiver says that it is not ready and that it is again, without anybody's help.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import text

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.store.database import _sqlite_module
from tests.acceptance.test_many_workers import REPORT, SUBMIT, Cluster, actions, records, two_workers
from tests.acceptance.test_processes import Town
from tests.acceptance.traffic import Traffic, is_red
from tests.support.disk import Disk, small_disk
from tests.support.postgres import Restartable, Unavailable, missing, plain, restartable
from tests.support.postgres_pair import Pair, pair
from tests.support.processes import Running, until

pytestmark = [pytest.mark.process, pytest.mark.soak]

Server = TypeVar("Server")


@pytest.fixture
def fakes() -> Iterator[tuple[FakeLytics, FakeOneTrust]]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        yield lytics, onetrust


@pytest.fixture
def cluster(tmp_path: Path, fakes: tuple[FakeLytics, FakeOneTrust], postgres_url: str) -> Iterator[Cluster]:
    made = Cluster(tmp_path, *fakes, postgres_url)
    with made.database:
        yield made


@pytest.fixture
def disk() -> Iterator[Disk]:
    with small_disk() as made:
        yield made


class DiskTown(Town):
    """A town whose store lies on a small disk; everything else, as what the processes print, does not."""

    def __init__(self, folder: Path, lytics: FakeLytics, onetrust: FakeOneTrust, disk: Disk) -> None:
        super().__init__(folder, lytics, onetrust)
        self.disk = disk
        self.store = f"sqlite:///{disk.folder / 'store.db'}"
        self.settings += [f"store.url={json.dumps(self.store)}", "accounts.main.unknown_wait_s=3"]

    def fill_disk(self, running: Running) -> None:
        self.disk.fill([running.popen.pid, *(one.pid for one in running.tree())])

    def is_sound(self) -> bool:
        with closing(_sqlite_module().connect(str(self.disk.folder / "store.db"))) as connection:
            return [*connection.execute("PRAGMA integrity_check")] == [("ok",)]


@pytest.fixture
def town(tmp_path: Path, fakes: tuple[FakeLytics, FakeOneTrust], disk: Disk) -> DiskTown:
    return DiskTown(tmp_path, *fakes, disk)


def test_a_full_disk_turns_deliveries_away_until_there_is_room(town: DiskTown) -> None:
    traffic = Traffic(town)
    with town.start("run") as running:
        until(town.is_up, "the receiver is ready", running)
        with traffic.flowing():
            goes_on(traffic, running)
            town.fill_disk(running)
            until(lambda: is_red(town), "ready is red", running)
            until(traffic.grows(lambda: traffic.refused, 6), "deliveries are refused", running)
            traffic.is_refused()
            assert is_red(town)
            assert town.get("/health/live") == 200
            town.disk.make_room()
            goes_on(traffic, running)
        traffic.ends_well(running)
        assert town.is_sound()
        assert running.terminate() == 0


def test_a_worker_on_a_full_disk_calls_nobody_and_finds_the_call_whose_answer_it_could_not_write(
    town: DiskTown,
) -> None:
    town.lytics.faults.turn_on("slow_answer", 0.03, times=1, operation=SUBMIT)
    traffic = Traffic(town)
    with town.start("run") as running:
        until(town.is_up, "the receiver is ready", running)
        town.onetrust.fire(town.people(4), threads=4)
        # While Lytics takes its time to answer.
        until(lambda: town.lytics.calls[SUBMIT], "one call is under way", running)
        town.onetrust.fire(town.people(4), threads=4)
        town.fill_disk(running)
        calls = town.lytics.calls[SUBMIT]
        # The second ones were read back by then, or were not.
        until(lambda: failed_steps(running) >= {"submit"}, "no call can be intended", running)
        until(lambda: failed_steps(running) & {"read_back", "map"}, "nor can anything be prepared", running)
        until(traffic.grows(lambda: actions(running)["step_failed"], 20), "they go on trying", running)
        assert town.lytics.calls[SUBMIT] == calls == 1
        town.disk.make_room()
        until(lambda: actions(running)["submission_found"], "the lost answer is found", running)
        traffic.ends_well(running)
        assert town.is_sound()
        assert running.terminate() == 0


def failed_steps(running: Running) -> set[str]:
    return {one["step"] for one in records(running) if one["action"] == "step_failed"}


@contextmanager
def sqlite_locked(store: str) -> Iterator[None]:
    """Hold the file as an operator does who began to write with a tool of their own and went for a coffee."""
    with closing(_sqlite_module().connect(store.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def postgres_locked(store: str) -> Iterator[None]:
    with psycopg.connect(plain(store)) as connection:
        connection.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
        yield


def goes_on(traffic: Traffic, *running: Running) -> None:
    """See ready green, and callbacks taken and carried out from now on."""
    until(traffic.town.is_up, "ready is green", *running)
    until(traffic.grows(lambda: traffic.accepted, 6), "deliveries are taken", *running)
    until(traffic.grows(lambda: traffic.completed, 6), "and carried out", *running)


def stays_locked(traffic: Traffic, *running: Running) -> None:
    """See everything turned away while somebody holds the store locked for longer than a writer waits."""
    before = traffic.refused
    traffic.is_refused()
    assert is_red(traffic.town)
    until(lambda: traffic.refused > before, "the others are refused as well", *running)
    assert traffic.town.get("/health/live") == 200


def test_a_sqlite_file_that_somebody_locks_turns_deliveries_away_until_it_is_free(town: DiskTown) -> None:
    traffic = Traffic(town)
    with town.start("run") as running:
        until(town.is_up, "the receiver is ready", running)
        with traffic.flowing():
            goes_on(traffic, running)
            with sqlite_locked(town.store):
                stays_locked(traffic, running)
            goes_on(traffic, running)
        traffic.ends_well(running)
        assert town.is_sound()
        assert running.terminate() == 0


@pytest.mark.postgres
def test_a_postgresql_table_that_somebody_locks_turns_deliveries_away_until_it_is_free(cluster: Cluster) -> None:
    # What the operator sets holds; by default it would be ten seconds, as on SQLite.
    with cluster.database.write() as connection:
        connection.execute(text(f"ALTER DATABASE {cluster.database.url.database} SET lock_timeout = '3s'"))
    traffic = Traffic(cluster)
    with two_workers(cluster) as workers:
        with traffic.flowing():
            goes_on(traffic, *workers.values())
            with postgres_locked(cluster.store):
                stays_locked(traffic, *workers.values())
            goes_on(traffic, *workers.values())
        traffic.ends_well(*workers.values())
        assert {one.terminate() for one in workers.values()} == {0}


@contextmanager
def away_and_back(
    folder: Path,
    fakes: tuple[FakeLytics, FakeOneTrust],
    url: str,
    *,
    kill: Callable[[], object],
    back: Callable[[], object],
) -> Iterator[Callable[[], None]]:
    """Let two workers go on under load while their server dies and comes back; give what waits until they do."""
    cluster = Cluster(folder, *fakes, url)
    traffic = Traffic(cluster)
    with cluster.database, two_workers(cluster) as workers:
        both = tuple(workers.values())
        with traffic.flowing():
            goes_on(traffic, *both)
            kill()
            until(lambda: is_red(cluster), "ready is red", *both)
            traffic.is_refused()
            back()
            goes_on(traffic, *both)
            yield lambda: goes_on(traffic, *both)
        assert all(actions(one)["worker_restarts"] for one in both)
        traffic.ends_well(*both)
        assert {one.terminate() for one in both} == {0}


def made(server: AbstractContextManager[Server]) -> Iterator[Server]:
    """Give a server of this test's own; say plainly where there can be none."""
    try:
        with server as running:
            yield running
    except Unavailable as reason:
        missing(reason)


@pytest.fixture
def servers() -> Iterator[Pair]:
    yield from made(pair())


@pytest.mark.postgres
def test_a_failover_under_load_loses_nothing_and_needs_nobody(
    tmp_path: Path, fakes: tuple[FakeLytics, FakeOneTrust], servers: Pair
) -> None:
    dies = partial(servers.primary.tell, "kill")
    with away_and_back(tmp_path, fakes, servers.url, kill=dies, back=servers.promote):
        pass


@pytest.fixture
def own_server() -> Iterator[Restartable]:
    yield from made(restartable())


@pytest.mark.postgres
def test_a_restart_under_load_loses_nothing_and_needs_nobody(
    tmp_path: Path, fakes: tuple[FakeLytics, FakeOneTrust], own_server: Restartable
) -> None:
    dies, starts = partial(own_server.tell, "kill"), partial(own_server.tell, "start")
    with away_and_back(tmp_path, fakes, own_server.url, kill=dies, back=starts) as they_go_on:
        # Once more, as an update does it, and for so short a time that nobody may notice.
        own_server.tell("fast")
        they_go_on()


@pytest.mark.postgres
def test_a_worker_paused_under_load_until_its_jobs_were_taken_over_does_nothing_twice(cluster: Cluster) -> None:
    cluster.onetrust.faults.turn_on("slow_answer", 0.02, times=2, operation=REPORT)
    traffic = Traffic(cluster)
    with two_workers(cluster) as workers:
        with traffic.flowing():
            until(lambda: cluster.onetrust.calls[REPORT], "one reports", *workers.values())
            paused = workers.pop(cluster.holder_of("report"))
            paused.popen.send_signal(signal.SIGSTOP)
            (other,) = workers.values()
            until(lambda: actions(other)["jobs_taken_over"], "the other takes over", other)
            goes_on(traffic, other)
            paused.popen.send_signal(signal.SIGCONT)
            until(lambda: actions(paused)["worker_started"] == 2, "the paused one begins anew", paused)
            goes_on(traffic, paused, other)
        traffic.ends_well(paused, other)
        assert (paused.terminate(), other.terminate()) == (0, 0)
