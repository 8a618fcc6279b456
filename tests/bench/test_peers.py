"""The receivers side by side run to their end with tiny numbers; Node.js takes part only where it lies installed."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import single, slow_disk, stage
from bench.callbacks import Callbacks
from bench.peers import fastify
from bench.peers.measure import Plan, measure
from bench.peers.receiver import Receiver, Setup, ids_of_deliveries
from bench.peers.report import Result
from bench.stage import BenchError, Cores
from connector.cli.sign import headers_for
from connector.inbound import Inbound
from tests.support.postgres import IN_CI

pytestmark = pytest.mark.soak

PINNED = Path(fastify.__file__).parent
TINY = Plan(rounds=1, seconds=0.2, connections=4, rate=100, servers=("granian",), with_fastify=False, pinned=False)


def receiver(stored: set[str] | None, name: str = "ours, granian") -> Receiver:
    setup = Setup(name, stage.context_with(), lambda _port: [], {}, None if stored is None else lambda: stored)
    return Receiver(setup, 0, Path("unused.log"), Cores(), Callbacks((), 1))


@pytest.mark.process
def test_every_receiver_is_killed_in_full_flight_and_has_lost_nothing() -> None:
    result = measure(TINY)
    found = json.loads(json.dumps(result.as_dict()))
    assert found["complaints"] == []
    seen = found["receivers"]
    assert list(seen) == ["ours, granian", "one commit each, granian", "bare 202, granian"]
    for name in ("ours, granian", "one commit each, granian"):
        assert seen[name]["kills"] == 1
        assert seen[name]["accepted"] > 0
        assert seen[name]["lost"] == 0
        assert seen[name]["unanswered"] > 0
    assert seen["bare 202, granian"]["accepted"] is None
    assert list(found["ratios"]) == ["ours, granian ÷ one commit each", "ours, granian ÷ bare 202"]
    assert found["ratios"]["ours, granian ÷ bare 202"]["per_second"]["median"] > 0


@pytest.mark.process
@pytest.mark.skipif(
    not fastify.is_installed(), reason="the Node.js peer is not installed; `python -m bench peers` does"
)
def test_the_peer_keeps_the_same_promise() -> None:
    plan = Plan(rounds=1, seconds=0.2, connections=4, rate=100, servers=(), pinned=False)
    found = measure(plan).as_dict()
    assert found["complaints"] == []
    assert found["receivers"]["fastify"]["accepted"] > found["receivers"]["fastify"]["lost"] == 0
    assert "better-sqlite3" in found["peer"]


def test_what_was_answered_and_is_not_on_disk_is_a_complaint() -> None:
    ours = receiver({"a"})
    ours.answered = {"a", "b"}
    ours.lost = 1
    assert ours.complaints() == ["ours, granian: 1 of 2 accepted callbacks were lost"]


def test_what_was_in_flight_at_a_kill_may_be_stored_but_no_more_than_that() -> None:
    ours = receiver({"a", "b", "c"})
    ours.answered = {"a"}
    ours.kills, ours.unanswered = 1, 1
    assert ours.complaints() == ["ours, granian: 2 callbacks are stored that nobody was told of, 1 may be"]
    ours.unanswered = 2
    assert ours.complaints() == []


def test_a_kill_that_hit_nothing_in_flight_shows_nothing() -> None:
    ours = receiver({"a"})
    ours.answered = {"a"}
    ours.kills = 1
    assert ours.complaints() == ["ours, granian: nothing was in flight when it was killed, so that nothing was shown"]


def test_a_receiver_that_stores_nothing_promises_nothing() -> None:
    assert receiver(None).complaints() == []


def test_ratios_are_taken_with_the_neighbours_on_the_same_server_and_with_the_other_language() -> None:
    names = ("ours, granian", "ours, gunicorn", "bare 202, granian", "bare 202, gunicorn", "fastify")
    all_of_them = [receiver(None, name) for name in names]
    for number, one in enumerate(all_of_them, start=1):
        one.samples = [{"per_second": 10.0 * number, "open_p99_ms": None}]
    ratios = Result(all_of_them, "", 600, 0.1, "", ()).as_dict()["ratios"]
    assert list(ratios) == [
        "ours, granian ÷ bare 202",
        "ours, granian ÷ fastify",
        "ours, gunicorn ÷ bare 202",
        "ours, gunicorn ÷ fastify",
    ]
    assert ratios["ours, gunicorn ÷ fastify"]["per_second"]["median"] == 0.4
    assert ratios["ours, gunicorn ÷ fastify"]["open_p99_ms"] is None


def test_without_node_the_peer_is_left_out_with_a_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not fastify.is_installed()
    with pytest.raises(fastify.Unavailable, match=r"node is missing: Node\.js 20 or newer"):
        fastify.install()


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of stand-ins for node and npm, and another place to install into."""
    monkeypatch.setattr(fastify, "ROOT", tmp_path)
    monkeypatch.setattr(fastify, "FOLDER", tmp_path / "peers")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


def test_an_old_node_is_told(programs: Path) -> None:
    program(programs, "node", "echo v18.20.0")
    program(programs, "npm", "exit 0")
    with pytest.raises(fastify.Unavailable, match=r"Node\.js 20 or newer is needed"):
        fastify.install()


def test_a_failed_installation_is_told_and_tried_again(programs: Path) -> None:
    program(programs, "node", "echo v22.1.0")
    program(programs, "npm", "echo no compiler; exit 1")
    with pytest.raises(fastify.Unavailable, match=r"npm ci failed; see peers/npm\.log"):
        fastify.install()
    assert (programs / "peers/npm.log").read_text() == "no compiler\n"
    assert not fastify.is_installed()
    program(programs, "npm", "exit 0")
    fastify.install()
    assert fastify.is_installed()


def test_what_was_built_for_another_node_is_built_again(programs: Path) -> None:
    program(programs, "node", "echo v22.1.0")
    program(programs, "npm", "exit 0")
    fastify.install()
    program(programs, "node", "echo v24.0.0")
    assert not fastify.is_installed()


def test_the_peer_is_pinned_without_addresses() -> None:
    pinned = json.loads((PINNED / "package.json").read_text())["dependencies"]
    locked = json.loads((PINNED / "package-lock.json").read_text())["packages"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pinned.values())
    assert {name: locked[f"node_modules/{name}"]["version"] for name in pinned} == pinned
    modules = [one for path, one in locked.items() if path]
    assert all("integrity" in one and "resolved" not in one for one in modules)


@pytest.mark.skipif(
    (shutil.which("cc") is None or not sys.platform.startswith("linux")) and not IN_CI, reason="needs Linux and cc"
)
def test_a_slow_disk_is_slow_for_the_process_that_is_measured_alone(tmp_path: Path) -> None:
    slow = slow_disk.environment(tmp_path, 5)
    assert slow_disk.sync_ms(tmp_path, slow) >= 5
    with pytest.raises(BenchError, match="should be slow"):
        slow_disk.sync_ms(tmp_path, {"BENCH_SYNC_DELAY_US": "100000000"})


def test_no_delay_needs_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert slow_disk.environment(tmp_path, 0) == {}
    with pytest.raises(BenchError, match="with a C compiler"):
        slow_disk.environment(tmp_path, 10)


def test_the_plain_receiver_stores_what_is_signed_sealed_before_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "single.db"
    context = stage.context_with()
    for name, value in {**context.environment, single.VARIABLE: str(file)}.items():
        monkeypatch.setenv(name, value)
    app = single.create_app()
    client = app.test_client()
    checks = context.config.sources[stage.SOURCE].verify
    (body,) = Callbacks(checks, 5).bodies(1)
    headers = headers_for(checks, Inbound("POST", "", (), body), datetime.now(UTC))

    refused = client.post(f"/webhooks/{stage.SOURCE}", data=body + b" ", headers=headers)
    assert refused.status_code == 401
    assert ids_of_deliveries(file) == set()

    taken = client.post(f"/webhooks/{stage.SOURCE}", data=body, headers=headers)
    assert taken.status_code == 202
    assert ids_of_deliveries(file) == {taken.json["jobId"]}
    app.extensions["store"].close()
    connection = sqlite3.connect(file)
    (sealed,) = connection.execute("SELECT sealed FROM deliveries").fetchone()
    connection.close()
    assert len(sealed) == len(body) + 16
    assert b"example.com" not in sealed
