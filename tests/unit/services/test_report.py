"""What we owe the sources is sent until it arrives, once, and never over a person's decision."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.model import Delivered, Report
from connector.services.intake import receive
from connector.services.report import report
from connector.store.tables import reports
from tests.support.site import Bench, inbound

DOWN = Temporary(Code.REMOTE_FAULT, outcome_unknown=True)


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


def states(bench: Bench) -> list[tuple[str, str, str]]:
    rows = sorted(bench.rows(reports), key=lambda one: (one.request_id, one.attempt, one.final))
    return [(one.status.value, str(one.state), one.reason) for one in rows]


def last(bench: Bench) -> tuple[str, str, str]:
    return states(bench)[-1]


class TestRetries:
    def test_the_waits_grow_until_the_report_is_given_up_with_its_reason(self, bench: Bench) -> None:
        bench.deliver()
        bench.reporter.answers = [DOWN] * 5
        waits = []
        bench.pass_time(seconds=1)
        for _ in range(4):
            (row,) = bench.rows(reports)
            waits.append((row.next_at - bench.clock.now()).total_seconds())
            bench.clock.advance(seconds=waits[-1])
            report(bench.site)
        assert waits == [5, 10, 20, 40]
        assert states(bench) == [("IN_PROGRESS", "dead", "remote_fault")]
        assert "report_dead" in bench.log.actions

    def test_an_answer_that_was_lost_does_no_harm(self, bench: Bench) -> None:
        bench.reporter.after = DOWN
        bench.deliver()
        bench.run_to_end()
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]
        assert states(bench)[0] == ("IN_PROGRESS", "sent", "already_so")

    def test_a_final_refusal_is_not_repeated(self, bench: Bench) -> None:
        bench.deliver()
        bench.reporter.answers = [Refused(Code.SUBTASK_NOT_IDENTIFIED)]
        bench.pass_time(seconds=1)
        assert states(bench) == [("IN_PROGRESS", "dead", "subtask_not_identified")]
        bench.run_to_end()
        assert bench.reporter.statuses == ["COMPLETED"]

    def test_a_dead_final_report_is_revived_when_the_source_asks_again(self, bench: Bench) -> None:
        bench.deliver(event="e1")
        bench.pass_time(seconds=1)
        bench.reporter.answers = [Refused(Code.REMOTE_REFUSED)]
        bench.run_to_end()
        assert last(bench) == ("COMPLETED", "dead", "remote_refused")
        assert bench.deliver(event="e2").duplicate
        bench.run_to_end(1)
        assert last(bench) == ("COMPLETED", "sent", "")
        assert bench.lytics.submitted() == {"s1@example.com": 1}

    def test_a_sender_without_event_ids_revives_it_too(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.reporter.answers = [Refused(Code.REMOTE_REFUSED)]
        bench.run_to_end()
        assert bench.deliver().duplicate
        bench.run_to_end(1)
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]

    def test_a_report_that_was_sent_is_not_sent_again(self, bench: Bench) -> None:
        bench.deliver()
        bench.run_to_end()
        bench.deliver()
        bench.run_to_end()
        assert len(bench.reporter.tried) == 2

    def test_a_defect_in_one_report_does_not_hold_up_the_others(self, bench: Bench) -> None:
        bench.reporter.answers = [ValueError("a defect in the reporter")]
        for number in range(9):
            bench.deliver(f"s{number}")
        bench.pass_time(seconds=1)
        assert len(bench.reporter.sent) == 8
        assert sorted(state for _, state, _ in states(bench)) == ["queued"] + ["sent"] * 8
        assert [one.reason for one in bench.rows(reports) if one.reason] == ["internal_error"]


class TestMisconfigured:
    def test_the_sources_reports_pause_and_go_on_by_themselves(self, bench: Bench) -> None:
        bench.reporter.answers = [Misconfigured(Code.TOKEN_REFUSED)] * 4
        for number in range(20):
            bench.deliver(f"s{number}")
        bench.pass_time(seconds=1)
        assert len(bench.reporter.tried) <= 4
        bench.reporter.answers = []
        bench.pass_time(seconds=290)
        assert bench.reporter.sent == []
        bench.pass_time(seconds=15)
        assert len(bench.reporter.sent) == 20

    def test_weeks_of_it_bring_no_report_nearer_to_being_given_up(self, bench: Bench) -> None:
        bench.reporter.answers = [Misconfigured(Code.PERMISSION_MISSING)] * 30 + [DOWN] * 4
        bench.deliver()
        bench.clock.advance(seconds=1)
        bench.pass_time()
        for _ in range(60):
            bench.clock.advance(days=1)
            report(bench.site)
        assert all(state in ("sent", "superseded") for _, state, _ in states(bench))

    def test_a_source_that_asks_us_to_slow_down_is_left_alone(self, bench: Bench) -> None:
        bench.reporter.answers = [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=2135)]
        for number in range(9):
            bench.deliver(f"s{number}")
        bench.pass_time(seconds=1)
        tried = len(bench.reporter.tried)
        assert tried <= 4
        bench.pass_time(seconds=2130)
        assert len(bench.reporter.tried) == tried
        bench.pass_time(seconds=10)
        assert len(bench.reporter.sent) == 9


class TestOrder:
    def test_a_persons_decision_is_never_overwritten(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.reporter.answers = [Delivered.CONFLICT]
        bench.run_to_end()
        assert last(bench) == ("COMPLETED", "conflict", "decided_at_source")
        bench.deliver()
        bench.run_to_end()
        assert bench.reporter.statuses == ["IN_PROGRESS"]

    def test_progress_that_was_not_sent_yet_is_overtaken_by_the_end(self, bench: Bench) -> None:
        bench.reporter.answers = [DOWN, DOWN]
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.site.pauses.set("report:onetrust", bench.clock.now().replace(year=2027))
        bench.run_to_end()
        bench.starts_again()
        bench.reporter.answers = []
        bench.run_to_end(1)
        assert [state for _, state, _ in states(bench)] == ["superseded", "sent"]
        assert bench.reporter.statuses == ["COMPLETED"]

    def test_a_report_that_was_overtaken_while_others_were_sent_is_left_out(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s1@example.com"}
        bench.deliver("s1")
        bench.run_to_end(1)
        bench.reporter.sent.clear()
        bench.reporter.answers = [DOWN] * 9
        bench.run_to_end(1)
        bench.reporter.answers = []
        deliver = bench.reporter.deliver

        def asked_again_meanwhile(one: Report) -> Delivered:
            bench.reporter.deliver = deliver  # type: ignore[method-assign]
            bench.lytics.refuses = set()
            bench.deliver("s1")
            return deliver(one)

        # Enough other reports, so that the one of s1 is not among the first.
        for number in range(2, 12):
            bench.deliver(f"s{number}")
        bench.reporter.deliver = asked_again_meanwhile  # type: ignore[method-assign]
        bench.run_to_end(8)
        assert "FAILED" not in bench.reporter.of("s1")[1:]
        assert bench.reporter.of("s1")[-1] == "COMPLETED"

    def test_a_new_attempt_drops_the_unsent_report_of_the_former_one(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s1@example.com"}
        bench.reporter.answers = [DOWN]
        bench.deliver()
        bench.pass_time(seconds=1)
        assert (bench.state(), last(bench)) == ("failed", ("FAILED", "queued", "remote_fault"))
        bench.lytics.refuses = set()
        bench.reporter.answers = []
        bench.deliver()
        bench.run_to_end()
        assert "FAILED" not in bench.reporter.statuses
        assert bench.reporter.statuses[-1] == "COMPLETED"
        assert [row.attempt for row in bench.rows(reports) if row.final and str(row.state) == "superseded"] == [1]

    def test_each_attempt_has_one_final_report(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s1@example.com"}
        for _ in range(3):
            bench.deliver()
            bench.run_to_end(3)
        bench.lytics.refuses = set()
        bench.deliver()
        bench.run_to_end()
        finals = [(row.attempt, row.status.value) for row in bench.rows(reports) if row.final]
        assert finals == [(1, "FAILED"), (2, "FAILED"), (3, "FAILED"), (4, "COMPLETED")]


def test_results_are_written_down_before_many_more_are_sent(bench: Bench) -> None:
    for number in range(40):
        bench.deliver(f"s{number}")
    bench.reporter.after = None
    stop_after(bench, 10)
    bench.pass_time(seconds=1)
    sent = [state for _, state, _ in states(bench)].count("sent")
    assert sent == len(bench.reporter.sent) < 16


def test_a_crash_repeats_no_more_than_what_is_under_way_where_nobody_reads_first(bench: Bench) -> None:
    for number in range(20):
        bench.deliver(f"s{number}")
    bench.reporter.reads_first = False
    told: list[int] = []
    bench.site = replace(
        bench.site, reached=lambda point: told.append(len(bench.reporter.sent)) if point == "told" else None
    )
    bench.pass_time(seconds=1)
    assert len(bench.reporter.sent) == 20
    assert max(after - before for before, after in pairwise([0, *told])) <= 4


def stop_after(bench: Bench, number: int) -> None:
    deliver: Callable[[Report], Delivered] = bench.reporter.deliver
    lock = threading.Lock()

    def counting(one: Report) -> Delivered:
        with lock:
            if len(bench.reporter.sent) >= number:
                bench.site.stop.set()
            return deliver(one)

    bench.reporter.deliver = counting  # type: ignore[method-assign]


def test_reports_of_one_source_do_not_wait_for_those_of_another(bench: Bench) -> None:
    from tests.support.stand_ins import StandInReporter

    broken = StandInReporter(answers=[Misconfigured(Code.TOKEN_REFUSED)] * 9)
    other = replace(bench.source, name="aaa", reporter=broken)
    bench.site = replace(bench.site, sources={"aaa": other, "onetrust": bench.source})
    receive(bench.site, other, inbound(b'{"subtask": "x", "identities": [["email", "x@example.com"]]}'))
    bench.deliver("s1")
    bench.run_to_end()
    assert bench.reporter.of("s1") == ["IN_PROGRESS", "COMPLETED"]


@pytest.mark.parametrize("error", [DOWN, Misconfigured(Code.TOKEN_REFUSED), Refused(Code.REMOTE_REFUSED)])
def test_the_deletion_does_not_wait_for_the_report(bench: Bench, error: ConnectorError) -> None:
    bench.reporter.answers = [error] * 99
    bench.deliver()
    bench.run_to_end()
    assert bench.state() == "completed"
