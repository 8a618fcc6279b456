"""Real processes on SQLite are killed at every named point; in the end it is as if nothing had been.

What is looked at is what the fakes saw: nobody lost, nobody deleted twice, every request finished exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.stops import STOPS, VARIABLE
from tests.acceptance.test_processes import Town
from tests.support.processes import connector, started, until

pytestmark = [pytest.mark.process, pytest.mark.soak]

PEOPLE = 12
RECEIVING = ("verified", "claimed", "committed")
# Those of access requests are passed in test_access_points.py.
READING = ("fetched", "exported")
# Those of the watch in test_watch_points.py.
WATCHING = ("seen", "watched")
WORKING = tuple(one for one in STOPS if one not in RECEIVING + READING + WATCHING)
APIS = ("identity-delete", "identity-queue")


def test_every_stop_is_of_the_receiver_or_of_the_worker() -> None:
    assert set(RECEIVING) < set(STOPS)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        made = Town(tmp_path, lytics, onetrust)
        # Small batches, so that every point is passed several times; an unknown outcome is settled within the test.
        made.settings += [
            "accounts.main.batch_max_values=4",
            "accounts.main.unknown_wait_s=1",
            "accounts.main.confirm_first_s=0.1",
            # So that the points about a file are passed at all.
            'sources.onetrust.report.complete_with="complete"',
            "sources.onetrust.report.evidence.enabled=true",
        ]
        yield made


def everything_ended_once(town: Town, number: int) -> None:
    assert town.statuses() == {"COMPLETED": number}
    assert town.final_writes() == {1: number}
    written = [[entry["status"] for entry in town.onetrust.history(one)] for one in town.onetrust.desk.subtasks]
    assert all(len(statuses) == len(set(statuses)) for statuses in written)
    assert town.lytics.profiles == []


@pytest.mark.parametrize("point", RECEIVING)
def test_a_receiver_killed_there_loses_nothing_that_it_answered(town: Town, point: str) -> None:
    subtasks = town.people(PEOPLE)
    with started(connector("db", "upgrade", settings=town.settings), town.folder) as upgrade:
        assert upgrade.wait() == 0
    with started(connector("web", settings=town.settings), town.folder, **{VARIABLE: f"{point}:3"}) as running:
        until(town.is_up, "the receiver is ready", running)
        town.onetrust.fire(subtasks, threads=4)
        assert running.wait() != 0
    accepted = {one.subtask_id for one in town.onetrust.outbound.deliveries if one.is_accepted}
    assert len(accepted) < PEOPLE
    with town.start("run") as running:
        until(lambda: town.statuses()["COMPLETED"] >= len(accepted), "what was accepted is reported", running)
        until(town.is_up, "the receiver is ready", running)
        town.onetrust.outbound.replay_dead_letters(threads=4)
        until(town.all_completed, "the rest is reported too", running)
        assert running.terminate() == 0
    everything_ended_once(town, PEOPLE)
    assert town.times_submitted() == {1: PEOPLE}


@pytest.mark.parametrize("api", APIS)
def test_a_worker_killed_at_every_point_in_turn_carries_everything_to_its_end(town: Town, api: str) -> None:
    town.settings.append(f'accounts.main.deletion_api="{api}"')
    subtasks = town.people(PEOPLE)
    with started(connector("db", "upgrade", settings=town.settings), town.folder) as upgrade:
        assert upgrade.wait() == 0
    with started(connector("web", settings=town.settings), town.folder) as receiver:
        until(town.is_up, "the receiver is ready", receiver)
        assert {one.status for one in town.onetrust.fire(subtasks, threads=4)} == {202}
        worker = connector("worker", settings=town.settings)
        killed = []
        for point in WORKING:
            with started(worker, town.folder, **{VARIABLE: point}) as victim:
                until(lambda victim=victim: victim.popen.poll() is not None, point, victim)
                killed += [point] * (victim.popen.poll() == -9)
        with started(worker, town.folder) as running:
            # Before that it would not hear that it is asked to stop.
            until(lambda: "worker_started" in running.text(), "the last worker works", running)
            until(town.all_completed, "everything is reported", running, receiver)
            assert running.terminate() == 0
    assert killed == list(WORKING)
    everything_ended_once(town, PEOPLE)
    # With identity-delete a lost call is found in the list of Lytics. With identity-queue a repeat is documented to be
    # safe: it returns the ids of the first.
    assert (
        town.times_submitted() == {1: PEOPLE} if api == "identity-delete" else set(town.times_submitted()) <= {1, 2, 3}
    )
