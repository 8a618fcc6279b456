"""Metrics and alerts reach what they are about, as settings say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import values

from connector.channels.mail import Mail
from connector.clock import FixedClock
from connector.observe.exposition import Sample
from connector.observe.meters import CountedLog
from connector.services.proofs import Proofs
from connector.services.site import Site
from connector.store import fuses, ledger_tables
from connector.wiring import build_site, meters
from connector.wiring.alarms import alarms_of
from tests.acceptance.journey import START, load_shipped, logging_as_it_was
from tests.support.processes import free_port
from tests.support.rich_store import rich_bench
from tests.support.site import Bench, RecordingLog


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library decides for the whole process is put back."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)


@contextmanager
def built(role: str, folder: Path, *settings: str) -> Iterator[Site]:
    store = f'store.url="sqlite:///{folder / "store.db"}"'
    with logging_as_it_was():
        site = build_site(load_shipped([store, *settings]), role, FixedClock(START))
        try:
            yield site
        finally:
            site.database.close()
            if isinstance(site.log, CountedLog):
                site.log.meters.held.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("role", "counts"), [("web", True), ("worker", True), ("dashboard", True), ("cli", False)])
def test_who_lives_for_long_counts(tmp_path: Path, role: str, counts: bool) -> None:
    setting = f'metrics.directory="{tmp_path}/metrics"'
    with built(role, tmp_path, setting) as site:
        assert isinstance(site.log, CountedLog) == counts
    assert (tmp_path / "metrics").exists() == counts


def test_nobody_counts_without_a_folder(tmp_path: Path) -> None:
    with built("worker", tmp_path) as site:
        assert not isinstance(site.log, CountedLog)


def test_who_cannot_count_says_so_and_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with built("worker", tmp_path, f'metrics.directory="{tmp_path}/file"', 'log.format="json"') as site:
        assert not isinstance(site.log, CountedLog)
    record = json.loads(capsys.readouterr().err)
    assert (record["action"], record["error_class"]) == ("metrics_not_kept", "NotADirectoryError")


def test_a_port_that_is_taken_is_said_and_nothing_else_happens(tmp_path: Path) -> None:
    settings = (f'metrics.directory="{tmp_path}/metrics"', f"metrics.port={free_port()}")
    config = load_shipped([f'store.url="sqlite:///{tmp_path / "store.db"}"', *settings])
    (tmp_path / "metrics/counted").mkdir(parents=True)
    with built("cli", tmp_path, *settings) as made:
        log = RecordingLog()
        site = replace(made, log=log)
        end = meters.serve_metrics(config, site)
        other = meters.serve_metrics(config, site)
        assert log.actions == ["metrics_not_served"]
        other()
        end()
        meters.serve_metrics(config, site)()
        assert log.actions == ["metrics_not_served"]


def samples(bench: Bench, *settings: str) -> dict[tuple[str, tuple[object, ...]], float]:
    found: list[Sample] = meters._read(load_shipped(settings), bench.site)
    return {(name, tuple(labels.values())): value for name, labels, value in found}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = rich_bench(tmp_path)
    made.starts_again()
    with made.database.write() as connection:
        connection.execute(fuses.fuses.update().values(blown_at=made.clock.now()))
        # What passes too soon to be left in it.
        connection.exec_driver_sql("UPDATE reports SET state = 'queued' WHERE state = 'conflict'")
        connection.exec_driver_sql("UPDATE watched SET next_at = began_at WHERE state = 'returned'")
    yield made
    made.database.close()


def test_the_gauges_are_what_the_store_holds(bench: Bench) -> None:
    seen = samples(bench)
    assert seen["store_up", ()] == 1
    assert seen["requests_open", ("onetrust", "erasure", "held")] == 2
    assert seen["requests_open", ("onetrust", "erasure", "working")] == 5
    assert seen["requests_open", ("onetrust", "undecided", "received")] == 2
    assert seen["requests_open", ("onetrust", "erasure", "unconfirmed")] == 0
    assert seen["requests_open", ("onetrust", "access", "fetching")] == 1
    assert seen["requests_held", ("onetrust", "tangled_profile")] == 1
    assert seen["fetches_waiting", ("main",)] == 1
    assert seen["watch_finds", ("onetrust", "returned")] == 1
    assert seen["watch_finds", ("onetrust", "deleting")] == 1
    assert seen["watch_due", ("main",)] == 1
    assert seen["own_key_age_seconds", ("signing",)] == 0
    assert seen["data_keys_former", ()] == 0
    assert seen["ledger_entries", ()] > 0
    assert seen["targets_open", ("main", "submitted")] == 4
    assert seen["targets_oldest_age_seconds", ("main", "submitted")] >= 0
    assert seen["dead_letters", ("onetrust", "request")] == 1
    assert seen["dead_letters", ("onetrust", "report")] == 0
    assert seen["submissions_open", ("main", "intended")] == 1
    assert seen["fuse_blown", ("account", "main")] == 1
    assert seen["credential_refused", ("account", "main")] == 1
    assert seen["credential_refused", ("source", "onetrust")] == 0
    assert 29 * 86_400 < seen["deadline_slack_seconds", ("onetrust",)] < 30 * 86_400
    assert seen["delivery_age_seconds", ("onetrust",)] < seen["key_age_seconds", ("onetrust",)]
    bench.clock.advance(days=31)
    assert samples(bench)["own_key_age_seconds", ("sealing",)] == 31 * 86_400
    assert samples(bench)["deadline_slack_seconds", ("onetrust",)] < 0
    assert samples(bench)["requests_late", ("onetrust",)] > 0


def test_what_waits_for_a_signing_key_is_not_late(bench: Bench) -> None:
    with bench.database.write() as connection:
        connection.execute(ledger_tables.receipts.update().values(issued_at=None))
    bench.clock.advance(days=3)
    assert samples(bench)["receipts_oldest_age_seconds", ()] > 2 * 86_400
    bench.site = replace(bench.site, proofs=Proofs())
    seen = samples(bench)
    assert seen["receipts_owed", ()] > 0
    assert not {"receipts_oldest_age_seconds", "signing"} & {one for name, labels in seen for one in (name, *labels)}


def test_no_gauge_is_forgotten(bench: Bench) -> None:
    bench.clock.advance(days=40)
    with bench.database.write() as connection:
        connection.execute(ledger_tables.receipts.update().values(issued_at=None))
    end = (bench.clock.now() + timedelta(days=5)).isoformat()
    seen = samples(bench, checks(bench, end))
    gauges = {name for name, one in meters_list().items() if one == "gauge"}
    assert {name for name, _ in seen} == gauges


def meters_list() -> dict[str, str]:
    from connector.observe.metrics import METRICS

    return {name: one.type.value for name, one in METRICS.items()}


def checks(bench: Bench, end: str, *, other: str = "") -> str:
    folder = Path(bench.store_url.removeprefix("sqlite:///")).parent
    for name in ("one", "two"):
        (folder / name).write_text(f"a-secret-of-good-length-{name}")
    later = f', {{ref="file:{folder}/two"{other}}}'
    secrets = f'{{ref="file:{folder}/one", not_after="{end}"}}{later if other else ""}'
    return f'sources.onetrust.verify=[{{check="header", name="X-Key", secrets=[{secrets}]}}]'


def test_the_end_of_a_check_is_that_of_its_last_secret(bench: Bench) -> None:
    now = bench.clock.now()
    soon, later = (now + timedelta(days=days) for days in (5, 9))
    key = ("key_end_seconds", ("onetrust", "1"))
    assert samples(bench, checks(bench, soon.isoformat()))[key] == 5 * 86_400
    second = checks(bench, soon.isoformat(), other=f', not_after="{later.isoformat()}"')
    assert samples(bench, second)[key] == 9 * 86_400
    # One without an end takes its place.
    assert key not in samples(bench, checks(bench, soon.isoformat(), other=', id="new"'))


def test_settings_of_alerts_reach_the_step(tmp_path: Path) -> None:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-good-length-1")
    mail = '{name="mail", host="localhost", encryption="none", sender="c@example.com", to=["o@example.com"]}'
    check = f'{{check="header", name="X-Key", secrets=[{{ref="file:{secret}", not_after="{end.isoformat()}"}}]}}'
    alarms = alarms_of(
        load_shipped(
            [
                *("alerts.interval_minutes=5", "alerts.at_risk_days=3", "alerts.silent_after_hours=2"),
                *("alerts.key_ends_within_days=4", f"alerts.mail=[{mail}]", f"sources.onetrust.verify=[{check}]"),
            ]
        ),
        FixedClock(START),
    )
    assert (alarms.interval, alarms.at_risk) == (timedelta(minutes=5), timedelta(days=3))
    assert (alarms.silent_after, alarms.key_ends_within) == (timedelta(hours=2), timedelta(days=4))
    assert alarms.key_ends == {("onetrust", "1"): end}
    assert [type(one) for one in alarms.channels] == [Mail]
    assert alarms_of(load_shipped(["alerts.silent_after_hours=0"]), FixedClock(START)).silent_after is None
