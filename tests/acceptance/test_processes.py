"""The real processes: started as an operator starts them, killed in the middle, asked to stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.sandbox.defaults import WEBHOOK_SECRET
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_credentials import Hmac
from connector.sandbox.onetrust_outbound import Workflow
from connector.stops import VARIABLE
from connector.store import schema
from connector.store.database import Database
from connector.store.overview import Overview, overview
from tests.acceptance.journey import START
from tests.support.processes import Running, connector, end, free_port, started, until

pytestmark = pytest.mark.process

SIGNATURE = Hmac(WEBHOOK_SECRET, prefix="sha256=")


class Town:
    """Both fakes in this process, and the settings under which the product finds them."""

    def __init__(self, folder: Path, lytics: FakeLytics, onetrust: FakeOneTrust) -> None:
        self.folder = folder
        self.lytics = lytics
        self.onetrust = onetrust
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = f"sqlite:///{folder / 'store.db'}"
        self.settings = [
            f"server.port={self.port}",
            "server.threads=4",
            f"store.url={json.dumps(self.store)}",
            f'accounts.main.base_url="{lytics.url}"',
            f'sources.onetrust.report.base_url="{onetrust.url}"',
            "engine.tick_s=0.1",
            "accounts.main.batch_wait_s=0.2",
            "accounts.main.poll_first_s=0.1",
            "accounts.main.poll_max_s=0.2",
            'log.format="json"',
        ]
        onetrust.outbound.workflow = Workflow(f"{self.url}/webhooks/onetrust", credentials=(SIGNATURE,))

    def start(self, *arguments: str, more: Sequence[str] = ()) -> AbstractContextManager[Running]:
        return started(connector(*arguments, settings=[*self.settings, *more]), self.folder)

    def worker_dies_at(self, point: str) -> bool:
        """Run a worker until it ends; say whether it was killed at a named point."""
        with started(connector("worker", settings=self.settings), self.folder, **{VARIABLE: point}) as victim:
            until(lambda: victim.popen.poll() is not None, point, victim)
            return victim.popen.returncode == -signal.SIGKILL

    def people(self, number: int) -> list[str]:
        """Make people who are known to Lytics and ask for erasure; return their subtasks."""
        made = []
        for place in range(number):
            email = f"person-{len(self.onetrust.desk.subtasks)}-{place}@example.com"
            self.lytics.seed("user", "email", email)
            made.append(self.onetrust.add_request(email).subtask_id)
        return made

    def is_up(self) -> bool:
        return self.get("/health/ready") == 200

    def get(self, path: str) -> int:
        try:
            return requests.get(self.url + path, timeout=5).status_code
        except requests.RequestException:
            return 0

    def statuses(self) -> Counter[str]:
        return Counter(one.status for one in list(self.onetrust.desk.subtasks.values()))

    def all_completed(self) -> bool:
        return set(self.statuses()) == {"COMPLETED"}

    def times_submitted(self) -> Counter[int]:
        """How many values were submitted how often."""
        return Counter(one["times"] for one in self.lytics.snapshot()["times_submitted"])

    def final_writes(self) -> Counter[int]:
        """How many subtasks had how many final writes."""
        return Counter(
            sum(entry["status"] != "IN_PROGRESS" for entry in self.onetrust.history(one))
            for one in self.onetrust.desk.subtasks
        )

    def counts(self) -> Overview:
        with Database(self.store, pool_size=1) as database, database.read() as connection:
            return overview(connection, START)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        yield Town(tmp_path, lytics, onetrust)


def test_run_reports_what_came_in_keeps_a_second_worker_out_and_stops_when_asked(town: Town) -> None:
    subtasks = town.people(12)
    with town.start("run") as running:
        until(town.is_up, "the receiver is ready", running)
        assert town.get("/health/live") == 200
        assert {one.status for one in town.onetrust.fire(subtasks, threads=4)} == {202}
        until(town.all_completed, "everything is reported", running)
        assert town.final_writes() == {1: 12}
        assert town.times_submitted() == {1: 12}
        assert town.lytics.profiles == []
        assert post_in_chunks(town, subtasks[0]).json()["duplicate"]

        with town.start("worker") as second:
            assert second.wait() == 2
            assert second.text().startswith("worker_already_running: Another worker holds this store")

        assert not [one for one in running.tree() if one.is_zombie]
        assert running.terminate() == 0
        assert running.left_behind() == []
        assert '"action": "worker_stopped"' in running.text()
        assert "person-" not in running.text()


@pytest.mark.soak
def test_a_worker_that_is_killed_takes_all_along_and_a_new_start_ends_everything_once(town: Town) -> None:
    town.lytics.finish_after_s = 3600
    first, second = town.people(8), town.people(8)
    with town.start("run", more=["accounts.main.batch_wait_s=1"]) as running:
        until(town.is_up, "the receiver is ready", running)
        town.onetrust.fire(first, threads=4)
        until(lambda: town.counts().targets.get("submitted") == 8, "the first are with Lytics", running)
        # Accepted, but not submitted before a second has passed.
        assert {one.status for one in town.onetrust.fire(second, threads=4)} == {202}
        (worker,) = running.below("-m connector worker")
        end(worker.pid)
        assert running.wait() == 1
        assert running.left_behind() == []
    assert set(town.statuses()) <= {"OPEN", "IN_PROGRESS"}

    town.lytics.finish_after_s = 0
    town.lytics.advance(3600)
    with town.start("run") as running:
        until(town.all_completed, "everything is reported", running)
        until(town.is_up, "the receiver is ready", running)
        assert running.terminate() == 0
    assert town.times_submitted() == {1: 16}
    assert town.final_writes() == {1: 16}
    assert town.lytics.profiles == []


class SignsAndKills:
    """A credential that ends a process while the calls go out."""

    def __init__(self, pid: int, at_call: int) -> None:
        self.pid = pid
        self.left = at_call
        self.lock = threading.Lock()

    def headers(self, body: bytes, now: float, session: requests.Session, *, spoil: bool) -> dict[str, str]:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                end(self.pid)
        return SIGNATURE.headers(body, now, session, spoil=spoil)


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["master", "server"])
def test_a_receiver_that_is_killed_loses_nothing_that_it_accepted(town: Town, victim: str) -> None:
    subtasks = town.people(40)
    workflow = town.onetrust.outbound.workflow
    assert workflow is not None
    with town.start("run") as running:
        until(town.is_up, "the receiver is ready", running)
        master, server = running.below("-m granian")
        workflow.credentials = (SignsAndKills(master.pid if victim == "master" else server.pid, at_call=20),)
        town.onetrust.fire(subtasks, threads=4)
        assert running.wait() == 1
        assert running.left_behind() == []
    accepted = {one.subtask_id for one in town.onetrust.outbound.deliveries if one.is_accepted}
    assert len(accepted) >= 15

    workflow.credentials = (SIGNATURE,)
    with town.start("run") as running:
        until(town.is_up, "the receiver is ready", running)
        until(lambda: town.statuses()["COMPLETED"] >= len(accepted), "what was accepted is reported", running)
        town.onetrust.outbound.replay_dead_letters(threads=4)
        until(town.all_completed, "the rest is reported too", running)
        assert running.terminate() == 0
    assert town.times_submitted() == {1: 40}
    assert town.final_writes() == {1: 40}


@pytest.mark.parametrize("command", ["web", "worker"])
def test_a_process_without_its_schema_says_so_and_ends(town: Town, command: str) -> None:
    with town.start(command) as running:
        assert running.wait() == 2
        assert running.text().startswith("store_outdated: The store's schema is not current: found revision none")
        assert "connector db upgrade" in running.text()


def test_gunicorn_serves_the_same_application_and_health_follows_the_schema(town: Town) -> None:
    (subtask,) = town.people(1)
    gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--worker-class", "gthread", "--threads", "4"]
    command = [*gunicorn, "--bind", f"127.0.0.1:{town.port}", "connector.wsgi:create_app()"]
    with ExitStack() as stack:
        running = stack.enter_context(started(command, town.folder, CONNECTOR_SET=json.dumps(town.settings)))
        until(lambda: town.get("/health/live") == 200, "the receiver lives", running)
        ready = requests.get(f"{town.url}/health/ready", timeout=5)
        assert (ready.status_code, ready.json()["code"]) == (503, "store_outdated")
        assert ready.headers["Content-Type"] == "application/problem+json"
        assert int(ready.headers["Retry-After"]) > 0
        (refused,) = town.onetrust.fire([subtask])
        assert (refused.status, refused.answer["code"]) == (503, "store_outdated")

        with Database(town.store) as database:
            schema.upgrade(database)
        assert town.is_up()
        (again,) = town.onetrust.outbound.replay_dead_letters()
        assert (again.status, again.answer["duplicate"]) == (202, False)
        assert post_in_chunks(town, subtask).json()["duplicate"]
        assert running.terminate() == 0
        assert running.left_behind() == []


@pytest.mark.soak
@pytest.mark.parametrize("api", ["identity-delete", "identity-queue"])
def test_the_demo_agrees_with_both_fakes(town: Town, api: str) -> None:
    done = subprocess.run(
        connector("demo", "--callbacks", "20", "--json", "--api", api),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    assert verdict["agrees"]
    assert [one for one in verdict["lines"] if one["found"] != one["expected"]] == []
    assert sum(one["expected"] for one in verdict["lines"]) > 0


@pytest.mark.soak
def test_a_demo_that_is_asked_to_stop_leaves_no_process_behind(town: Town) -> None:
    with started(connector("demo", "--callbacks", "2000", "--timeout", "60"), town.folder) as running:
        until(lambda: "are up" in running.text(), "the demo is playing", running)
        assert running.below("-m granian")
        assert running.terminate() == 130
        assert running.left_behind() == []


def post_in_chunks(town: Town, subtask: str, timeout_s: float = 10) -> requests.Response:
    """Send a subtask's callback once more, signed, in pieces that tell no length."""
    email = town.onetrust.desk.requests[town.onetrust.subtask(subtask).ref_id].email
    body = json.dumps({"subTaskId": subtask, "email": email}).encode()
    with requests.Session() as session:
        signed = SIGNATURE.headers(body, town.onetrust.now(), session, spoil=False)
        pieces = (body[start : start + 10] for start in range(0, len(body), 10))
        headers = {**signed, "Content-Type": "application/json"}
        return session.post(f"{town.url}/webhooks/onetrust", data=pieces, headers=headers, timeout=timeout_s)
