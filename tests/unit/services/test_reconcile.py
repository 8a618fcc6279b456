"""A call whose answer was lost is found again, or shown to be absent, before anything is repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.model import RemoteState, RemoteStatus
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.services.rules import LookUp
from connector.services.submit import submit
from connector.store.tables import submissions
from tests.support.site import START, Bench
from tests.support.stand_ins import Killed


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


LOST = Temporary(Code.REMOTE_FAULT, "status 502", outcome_unknown=True)


def lose(bench: Bench, *, carried_out: bool) -> None:
    """Deliver two requests whose common call gets no answer."""
    bench.lytics.finish_at_once = False
    if carried_out:
        bench.lytics.after = LOST
    else:
        bench.lytics.errors = [LOST]
    bench.deliver("s1")
    bench.deliver("s2")
    bench.pass_time(seconds=1)


def ends(bench: Bench) -> list[tuple[str, str]]:
    return [(str(one.state), one.reason) for one in bench.rows(submissions)]


class TestFound:
    def test_a_call_is_found_by_its_size_and_time_and_followed(self, bench: Bench) -> None:
        lose(bench, carried_out=True)
        bench.pass_time(seconds=10)
        assert ends(bench) == [("accepted", "")]
        assert {one.remote_id for name in ("s1", "s2") for one in bench.dossier(name).targets} == {"op-1"}
        assert "submission_found" in bench.log.actions
        bench.lytics.finish("op-1")
        bench.run_to_end()
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]
        assert len(bench.lytics.calls) == 1

    @pytest.mark.parametrize("requested", [2, None])
    def test_a_list_without_counts_or_times_is_enough_if_one_of_them_is_there(
        self, bench: Bench, requested: int | None
    ) -> None:
        lose(bench, carried_out=True)
        bench.lytics.statuses["op-1"] = RemoteStatus(RemoteState.RUNNING, "pending", requested)
        if requested is not None:
            del bench.lytics.times["op-1"]
        bench.pass_time(seconds=10)
        assert ends(bench) == [("accepted", "")]

    def test_an_operation_with_neither_is_no_proof_of_anything(self, bench: Bench) -> None:
        lose(bench, carried_out=True)
        bench.lytics.statuses["op-1"] = RemoteStatus(RemoteState.RUNNING, "pending")
        del bench.lytics.times["op-1"]
        bench.run_to_end(20)
        assert ends(bench) == [("unknown", "remote_fault")]
        assert "submission_ambiguous" in bench.log.actions

    def test_the_nearest_of_several_is_taken_where_people_are_looked_up_afterwards(self, bench: Bench) -> None:
        lose(bench, carried_out=True)
        bench.lytics.runs_elsewhere("op-x", 2, START + timedelta(seconds=60))
        bench.pass_time(seconds=10)
        assert bench.dossier("s1").targets[0].remote_id == "op-1"

    def test_none_of_several_is_taken_where_nobody_would_notice_a_mistake(self, bench: Bench) -> None:
        bench.with_account(look_up=LookUp.OFF)
        lose(bench, carried_out=True)
        bench.lytics.runs_elsewhere("op-x", 2, START + timedelta(seconds=60))
        bench.run_to_end(20)
        assert ends(bench) == [("unknown", "remote_fault")]
        assert bench.log.actions.count("submission_ambiguous") > 1
        assert len(bench.lytics.calls) == 1

    def test_look_alikes_at_the_same_moment_are_left_to_a_person_and_hold_up_nobody_else(self, bench: Bench) -> None:
        lose(bench, carried_out=True)
        bench.lytics.runs_elsewhere("op-x", 2, bench.lytics.times["op-1"])
        bench.run_to_end(20)
        assert ends(bench) == [("unknown", "remote_fault")]
        assert [bench.state("s1"), bench.state("s2")] == ["working", "working"]
        bench.lytics.finish_at_once = True
        bench.deliver("s3")
        bench.run_to_end()
        assert bench.state("s3") == "completed"


class TestAbsent:
    def test_it_is_repeated_only_after_the_wait_and_the_reason_is_on_record(self, bench: Bench) -> None:
        lose(bench, carried_out=False)
        bench.run_to_end(14)
        assert ends(bench) == [("unknown", "remote_fault")]
        assert bench.lytics.calls == []
        bench.run_to_end(2)
        assert ends(bench) == [("abandoned", "absent_from_recent_list"), ("accepted", "")]
        assert len(bench.lytics.calls) == 1

    def test_a_list_that_is_not_offered_counts_as_absence_after_the_wait(self, bench: Bench) -> None:
        bench.lytics.list_error = NotFound(Code.REMOTE_NOT_FOUND)
        lose(bench, carried_out=False)
        bench.run_to_end(14)
        assert bench.lytics.calls == []
        bench.run_to_end(2)
        assert ends(bench)[0] == ("abandoned", "no_recent_list")

    @pytest.mark.parametrize(
        "error",
        [
            Temporary(Code.REMOTE_ANSWER_UNREADABLE, outcome_unknown=True),
            RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=7),
            Misconfigured(Code.TOKEN_REFUSED),
        ],
        ids=["unreadable", "rate limited", "token"],
    )
    def test_a_list_that_cannot_be_had_now_proves_nothing(self, bench: Bench, error: ConnectorError) -> None:
        bench.lytics.list_error = error
        lose(bench, carried_out=True)
        bench.run_to_end(12, seconds=601)
        assert ends(bench) == [("unknown", "remote_fault")]
        bench.lytics.list_error = None
        bench.run_to_end(1, seconds=601)
        assert ends(bench) == [("accepted", "")]
        assert len(bench.lytics.calls) == 1

    def test_an_operation_that_is_followed_already_is_not_adopted(self, bench: Bench) -> None:
        bench.lytics.finish_at_once = False
        bench.deliver("s0")
        bench.deliver("s00")
        bench.pass_time(seconds=1)
        lose(bench, carried_out=False)
        bench.run_to_end(15)
        assert ends(bench)[1] == ("abandoned", "absent_from_recent_list")
        assert bench.dossier("s1").targets[0].remote_id != "op-1"

    @pytest.mark.parametrize(
        ("requested", "after_s"),
        [(2, -121), (2, 60 * 5), (3, 1), (1, 1)],
        ids=["older than the intent", "younger than the call can be", "larger", "smaller"],
    )
    def test_a_foreign_operation_is_not_adopted(self, bench: Bench, requested: int, after_s: float) -> None:
        lose(bench, carried_out=False)
        bench.lytics.runs_elsewhere("op-x", requested, START + timedelta(seconds=1 + after_s))
        bench.run_to_end(16)
        assert ends(bench)[0] == ("abandoned", "absent_from_recent_list")
        assert len(bench.lytics.calls) == 1

    def test_the_wait_holds_also_for_a_caller_that_died(self, bench: Bench) -> None:
        bench.lytics.errors = [Killed()]
        bench.deliver()
        with pytest.raises(Killed):
            bench.pass_time(seconds=1)
        bench.starts_again()
        bench.pass_time(seconds=121)
        assert ends(bench) == [("unknown", "caller_lost")]
        bench.run_to_end(15)
        assert ends(bench) == [("abandoned", "absent_from_recent_list"), ("accepted", "")]

    def test_no_call_is_made_meanwhile_that_could_be_taken_for_the_lost_one_however_short_the_wait(
        self, bench: Bench
    ) -> None:
        bench.with_account(unknown_wait_s=1.0)
        bench.knows("s1@example.com", "s2@example.com")
        bench.lytics.errors = [Killed()]
        bench.deliver("s1")
        with pytest.raises(Killed):
            bench.pass_time(seconds=1)
        bench.starts_again()
        # Its outcome is still to be looked into when the next one is due. Were that one's answer lost as well, nobody
        # could say whose call it is that Lytics lists.
        bench.deliver("s2")
        for step in (map_requests, look_up_before, submit):
            bench.clock.advance(seconds=2)
            step(bench.site)
        assert bench.lytics.calls == []
        bench.run_to_end()
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]
        assert bench.lytics.submitted() == {"s1@example.com": 1, "s2@example.com": 1}


class TestOtherApi:
    def test_a_call_of_the_former_api_is_neither_adopted_nor_repeated_at_once(self, bench: Bench) -> None:
        lose(bench, carried_out=False)
        bench.lytics.repeat_is_safe = True
        bench.with_account(api_name="identity-queue")
        bench.run_to_end(14)
        assert bench.lytics.calls == []
        bench.run_to_end(2)
        assert ends(bench)[0] == ("abandoned", "deletion_api_changed")
        assert len(bench.lytics.calls) == 1


def test_a_refusal_of_the_list_is_not_taken_for_one_of_the_values(bench: Bench) -> None:
    bench.lytics.list_error = Refused(Code.REMOTE_REFUSED)
    lose(bench, carried_out=True)
    bench.run_to_end(3)
    assert bench.target_states("s1") == ["submitting"]
