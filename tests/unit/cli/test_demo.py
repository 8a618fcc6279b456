"""`demo` when things go wrong: its verdict is no, and it says so. That it says yes is shown by the real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector.cli import demo as demo_module
from connector.cli.context import Context
from connector.cli.demo import Stage
from connector.errors import Misconfigured
from connector.sandbox.defaults import WEBHOOK_SECRET
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.server import LoopbackServer
from connector.store.database import Database
from connector.wiring import build_site, loopback_client, web_app
from tests.support.processes import free_port
from tests.unit.cli.conftest import Run
from tests.unit.web.receiver import receiving


@pytest.fixture
def without_a_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything is up except for the worker, so no erasure is carried out."""
    url = f"sqlite:///{tmp_path / 'demo.db'}"

    @contextmanager
    def stage(_context: Context, folder: Path, _api: str) -> Iterator[Stage]:
        log = folder / "processes.log"
        log.write_text("".join(f"line {number} [red]\n" for number in range(40)), encoding="utf-8")
        with receiving(url) as made, FakeLytics() as lytics, FakeOneTrust() as onetrust, Database(url) as database:
            site = build_site(made.config, "web")
            with LoopbackServer(web_app(made.config, site)) as server:
                yield Stage(
                    loopback_client(lytics.url),
                    loopback_client(onetrust.url),
                    database,
                    server.url,
                    WEBHOOK_SECRET,
                    log,
                )
            site.database.close()

    monkeypatch.setattr(demo_module, "_stage", stage)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until everything is sent, and no longer."""
    monkeypatch.setattr(demo_module, "all_told", lambda *_: True)


@pytest.mark.usefixtures("without_a_worker", "impatient")
def test_fakes_that_disagree_are_status_1_with_the_lines_and_the_last_words(run: Run) -> None:
    done = run("demo", "--callbacks", "20")
    assert done.status == 1
    assert "the fakes disagree" in done.out
    assert "callbacks sent" in done.out
    assert "OneTrust: subtasks COMPLETED" in done.out
    assert "line 39 [red]\n" in done.out
    assert "line 24 " not in done.out


@pytest.mark.usefixtures("without_a_worker", "impatient")
def test_a_machine_gets_the_verdict_alone_on_standard_output(run: Run) -> None:
    done = run("demo", "--callbacks", "20", "--json")
    assert done.status == 1
    said = json.loads(done.out)
    assert said["agrees"] is False
    found = {one["what"]: (one["found"], one["expected"]) for one in said["lines"]}
    assert found["OneTrust: callbacks accepted"][0] == found["OneTrust: callbacks accepted"][1] > 0
    assert found["OneTrust: subtasks COMPLETED"][0] == 0
    assert "line 39" in done.err


@pytest.mark.usefixtures("without_a_worker")
def test_it_gives_up_when_the_time_is_over(run: Run) -> None:
    done = run("demo", "--callbacks", "20", "--timeout", "0.1")
    assert done.status == 1
    assert "the fakes disagree" in done.out


def test_a_source_without_a_signature_cannot_be_played(run: Run) -> None:
    check = '[{check="bearer", secrets=["file:sandbox/webhook.secret"]}]'
    done = run("demo", "--callbacks", "20", settings=(f"sources.onetrust.verify={check}",))
    assert done.status == 2
    assert "the demo needs a source `onetrust` that is verified by hmac" in done.err


@pytest.mark.process
class TestProcesses:
    def test_one_that_does_not_come_up_is_told_with_its_last_words(self, tmp_path: Path) -> None:
        log = tmp_path / "processes.log"
        log.write_text("address already in use\n", encoding="utf-8")
        with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as child:
            child.wait()
            with pytest.raises(Misconfigured, match="did not come up: address already in use"):
                demo_module._wait(loopback_client(f"http://127.0.0.1:{free_port()}"), "/health/ready", [child], log)

    def test_one_that_does_not_answer_is_not_waited_for_without_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(demo_module, "START_S", 0.2)
        log = tmp_path / "processes.log"
        log.touch()
        with pytest.raises(Misconfigured, match="did not come up"):
            demo_module._wait(loopback_client(f"http://127.0.0.1:{free_port()}"), "/health/ready", [], log)

    def test_one_that_does_not_stop_is_ended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo_module, "GRACE_S", -4.8)
        log = tmp_path / "processes.log"
        popen = subprocess.Popen
        stubborn = (
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
        )
        monkeypatch.setattr(
            subprocess, "Popen", lambda _, **options: popen([sys.executable, "-c", stubborn], **options)
        )
        with demo_module._process(Context("config/connector.toml", ()), log, "run") as child:
            while not log.stat().st_size:
                assert child.poll() is None
        assert child.returncode == -signal.SIGKILL
