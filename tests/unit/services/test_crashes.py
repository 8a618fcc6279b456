"""The process dies at any instruction that matters, and another one takes over the store. Every request still comes to
its true end: nobody is forgotten, nobody is submitted twice without leave, every attempt has one final report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.model import SourceStatus
from tests.support.site import Bench
from tests.support.stand_ins import Killed


class Reaper:
    """Kills the process at the n-th point: before and after each commit, before and after each remote call."""

    def __init__(self, bench: Bench, nth: int) -> None:
        self.passed = 0
        self.nth = nth
        self.killed_at = ""
        self.log = bench.log
        bench.database.write = self._killing(bench.database.write)  # type: ignore[method-assign]
        for owner, names in ((bench.lytics, ("submit", "status", "recent", "look_up")), (bench.reporter, ("deliver",))):
            for name in names:
                setattr(owner, name, self._around(name, getattr(type(owner), name).__get__(owner)))

    def point(self, what: str) -> None:
        if self.passed == self.nth:
            self.killed_at = what
        self.passed += 1
        # The dead do not go on: neither in other threads nor later.
        if self.killed_at:
            raise Killed(self.killed_at)

    def _killing(self, write: Callable[[], Any]) -> Callable[[], Any]:
        @contextmanager
        def dying() -> Iterator[Any]:
            with write() as connection:
                yield connection
                self.point("before a commit")
            self.point("after a commit")

        return dying

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*args: Any) -> Any:
            self.point(f"before {name}")
            result = call(*args)
            self.point(f"after {name}")
            return result

        return dying


def live_and_die(url: str, nth: int, *, per_value: bool) -> tuple[Bench, str]:
    """Let one life be cut off at the n-th point, and another one finish the work."""
    bench = Bench(url, per_value=per_value)
    bench.knows("s1@example.com")
    reaper = Reaper(bench, nth)
    try:
        bench.deliver("s1", event="e1")
        bench.run_to_end(4)
    except Killed:
        pass
    reaper.nth, reaper.killed_at, killed_at = -1, "", reaper.killed_at
    bench.starts_again()
    # A sender that heard nothing sends the same again.
    bench.deliver("s1", event="e1")
    for _ in range(10):
        bench.pass_time(seconds=200)
        if bench.reporter.states == {"s1": SourceStatus.COMPLETED}:
            break
    bench.pass_time(seconds=200)
    return bench, killed_at


@pytest.mark.parametrize(
    ("per_value", "first"),
    # The two differ only in what a lost call means, so the second is cut off at every third point.
    [(False, 0), (False, 1), (False, 2), (True, 1)],
    ids=["delete-0", "delete-1", "delete-2", "queue"],
)
def test_a_death_at_any_commit_and_around_any_call_is_survived(tmp_path: Path, per_value: bool, first: int) -> None:
    seen = set()
    for nth in range(first, 200, 3):
        bench, killed_at = live_and_die(f"sqlite:///{tmp_path / f'{nth}.db'}", nth, per_value=per_value)
        with closing(bench.database):
            if not killed_at:
                assert nth > 25, "too few points were tried"
                break
            seen.add(killed_at)
            judge(bench, (nth, killed_at), most_calls=2 if per_value else 1)
    # A third of all points at a time, and each third meets several kinds.
    assert len(seen) >= 4


def judge(bench: Bench, where: tuple[int, str], most_calls: int) -> None:
    assert bench.state() == "completed", where
    # Progress may have been overtaken by the end.
    assert bench.reporter.statuses in (["IN_PROGRESS", "COMPLETED"], ["COMPLETED"]), where
    assert bench.lytics.submitted()["s1@example.com"] <= most_calls, where
    assert bench.lytics.deletions == {"s1@example.com": 1}, where
    assert bench.lytics.people == set(), where


POINTS: dict[str, Callable[[Bench], None]] = {
    "between intent and call": lambda bench: bench.lytics.errors.append(Killed()),
    "between call and answer": lambda bench: setattr(bench.lytics, "after", Killed()),
    "in the middle of a look-up": lambda bench: bench.lytics.look_up_errors.append(Killed()),
    "in the middle of a poll": lambda bench: bench.lytics.status_errors.append(Killed()),
    "before a report": lambda bench: bench.reporter.answers.append(Killed()),
    "after a report": lambda bench: setattr(bench.reporter, "after", Killed()),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_death_is_survived_on_both_stores(bench: Bench, point: str) -> None:
    bench.knows("s1@example.com")
    bench.deliver("s1")
    POINTS[point](bench)
    with pytest.raises(Killed):
        bench.run_to_end(4)
    bench.starts_again()
    bench.run_to_end(10, seconds=200)
    assert bench.state() == "completed"
    assert bench.lytics.submitted() == {"s1@example.com": 1}
    assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]


def test_an_intent_whose_caller_died_is_not_taken_up_before_its_time(bench: Bench) -> None:
    bench.lytics.errors = [Killed()]
    bench.deliver("s1")
    with pytest.raises(Killed):
        bench.pass_time(seconds=1)
    bench.starts_again()
    bench.deliver("s2")
    bench.run_to_end(10, seconds=60)
    # Ten minutes later the call may still turn up in the list, and no other may look like it.
    assert bench.lytics.calls == []
    bench.run_to_end(10, seconds=60)
    assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]


def test_a_death_between_commit_and_answer_makes_the_repeated_delivery_a_duplicate(bench: Bench) -> None:
    first = bench.deliver("s1", event="e1")
    bench.starts_again()
    again = bench.deliver("s1", event="e1")
    assert (again.request_id, again.duplicate) == (first.request_id, True)
