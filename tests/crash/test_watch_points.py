"""A real worker is killed while it looks for people who came back: each is deleted again once, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.stops import VARIABLE
from connector.store import watch_tables as w
from connector.store.database import Database
from tests.acceptance.test_processes import Town
from tests.crash.test_stop_points import WATCHING
from tests.support.processes import connector, started, until

pytestmark = [pytest.mark.process, pytest.mark.soak]

PEOPLE = 6


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        made = Town(tmp_path, lytics, onetrust)
        made.settings += [
            "accounts.main.unknown_wait_s=1",
            "accounts.main.confirm_first_s=0.1",
            'sources.onetrust.watch="delete"',
            # Five seconds after the deletion, and never again.
            "suppression.look_after_days=[0.00006, 900]",
        ]
        yield made


def outcomes(town: Town) -> list[str]:
    with Database(town.store, pool_size=1) as database, database.read() as connection:
        return sorted(str(one.state) for one in connection.execute(w.returns.select()))


def test_a_worker_killed_at_every_point_of_the_watch_deletes_everybody_again_once(town: Town) -> None:
    subtasks = town.people(PEOPLE)
    with started(connector("db", "upgrade", settings=town.settings), town.folder) as upgrade:
        assert upgrade.wait() == 0
    with started(connector("web", settings=town.settings), town.folder) as receiver:
        until(town.is_up, "the receiver is ready", receiver)
        assert {one.status for one in town.onetrust.fire(subtasks, threads=4)} == {202}
        worker = connector("worker", settings=town.settings)
        with started(worker, town.folder) as running:
            until(town.all_completed, "everything is reported", running, receiver)
            assert running.terminate() == 0
        for one in town.lytics.snapshot()["times_submitted"]:
            town.lytics.seed(one["table"], one["field"], one["value"])
        killed = []
        for point in WATCHING:
            with started(worker, town.folder, **{VARIABLE: point}) as victim:
                until(lambda victim=victim: victim.popen.poll() is not None, point, victim)
                killed += [point] * (victim.popen.poll() == -9)
        with started(worker, town.folder) as running:
            until(lambda: outcomes(town) == ["deleted"] * PEOPLE, "everybody is deleted again", running, receiver)
            assert running.terminate() == 0
    assert killed == list(WATCHING)
    assert town.final_writes() == {1: PEOPLE}
    assert town.times_submitted() == {2: PEOPLE}
    assert town.lytics.profiles == []
