"""Metrics: what records and calls add, which words labels may hold, how processes count together."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.parser import text_string_to_metric_families

from connector.codes import Code
from connector.config.api import ApiClientSettings
from connector.engine.schedule import STEPS
from connector.observe import sharing
from connector.observe.exposition import FRESH_S, Gauges, registry_of, serve, text_of
from connector.observe.meters import COUNTED, TIMED, CountedLog, Meters
from connector.observe.metrics import METRICS, OTHER, PREFIX, Type, vocabulary
from connector.observe.words import ACTIONS, FIELDS
from connector.states import RequestState, ReturnState
from connector.store.access import REDACTED
from connector.store.holds import LEGAL_HOLD
from connector.store.own_keys import Purpose
from connector.store.tangles import TANGLED
from tests.support.processes import free_port
from tests.support.site import RecordingLog

WORDS = vocabulary(["onetrust"], ["main"], ["ops"], ["1"], ["collector"])
CANARY = "canary@example.com"


@pytest.fixture
def meters() -> Meters:
    return Meters(WORDS)


@pytest.fixture
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library decides for the whole process is put back."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)


def read(registry: CollectorRegistry) -> dict[tuple[str, frozenset[str]], float]:
    return {
        (one.name.removeprefix(PREFIX), frozenset(one.labels.values())): one.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for one in family.samples
    }


def value(meters: Meters, name: str, *labels: str) -> float:
    return read(meters.registry).get((name, frozenset(labels)), 0.0)


def test_names_say_what_they_are() -> None:
    for name, one in METRICS.items():
        assert re.fullmatch("[a-z_]+", name)
        assert name.endswith("_total") == (one.type is Type.COUNTER)
        assert bool(one.buckets) == (one.type is Type.HISTOGRAM)
        assert set(one.labels) <= set(WORDS)


def test_what_records_add_is_on_the_lists() -> None:
    assert set(COUNTED) | set(TIMED) <= set(ACTIONS)
    for one in (count for counts in COUNTED.values() for count in counts):
        assert set(one.labels) == set(METRICS[one.metric].labels)
        fields = {of for of in one.labels.values() if not of.startswith("=")}
        assert fields | ({one.amount} - {""}) | ({one.when[0]} - {""}) <= set(FIELDS)
        for label, of in one.labels.items():
            assert not of.startswith("=") or of[1:] in WORDS[label]
    assert set(TIMED.values()) <= WORDS["step"]


def test_words_that_other_parts_have_are_on_the_lists() -> None:
    assert {one.name for one in STEPS} <= WORDS["step"]
    assert {LEGAL_HOLD, TANGLED, REDACTED} <= WORDS["reason"]
    assert set(Purpose) == WORDS["purpose"]
    scopes = ApiClientSettings.model_json_schema()["properties"]["scopes"]["items"]["enum"]
    assert set(scopes) <= WORDS["scope"]


def test_every_counter_and_histogram_is_fed() -> None:
    fed = {one.metric for counts in COUNTED.values() for one in counts}
    by_hand = {"events_total", "step_age_seconds"}
    calls = {"remote_calls_total", "remote_call_seconds", "rate_limit_waits_total", "rate_limit_wait_seconds_total"}
    assert fed | by_hand | calls == {name for name, one in METRICS.items() if one.type is not Type.GAUGE}


@pytest.mark.parametrize(
    ("action", "fields", "name", "labels", "amount"),
    [
        ("delivery_accepted", {"duplicate": False}, "deliveries_total", ("onetrust", "accepted"), 1),
        ("delivery_accepted", {"duplicate": True}, "deliveries_total", ("onetrust", "duplicate"), 1),
        (
            *("delivery_refused", {"code": Code.CREDENTIAL_WRONG}),
            *("deliveries_total", ("onetrust", "credential_wrong"), 1),
        ),
        ("delivery_failed", {}, "deliveries_total", ("onetrust", "internal_error"), 1),
        (
            *("request_finished", {"state": RequestState.PARTIAL}),
            *("requests_finished_total", ("onetrust", "erasure", "partial"), 1),
        ),
        (
            *("request_mapped", {"state": RequestState.REJECTED}),
            *("requests_finished_total", ("onetrust", "undecided", "rejected"), 1),
        ),
        (
            *("request_mapped", {"state": RequestState.QUEUED}),
            *("requests_finished_total", ("onetrust", "undecided", "queued"), 0),
        ),
        ("access_answered", {"state": RequestState.DELIVERING}, "access_total", ("onetrust", "found"), 1),
        ("access_answered", {"state": RequestState.ANSWERED}, "access_total", ("onetrust", "nothing_held"), 1),
        (
            *("access_answered", {"state": RequestState.DELIVERING}),
            *("requests_finished_total", ("onetrust", "access", "delivering"), 0),
        ),
        (
            *("access_shredded", {"state": RequestState.ANSWERED}),
            *("requests_finished_total", ("onetrust", "access", "answered"), 1),
        ),
        ("access_failed", {}, "requests_finished_total", ("onetrust", "access", "failed"), 1),
        (
            *("access_expired", {"state": RequestState.FAILED}),
            *("requests_finished_total", ("onetrust", "access", "failed"), 1),
        ),
        ("access_answered", {"age_s": 9}, "step_age_seconds_sum", ("answered",), 9),
        (
            *("profile_returned", {"account": "main", "count": 3}),
            *("watch_finds_total", ("onetrust", "main", "returned"), 3),
        ),
        (
            *("deletion_repeated", {"account": "main", "count": 2}),
            *("watch_finds_total", ("onetrust", "main", "deleting"), 2),
        ),
        ("return_ended", {"state": ReturnState.DELETED, "count": 2}, "returns_ended_total", ("deleted",), 2),
        ("receipt_issued", {}, "receipts_total", ("issued",), 1),
        (
            "api_called",
            {"client": "collector", "scope": "suppression"},
            "api_calls_total",
            ("collector", "suppression"),
            1,
        ),
        ("step_failed", {"step": "fetch"}, "step_failures_total", ("fetch",), 1),
        ("deadline_not_told", {"code": Code.REMOTE_FAULT}, "retries_total", ("warn", "remote_fault"), 1),
        ("request_finished", {"state": RequestState.PARTIAL, "age_s": 5}, "step_age_seconds_count", ("finished",), 1),
        ("batch_submitted", {"account": "main", "accepted": 7}, "values_total", ("main", "accepted"), 7),
        ("batch_submitted", {"account": "main", "age_s": 12.5}, "step_age_seconds_sum", ("submitted",), 12.5),
        (
            *("batch_failed", {"account": "main", "code": Code.REMOTE_FAULT}),
            *("retries_total", ("submit", "remote_fault"), 1),
        ),
        ("report_dead", {"code": Code.REMOTE_REFUSED}, "dead_letters_total", ("onetrust", "remote_refused"), 1),
        ("alert_sent", {"channel": "ops"}, "alerts_total", ("ops", "sent"), 1),
        ("worker_started", {}, "events_total", ("worker_started",), 1),
    ],
)
def test_a_record_is_counted(
    meters: Meters, action: str, fields: dict[str, Any], name: str, labels: tuple[str, ...], amount: float
) -> None:
    meters.record(action, {"source": "onetrust", **fields})
    assert value(meters, name, *labels) == amount


def test_whatever_a_sender_writes_no_label_holds_it(meters: Meters) -> None:
    for action in (*COUNTED, "worker_started", CANARY):
        everything = dict.fromkeys(FIELDS, CANARY) | {"duplicate": False, "age_s": 1.0}
        meters.record(action, everything | dict.fromkeys(("accepted", "refused", "unconfirmed", "count"), 1))
    for system in ("lytics", CANARY):
        meters.call(system, CANARY, CANARY, 1.0, 1.0)
    shown = generate_latest(meters.registry).decode()
    assert "canary" not in shown
    assert f'source="{OTHER}"' in shown
    assert f'action="{OTHER}"' in shown


@pytest.mark.parametrize("odd", [None, 5, b"x", ["x"], float("nan")])
def test_a_label_of_an_odd_kind_is_another(meters: Meters, odd: object) -> None:
    meters.record("delivery_refused", {"source": odd, "code": odd})
    assert value(meters, "deliveries_total", OTHER) == 1


def test_an_amount_of_an_odd_kind_is_not_counted(meters: Meters) -> None:
    meters.record("batch_submitted", {"account": "main", "accepted": "many", "refused": -3, "age_s": "long"})
    assert value(meters, "values_total", "main", "accepted") == 0
    assert value(meters, "values_total", "main", "refused") == 0
    assert value(meters, "submissions_total", "main", "answered") == 1


def test_a_call_is_counted_with_its_wait(meters: Meters) -> None:
    meters.call("lytics", "main", "2xx", 0.0, 0.2)
    meters.call("lytics", "main", Code.REMOTE_RATE_LIMITED, 1.5, 0.2)
    assert value(meters, "remote_calls_total", "lytics", "main", "2xx") == 1
    assert value(meters, "remote_calls_total", "lytics", "main", "remote_rate_limited") == 1
    assert value(meters, "rate_limit_waits_total", "lytics", "main") == 1
    assert value(meters, "rate_limit_wait_seconds_total", "lytics", "main") == 1.5
    assert value(meters, "remote_call_seconds_count", "lytics") == 2


def test_a_log_is_written_whatever_becomes_of_its_count(meters: Meters, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RecordingLog()
    counted = CountedLog(log, meters)
    counted.info("worker_started", count=1)
    counted.warning("poll_failed", code=Code.REMOTE_FAULT)

    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(Meters, "record", full)
    counted.error("worker_stopped")
    assert log.actions == ["worker_started", "poll_failed", "worker_stopped"]
    assert log.records[0][1] == {"count": 1}


def gauges(read: Callable[[], list[Any]], **given: Any) -> Gauges:
    return Gauges(read, WORDS, **given)


def test_the_store_is_asked_when_it_is_asked_for_and_not_too_often(tmp_path: Path) -> None:
    asked, now = [], [100.0]

    def look() -> list[Any]:
        asked.append(1)
        return [("requests_late", {"source": "onetrust"}, float(len(asked)))]

    registry = registry_of(tmp_path, gauges(look, monotonic=lambda: now[0]))
    assert asked == []
    for later, seen in ((0.0, 1.0), (FRESH_S - 0.1, 1.0), (0.1, 2.0)):
        now[0] += later
        assert f'connector_requests_late{{source="onetrust"}} {seen}' in text_of(registry)


def test_names_that_are_no_longer_configured_are_one(tmp_path: Path) -> None:
    samples = [
        *(("requests_late", {"source": name}, 2.0) for name in ("gone", "gone-too")),
        *(
            ("requests_oldest_age_seconds", {"source": name, "kind": "access", "state": "held"}, age)
            for name, age in (("a", 5), ("b", 3))
        ),
    ]
    shown = text_of(registry_of(tmp_path, gauges(lambda: samples)))
    assert 'connector_requests_late{source="other"} 4.0' in shown
    assert 'connector_requests_oldest_age_seconds{kind="access",source="other",state="held"} 5.0' in shown


def test_it_is_served_on_an_address_of_its_own_until_it_ends(tmp_path: Path) -> None:
    import requests

    port = free_port()
    end = serve(registry_of(tmp_path, gauges(list)), "127.0.0.1", port)
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)
        assert answer.status_code == 200
        assert "# TYPE connector_requests_late gauge" in answer.text
        with pytest.raises(OSError, match="in use"):
            serve(registry_of(tmp_path, gauges(list)), "127.0.0.1", port)
    finally:
        end()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)


# A process that counts, says so, and waits until its input ends.
COUNTING = """
import sys
from pathlib import Path
from connector.observe.sharing import join
from connector.observe.meters import Meters
from connector.observe.metrics import vocabulary
held = join(Path(sys.argv[1]), counts=True)
meters = Meters(vocabulary(["onetrust"], []), held=held)
for _ in range(int(sys.argv[2])):
    meters.record("delivery_accepted", {"source": "onetrust", "duplicate": False})
print("counted", flush=True)
sys.stdin.read()
"""


class Counting:
    """Another process that counts into a folder."""

    def __init__(self, folder: Path, number: int) -> None:
        command = [sys.executable, "-c", COUNTING, str(folder), str(number)]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.popen.stdout is not None
        assert self.popen.stdout.readline() == b"counted\n"

    def end(self) -> None:
        self.popen.communicate(timeout=20)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Callable[[int], Counting]]:
    made: list[Counting] = []

    def start(number: int) -> Counting:
        made.append(Counting(tmp_path / "metrics", number))
        return made[-1]

    yield start
    for one in made:
        one.end()


def total(folder: Path) -> float:
    shown = text_of(registry_of(folder, gauges(list)))
    found = re.search(r'connector_deliveries_total\{code="accepted",source="onetrust"\} (.*)', shown)
    return float(found[1]) if found else 0.0


def test_processes_count_together_and_what_ended_stays_counted_while_another_lives(
    counting: Callable[[int], Counting], tmp_path: Path
) -> None:
    folder = tmp_path / "metrics"
    first, second = counting(3), counting(4)
    assert total(folder) == 7
    first.end()
    assert total(folder) == 7
    third = counting(5)
    assert total(folder) == 12
    second.end()
    third.end()
    # Nobody is left: the next one begins anew, so that nothing of another time is added to it.
    counting(2)
    assert total(folder) == 2


def test_one_that_only_looks_keeps_what_is_counted(counting: Callable[[int], Counting], tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    counting(3).end()
    counting(3)
    with sharing.join(folder, counts=False):
        assert total(folder) == 3
    assert [one.name for one in folder.glob("*.db") if str(os.getpid()) in one.name] == []


@pytest.mark.usefixtures("as_it_was")
def test_files_have_their_place_on_disk_before_they_are_counted_into(tmp_path: Path) -> None:
    with sharing.join(tmp_path, counts=True) as lock:
        made = sorted(tmp_path.glob("*.db"))
        assert [one.name for one in made] == [f"{kind}_{os.getpid()}.db" for kind in ("counter", "histogram")]
        assert all(one.stat().st_blocks * 512 >= 1 << 20 for one in made)
        with (tmp_path / "lock").open("a") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not lock.closed


@pytest.mark.usefixtures("as_it_was")
def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        sharing.join(tmp_path / "file", counts=True)


def test_nothing_but_counters_is_taken_away(tmp_path: Path) -> None:
    """Whatever directory an operator names, the store that may lie in it stays."""
    for name in ("store.db", "counter_4711.db", "histogram_4711.db", "other.db"):
        (tmp_path / name).write_text("x")
    sharing.join(tmp_path, counts=False).close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lock", "other.db", "store.db"]
