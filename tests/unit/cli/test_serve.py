"""`run`, `web`, `worker` and `db upgrade`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.cli import serve
from connector.cli.context import Context
from connector.cli.serve import supervise, web_command
from connector.engine.embedded import EmbeddedEngine
from connector.services.site import Site
from connector.store import schema
from connector.store.alert_tables import own_keys
from connector.store.database import Database
from tests.support.processes import process_table, until
from tests.unit.cli.conftest import Run


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> dict[int, Callable[..., object]]:
    """The handlers that a command sets, instead of setting them in the test run."""
    handlers: dict[int, Callable[..., object]] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    return handlers


class TestSchema:
    def test_upgrade_makes_the_schema_and_is_safe_to_repeat(self, run: Run, store_url: str) -> None:
        assert run("db", "upgrade").out == f"schema none → {schema.newest()}\n"
        assert run("db", "upgrade").out == f"schema {schema.newest()} is current\n"
        with Database(store_url) as database:
            schema.require_current(database)

    @pytest.mark.parametrize("command", ["web", "worker"])
    def test_nothing_is_served_before_it_is_current(self, run: Run, command: str) -> None:
        done = run(command)
        assert done.status == 2
        assert done.err.startswith("store_outdated: ")


class TestWeb:
    def test_web_becomes_the_server_with_the_same_configuration(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, store_url: str
    ) -> None:
        became: list[tuple[str, list[str], dict[str, str]]] = []
        monkeypatch.setattr(os, "execve", lambda *arguments: became.append(arguments))
        run("db", "upgrade")
        assert run("web", settings=("server.port=8123", "server.threads=3")).status == 0
        ((program, arguments, environment),) = became
        assert program == sys.executable
        assert arguments[1:3] == ["-m", "granian"]
        assert arguments[arguments.index("--port") + 1] == "8123"
        assert arguments[arguments.index("--blocking-threads") + 1] == "3"
        assert json.loads(environment["CONNECTOR_SET"])[0] == f'store.url="{store_url}"'

    def test_the_server_knows_every_option_that_it_is_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from granian.cli import cli as granian

        monkeypatch.delenv("CONNECTOR_SET", raising=False)
        command = web_command(Context("config/connector.toml", ()))
        known = {name for one in granian.params for name in (*one.opts, *one.secondary_opts)}
        assert {one for one in command[3:] if one.startswith("--")} <= known


class TestWorker:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_asks_the_worker_to_stop(
        self,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        signals: dict[int, Callable[..., object]],
        number: signal.Signals,
    ) -> None:
        seen: list[bool] = []

        def work(engine: Any) -> None:
            site: Site = engine._site
            seen.append(site.stop.is_set())
            signals[number](number, None)
            seen.append(site.stop.is_set())

        monkeypatch.setattr(EmbeddedEngine, "run", work)
        run("db", "upgrade")
        assert run("worker").status == 0
        assert seen == [False, True]

    def test_resolutions_are_looked_at_and_our_own_keys_noted_once_while_the_work_begins(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, signals: dict[int, Callable[..., object]]
    ) -> None:
        looked: list[str] = []
        noted: list[str] = []
        done, began = threading.Event(), threading.Event()

        def look(site: Site) -> None:
            # The work does not wait for the answer.
            assert began.wait(20)
            looked.extend(site.sources)
            with site.database.read() as connection:
                noted.extend(connection.scalars(own_keys.select()))
            done.set()

        def work(_engine: Any) -> None:
            began.set()
            assert done.wait(20)

        monkeypatch.setattr(serve, "check_resolutions", look)
        monkeypatch.setattr(EmbeddedEngine, "run", work)
        run("db", "upgrade")
        assert run("worker").status == 0
        assert looked == ["onetrust"]
        assert sorted(noted) == ["sealing", "signing"]
        assert signals

    def test_a_worker_of_several_begins_anew_as_the_same_process_with_the_same_configuration(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, store_url: str
    ) -> None:
        became: list[tuple[str, list[str], dict[str, str]]] = []
        told: list[int] = []

        class Engine:
            def __init__(self, restart: Callable[[int], None], restarts: int) -> None:
                told.append(restarts)
                self.run = lambda: restart(restarts + 1)

        masks: list[int] = []
        monkeypatch.setattr(os, "execve", lambda *arguments: became.append(arguments))
        monkeypatch.setattr(signal, "pthread_sigmask", lambda how, _: masks.append(how))
        monkeypatch.setattr(serve, "engine_of", lambda _site, _tick_s, restart, restarts: Engine(restart, restarts))
        assert run("worker").status == 0
        ((program, arguments, environment),) = became
        assert (program, arguments) == (sys.executable, [sys.executable, "-m", "connector", "worker"])
        assert json.loads(environment["CONNECTOR_SET"])[0] == f'store.url="{store_url}"'
        assert environment["CONNECTOR_WORKER_RESTARTS"] == "1"
        # A stop that is asked for in between stays pending: it is for the new process, once that listens.
        assert masks == [signal.SIG_UNBLOCK, signal.SIG_BLOCK]
        monkeypatch.setenv("CONNECTOR_WORKER_RESTARTS", "7")
        assert run("worker").status == 0
        monkeypatch.setenv("CONNECTOR_WORKER_RESTARTS", "many")
        assert run("worker").status == 0
        assert told == [0, 7, 0]


class TestRun:
    def test_run_makes_the_schema_says_where_it_listens_and_supervises(
        self,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        signals: dict[int, Callable[..., object]],
        store_url: str,
    ) -> None:
        def supervised(_context: Context, stop: threading.Event) -> int:
            signals[signal.SIGTERM](signal.SIGTERM, None)
            assert stop.is_set()
            return 0

        monkeypatch.setattr(serve, "supervise", supervised)
        done = run("run", settings=("server.port=8123",))
        assert done.status == 0
        assert "http://127.0.0.1:8123/webhooks/<source>" in done.out
        with Database(store_url) as database:
            schema.require_current(database)


@pytest.mark.process
class TestSupervise:
    """With two small programs in the place of web and worker."""

    @pytest.fixture
    def play(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], list[subprocess.Popen[bytes]]]:
        started: list[subprocess.Popen[bytes]] = []
        popen = subprocess.Popen

        def cast(web: str, worker: str) -> list[subprocess.Popen[bytes]]:
            programs = {"web": web, "worker": worker}

            def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
                if command[-1] not in programs:
                    return popen(command, **options)
                started.append(popen([sys.executable, "-c", programs[command[-1]]], **options))
                return started[-1]

            monkeypatch.setattr(subprocess, "Popen", start)
            return started

        return cast

    @pytest.fixture
    def context(self) -> Context:
        return Context("config/connector.toml", ())

    def test_one_that_ends_by_itself_takes_the_other_along(self, play: Any, context: Context) -> None:
        children = play("import time; time.sleep(60)", "raise SystemExit(0)")
        assert supervise(context, threading.Event()) == 1
        assert [one.returncode for one in children] == [-signal.SIGTERM, 0]

    def test_a_stop_that_was_asked_for_is_status_0(self, play: Any, context: Context) -> None:
        children = play("import time; time.sleep(60)", "import time; time.sleep(60)")
        stop = threading.Event()
        stop.set()
        assert supervise(context, stop) == 0
        assert [one.returncode for one in children] == [-signal.SIGTERM] * 2

    def test_one_that_does_not_stop_is_ended_with_all_that_it_started(
        self, play: Any, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(serve, "GRACE_S", 0.2)
        ready = tmp_path / "ready"
        grandchild = f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
        stubborn = (
            "import signal, subprocess, sys, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            f"subprocess.Popen([sys.executable, '-c', {grandchild!r}])\n"
            "time.sleep(60)\n"
        )
        children = play(stubborn, "import time; time.sleep(60)")
        stop = threading.Event()
        watch = threading.Thread(target=lambda: (until(ready.exists, "the grandchild runs"), stop.set()))
        watch.start()
        assert supervise(context, stop) == 0
        watch.join()
        assert children[0].returncode == -signal.SIGKILL
        group = children[0].pid
        until(lambda: not [one for one in process_table() if one.group == group], "nothing of the group is left")
