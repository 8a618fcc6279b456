"""Metrics and alerts of the whole product: no name in any label or message, every process counted, on every engine."""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks.webhooks import Webhook

from connector.observe.exposition import registry_of, text_of
from connector.observe.meters import CountedLog
from connector.observe.metrics import METRICS, PREFIX, Type
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.services.own_keys import note_own_keys
from connector.store import schema
from connector.store.database import Database
from connector.wiring import meters
from connector.wiring.meters import words
from tests.acceptance.journey import journey, load_shipped
from tests.acceptance.test_processes import Town
from tests.support.processes import connector, free_port, started, until

SECRET = f"whsec_{base64.b64encode(b'k' * 32).decode()}"


class Ops(ThreadingHTTPServer):
    """Whoever is told: keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.status = 204
        self.calls: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/canary-path"

    def said(self) -> list[tuple[str, str]]:
        return [(one["type"], one["data"]["kind"]) for one in (json.loads(body) for _, body in self.calls)]


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Ops)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def ops() -> Iterator[Ops]:
    with Ops() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def telling(ops: Ops, folder: Path) -> tuple[str, ...]:
    """Return the settings under which this receiver is told."""
    (folder / "hook").write_text(ops.url)
    (folder / "hook-secret").write_text(SECRET)
    webhook = f'{{name="pager", url="file:{folder}/hook", secrets=["file:{folder}/hook-secret"]}}'
    return (f"alerts.webhooks=[{webhook}]", "outbound.rehearsal=true")


@pytest.fixture
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library decides for the whole process is put back."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)


@pytest.mark.usefixtures("as_it_was")
def test_a_whole_life_leaves_numbers_and_no_name(store_url: str, tmp_path: Path, ops: Ops) -> None:
    settings = (f'metrics.directory="{tmp_path}"', *telling(ops, tmp_path), 'log.format="json"')
    with journey(store_url, *settings, role="worker") as run, ExitStack() as stack:
        assert isinstance(run.site.log, CountedLog)
        stack.callback(run.site.log.meters.held.close)  # type: ignore[attr-defined]
        run.knows("canary-1@example.com")
        first, second = run.ask("canary-1@example.com"), run.ask("canary-2@example.com")
        odd = run.ask("canary-3@example.com", identifiers={"Phone Number": "canary-value"})
        run.accept(first, second)
        run.fire(odd)
        run.accept(first)
        receiver = run.onetrust.outbound.workflow
        assert receiver is not None
        # What a stranger may write: an address, a header, a body.
        stranger = receiver.url.replace("/webhooks/onetrust", "/webhooks/canary-4@example.com")
        requests.post(stranger, json={"canary": "5"}, headers={"X-Canary": "6"}, timeout=5)
        requests.post(receiver.url, json={"canary": "7"}, timeout=5)
        requests.post(receiver.url.replace("/webhooks", "/canary-8"), timeout=5)
        run.run_until_told(first, second)

        folder = tmp_path / "counted"
        config = load_shipped([*settings, f"store.url={json.dumps(store_url)}"])
        shown = text_of(registry_of(folder, meters.gauges(config, run.site)))
        assert "canary" not in shown.lower()
        for one in (first, second, odd):
            assert one.subtask_id not in shown
            assert one.ref_id not in shown
        allowed = words(config)
        samples = [one for family in text_string_to_metric_families(shown) for one in family.samples]
        for sample in samples:
            for label, value in sample.labels.items():
                assert label == "le" or value in allowed[label] | {"other"}, sample
        found = {(one.name.removeprefix(PREFIX), *one.labels.values()): one.value for one in samples}
        assert found["deliveries_total", "accepted", "onetrust"] >= 2
        assert found["deliveries_total", "duplicate", "onetrust"] >= 1
        assert found["deliveries_total", "source_not_allowed", "other"] == 1
        assert found["deliveries_total", "route_unknown", "other"] == 1
        assert found["requests_finished_total", "erasure", "onetrust", "completed"] == 2
        assert found["values_total", "main", "accepted"] >= 2
        assert found["remote_calls_total", "2xx", "main", "lytics"] >= 3
        assert found["remote_calls_total", "2xx", "onetrust", "source"] >= 2
        assert found["step_age_seconds_count", "finished"] == 2
        assert found["reports_total", "sent", "onetrust"] >= 2
        # Every gauge, and everything that this life has a number for, is there.
        served = {one.name.removeprefix(PREFIX) for one in samples}
        always = {name for name, one in METRICS.items() if one.type is not Type.GAUGE} - {
            *("retries_total", "step_failures_total", "dead_letters_total", "alerts_total", "api_calls_total"),
            *("access_total", "watch_finds_total", "returns_ended_total", "receipts_total"),
            *("rate_limit_waits_total", "rate_limit_wait_seconds_total"),
        }
        assert {one for one in always if one not in served and f"{one}_count" not in served} == set()


@pytest.mark.usefixtures("as_it_was")
def test_an_access_request_and_somebody_who_comes_back_leave_numbers_a_message_and_no_name(
    store_url: str, tmp_path: Path, ops: Ops
) -> None:
    settings = (
        *(f'metrics.directory="{tmp_path}"', 'sources.onetrust.watch="delete"', *telling(ops, tmp_path)),
        *('sources.onetrust.access.types=["Data Access"]', 'sources.onetrust.access.delivery="attach"'),
        'sources.onetrust.report.complete_with="complete"',
    )
    with journey(store_url, *settings, role="worker") as run, ExitStack() as stack:
        assert isinstance(run.site.log, CountedLog)
        stack.callback(run.site.log.meters.held.close)  # type: ignore[attr-defined]
        note_own_keys(run.site)
        for name in ("canary-1", "canary-2"):
            run.knows(f"{name}@example.com", loyalty_id="00481516", first_name="Canary")
        erased = run.ask("canary-1@example.com")
        asked = run.ask("canary-2@example.com", request_types=("Data Access",))
        run.accept(erased, asked)
        run.run_until_told(erased, asked, seconds=60)
        run.knows("canary-1@example.com")
        run.run_for(1, seconds=86_400.0)
        config = load_shipped([*settings, f"store.url={json.dumps(store_url)}"])

        def shown() -> dict[tuple[str, ...], float]:
            text = text_of(registry_of(tmp_path / "counted", meters.gauges(config, run.site)))
            assert "canary" not in text.lower()
            families = text_string_to_metric_families(text)
            samples = [one for family in families for one in family.samples]
            return {(one.name.removeprefix(PREFIX), *map(str, one.labels.values())): one.value for one in samples}

        found = shown()
        assert found["watch_finds_total", "main", "deleting", "onetrust"] == 1
        assert found["watch_finds", "onetrust", "deleting"] == 1
        for event in ("found", "filed", "destroyed"):
            assert found["access_total", event, "onetrust"] == 1
        assert found["requests_finished_total", "access", "onetrust", "answered"] == 1
        assert found["requests_finished_total", "erasure", "onetrust", "completed"] == 1
        assert found["step_age_seconds_count", "answered"] == 1
        assert found["ledger_entries",] > 0
        assert found["own_key_age_seconds", "sealing"] >= 86_400
        run.run_for(12, seconds=300)
        found = shown()
        assert found["returns_ended_total", "deleted"] == 1
        assert found["watch_finds", "onetrust", "deleting"] == 0
        assert found["requests_finished_total", "erasure", "onetrust", "completed"] == 2
        assert ops.said().count(("alert.firing", "watch_find")) == 1
        assert ops.said().count(("alert.resolved", "watch_find")) == 1
        assert not any(b"canary" in body for _, body in ops.calls)


def test_operators_are_told_of_what_is_held_once_signed_and_without_a_name(
    store_url: str, tmp_path: Path, ops: Ops, capsys: pytest.CaptureFixture[str]
) -> None:
    with journey(store_url, *telling(ops, tmp_path), 'log.format="json"') as run:
        ops.status = 503
        held = run.ask("canary@example.com", identifiers={"Phone Number": "canary-44"})
        run.accept(held)
        for _ in range(10):
            run.pass_time(5)
        assert run.state(held) == "held"
        assert len(ops.calls) >= 1
        ops.status = 204
        for _ in range(60):
            run.pass_time(10)
        assert ops.said()[-1] == ("alert.firing", "held")
        assert set(ops.said()) == {("alert.firing", "held")}
        # Tries of one message: it was taken once and not sent again.
        assert len({headers["webhook-id"] for headers, _ in ops.calls}) == 1
        before = len(ops.calls)
        run.pass_time(7200)
        assert len(ops.calls) == before
        headers, body = ops.calls[-1]
        # Made anew with the standard's own library: it would refuse to look at a time that is not its own.
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=UTC)
        assert headers["webhook-signature"] == Webhook(SECRET).sign(headers["webhook-id"], at, body.decode())
        assert abs(at - run.clock.now()) < timedelta(hours=3)
        assert b"canary" not in body
        assert held.subtask_id.encode() not in body
    assert "canary" not in capsys.readouterr().err


def served(port: int) -> dict[tuple[str, ...], float]:
    """Read what is served; the labels' values stand in the order of their names."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    return {
        (one.name.removeprefix(PREFIX), *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def server(kind: str, port: int) -> list[str]:
    """Return the command of a web server with two processes of the receiver."""
    if kind == "granian":
        return [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "--workers", "2"),
            *(
                "--port",
                str(port),
                "--blocking-threads",
                "2",
                "--workers-kill-timeout",
                "5",
                "connector.wsgi:create_app",
            ),
        ]
    return [
        *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "2"),
        *("--no-control-socket", "--bind", f"127.0.0.1:{port}", "connector.wsgi:create_app()"),
    ]


@pytest.mark.process
@pytest.mark.parametrize("kind", ["granian", "gunicorn"])
def test_every_process_is_counted_and_one_of_them_tells(kind: str, store_url: str, tmp_path: Path) -> None:
    """Two processes of the receiver and a worker, on each engine; the port of the receiver tells nothing."""
    with FakeLytics() as lytics, FakeOneTrust() as onetrust, ExitStack() as stack:
        town = Town(tmp_path, lytics, onetrust)
        port = free_port()
        tick = "engine.tick_s=0.1" if store_url.startswith("sqlite") else "engine.tick_s=1"
        settings = [
            *(one for one in town.settings if not one.startswith(("store.url", "engine.tick_s"))),
            *(f"store.url={json.dumps(store_url)}", tick),
            *(f'metrics.directory="{tmp_path}/metrics"', f"metrics.port={port}"),
        ]
        with Database(store_url, pool_size=1) as database:
            schema.upgrade(database)
        variables = {"CONNECTOR_SET": json.dumps(settings), "CONNECTOR_CONFIG": "config/connector.toml"}
        web = stack.enter_context(started(server(kind, town.port), tmp_path, **variables))
        worker = stack.enter_context(started(connector("worker", settings=settings), tmp_path))
        until(town.is_up, "the receiver is ready", web)
        people = town.people(30)
        assert {one.status for one in onetrust.fire(people, threads=8)} == {202}
        until(town.all_completed, "everything is reported", web, worker)
        until(lambda: _is_served(port), "metrics are served", worker)

        seen = served(port)
        assert seen["deliveries_total", "accepted", "onetrust"] == 30
        assert seen["requests_finished_total", "erasure", "onetrust", "completed"] == 30
        assert seen["store_up",] == 1
        assert seen["requests_open", "erasure", "onetrust", "working"] == 0
        assert "connector_" not in requests.get(f"{town.url}/metrics", timeout=5).text
        files = {int(found[1]) for one in tmp_path.glob("metrics/counted/counter_*.db") if (found := _pid(one))}
        assert worker.popen.pid in files
        below = {one.pid for one in web.tree()} | {web.popen.pid}
        assert len(files & below) >= 2, "both processes of the receiver count"

        # A receiver that ends takes nothing away, and without a worker another process may tell.
        web.terminate()
        worker.terminate()
        alone = stack.enter_context(started(connector("metrics", settings=settings), tmp_path))
        until(lambda: _is_served(port), "metrics are served", alone)
        assert served(port)["store_up",] == 1
        assert alone.terminate() == 0
        assert not any("person-" in one.text() for one in (web, worker, alone))


def _pid(path: Path) -> re.Match[str] | None:
    return re.fullmatch(r"counter_(\d+)\.db", path.name)


def _is_served(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).ok
    except requests.RequestException:
        return False
