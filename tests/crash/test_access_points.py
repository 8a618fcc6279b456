"""Real processes are killed while the data of access requests is read, handed over and destroyed.

In the end every subtask was completed once, with the data at the request, nothing of it is left in the store, and
nobody was deleted. Only where the answer to an upload was lost may the file be there twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.stops import VARIABLE
from connector.store import access_tables as a
from connector.store import tables as t
from connector.store.database import Database
from tests.acceptance.test_processes import Town
from tests.support.processes import connector, started, until

pytestmark = [pytest.mark.process, pytest.mark.soak]

PEOPLE = 10
# Among them the two worst: the file is there and its id is not known, and everything is told but nothing destroyed.
POINTS = ("fetched", "reporting", "uploaded", "filed", "reported", "told")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        made = Town(tmp_path, lytics, onetrust)
        made.settings += [
            'sources.onetrust.report.complete_with="complete"',
            'sources.onetrust.access.types=["Data Access"]',
            'sources.onetrust.access.delivery="attach"',
            # One at a time, so that a death meets nothing but what stands at its point.
            "engine.report_budget=1",
            "engine.lookup_budget=4",
        ]
        yield made


def people(town: Town, number: int) -> list[str]:
    """Make people who are known to Lytics and ask what is held about them; return their subtasks."""
    subtasks = []
    for place in range(number):
        town.lytics.seed("user", "email", f"reader-{place}@example.com")
        asked = town.onetrust.add_request(f"reader-{place}@example.com", request_types=["Data Access"])
        subtasks.append(asked.subtask_id)
    return subtasks


def kept(town: Town) -> tuple[list[object], set[str]]:
    """Return what was read about anybody and still lies in the store, and the states of the requests."""
    with Database(town.store, pool_size=1) as database, database.read() as connection:
        fetched = connection.execute(a.access_fetches.select()).all()
        results = connection.execute(a.access_results.select()).all()
        states = {str(one.state) for one in connection.execute(t.requests.select())}
    held = [*(one.profile for one in fetched), *(one.value for one in fetched), *(one.document for one in results)]
    return [one for one in held if one is not None], states


def test_a_worker_killed_at_every_point_in_turn_hands_everything_over_once(town: Town) -> None:
    subtasks = people(town, PEOPLE)
    with started(connector("db", "upgrade", settings=town.settings), town.folder) as upgrade:
        assert upgrade.wait() == 0
    with started(connector("web", settings=town.settings), town.folder) as receiver:
        until(town.is_up, "the receiver is ready", receiver)
        assert {one.status for one in town.onetrust.fire(subtasks, threads=4)} == {202}
        worker = connector("worker", settings=town.settings)
        killed = []
        for point in POINTS:
            with started(worker, town.folder, **{VARIABLE: point}) as victim:
                until(lambda victim=victim: victim.popen.poll() is not None, point, victim)
                killed += [point] * (victim.popen.poll() == -9)
        with started(worker, town.folder) as running:
            until(town.all_completed, "everything is reported", running, receiver)
            until(lambda: kept(town) == ([], {"answered"}), "everything is destroyed", running, receiver)
            assert running.terminate() == 0
    assert killed == list(POINTS)
    assert town.final_writes() == {1: PEOPLE}
    files = list(town.onetrust.desk.files.values())
    told = {json.loads(one["content"])["ids"]["subtask_id"] for one in files}
    assert told == set(subtasks)
    # The one whose id was not known when the worker died.
    assert len(files) == PEOPLE + 1
    assert town.times_submitted() == {}
    assert len(town.lytics.profiles) == PEOPLE


def test_an_export_killed_before_its_commit_is_given_again(town: Town) -> None:
    town.settings.append('sources.onetrust.access.delivery="export"')
    (subtask,) = people(town, 1)
    with started(connector("db", "upgrade", settings=town.settings), town.folder) as upgrade:
        assert upgrade.wait() == 0
    with town.start("run") as running:
        until(town.is_up, "the receiver is ready", running)
        town.onetrust.fire([subtask])
        until(lambda: kept(town)[1] == {"delivering"}, "the data waits", running)
        with Database(town.store, pool_size=1) as database, database.read() as connection:
            (row,) = connection.execute(t.requests.select()).all()

        def export(name: str) -> list[str]:
            words = ("access", "export", row.id, "--to", str(town.folder / name), "--reason", "by post", "--by", "ada")
            return connector(*words, settings=town.settings)

        with started(export("first.json"), town.folder, **{VARIABLE: "exported"}) as victim:
            assert victim.wait() == -9
        assert len(kept(town)[0]) == 1
        with started(export("second.json"), town.folder) as again:
            assert again.wait() == 0
        until(town.all_completed, "it is reported", running)
        assert kept(town) == ([], {"answered"})
    assert (town.folder / "first.json").read_bytes() == (town.folder / "second.json").read_bytes()
    assert (town.folder / "second.json").stat().st_mode & 0o777 == 0o600
