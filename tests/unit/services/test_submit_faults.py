"""A bulk call goes wrong in every way that it can: nothing is lost, nobody is submitted twice without leave."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Temporary
from connector.mapping.rules import Rule, TargetRule, compile_rules
from connector.model import SubmitAnswer
from connector.private import Private
from connector.services.intake import receive
from connector.store.tables import submissions, targets
from tests.support.site import Bench, inbound


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


NOT_SENT = Temporary(Code.REMOTE_UNREACHABLE, "no connection; nothing was sent")
LOST_ANSWERS = [
    Temporary(Code.REMOTE_UNREACHABLE, "the connection ended", outcome_unknown=True),
    Temporary(Code.REMOTE_FAULT, "status 500", outcome_unknown=True),
    Temporary(Code.REMOTE_ANSWER_UNREADABLE, "accepted without an id", outcome_unknown=True),
]


def states(bench: Bench) -> list[str]:
    return [str(one.state) for one in bench.rows(submissions)]


class TestNothingWasSent:
    def test_the_values_are_queued_again_and_nothing_is_lost(self, bench: Bench) -> None:
        bench.lytics.errors = [NOT_SENT]
        bench.deliver()
        bench.pass_time(seconds=1)
        assert states(bench) == ["abandoned"]
        assert bench.target_states() == ["queued"]
        bench.run_to_end()
        assert bench.state() == "completed"
        assert bench.lytics.submitted() == {"s1@example.com": 1}

    def test_the_wait_grows_with_every_failure(self, bench: Bench) -> None:
        bench.lytics.errors = [NOT_SENT] * 4
        bench.deliver()
        waits = []
        for _ in range(4):
            bench.pass_time(seconds=601)
            waits.append((bench.target().next_at - bench.clock.now()).total_seconds())
        assert waits == [10, 20, 40, 80]

    def test_the_rest_of_the_run_is_spared_but_not_lost(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)
        bench.lytics.errors = [NOT_SENT]
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        assert bench.lytics.calls == []
        bench.run_to_end()
        assert bench.lytics.submitted() == {"s1@example.com": 1, "s2@example.com": 1}


class TestRateLimit:
    def test_nothing_is_asked_of_the_account_until_it_may_be(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)
        bench.lytics.errors = [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=300)]
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        bench.pass_time(seconds=299)
        assert bench.lytics.calls == []
        bench.pass_time(seconds=61)
        assert bench.lytics.submitted() == {"s1@example.com": 1, "s2@example.com": 1}

    def test_look_ups_stop_at_the_first_such_answer_and_are_not_counted(self, bench: Bench) -> None:
        for _ in range(8):
            bench.lytics.look_up_errors.append(RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=30))
        bench.deliver("s1")
        bench.deliver("s2")
        bench.knows("s1@example.com", "s2@example.com")
        bench.pass_time(seconds=1)
        assert len(bench.lytics.look_ups) == 1
        bench.run_to_end(20)
        assert "1 deleted" in bench.reporter.sent[-1].comment
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]

    def test_a_full_run_that_is_told_to_slow_down_ends(self, bench: Bench) -> None:
        from dataclasses import replace

        bench.site = replace(bench.site, budgets=replace(bench.site.budgets, look_up=1))
        bench.lytics.look_up_errors = [RateLimited(Code.REMOTE_RATE_LIMITED)]
        bench.deliver()
        bench.pass_time(seconds=1)
        assert len(bench.lytics.look_ups) == 1


class TestOutcomeUnknown:
    @pytest.mark.parametrize("error", LOST_ANSWERS, ids=lambda error: error.code.value)
    def test_a_call_whose_repeat_is_not_safe_is_not_repeated_blindly(self, bench: Bench, error: ConnectorError) -> None:
        bench.knows("s1@example.com")
        bench.lytics.after = error
        bench.deliver()
        bench.pass_time(seconds=1)
        (row,) = bench.rows(submissions)
        assert (str(row.state), row.reason) == ("unknown", error.code.value)
        bench.run_to_end()
        assert bench.lytics.submitted() == {"s1@example.com": 1}
        assert bench.state() == "completed"

    def test_a_call_whose_repeat_is_safe_gets_its_original_ids(self, queue_bench: Bench) -> None:
        queue_bench.knows("s1@example.com")
        queue_bench.lytics.finish_at_once = False
        queue_bench.lytics.after = LOST_ANSWERS[0]
        queue_bench.deliver()
        queue_bench.pass_time(seconds=1)
        queue_bench.pass_time(seconds=61)
        assert queue_bench.lytics.submitted() == {"s1@example.com": 2}
        assert [one.remote_id for one in queue_bench.dossier().targets] == ["op-1"]
        queue_bench.lytics.finish("op-1")
        queue_bench.run_to_end()
        assert queue_bench.state() == "completed"
        assert queue_bench.lytics.deletions == {"s1@example.com": 1}

    def test_no_call_that_looks_the_same_is_made_while_the_lost_one_is_searched_for(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)
        bench.lytics.errors = [LOST_ANSWERS[0]]
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        bench.pass_time(seconds=1)
        assert bench.lytics.calls == []
        bench.run_to_end(20)
        assert bench.lytics.submitted() == {"s1@example.com": 1, "s2@example.com": 1}
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]


class TestRefused:
    def test_a_refused_call_is_halved_until_only_the_culprit_is_left(self, bench: Bench) -> None:
        names = [f"s{number}" for number in range(11)]
        bench.lytics.refuses = {"s7@example.com"}
        for name in names:
            bench.deliver(name)
        bench.run_to_end(12)
        assert {name: bench.state(name) for name in names} == dict.fromkeys(names, "completed") | {"s7": "failed"}
        assert bench.target("s7").reason == "remote_refused"
        assert bench.reporter.of("s7") == ["IN_PROGRESS", "FAILED"]
        assert bench.lytics.deletions == {f"{name}@example.com": 1 for name in names if name != "s7"}

    def test_the_halves_do_not_wait(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s3@example.com"}
        for number in range(4):
            bench.deliver(f"s{number}")
        for _ in range(4):
            bench.pass_time(seconds=1)
        assert bench.target("s3").state == "refused"

    def test_one_refused_value_of_two_makes_the_request_partial_and_is_reported_failed(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s1@example.com"}
        bench.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "77"))
        bench.run_to_end()
        assert bench.state() == "partial"
        assert bench.reporter.statuses == ["IN_PROGRESS", "FAILED"]
        assert "0 deleted, 1 not found, 1 refused, 0 failed" in bench.reporter.sent[-1].comment

    def test_a_value_refused_within_an_accepted_call_does_not_hold_up_the_others(self, queue_bench: Bench) -> None:
        def answer(values: Sequence[Private]) -> SubmitAnswer:
            bad = {one: "no such field" for one in values if one.reveal().startswith("s1")}
            return SubmitAnswer(accepted={one: "op-9" for one in values if one not in bad}, refused=bad)

        queue_bench.lytics.answer = answer
        queue_bench.deliver("s1")
        queue_bench.deliver("s2")
        queue_bench.lytics.operations["op-9"] = [("user", "email", "s2@example.com")]
        queue_bench.lytics.finish("op-9")
        queue_bench.run_to_end()
        assert [queue_bench.state("s1"), queue_bench.state("s2")] == ["failed", "completed"]
        assert queue_bench.target("s1").reason == "no such field"


class TestUnclearAnswers:
    def test_a_value_that_the_answer_does_not_mention_is_submitted_again(self, queue_bench: Bench) -> None:
        def answer(values: Sequence[Private]) -> SubmitAnswer:
            queue_bench.lytics.answer = None
            return SubmitAnswer(accepted={}, unconfirmed=frozenset(values))

        queue_bench.lytics.answer = answer
        queue_bench.deliver()
        queue_bench.pass_time(seconds=1)
        assert (queue_bench.target().state, queue_bench.rows(targets)[0].reason) == ("queued", "unconfirmed")
        queue_bench.run_to_end()
        assert queue_bench.state() == "completed"

    def test_contradictions_and_foreign_keys_are_said(self, bench: Bench) -> None:
        bench.lytics.answer = lambda values: SubmitAnswer(
            accepted={}, refused=dict.fromkeys(values, "both"), contradictory=1, foreign=2
        )
        bench.deliver()
        bench.run_to_end(2)
        (fields,) = [fields for action, fields in bench.log.records if action == "answer_contradictory"]
        assert (fields["contradictory"], fields["foreign"]) == (1, 2)


class TestMisconfigured:
    @pytest.mark.parametrize("code", [Code.TOKEN_REFUSED, Code.PERMISSION_MISSING, Code.DELETION_API_NOT_ANSWERED])
    def test_a_refused_submission_pauses_the_account_and_goes_on_by_itself(self, bench: Bench, code: Code) -> None:
        bench.with_account(batch_max_values=1)
        bench.lytics.errors = [Misconfigured(code)]
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        bench.pass_time(seconds=290)
        assert bench.lytics.calls == []
        assert sorted([bench.state("s1"), bench.state("s2")]) == ["queued", "working"]
        assert "account_paused" in bench.log.actions
        bench.run_to_end()
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]
        assert set(bench.lytics.submitted().values()) == {1}

    def test_a_refused_look_up_pauses_it_too_and_nobody_is_burned(self, bench: Bench) -> None:
        bench.lytics.look_up_errors = [Misconfigured(Code.PERMISSION_MISSING)] * 20
        bench.knows("s1@example.com")
        bench.deliver()
        bench.run_to_end(20, seconds=301)
        assert len(bench.lytics.look_ups) == 20
        assert bench.lytics.calls == []
        bench.run_to_end(6, seconds=301)
        assert "1 deleted, 0 not found" in bench.reporter.sent[-1].comment

    def test_it_may_last_for_weeks(self, bench: Bench) -> None:
        bench.lytics.errors = [Misconfigured(Code.TOKEN_REFUSED)] * 500
        bench.deliver()
        bench.run_to_end(20, days=2)
        assert bench.state() == "working"
        bench.lytics.errors = []
        bench.run_to_end(4, hours=1)
        assert bench.state() == "completed"

    def test_one_account_does_not_hold_up_another(self, bench: Bench) -> None:
        from dataclasses import replace

        from tests.support.stand_ins import StandInLytics

        broken = StandInLytics(bench.clock)
        broken.errors = [Misconfigured(Code.TOKEN_REFUSED)] * 9
        main = bench.site.accounts["main"]
        other = replace(bench.source, name="other", account="other")
        bench.site = replace(
            bench.site,
            accounts={"other": replace(main, name="other", api=broken, profiles=broken), "main": main},
            sources={"onetrust": bench.source, "other": other},
        )
        receive(bench.site, other, inbound(b'{"subtask": "x", "identities": [["email", "x@example.com"]]}'))
        bench.deliver("s1")
        bench.run_to_end(3)
        assert (bench.state("s1"), bench.state("x")) == ("completed", "working")


class TestStop:
    def test_a_stop_between_two_calls_leaves_the_rest_for_later(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)

        def stop(values: Sequence[Private]) -> SubmitAnswer:
            bench.site.stop.set()
            bench.lytics.answer = None
            bench.lytics.calls.pop()
            return bench.lytics.submit("user", "email", values)

        bench.lytics.answer = stop
        bench.deliver("s1")
        bench.deliver("s2")
        bench.pass_time(seconds=1)
        assert len(bench.lytics.calls) == 1
        assert sorted([bench.state("s1"), bench.state("s2")]) == ["queued", "working"]
        bench.starts_again()
        bench.run_to_end()
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]
        assert bench.lytics.submitted() == {"s1@example.com": 1, "s2@example.com": 1}

    def test_a_stop_before_anything_leaves_everything(self, bench: Bench) -> None:
        bench.deliver()
        bench.site.stop.set()
        bench.pass_time(seconds=1)
        assert (bench.state(), bench.lytics.calls, bench.reporter.tried) == ("received", [], [])


class TestWhatGoesIntoOneCall:
    def test_the_same_value_under_two_kinds_is_sent_once_and_counted_twice(self, bench: Bench) -> None:
        rules = compile_rules([Rule(("email", "login"), (TargetRule("user", "email", ("lower",)),))])
        bench.with_rules(rules)
        bench.knows("a@example.com")
        bench.deliver("s1", ("email", "a@example.com"), ("login", "A@example.com"), ("EMAIL", "a@example.com"))
        bench.run_to_end()
        assert bench.lytics.submitted() == {"a@example.com": 1}
        assert "2 identities received, 2 mapped to 2 Lytics fields: 2 deleted" in bench.reporter.sent[-1].comment

    def test_a_kind_is_the_same_in_any_case_also_in_a_later_delivery(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", "a@example.com"), event="e1")
        assert bench.deliver("s1", ("E-Mail".replace("-", ""), "a@example.com"), event="e2").duplicate
        bench.run_to_end()
        assert "1 identity received" in bench.reporter.sent[-1].comment

    def test_batches_wait_until_they_are_full_or_old_enough(self, bench: Bench) -> None:
        bench.with_account(batch_wait_s=100.0, batch_max_values=2)
        bench.deliver("s1")
        bench.pass_time(seconds=50)
        assert bench.lytics.calls == []
        bench.deliver("s2")
        bench.deliver("s3")
        bench.pass_time(seconds=1)
        assert [len(values) for _, _, values in bench.lytics.calls] == [2]
        bench.pass_time(seconds=101)
        assert [len(values) for _, _, values in bench.lytics.calls] == [2, 1]

    def test_a_full_run_of_values_that_have_to_wait_ends(self, bench: Bench) -> None:
        bench.with_account(batch_wait_s=100.0, batch_max_values=2)
        for number in range(25):
            bench.deliver(f"s{number}", ("email", "same@example.com"))
        bench.pass_time(seconds=1)
        assert bench.lytics.calls == []
        bench.pass_time(seconds=101)
        assert bench.lytics.calls[0] == ("user", "email", ("same@example.com",))
