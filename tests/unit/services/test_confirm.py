"""Done means done: Lytics' word is not enough while somebody is still there."""

from __future__ import annotations

import pytest

from connector.codes import Code
from connector.errors import Refused, Temporary
from connector.model import Presence, RemoteState, RemoteStatus
from connector.services.rules import LookUp
from connector.store.tables import targets
from tests.support.site import Bench


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


def ended(bench: Bench, name: str = "s1") -> tuple[str, str]:
    row = bench.target(name)
    return str(row.state), row.reason


@pytest.fixture
def confirming(bench: Bench) -> Bench:
    """Lytics calls it finished, and the person is still there."""
    bench.knows("s1@example.com")
    bench.lytics.stays = {"s1@example.com"}
    bench.deliver()
    bench.pass_time(seconds=1)
    bench.pass_time(seconds=60)
    assert bench.target_states() == ["confirming"]
    return bench


class TestStillPresent:
    def test_it_is_looked_up_again_after_growing_intervals(self, confirming: Bench) -> None:
        found = []
        for _ in range(7):
            wait = (confirming.target().next_at - confirming.clock.now()).total_seconds()
            confirming.pass_time(seconds=wait)
            found.append(wait)
        assert found == [30, 60, 120, 240, 480, 600, 600]

    def test_in_the_end_it_fails_and_is_never_called_completed(self, confirming: Bench) -> None:
        confirming.run_to_end(12, minutes=10)
        assert ended(confirming) == ("failed", "still_present")
        assert confirming.reporter.statuses == ["IN_PROGRESS", "FAILED"]
        assert confirming.lytics.submitted() == {"s1@example.com": 1}

    def test_one_who_goes_in_time_is_deleted(self, confirming: Bench) -> None:
        confirming.run_to_end(4, minutes=10)
        confirming.lytics.people.clear()
        confirming.run_to_end(2, minutes=10)
        assert ended(confirming) == ("deleted", "")
        assert confirming.state() == "completed"

    def test_one_of_two_makes_the_request_partial(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        bench.lytics.stays = {"s1@example.com"}
        bench.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "77"))
        bench.run_to_end(12, minutes=10)
        assert bench.state() == "partial"
        assert bench.reporter.statuses == ["IN_PROGRESS", "FAILED"]

    def test_a_worker_that_stood_still_does_not_fail_anybody_on_one_look(self, confirming: Bench) -> None:
        confirming.pass_time(days=3)
        confirming.pass_time(days=3)
        assert confirming.target_states() == ["confirming"]
        confirming.lytics.people.clear()
        confirming.pass_time(days=3)
        assert confirming.state() == "completed"


class TestNotConfirmed:
    def test_nobody_fails_because_lytics_is_away(self, confirming: Bench) -> None:
        confirming.lytics.look_up_errors = [Temporary(Code.REMOTE_FAULT)] * 99
        confirming.run_to_end(60, minutes=10)
        assert confirming.target_states() == ["confirming"]
        confirming.lytics.look_up_errors = []
        confirming.lytics.people.clear()
        confirming.run_to_end(2, minutes=20)
        assert confirming.state() == "completed"

    def test_a_look_up_that_fails_again_and_again_while_others_are_answered_confirms_nothing(
        self, confirming: Bench
    ) -> None:
        for _ in range(12):
            confirming.lytics.look_up_errors = [Temporary(Code.REMOTE_FAULT)]
            confirming.pass_time(minutes=10)
            granted = confirming.site.breakers.enter("main", confirming.clock.now())
            if granted is not None:
                confirming.site.breakers.end(granted, Presence.ABSENT, confirming.clock.now())
        assert ended(confirming) == ("failed", "not_confirmed")

    @pytest.mark.parametrize(
        "error",
        [Refused(Code.REMOTE_REFUSED), KeyError("a defect in the client")],
        ids=["refused", "defect"],
    )
    def test_errors_of_the_look_up_never_count_as_absence(self, confirming: Bench, error: Exception) -> None:
        confirming.lytics.look_up_errors = [error] * 50
        confirming.run_to_end(12, minutes=10)
        assert ended(confirming) == ("failed", "not_confirmed")
        assert "COMPLETED" not in confirming.reporter.statuses


class TestWhatWasKnownBefore:
    def test_five_failures_of_the_first_look_up_do_not_stop_the_deletion(self, bench: Bench) -> None:
        bench.lytics.look_up_errors = [Temporary(Code.REMOTE_FAULT)] * 6
        bench.knows("s1@example.com")
        bench.deliver()
        bench.run_to_end(14)
        assert ended(bench) == ("deleted", "known_before_unknown")
        assert bench.lytics.submitted() == {"s1@example.com": 1}

    def test_a_refused_look_up_is_not_repeated_and_does_not_stop_the_deletion(self, bench: Bench) -> None:
        bench.lytics.look_up_errors = [Refused(Code.REMOTE_REFUSED)]
        bench.deliver()
        bench.run_to_end(5)
        # Lytics counted nobody, which is the next best thing.
        assert ended(bench) == ("not_found", "")

    def test_without_a_look_up_before_the_counts_of_the_operation_decide(self, bench: Bench) -> None:
        bench.with_account(look_up=LookUp.AFTER)
        bench.knows("s1@example.com")
        bench.deliver("s1")
        bench.run_to_end(2)
        assert bench.lytics.look_ups == []
        bench.run_to_end(3)
        bench.deliver("s2")
        bench.run_to_end(5)
        assert [ended(bench, "s1"), ended(bench, "s2")] == [("deleted", "known_before_unknown"), ("not_found", "")]
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]


class TestLookUpSwitchedOff:
    @pytest.mark.parametrize(
        ("requested", "deleted", "wanted"),
        [
            (2, 2, ("deleted", "not_looked_up")),
            (2, 3, ("deleted", "not_looked_up")),
            (None, None, ("deleted", "not_looked_up")),
            (None, 2, ("deleted", "not_looked_up")),
            (2, None, ("deleted", "not_looked_up")),
            (2, 1, ("failed", "counts_disagree")),
            (None, 1, ("failed", "counts_disagree")),
            (2, 0, ("not_found", "nobody_counted")),
            (None, 0, ("not_found", "nobody_counted")),
            # It speaks of another number of values than we sent.
            (1, 1, ("failed", "counts_disagree")),
            (3, 3, ("failed", "counts_disagree")),
            (0, 0, ("failed", "counts_disagree")),
        ],
    )
    def test_the_counts_have_to_agree_with_what_was_sent(
        self, bench: Bench, requested: int | None, deleted: int | None, wanted: tuple[str, str]
    ) -> None:
        bench.with_account(look_up=LookUp.OFF)
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        bench.lytics.statuses["op-1"] = RemoteStatus(RemoteState.FINISHED, "completed", requested, deleted)
        bench.pass_time(seconds=61)
        assert [ended(bench, "s1"), ended(bench, "s2")] == [wanted, wanted]
        assert bench.lytics.look_ups == []
        assert bench.state() == ("failed" if wanted[0] == "failed" else "completed")

    def test_equal_values_of_two_requests_count_once(self, bench: Bench) -> None:
        bench.with_account(look_up=LookUp.OFF)
        bench.knows("same@example.com")
        bench.deliver("s1", ("email", "same@example.com"))
        bench.deliver("s2", ("email", "same@example.com"))
        bench.run_to_end(3)
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]

    def test_it_is_said_in_the_report(self, bench: Bench) -> None:
        bench.with_account(look_up=LookUp.OFF)
        bench.knows("s1@example.com")
        bench.deliver()
        bench.run_to_end(3)
        assert "not confirmed by a look-up" in bench.reporter.sent[-1].comment

    def test_switching_it_off_does_not_strand_those_who_wait_for_one(self, confirming: Bench) -> None:
        confirming.with_account(look_up=LookUp.OFF)
        confirming.pass_time(seconds=61)
        assert ended(confirming) == ("deleted", "not_looked_up")
        assert confirming.state() == "completed"

    def test_switching_it_on_again_looks_up_what_is_still_queued(self, bench: Bench) -> None:
        bench.with_account(look_up=LookUp.OFF)
        bench.lytics.errors = [Temporary(Code.REMOTE_UNREACHABLE)]
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.with_account(look_up=LookUp.BEFORE_AND_AFTER)
        bench.run_to_end(5)
        assert bench.state() == "completed"
        assert len(bench.lytics.look_ups) == 2


class TestAnOldIdIsAnsweredAgain:
    """The queue answers a repeated value with its original id, also when that deletion was finished long ago."""

    def test_a_person_who_came_back_is_not_called_deleted_by_an_old_deletion(self, queue_bench: Bench) -> None:
        queue_bench.knows("same@example.com")
        queue_bench.deliver("s1", ("email", "same@example.com"))
        queue_bench.run_to_end(4)
        queue_bench.knows("same@example.com")
        queue_bench.deliver("s2", ("email", "same@example.com"))
        queue_bench.run_to_end(16, minutes=10)
        assert queue_bench.state("s1") == "completed"
        assert (queue_bench.state("s2"), ended(queue_bench, "s2")) == ("failed", ("failed", "still_present"))

    def test_a_person_who_did_not_is_not_found(self, queue_bench: Bench) -> None:
        for name in ("s1", "s2"):
            queue_bench.deliver(name, ("email", "same@example.com"))
            queue_bench.run_to_end(4)
        assert ended(queue_bench, "s2") == ("not_found", "")
        assert queue_bench.state("s2") == "completed"

    def test_without_a_look_up_nothing_is_claimed(self, queue_bench: Bench) -> None:
        queue_bench.with_account(look_up=LookUp.OFF)
        for name in ("s1", "s2"):
            queue_bench.deliver(name, ("email", "same@example.com"))
            queue_bench.run_to_end(4)
        assert (queue_bench.state("s1"), queue_bench.state("s2")) == ("completed", "failed")
        assert ended(queue_bench, "s2") == ("failed", "earlier_operation")

    def test_one_that_still_runs_serves_both(self, queue_bench: Bench) -> None:
        queue_bench.lytics.finish_at_once = False
        for name in ("s1", "s2"):
            queue_bench.deliver(name, ("email", "same@example.com"))
            queue_bench.run_to_end(2)
        queue_bench.lytics.finish("op-1")
        queue_bench.run_to_end(6)
        assert [queue_bench.state("s1"), queue_bench.state("s2")] == ["completed", "completed"]
        assert len({one.operation_id for one in queue_bench.rows(targets)}) == 1
