"""The embedded engine: what runs when, what an error does, and how it ends."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connector.codes import Code
from connector.engine import embedded
from connector.engine.embedded import EmbeddedEngine
from connector.engine.schedule import STEPS, Step
from connector.errors import Misconfigured, Temporary
from connector.services.site import Site
from connector.states import SubmissionState
from connector.store.tables import submissions
from tests.support.processes import until
from tests.unit.engine.threads import LIMIT_S, InThread
from tests.unit.web.receiver import receiving

INTENT = {
    "id": "s" * 32,
    "account": "main",
    "deletion_api": "identity-delete",
    "lytics_table": "user",
    "field": "email",
    "state": SubmissionState.INTENDED,
    "size": 1,
    "fingerprint": "f" * 64,
}
TICK_S = 0.01


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with receiving(f"sqlite:///{tmp_path / 'store.db'}") as made:
        yield made.site
        made.site.stop.set()


class Worker(InThread):
    def __init__(self, site: Site, tick_s: float = TICK_S) -> None:
        self.engine = EmbeddedEngine(site, tick_s)
        super().__init__(site, self.engine)


Use = Callable[..., None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Run these functions as steps instead of the real ones."""

    def chosen(**steps: Callable[[Site], bool]) -> None:
        monkeypatch.setattr(embedded, "STEPS", tuple(Step(name, run) for name, run in steps.items()))

    return chosen


def counting(calls: Counter[str], name: str, error: Exception | None = None) -> Callable[[Site], bool]:
    def step(_: Site) -> bool:
        calls[name] += 1
        if error is not None:
            raise error
        return False

    return step


def test_every_step_runs_again_and_again(site: Site, use: Use) -> None:
    calls: Counter[str] = Counter()
    use(**{one.name: counting(calls, one.name) for one in STEPS})
    with Worker(site):
        until(lambda: all(calls[one.name] >= 3 for one in STEPS), "every step ran three times")


def test_every_step_is_scheduled_by_its_own_number_of_ticks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: dict[str, tuple[float, dict[str, Any]]] = {}

    class Scheduler:
        def __init__(self, *, job_defaults: dict[str, Any], **_: object) -> None:
            self.defaults = job_defaults

        def add_job(self, _run: object, trigger: str, *, args: list[Step], seconds: float, id: str) -> None:  # noqa: A002
            assert (trigger, args[0].name) == ("interval", id)
            jobs[id] = (seconds, self.defaults)

        def start(self) -> None:
            site.stop.set()

        def shutdown(self, *, wait: bool) -> None:
            assert wait

    monkeypatch.setattr(embedded, "BackgroundScheduler", Scheduler)
    EmbeddedEngine(site, 2.0).run()
    assert {name: seconds for name, (seconds, _) in jobs.items()} == {one.name: 2.0 * one.every for one in STEPS}
    assert {(one["max_instances"], one["coalesce"]) for _, one in jobs.values()} == {(1, True)}


def test_a_step_never_runs_twice_at_the_same_time_and_keeps_no_other_waiting(site: Site, use: Use) -> None:
    calls: Counter[str] = Counter()
    running, most, go_on = [0], [0], threading.Event()

    def slow(_: Site) -> bool:
        running[0] += 1
        most[0] = max(most[0], running[0])
        go_on.wait(LIMIT_S)
        running[0] -= 1
        calls["slow"] += 1
        return False

    use(slow=slow, quick=counting(calls, "quick"))
    with Worker(site):
        until(lambda: calls["quick"] >= 10, "the quick step ran ten times while the slow one was busy")
        assert (most[0], calls["slow"]) == (1, 0)
        go_on.set()
        until(lambda: calls["slow"] >= 2, "the slow step goes on afterwards")
    assert most[0] == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Temporary(Code.STORE_UNAVAILABLE, "OperationalError"), {"code": "store_unavailable"}),
        (KeyError("canary@example.com"), {"error_class": "KeyError"}),
    ],
)
def test_an_error_ends_one_run_of_one_step_and_shows_nobody(
    site: Site, use: Use, capsys: pytest.CaptureFixture[str], error: Exception, told: dict[str, str]
) -> None:
    calls: Counter[str] = Counter()
    use(broken=counting(calls, "broken", error), sound=counting(calls, "sound"))
    with Worker(site):
        until(lambda: calls["broken"] >= 2 and calls["sound"] >= 2, "both steps go on")
    log = capsys.readouterr().err
    assert "canary" not in log
    failed = [one for one in map(json.loads, log.splitlines()) if one["action"] == "step_failed"]
    assert len(failed) == calls["broken"]
    assert all(told.items() <= one.items() and one["step"] == "broken" for one in failed)


def test_a_call_whose_answer_could_not_be_written_is_looked_into_before_the_next_one(site: Site, use: Use) -> None:
    seen: list[object] = []

    def submit(_: Site) -> bool:
        if not seen:
            with site.database.write() as connection:
                connection.execute(submissions.insert().values(**INTENT, intended_at=site.clock.now()))
        with site.database.read() as connection:
            seen.append(connection.scalar(select(submissions.c.state)))
        raise Temporary(Code.STORE_UNAVAILABLE)

    use(submit=submit)
    with Worker(site):
        until(lambda: len(seen) >= 2, "it ran twice")
    assert seen[:2] == [SubmissionState.INTENDED, SubmissionState.UNKNOWN]


def test_a_stop_lets_the_step_in_hand_come_to_its_end(site: Site, use: Use) -> None:
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(_: Site) -> bool:
        started.set()
        go_on.wait(LIMIT_S)
        ended.set()
        return True

    use(slow=slow)
    with Worker(site) as worker:
        assert started.wait(LIMIT_S)
        site.stop.set()
        worker.thread.join(0.05)
        assert worker.thread.is_alive()
        go_on.set()
        worker.thread.join(LIMIT_S)
        assert not worker.thread.is_alive()
        assert ended.is_set()


def test_a_worker_says_that_it_starts_and_stops(site: Site, use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(none=lambda _: False)
    site.stop.set()
    EmbeddedEngine(site, TICK_S).run()
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["action"], one.get("count")) for one in records] == [("worker_started", 1), ("worker_stopped", None)]


def test_a_store_has_one_worker_at_a_time(tmp_path: Path, use: Use) -> None:
    calls: Counter[str] = Counter()
    use(one=counting(calls, "one"))
    store_url = f"sqlite:///{tmp_path / 'store.db'}"
    with receiving(store_url) as first, receiving(store_url) as second:
        with Worker(first.site):
            until(lambda: calls["one"] > 0, "the first works")
            with pytest.raises(Misconfigured) as refusal:
                EmbeddedEngine(second.site, TICK_S).run()
            assert refusal.value.code is Code.WORKER_ALREADY_RUNNING
        second.site.stop.set()
        EmbeddedEngine(second.site, TICK_S).run()


def test_without_the_schema_nothing_runs(tmp_path: Path) -> None:
    with receiving(f"sqlite:///{tmp_path / 'store.db'}", with_schema=False) as made:
        with pytest.raises(Misconfigured) as refusal:
            EmbeddedEngine(made.site, TICK_S).run()
        assert refusal.value.code is Code.STORE_OUTDATED


@pytest.mark.postgres
def test_a_store_that_several_machines_can_reach_is_refused(postgres_url: str) -> None:
    with receiving(postgres_url) as made:
        with pytest.raises(Misconfigured) as refusal:
            EmbeddedEngine(made.site, TICK_S)
        assert refusal.value.code is Code.ENGINE_MISMATCH
