"""One request from callback to report, step by step, on both stores and with both shapes of deletion API."""

from __future__ import annotations

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.model import Delivered
from tests.support.site import Bench


def test_a_known_person_is_deleted_once_and_reported_completed(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.deliver()
    bench.run_to_end()
    assert bench.state() == "completed"
    assert bench.lytics.submitted() == {"s1@example.com": 1}
    assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]
    assert "1 deleted, 0 not found" in bench.reporter.sent[-1].comment


def test_a_known_person_is_deleted_once_through_one_operation_per_value(queue_bench: Bench) -> None:
    queue_bench.knows("s1@example.com", "s2@example.com")
    queue_bench.deliver("s1")
    queue_bench.deliver("s2")
    queue_bench.run_to_end()
    assert [queue_bench.state("s1"), queue_bench.state("s2")] == ["completed", "completed"]
    assert len(queue_bench.lytics.calls) == 1
    assert len(queue_bench.lytics.operations) == 2


def test_an_unknown_person_is_a_fulfilled_erasure_with_zero_records(bench: Bench) -> None:
    bench.deliver()
    bench.run_to_end()
    assert bench.state() == "completed"
    assert bench.lytics.submitted() == {"s1@example.com": 1}
    assert "0 deleted, 1 not found" in bench.reporter.sent[-1].comment
    assert "no profile" in bench.reporter.sent[-1].comment


def test_several_requests_share_one_call_and_equal_values_are_sent_once(bench: Bench) -> None:
    bench.knows("same@example.com")
    bench.deliver("s1", ("email", "same@example.com"))
    bench.deliver("s2", ("email", " SAME@example.com "))
    bench.run_to_end()
    assert bench.lytics.calls == [("user", "email", ("same@example.com",))]
    assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]


def test_an_unmapped_identity_holds_the_request_and_nothing_is_deleted(bench: Bench) -> None:
    bench.deliver("s1", ("email", "a@example.com"), ("shoe size", "44"))
    bench.run_to_end()
    assert bench.state() == "held"
    assert bench.lytics.calls == []
    assert bench.reporter.statuses == ["IN_PROGRESS"]
    assert "Held" in bench.reporter.sent[0].comment


def test_an_ignored_kind_does_not_hold_the_request(bench: Bench) -> None:
    bench.deliver("s1", ("email", "a@example.com"), ("First Name", "x"))
    bench.run_to_end()
    assert bench.state() == "completed"
    assert "1 not mapped" in bench.reporter.sent[-1].comment


def test_a_held_request_goes_on_when_the_rules_were_mended(bench: Bench) -> None:
    from connector.mapping.rules import Rule, TargetRule, compile_rules

    bench.deliver("s1", ("email", "a@example.com"), ("shoe size", "44"))
    bench.pass_time(seconds=1)
    assert bench.state() == "held"
    bench.with_rules(
        compile_rules(
            [
                Rule(("email",), (TargetRule("user", "email", ("trim", "lower")),)),
                Rule(("shoe size",), (TargetRule("user", "shoe", ("trim",)),)),
            ]
        )
    )
    bench.run_to_end()
    assert bench.state() == "completed"
    assert sorted(bench.lytics.submitted()) == ["44", "a@example.com"]
    assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]


def test_a_held_request_stays_held_while_the_rules_stay_the_same(bench: Bench) -> None:
    bench.deliver("s1", ("shoe size", "44"))
    bench.run_to_end()
    moves = [(str(one.state), one.reason) for one in bench.dossier().history]
    assert moves == [("received", ""), ("held", "unmapped_identity")]


@pytest.mark.parametrize(
    ("said", "reason"), [({"test": True}, "test_request"), ({"types": ["Data Portability"]}, "not_an_erasure")]
)
def test_what_is_no_erasure_is_rejected_and_nothing_is_deleted(bench: Bench, said: dict, reason: str) -> None:
    bench.knows("s1@example.com")
    bench.deliver("s1", **said)
    bench.run_to_end()
    request = bench.dossier().request
    assert (str(request.state), request.reason) == ("rejected", reason)
    assert bench.lytics.calls == []
    assert bench.reporter.statuses == ["REJECTED"]


def test_one_deletion_type_among_several_is_enough(bench: Bench) -> None:
    bench.deliver("s1", types=["Data Portability", "data  DELETION"])
    bench.run_to_end()
    assert bench.state() == "completed"


class TestRepeats:
    def test_the_same_delivery_again_is_a_duplicate(self, bench: Bench) -> None:
        first = bench.deliver("s1", event="e1")
        again = bench.deliver("s1", event="e1")
        assert (first.duplicate, again.duplicate) == (False, True)
        assert first.request_id == again.request_id

    def test_the_same_event_with_other_content_is_a_conflict_and_stores_nothing(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        with pytest.raises(Rejected) as refusal:
            bench.deliver("s2", event="e1")
        assert refusal.value.code is Code.EVENT_CONFLICT
        with bench.database.read() as connection:
            from connector.store import overview

            assert overview.find(connection, "s2") == []

    def test_another_event_of_the_same_request_adds_nothing(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        assert bench.deliver("s1", event="e2").duplicate

    def test_ten_repeats_make_one_deletion(self, bench: Bench) -> None:
        for number in range(10):
            bench.deliver("s1", event=f"e{number}")
        bench.run_to_end()
        assert bench.lytics.submitted() == {"s1@example.com": 1}
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]

    def test_one_call_per_identifier_is_gathered_into_one_request(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", "a@example.com"), event="e1")
        bench.pass_time(seconds=1)
        assert not bench.deliver("s1", ("loyalty id", "77"), event="e2").duplicate
        bench.run_to_end()
        assert bench.state() == "completed"
        assert sorted(bench.lytics.submitted()) == ["77", "a@example.com"]
        assert "2 identities received" in bench.reporter.sent[-1].comment

    def test_a_late_identifier_that_cannot_be_mapped_holds_a_request_under_way(self, bench: Bench) -> None:
        bench.lytics.finish_at_once = False
        bench.deliver("s1", ("email", "a@example.com"), event="e1")
        bench.pass_time(seconds=1)
        bench.deliver("s1", ("shoe size", "44"), event="e2")
        bench.lytics.finish("op-1")
        bench.run_to_end()
        assert bench.state() == "held"
        assert bench.reporter.statuses == ["IN_PROGRESS"]

    def test_identifiers_for_a_finished_request_are_refused_not_lost(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        bench.run_to_end()
        with pytest.raises(Rejected) as refusal:
            bench.deliver("s1", ("email", "other@example.com"), event="e2")
        assert refusal.value.code is Code.REQUEST_FINISHED

    def test_a_repeat_after_completion_deletes_nothing(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        bench.run_to_end()
        bench.knows("s1@example.com")
        assert bench.deliver("s1", event="e2").duplicate
        bench.run_to_end()
        assert bench.lytics.submitted() == {"s1@example.com": 1}
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]

    @pytest.mark.parametrize("between", ["it was taken", "a person had decided otherwise"])
    def test_a_reprocess_after_completion_repeats_the_report_and_not_the_deletion(
        self, bench: Bench, between: str
    ) -> None:
        bench.deliver("s1", event="e1")
        if between != "it was taken":
            bench.pass_time(seconds=1)
            bench.reporter.answers = [Delivered.CONFLICT]
        bench.run_to_end()
        # The source has begun anew with its task.
        bench.reporter.states.clear()
        assert bench.deliver("s1", event="e2").duplicate
        bench.run_to_end(2)
        assert bench.reporter.states == {"s1": "COMPLETED"}
        assert (bench.state(), bench.lytics.submitted()) == ("completed", {"s1@example.com": 1})

    def test_a_retry_of_the_same_event_repeats_nothing(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        bench.run_to_end()
        tried = len(bench.reporter.tried)
        bench.deliver("s1", event="e1")
        bench.run_to_end(2)
        assert len(bench.reporter.tried) == tried

    def test_a_repeat_after_a_failure_is_a_new_attempt_of_the_same_request(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        bench.lytics.stays = {"s1@example.com"}
        first = bench.deliver("s1", event="e1")
        bench.run_to_end(8, minutes=15)
        assert bench.state() == "failed"
        bench.lytics.stays = set()
        again = bench.deliver("s1", event="e2")
        assert (again.request_id, again.duplicate) == (first.request_id, False)
        bench.run_to_end(8, minutes=15)
        assert bench.state() == "completed"
        assert bench.dossier().request.attempt == 2
        assert bench.reporter.statuses == ["IN_PROGRESS", "FAILED", "IN_PROGRESS", "COMPLETED"]

    def test_replaying_the_old_delivery_after_a_failure_starts_nothing(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        bench.lytics.stays = {"s1@example.com"}
        bench.deliver("s1", event="e1")
        bench.run_to_end(8, minutes=15)
        assert bench.deliver("s1", event="e1").duplicate
        assert bench.state() == "failed"
