"""The measuring programs run to their end with tiny numbers. Their figures mean nothing here, their counts do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import accept, load, stage, verify
from bench.callbacks import BODY_BYTES, Callbacks
from bench.figures import Comparison, Quantity, percentile
from bench.stage import BenchError, server_command
from tests.support.postgres import Unavailable, missing, program_folders

ROOT = Path(__file__).parents[2]
THREADS = {"granian": "--blocking-threads", "gunicorn": "--threads"}


def bench(*arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    # The suite's PostgreSQL keeps nothing, which a measurement refuses: it starts one of its own.
    environment = {name: one for name, one in os.environ.items() if name != "CONNECTOR_TEST_DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.soak
@pytest.mark.process
def test_the_accept_path_is_measured_and_everything_answered_202_is_stored() -> None:
    done = bench("accept", "--rounds", "1", "--seconds", "0.3", "--connections", "4", "--json", "--unpinned")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["accept"]
    assert figures["stored"] == figures["accepted"] > 0
    assert figures["per_second"]["ratio"]["median"] > 0


@pytest.mark.soak
@pytest.mark.process
def test_the_pipeline_is_measured_until_every_request_is_reported() -> None:
    done = bench("pipeline", "--rounds", "1", "--requests", "6", "--unpinned")
    assert done.returncode == 0, done.stderr
    assert "identities per second" in done.stdout
    assert "ours ÷ floor" in done.stdout


@pytest.mark.soak
@pytest.mark.process
@pytest.mark.postgres
def test_callbacks_go_through_the_whole_system_although_remote_calls_fail() -> None:
    if not program_folders():
        missing(Unavailable("its programs are not installed"))
    done = bench("throughput", "--callbacks", "60", "--connections", "8", "--json", timeout_s=180)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)["throughput"]
    assert figures["statuses"]["202"] == 60
    assert figures["faults"] > 0
    assert figures["ended_per_second"] > 0


@pytest.mark.soak
@pytest.mark.process
def test_a_queue_is_drained_and_nobody_is_submitted_or_reported_twice() -> None:
    done = bench("drain", "--identities", "10000", "--window", "3", "--json", timeout_s=180)
    figures = json.loads(done.stdout)["drain"]
    # Whether figures of so small a queue are good means nothing.
    assert not [
        one for one in figures["complaints"] if not one.startswith(("memory", "an identity", "lytics", "onetrust"))
    ]
    assert [one["allowed_per_second"] for one in figures["windows"]] == [5.0, 1000.0, None]
    assert all(one["refused"] == 0 for one in figures["windows"])
    assert list(figures["peak_mb"]) == ["10%", "50%", "100%"]
    assert set(figures["steps_us"]) == {"map", "look_up", "submit", "poll", "confirm", "report"}


@pytest.mark.process
def test_every_way_of_signing_is_measured_beside_its_primitive() -> None:
    done = bench("verify", "--rounds", "1", "--json", "github", "sendgrid", "bearer", "twilio")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["verify"]
    assert [one["primitive"] for one in figures.values()] == ["hmac-sha256", "ecdsa-p256", "compare", "hmac-sha1"]
    assert all(one["ratio"]["median"] > 0 for one in figures.values())


@pytest.mark.process
def test_the_cost_of_sealing_logging_and_signing_is_measured_beside_the_same_without() -> None:
    done = bench("sealing", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found["sealing"]) == ["stored in a shared commit", "read back and opened"]
    assert all(one["ratio"]["median"] > 0 for one in found["sealing"].values())
    # The program itself counts what each side has to have issued.
    assert list(found["proving"])[:-1] == ["without any", "+ sealed", "+ logged", "+ signed"]
    assert found["proving"]["+ signed"]["ratio_to_the_one_above"]["median"] > 0


def test_an_unknown_way_of_signing_is_told() -> None:
    with pytest.raises(BenchError, match="not a way of signing: smoke-signals"):
        verify.measure(verify.Plan(1, ("smoke-signals",)))


def test_every_primitive_that_a_subject_names_is_measured() -> None:
    assert {one.primitive for one in verify.SUBJECTS.values()} <= set(verify._primitives())


def test_contents_are_filled_up_to_two_kilobytes() -> None:
    for content in (b'{"a": 1}', b"a=1&b=2"):
        assert len(verify.filled(content)) == verify.BODY_BYTES


def test_a_ratio_is_taken_round_by_round() -> None:
    rows = (Quantity("x", "x"), Quantity("y", "y"))
    ours: list[dict[str, Any]] = [{"x": 10.0, "y": 1.0}, {"x": 30.0, "y": None}, {"x": 20.0, "y": 1.0}]
    floor: list[dict[str, Any]] = [{"x": 100.0, "y": 1.0}, {"x": 100.0, "y": 1.0}, {"x": 50.0, "y": 1.0}]
    found = Comparison(rows, ours, floor).as_dict()
    assert found["x"]["ratio"] == {"median": 0.3, "low": 0.1, "high": 0.4}
    assert set(found["y"]) == {"floor"}


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(one) for one in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (51.0, 100.0, 7.0)


def test_callbacks_have_two_kilobytes_and_nothing_in_common() -> None:
    bodies = list(Callbacks((), series=3).bodies(50))
    said = [json.loads(one) for one in bodies]
    assert {len(one) for one in bodies} == {BODY_BYTES}
    for key in ("eventId", "subTaskId"):
        assert len({one[key] for one in said}) == 50


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"code": "store_unavailable"}',
        b'HTTP/1.1 202 Accepted\r\n\r\n{"accepted": true, "duplicate": true, "jobId": "1"}',
    ],
)
def test_an_answer_that_took_in_nothing_new_is_no_success(answer: bytes) -> None:
    good = b'HTTP/1.1 202 Accepted\r\n\r\n{"accepted": true, "duplicate": false, "jobId": "1"}'
    assert load.Round(answers=[good]).accepted_ids() == ["1"]
    with pytest.raises(BenchError, match="not accepted"):
        load.Round(answers=[good, answer]).accepted_ids()


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
def test_the_servers_run_as_the_procfile_says(server: str) -> None:
    command = server_command(server, "bench.bare:create_app", 8123)
    assert command[1:3] == ["-m", server]
    written = re.findall(r"threads (\d+)", (ROOT / "Procfile").read_text())
    assert command[command.index(THREADS[server]) + 1] in written
    assert any(one.startswith("bench.bare:create_app") for one in command)
    assert any("8123" in one for one in command)


def test_what_was_answered_but_not_stored_is_a_complaint(tmp_path: Path) -> None:
    context = stage.context_with(store__url=f"sqlite:///{tmp_path / 'empty.db'}")
    stage.make_store(context)
    assert accept._compare(context, []) == (0, [])
    stored, complaints = accept._compare(context, ["an id that nobody stored"])
    assert stored == 0
    assert len(complaints) == 2
