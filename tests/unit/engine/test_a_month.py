"""A month of the schedule, day by day, on a clock that is moved by hand: nothing here waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from connector.codes import Code
from connector.engine.schedule import STEPS, Step
from connector.errors import Misconfigured, Temporary
from connector.mapping.rules import compile_rules
from connector.model import RemoteState
from connector.policy.polling import PollPolicy
from connector.policy.retry import RetryPolicy
from connector.store import tables as t
from connector.store.overview import overview
from tests.support.calendar import TICK, Calendar, due_steps
from tests.support.site import RULES, START, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path / 'store.db'}")
    made.lytics.finish_at_once = False
    made.site = replace(made.site, report_retry=RetryPolicy(5, 3600, misconfigured_s=300))
    # As in a configuration that says nothing about it.
    made.with_account(polling=PollPolicy(60, 2.0, 21_600), retry=RetryPolicy(10, 600, misconfigured_s=3600))
    with closing(made.database):
        yield made


@pytest.fixture
def calendar(bench: Bench) -> Calendar:
    return Calendar(bench)


def finish_all(bench: Bench) -> None:
    for remote_id, said in list(bench.lytics.statuses.items()):
        if said.state is RemoteState.RUNNING and "never@example.com" not in str(bench.lytics.operations[remote_id]):
            bench.lytics.finish(remote_id)


def asked_at(bench: Bench) -> list[datetime]:
    """Note when Lytics is asked about operations, from now on."""
    times: list[datetime] = []
    status = bench.lytics.status

    def noting(remote_id: str) -> object:
        times.append(bench.clock.now())
        return status(remote_id)

    bench.lytics.status = noting  # type: ignore[method-assign, assignment]
    return times


class TestTheIntervals:
    @pytest.mark.parametrize(
        ("last", "now", "names"),
        [(0, 1, ["a"]), (0, 4, ["a"]), (0, 5, ["a", "b"]), (4, 5, ["a", "b"]), (5, 6, ["a"]), (6, 600, ["a", "b"])],
    )
    def test_a_step_runs_at_its_times_and_once_for_those_that_were_missed(
        self, last: int, now: int, names: list[str]
    ) -> None:
        steps = [Step("a", lambda _: False), Step("b", lambda _: False, every=5)]
        due = due_steps(steps, START, START + TICK * last, START + TICK * now)
        assert [one.name for one in due] == names

    def test_no_tick_runs_nothing(self) -> None:
        assert due_steps(STEPS, START, START, START + TICK / 2) == []


def test_a_month_by_day(bench: Bench, calendar: Calendar) -> None:
    """Requests come in, wait, are held, meet outages and a token that expired; each day says how they stand."""
    names = ("slow", "held", "outage", "mended", "never", "token")
    calendar.at(0, lambda: bench.deliver("slow"))
    calendar.at(0, lambda: bench.deliver("held", ("unheard of", "x")))
    calendar.at(2, lambda: finish_all(bench))
    calendar.at(4, lambda: bench.deliver("outage"))
    calendar.at(4.2, lambda: finish_all(bench))
    calendar.at(10, lambda: bench.deliver("mended", ("email", "mended@example.com"), ("shoe size", "44")))
    calendar.at(12, lambda: bench.deliver("never", ("email", "never@example.com")))
    calendar.at(14, lambda: bench.lytics.errors.extend([Misconfigured(Code.TOKEN_REFUSED)] * 24))
    calendar.at(14, lambda: bench.deliver("token"))
    for hour in range(16 * 24, 24 * 24, 12):
        calendar.at(hour / 24, lambda: finish_all(bench))
    calendar.at(20, lambda: bench.with_rules(compile_rules(RULES.rules, ignore_kinds=("first name", "shoe size"))))
    deliver = bench.reporter.deliver

    def with_an_outage(report: object) -> object:
        if START + timedelta(days=4) <= bench.clock.now() < START + timedelta(days=6):
            raise Temporary(Code.REMOTE_UNREACHABLE)
        return deliver(report)  # type: ignore[arg-type]

    bench.reporter.deliver = with_an_outage  # type: ignore[method-assign, assignment]

    days: dict[int, dict[str, str]] = {}
    told: dict[int, dict[str, str]] = {}
    late: dict[int, tuple[int, int]] = {}
    for day in range(1, 33):
        calendar.run_to(day)
        rows = {row.external["subtask_id"]: str(row.state) for row in bench.rows(t.requests)}
        days[day] = {name: rows[name] for name in names if name in rows}
        told[day] = {name: str(one.value) for name, one in bench.reporter.states.items()}
        with bench.database.read() as connection:
            seen = overview(connection, bench.clock.now())
        late[day] = (seen.due_within_7_days, seen.late)

    assert days[1] == {"slow": "working", "held": "held"}
    assert days[2]["slow"] == "working"
    assert days[3] == {"slow": "completed", "held": "held"}
    assert told[3] == {"slow": "COMPLETED", "held": "IN_PROGRESS"}
    # Done on the fourth day, and told when OneTrust answers again.
    assert (days[5]["outage"], told[5].get("outage")) == ("completed", None)
    assert (days[7]["outage"], told[7]["outage"]) == ("completed", "COMPLETED")
    assert bench.reporter.of("outage") == ["COMPLETED"]
    # Held until the rules are mended.
    assert [days[day]["mended"] for day in (11, 20, 22)] == ["held", "held", "completed"]
    # A refused token burns nothing: it is asked every hour for a day, and then goes on.
    assert [days[day]["token"] for day in (15, 17)] == ["working", "completed"]
    assert bench.lytics.submitted()["token@example.com"] == 1
    # What Lytics never finishes is never called done.
    assert {days[day]["never"] for day in range(13, 33)} == {"working"}
    assert told[32]["never"] == "IN_PROGRESS"
    # The one that nobody looked at comes near its due date, and passes it.
    assert [late[day] for day in (22, 25, 29, 32)] == [(0, 0), (1, 0), (1, 0), (0, 1)]
    assert days[32]["held"] == "held"
    assert "step_failed" not in bench.log.actions


def test_questions_grow_rarer_and_never_end(bench: Bench, calendar: Calendar) -> None:
    times = asked_at(bench)
    bench.deliver("never", ("email", "never@example.com"))
    calendar.run_to(20)
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    # A minute, two, four … and then six hours, each up to a tick late.
    for gap, wanted in zip(gaps, [120, 240, 480, 960, 1920, 3840, 7680, 15_360, *[21_600] * len(gaps)], strict=False):
        assert wanted <= gap <= wanted + TICK.total_seconds()
    assert len(times) == pytest.approx(20 * 4, abs=9)
    (overdue,) = {fields["operation_id"] for action, fields in bench.log.records if action == "operation_overdue"}
    assert overdue == bench.rows(t.operations)[0].id
    assert bench.log.actions.count("operation_overdue") == pytest.approx(6 * 4, abs=2)


def test_reports_are_tried_again_ever_more_rarely_and_none_is_sent_twice(bench: Bench, calendar: Calendar) -> None:
    times: list[datetime] = []
    deliver = bench.reporter.deliver

    def failing(report: object) -> object:
        times.append(bench.clock.now())
        if bench.clock.now() < START + timedelta(days=3):
            raise Temporary(Code.REMOTE_FAULT)
        return deliver(report)  # type: ignore[arg-type]

    bench.reporter.deliver = failing  # type: ignore[method-assign, assignment]
    bench.lytics.finish_at_once = True
    bench.deliver("s1")
    calendar.run_to(5)
    assert bench.reporter.statuses == ["COMPLETED"]
    waits = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert max(waits) <= 3600 + 600
    assert sum(one >= 1800 for one in waits) > len(waits) / 2
    assert START + timedelta(days=3) <= times[-1] <= START + timedelta(days=3, hours=2)


def test_what_is_jumped_over_is_quiet(bench: Bench, calendar: Calendar) -> None:
    bench.deliver("never", ("email", "never@example.com"))
    calendar.run_to(1.01)
    before = [bench.rows(table) for table in t.metadata.sorted_tables]
    jumped = calendar._next(bench.clock.now()) - bench.clock.now()
    assert jumped > 3 * TICK
    for _ in range(3):
        bench.pass_time(seconds=TICK.total_seconds())
        assert [bench.rows(table) for table in t.metadata.sorted_tables] == before


def test_a_month_without_anything_is_looked_at_and_changes_nothing(bench: Bench, calendar: Calendar) -> None:
    calendar.run_to(31)
    assert all(bench.rows(table) == [] for table in t.metadata.sorted_tables)
    assert bench.log.records == []
    assert calendar.ticks <= 31 * 2 + 1
