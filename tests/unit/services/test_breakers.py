"""A remote system that does not answer is left alone: nothing is called, and nothing is used up, until it is back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.model import Delivered, Presence, Report
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.services.poll import poll
from connector.services.remote import Breakers, call_each
from connector.services.report import report
from connector.services.submit import submit
from connector.store import tables as t
from tests.support.site import START, Bench
from tests.support.stand_ins import Killed, StandInReporter

DOWN = Temporary(Code.REMOTE_UNREACHABLE)
FAULT = Temporary(Code.REMOTE_FAULT, outcome_unknown=True)


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


def opened(bench: Bench, key: str = "main") -> bool:
    return not bench.site.breakers.of(key).is_closed


def deliver_many(bench: Bench, number: int = 20) -> None:
    for one in range(number):
        bench.deliver(f"s{one}")


class TestAccount:
    def test_after_five_failures_in_a_row_nothing_more_is_asked(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN] * 99
        look_up_before(bench.site)
        assert len(bench.lytics.look_ups) == 5
        assert opened(bench)
        look_up_before(bench.site)
        submit(bench.site)
        poll(bench.site)
        assert (len(bench.lytics.look_ups), bench.lytics.calls, bench.lytics.asked) == (5, [], [])

    def test_what_was_not_asked_waits_without_a_try_on_its_count(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN] * 5
        look_up_before(bench.site)
        for _ in range(9):
            look_up_before(bench.site)
            submit(bench.site)
        rows = bench.rows(t.targets)
        assert sorted(one.looks for one in rows) == [0] * 15 + [1] * 5
        assert {(str(one.state), one.tries) for one in rows} == {("queued", 0)}
        assert bench.rows(t.submissions) == []

    def test_opening_and_closing_are_in_the_log(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN] * 5
        look_up_before(bench.site)
        (fields,) = [said for action, said in bench.log.records if action == "breaker_opened"]
        assert fields["account"] == "main"
        assert fields["source"] is None
        assert (fields["code"], fields["count"]) == ("remote_unreachable", 1)
        assert fields["next_at"] == START + timedelta(seconds=15)
        bench.clock.advance(seconds=15)
        look_up_before(bench.site)
        assert bench.log.actions.count("breaker_closed") == 1
        assert not opened(bench)

    def test_a_probe_at_a_time_finds_out_and_the_pauses_grow(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN] * 8
        look_up_before(bench.site)
        asked = []
        for pause_s in (15, 30, 60):
            bench.clock.advance(seconds=pause_s - 1)
            look_up_before(bench.site)
            bench.clock.advance(seconds=1)
            look_up_before(bench.site)
            asked.append(len(bench.lytics.look_ups))
        assert asked == [6, 7, 8]
        bench.clock.advance(seconds=120)
        look_up_before(bench.site)
        assert not opened(bench)
        assert all(one.known_before is not None for one in bench.rows(t.targets))

    def test_it_opens_for_submissions_too_and_no_intent_is_left_behind(self, queue_bench: Bench) -> None:
        bench = queue_bench
        bench.with_account(batch_max_values=1)
        deliver_many(bench, 9)
        map_requests(bench.site)
        look_up_before(bench.site)
        bench.lytics.errors = [FAULT] * 5
        for _ in range(7):
            submit(bench.site)
        assert opened(bench)
        states = sorted(str(one.state) for one in bench.rows(t.submissions))
        assert states == ["abandoned"] * 5
        bench.run_to_end(8)
        assert {bench.state(f"s{one}") for one in range(9)} == {"completed"}

    def test_another_account_is_not_concerned(self, bench: Bench) -> None:
        other = replace(bench.site.accounts["main"], name="other")
        bench.site = replace(bench.site, accounts={"main": bench.site.accounts["main"], "other": other})
        key = "main"
        for _ in range(5):
            granted = bench.site.breakers.enter(key, START)
            assert granted is not None
            bench.site.breakers.end(granted, DOWN, START)
        assert [one.name for one in bench.site.active_accounts()] == ["other"]

    def test_an_answer_that_refuses_is_an_answer(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN, DOWN, DOWN, DOWN, Refused(Code.REMOTE_REFUSED), DOWN, DOWN]
        look_up_before(bench.site)
        assert len(bench.lytics.look_ups) == 20
        assert not opened(bench)

    def test_a_defect_of_ours_opens_nothing(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [ValueError("a defect")] * 20
        look_up_before(bench.site)
        assert len(bench.lytics.look_ups) == 20
        assert not opened(bench)

    def test_a_list_of_operations_that_cannot_be_had_counts_as_well(self, bench: Bench) -> None:
        bench.deliver()
        bench.lytics.errors = [FAULT]
        bench.run_to_end(1)
        bench.lytics.list_error = DOWN
        bench.run_to_end(6)
        assert opened(bench)
        asked = bench.log.actions.count("recent_failed")
        bench.pass_time(seconds=1)
        assert bench.log.actions.count("recent_failed") == asked

    def test_a_death_during_the_probe_leaves_nothing_locked_up(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN] * 5 + [Killed()]
        look_up_before(bench.site)
        bench.clock.advance(seconds=15)
        with pytest.raises(Killed):
            look_up_before(bench.site)
        look_up_before(bench.site)
        assert not opened(bench)


class TestWithPauses:
    """A pause is what the other side asked for by its answer, a breaker is for one that does not answer."""

    def test_a_refused_credential_pauses_and_opens_nothing(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [Misconfigured(Code.TOKEN_REFUSED)] * 9
        for _ in range(9):
            look_up_before(bench.site)
            bench.clock.advance(seconds=301)
        assert not opened(bench)
        assert bench.log.actions.count("account_paused") == 9
        assert {(one.looks, one.tries) for one in bench.rows(t.targets)} == {(0, 0)}

    def test_whoever_says_when_to_come_again_is_paused_until_then(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=600)] * 9
        for _ in range(6):
            look_up_before(bench.site)
            bench.clock.advance(seconds=611)
        assert not opened(bench)

    def test_whoever_only_says_slow_down_is_left_alone_for_longer_and_longer(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [RateLimited(Code.REMOTE_RATE_LIMITED)] * 99
        waits = []
        for _ in range(9):
            look_up_before(bench.site)
            begun = bench.clock.now()
            while not bench.site.active_accounts():
                bench.clock.advance(seconds=1)
            waits.append((bench.clock.now() - begun).total_seconds())
        assert waits == [10, 10, 10, 10, 15, 30, 60, 120, 240]

    def test_a_probe_that_meets_a_refused_credential_closes_the_breaker_and_the_pause_goes_on(
        self, bench: Bench
    ) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN] * 5 + [Misconfigured(Code.TOKEN_REFUSED)]
        look_up_before(bench.site)
        bench.clock.advance(seconds=15)
        look_up_before(bench.site)
        assert not opened(bench)
        assert bench.site.active_accounts() == []
        bench.clock.advance(seconds=301)
        look_up_before(bench.site)
        assert all(one.known_before is not None for one in bench.rows(t.targets))

    def test_both_have_to_let_a_call_pass(self, bench: Bench) -> None:
        deliver_many(bench)
        map_requests(bench.site)
        bench.lytics.look_up_errors = [DOWN] * 5
        look_up_before(bench.site)
        bench.site.pauses.set("main", START + timedelta(seconds=100))
        bench.clock.advance(seconds=50)
        assert bench.site.active_accounts() == []
        bench.clock.advance(seconds=51)
        assert [one.name for one in bench.site.active_accounts()] == ["main"]


class TestReports:
    def test_reports_wait_for_a_source_that_is_away_and_none_is_brought_nearer_to_its_end(self, bench: Bench) -> None:
        bench.reporter.answers = [DOWN] * 99
        deliver_many(bench, 40)
        bench.pass_time(seconds=1)
        tried = len(bench.reporter.tried)
        assert tried < 9
        assert opened(bench, "report:onetrust")
        for _ in range(30):
            report(bench.site)
        assert len(bench.reporter.tried) == tried
        assert sum(one.tries for one in bench.rows(t.reports)) == tried

    def test_an_outage_of_hours_costs_a_report_few_tries_and_all_arrive_in_the_end(self, bench: Bench) -> None:
        bench.reporter.answers = [DOWN] * 999
        deliver_many(bench, 20)
        for _ in range(40):
            bench.pass_time(minutes=5)
        assert len(bench.reporter.tried) < 60
        bench.reporter.answers = []
        for _ in range(30):
            bench.pass_time(minutes=5)
        assert [bench.reporter.of(f"s{one}")[-1:] for one in range(20)] == [["COMPLETED"]] * 20

    def test_neither_the_account_nor_another_source_waits_with_it(self, bench: Bench) -> None:
        other = replace(bench.source, name="aaa", reporter=StandInReporter())
        bench.site = replace(bench.site, sources={"aaa": other, "onetrust": bench.source})
        bench.reporter.answers = [DOWN] * 99
        deliver_many(bench, 9)
        bench.run_to_end()
        assert bench.state("s0") == "completed"
        assert bench.site.may_report(other)
        assert not opened(bench)

    def test_a_limit_of_calls_uses_no_try_up(self, bench: Bench) -> None:
        bench.reporter.answers = [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=1)] * 50
        bench.deliver()
        for _ in range(60):
            bench.pass_time(seconds=30)
        assert [str(one.state) for one in bench.rows(t.reports)] in (["superseded", "sent"], ["sent", "sent"])

    def test_in_the_last_days_before_the_due_date_no_report_is_given_up(self, bench: Bench) -> None:
        bench.reporter.answers = [DOWN] * 9999
        bench.deliver()
        (due_at,) = [one.due_at for one in bench.rows(t.requests)]
        bench.clock.advance(seconds=(due_at - bench.clock.now()).total_seconds() - 30 * 3600)
        bench.run_to_end()
        while bench.clock.now() < due_at:
            assert {str(one.state) for one in bench.rows(t.reports) if one.final} == {"queued"}
            bench.clock.advance(minutes=20)
            report(bench.site)
        for _ in range(5):
            bench.clock.advance(hours=1)
            report(bench.site)
        assert [str(one.state) for one in bench.rows(t.reports) if one.final] == ["dead"]

    def test_a_wait_beyond_the_due_date_is_said_with_that_date(self, bench: Bench) -> None:
        bench.deliver()
        (due_at,) = [one.due_at for one in bench.rows(t.requests)]
        bench.clock.advance(seconds=(due_at - bench.clock.now()).total_seconds() - 600)
        bench.reporter.answers = [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=3600)]
        bench.pass_time(seconds=1)
        (fields,) = [said for action, said in bench.log.records if action == "report_failed"]
        assert fields["due_at"] == due_at
        assert fields["next_at"] > due_at


class TestThreads:
    def test_of_many_calls_at_the_same_moment_one_is_the_probe(self) -> None:
        breakers = Breakers()
        for _ in range(5):
            granted = breakers.enter("main", START)
            assert granted is not None
            breakers.end(granted, DOWN, START)
        later = START + timedelta(seconds=15)
        gate = threading.Barrier(8)

        def enter(_: int) -> bool:
            gate.wait(10)
            return breakers.enter("main", later) is not None

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(enter, range(8))) == 1

    def test_failures_that_come_back_together_open_it_once(self) -> None:
        breakers = Breakers()
        granted = [breakers.enter("main", START) for _ in range(40)]
        for one in granted:
            assert one is not None
            breakers.end(one, DOWN, START)
        assert breakers.of("main").openings == 1

    def test_a_late_failure_does_not_pass_for_that_of_the_probe(self) -> None:
        breakers = Breakers()
        late = breakers.enter("main", START)
        for _ in range(5):
            granted = breakers.enter("main", START)
            assert granted is not None
            breakers.end(granted, DOWN, START)
        probe = breakers.enter("main", START + timedelta(seconds=15))
        assert late is not None
        assert probe is not None
        breakers.end(late, DOWN, START + timedelta(seconds=16))
        assert breakers.of("main").openings == 1
        breakers.end(probe, DOWN, START + timedelta(seconds=17))
        assert breakers.of("main").openings == 2

    def test_items_beyond_the_opening_are_left_out(self, bench: Bench) -> None:
        account = bench.site.accounts["main"]

        def call(_: int) -> Presence:
            raise DOWN

        done: list[tuple[int, Presence | ConnectorError]] = call_each(
            range(100), call, 4, bench.site.stop, bench.site.calls_to(account)
        )
        assert 5 <= len(done) <= 9


def test_the_reporter_that_dies_in_the_probe_leaves_the_way_free(bench: Bench) -> None:
    def fall_over(_: Report) -> Delivered:
        raise Killed

    bench.reporter.answers = [DOWN] * 5
    deliver_many(bench, 20)
    bench.pass_time(seconds=1)
    bench.pass_time(seconds=1)
    assert opened(bench, "report:onetrust")
    whole = bench.reporter.deliver
    bench.reporter.deliver = fall_over  # type: ignore[method-assign]
    bench.clock.advance(seconds=16)
    with pytest.raises(Killed):
        report(bench.site)
    bench.reporter.deliver = whole  # type: ignore[method-assign]
    bench.run_to_end()
    assert not opened(bench, "report:onetrust")
