"""What is made of a worker's lines, and the remote systems that hold it to their limits."""

from __future__ import annotations

import pytest

from bench.drained import Course
from bench.drainer import Progress
from bench.instant import Line, Remote
from connector.errors import RateLimited
from connector.model import Presence, Report, SourceStatus
from connector.private import Private


def progress(at: float, spent: float, done: int, peak: float = 100.0) -> Progress:
    return Progress(at, 0.0, peak, peak, {"lytics": 0, "onetrust": 0}, {"map": (spent, done)}, 0, {})


def course(*lines: Progress) -> Course:
    found = Course()
    found.follow(lines, lambda _first, _now: False)
    return found


def test_idle_time_before_and_after_the_work_is_no_cost_of_it() -> None:
    done = [progress(at, 5.0 + at * 1e-3, at * 10) for at in range(101)]
    found = course(progress(0, 0.0, 0), *done, progress(102, 90.0, 1000))
    first, last = found.costs(1000)["map"]
    assert first == pytest.approx(100)
    assert last == pytest.approx(100)


def test_work_that_grows_dearer_is_seen() -> None:
    found = course(*(progress(at, (at / 100) ** 2, at * 10) for at in range(101)))
    first, last = found.costs(1000)["map"]
    assert last > first * 10


def test_one_worker_goes_on_where_the_last_one_stopped() -> None:
    found = course(progress(0, 0.0, 0), progress(1, 1.0, 500))
    found.follow([progress(2, 0.0, 0), progress(3, 1.0, 500)], lambda _first, _now: False)
    assert found.spent["map"][-1] == (2.0, 1000)


def test_memory_is_told_by_the_share_of_the_work() -> None:
    lines = [progress(at, 0.0, at * 10, peak=100.0 + at) for at in range(101)]
    assert Course.peaks(lines) == {0.1: 110.0, 0.5: 150.0, 1.0: 200.0}


def remote(rate: float = 0.0) -> Remote:
    line = [Line(rate, 0, None) for _ in range(2)]
    return Remote(memoryview(bytearray(10)), memoryview(bytearray(10)), *line)


def test_more_calls_than_allowed_are_refused_and_counted() -> None:
    system = remote(rate=3)
    for _ in range(3):
        assert system.look_up("user", "email", Private("p1@example.com")) is Presence.PRESENT
    with pytest.raises(RateLimited):
        system.look_up("user", "email", Private("p1@example.com"))
    assert (system.lytics.calls, system.lytics.refused, system.onetrust.refused) == (4, 1, 0)


def test_whoever_is_submitted_is_gone_and_nobody_is_submitted_twice_unnoticed() -> None:
    system = remote()
    person = Private("p7@example.com")
    system.submit("user", "email", [person])
    assert system.look_up("user", "email", person) is Presence.ABSENT
    assert not +system.problems
    system.submit("user", "email", [person])
    assert +system.problems == {"submitted twice": 1}


def test_a_report_after_the_end_is_a_problem_and_an_end_without_a_beginning_is_none() -> None:
    system = remote()
    system.deliver(Report({"subtask_id": "3"}, SourceStatus.COMPLETED, "", None, job_id="j"))
    assert (system.ended, +system.problems) == (1, {})
    system.deliver(Report({"subtask_id": "3"}, SourceStatus.IN_PROGRESS, "", None, job_id="j"))
    assert +system.problems == {"reported out of turn": 1}
