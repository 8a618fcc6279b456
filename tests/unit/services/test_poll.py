"""Operations are followed to their end, however long that takes, and time alone never makes a success."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.model import RemoteState, RemoteStatus
from connector.services.poll import poll
from connector.store.tables import operations
from tests.support.site import Bench


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def running(bench: Bench) -> Bench:
    """One request whose operation runs until it is told to finish."""
    bench.knows("s1@example.com")
    bench.lytics.finish_at_once = False
    bench.deliver()
    bench.pass_time(seconds=1)
    return bench


def next_at(bench: Bench) -> datetime:
    (row,) = [one for one in bench.rows(operations) if str(one.state) == "running"]
    when: datetime = row.next_at
    return when


def intervals(bench: Bench, looks: int) -> list[float]:
    """Let each look come due and measure how far away the next one is."""
    found = []
    for _ in range(looks):
        bench.pass_time(seconds=(next_at(bench) - bench.clock.now()).total_seconds())
        found.append((next_at(bench) - bench.clock.now()).total_seconds())
    return found


class TestRunning:
    def test_the_intervals_grow_to_their_limit(self, running: Bench) -> None:
        assert intervals(running, 8) == [120, 240, 480, 960, 1920, 3600, 3600, 3600]

    def test_nothing_is_asked_before_its_time(self, running: Bench) -> None:
        running.pass_time(seconds=59)
        assert running.lytics.asked == []

    def test_sixty_days_alone_finish_nothing(self, running: Bench) -> None:
        running.run_to_end(60, days=1)
        assert (running.state(), running.target_states()) == ("working", ["submitted"])
        assert running.reporter.statuses == ["IN_PROGRESS"]
        running.lytics.finish("op-1")
        running.run_to_end(3, hours=1)
        assert running.state() == "completed"

    def test_a_long_wait_is_warned_of(self, running: Bench) -> None:
        running.run_to_end(13, days=1)
        assert "operation_overdue" not in running.log.actions
        running.run_to_end(2, days=1)
        assert "operation_overdue" in running.log.actions

    def test_a_very_long_one_is_an_error_also_while_lytics_is_away(self, running: Bench) -> None:
        running.run_to_end(29, days=1)
        assert "operation_stuck" not in running.log.actions
        running.lytics.status_errors = [Temporary(Code.REMOTE_FAULT)] * 9
        running.run_to_end(2, days=1)
        assert "operation_stuck" in running.log.actions
        assert running.state() == "working"

    def test_a_word_that_nobody_published_is_no_end(self, running: Bench) -> None:
        running.lytics.statuses["op-1"] = RemoteStatus(RemoteState.RUNNING, "w" * 60, 1)
        running.run_to_end(5, days=1)
        assert running.state() == "working"
        assert running.rows(operations)[0].word == "w" * 40

    def test_the_longest_waiting_are_asked_first_within_the_budget(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)
        bench.lytics.finish_at_once = False
        for number in range(4):
            bench.deliver(f"s{number}")
            bench.pass_time(seconds=1)
        bench.site = replace(bench.site, budgets=replace(bench.site.budgets, poll=2))
        bench.clock.advance(minutes=10)
        assert poll(bench.site)
        assert bench.lytics.asked == ["op-1", "op-2"]
        assert poll(bench.site)
        assert not poll(bench.site)
        assert bench.lytics.asked == ["op-1", "op-2", "op-3", "op-4"]


class TestByList:
    @pytest.fixture
    def crowded(self, bench: Bench) -> Bench:
        bench.with_account(batch_max_values=1)
        bench.lytics.finish_at_once = False
        for number in range(6):
            bench.deliver(f"s{number}")
        bench.pass_time(seconds=1)
        bench.site = replace(bench.site, budgets=replace(bench.site.budgets, poll=2))
        bench.clock.advance(minutes=10)
        return bench

    def test_what_the_list_calls_finished_is_not_asked_about_one_by_one(self, crowded: Bench) -> None:
        for number in range(1, 6):
            crowded.lytics.finish(f"op-{number}")
        while poll(crowded.site):
            continue
        assert set(crowded.lytics.asked) == {"op-6"}
        ended = Counter(str(one.state) for one in crowded.rows(operations))
        assert ended == {"finished": 5, "running": 1}

    def test_absence_from_it_and_any_other_word_in_it_prove_nothing(self, crowded: Bench) -> None:
        crowded.lytics.unlisted = {"op-1"}
        crowded.lytics.statuses["op-2"] = RemoteStatus(RemoteState.FAILED, "failed", 1, 0)
        while poll(crowded.site):
            continue
        assert sorted(crowded.lytics.asked) == [f"op-{number}" for number in range(1, 7)]

    def test_one_that_cannot_be_read_costs_nothing_but_a_call(self, crowded: Bench) -> None:
        crowded.lytics.list_error = Temporary(Code.REMOTE_ANSWER_UNREADABLE)
        while poll(crowded.site):
            continue
        assert crowded.log.actions.count("recent_failed") == 1
        assert len(crowded.lytics.asked) == 6


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [
            Temporary(Code.REMOTE_FAULT, outcome_unknown=True),
            Refused(Code.REMOTE_REFUSED),
            ValueError("a defect in the client"),
        ],
        ids=["temporary", "refused", "defect"],
    )
    def test_an_error_puts_the_next_look_off_and_ends_nothing(self, running: Bench, error: Exception) -> None:
        running.lytics.status_errors = [error] * 20
        running.run_to_end(20, hours=2)
        assert running.target_states() == ["submitted"]
        assert running.log.actions.count("poll_failed") == 20
        running.lytics.finish("op-1")
        running.run_to_end(3, hours=2)
        assert running.state() == "completed"

    def test_one_bad_operation_does_not_keep_the_others_from_ending(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        bench.lytics.status_errors = [RuntimeError("a defect in the client")]
        bench.pass_time(seconds=61)
        assert sorted([*bench.target_states("s1"), *bench.target_states("s2")]) == ["confirming", "submitted"]

    @pytest.mark.parametrize(
        "error", [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=500), Misconfigured(Code.TOKEN_REFUSED)]
    )
    def test_an_account_that_has_to_be_left_alone_is(self, bench: Bench, error: ConnectorError) -> None:
        bench.with_account(batch_max_values=1)
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        bench.lytics.status_errors = [error]
        bench.pass_time(seconds=61)
        bench.pass_time(seconds=200)
        assert len(bench.lytics.asked) == 1
        bench.run_to_end(8, seconds=301)
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]


class TestLost:
    def test_an_id_that_lytics_denies_for_a_while_is_asked_again(self, running: Bench) -> None:
        status = running.lytics.statuses.pop("op-1")
        running.run_to_end(20, hours=1)
        assert running.target_states() == ["submitted"]
        running.lytics.statuses["op-1"] = status
        running.run_to_end(2, hours=5)
        del running.lytics.statuses["op-1"]
        # It was seen meanwhile, so its day begins anew.
        running.run_to_end(20, hours=1)
        assert running.target_states() == ["submitted"]

    def test_after_a_day_it_is_lost_and_its_values_are_submitted_once_more(self, running: Bench) -> None:
        del running.lytics.statuses["op-1"]
        running.run_to_end(30, hours=1)
        assert "operation_lost" in running.log.actions
        assert running.lytics.submitted() == {"s1@example.com": 2}
        running.lytics.finish("op-2")
        running.run_to_end(4, hours=1)
        assert running.state() == "completed"

    def test_the_second_loss_fails_the_request(self, running: Bench) -> None:
        del running.lytics.statuses["op-1"]
        running.run_to_end(28, hours=1)
        del running.lytics.statuses["op-2"]
        running.run_to_end(28, hours=1)
        assert (running.state(), running.target().reason) == ("failed", "lost_at_lytics")
        assert running.lytics.submitted() == {"s1@example.com": 2}
        assert running.reporter.statuses == ["IN_PROGRESS", "FAILED"]

    def test_a_lost_id_that_lytics_names_again_is_followed_again(self, queue_bench: Bench) -> None:
        queue_bench.knows("s1@example.com")
        queue_bench.lytics.finish_at_once = False
        queue_bench.deliver()
        queue_bench.pass_time(seconds=1)
        status = queue_bench.lytics.statuses.pop("op-1")
        queue_bench.run_to_end(26, hours=1)
        assert "operation_lost" in queue_bench.log.actions
        queue_bench.lytics.statuses["op-1"] = status
        queue_bench.run_to_end(2, hours=1)
        assert queue_bench.target_states() == ["submitted"]
        queue_bench.lytics.finish("op-1")
        queue_bench.run_to_end(4, hours=1)
        assert queue_bench.state() == "completed"


class TestFailedAtLytics:
    def fail(self, bench: Bench, remote_id: str) -> None:
        bench.lytics.statuses[remote_id] = RemoteStatus(RemoteState.FAILED, "failed", 1, 0)

    def test_it_is_submitted_once_more(self, running: Bench) -> None:
        self.fail(running, "op-1")
        running.run_to_end(2)
        assert running.lytics.submitted() == {"s1@example.com": 2}
        running.lytics.finish("op-2")
        running.run_to_end()
        assert running.state() == "completed"

    def test_the_second_failure_is_the_end(self, running: Bench) -> None:
        self.fail(running, "op-1")
        running.run_to_end(2)
        self.fail(running, "op-2")
        running.run_to_end()
        assert (running.state(), running.target().reason) == ("failed", "failed_at_lytics")
        assert running.lytics.submitted() == {"s1@example.com": 2}

    def test_calls_that_never_arrived_do_not_count_as_such_a_failure(self, bench: Bench) -> None:
        bench.lytics.finish_at_once = False
        bench.lytics.errors = [Temporary(Code.REMOTE_UNREACHABLE)] * 3
        bench.deliver()
        bench.run_to_end(4)
        self.fail(bench, "op-1")
        bench.run_to_end(3)
        assert bench.lytics.submitted() == {"s1@example.com": 2}
