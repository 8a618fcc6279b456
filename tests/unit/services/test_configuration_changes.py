"""What is under way survives a change of the configuration, or waits visibly; no step ends because of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.errors import IllegalMove
from connector.mapping.rules import Rule, TargetRule, compile_rules
from connector.services import map as mapping_step
from connector.services.intake import receive
from connector.store import overview, requests
from tests.support.site import Bench, inbound


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


def left_out(bench: Bench) -> list[dict[str, object]]:
    return [fields for action, fields in bench.log.records if action == "request_left_out"]


class TestRemoved:
    @pytest.mark.parametrize("passes", [0, 1, 2], ids=["received", "submitted", "confirming"])
    def test_a_request_whose_source_is_gone_stays_visible_and_stops_nobody(self, bench: Bench, passes: int) -> None:
        former = replace(bench.source, name="former")
        bench.site = replace(bench.site, sources={"onetrust": bench.source, "former": former})
        receive(bench.site, former, inbound(b'{"subtask": "x", "identities": [["email", "x@example.com"]]}'))
        bench.run_to_end(passes)
        bench.starts_again()
        bench.site = replace(bench.site, sources={"onetrust": bench.source})
        bench.deliver("s1")
        bench.run_to_end()
        assert bench.state("s1") == "completed"
        assert left_out(bench)[0] == {"source": "former", "count": 1}
        # What was with Lytics before is followed to its end.
        assert bench.state("x") == ("received" if passes == 0 else "completed")
        with bench.database.read() as connection:
            assert overview.find(connection, "x")

    def test_it_goes_on_when_the_source_is_back(self, bench: Bench) -> None:
        sources = bench.site.sources
        bench.deliver()
        bench.site = replace(bench.site, sources={})
        bench.run_to_end()
        assert bench.state() == "received"
        bench.site = replace(bench.site, sources=sources)
        bench.run_to_end()
        assert bench.state() == "completed"
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]

    def test_reports_that_nobody_can_send_any_more_are_said(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.starts_again()
        bench.site = replace(bench.site, sources={})
        bench.run_to_end()
        assert bench.state() == "completed"
        bench.pass_time(hours=1)
        assert left_out(bench)[-1] == {"source": "onetrust", "count": 1}

    def test_targets_whose_account_is_gone_wait_and_are_said_once_an_hour(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.starts_again()
        accounts = bench.site.accounts
        bench.site = replace(bench.site, accounts={})
        bench.run_to_end(50)
        assert left_out(bench) == [{"account": "main", "count": 1}]
        bench.run_to_end(15)
        assert len(left_out(bench)) == 2
        bench.site = replace(bench.site, accounts=accounts)
        bench.run_to_end()
        assert bench.state() == "completed"


class TestRules:
    def test_what_was_submitted_stays_mapped_as_it_was(self, bench: Bench) -> None:
        bench.lytics.finish_at_once = False
        bench.deliver("s1", ("email", "a@example.com"), event="e1")
        bench.pass_time(seconds=1)
        bench.deliver("s1", ("shoe size", "44"), event="e2")
        bench.pass_time(seconds=1)
        assert bench.state() == "held"
        bench.with_rules(
            compile_rules(
                [
                    Rule(("email",), (TargetRule("user", "other_field", ()),)),
                    Rule(("shoe size",), (TargetRule("user", "shoe", ()),)),
                ]
            )
        )
        bench.pass_time(seconds=1)
        assert [(field, values) for _, field, values in bench.lytics.calls] == [
            ("email", ("a@example.com",)),
            ("shoe", ("44",)),
        ]

    def test_a_held_request_whose_targets_have_all_ended_ends_when_it_is_released(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", "a@example.com"), event="e1")
        bench.pass_time(seconds=1)
        bench.deliver("s1", ("shoe size", "44"), event="e2")
        bench.run_to_end()
        assert (bench.state(), bench.target_states()) == ("held", ["not_found"])
        bench.with_rules(compile_rules(bench.source.rules.rules, ignore_kinds=("shoe size",)))
        bench.run_to_end(1)
        assert bench.state() == "completed"
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]

    def test_a_late_identifier_that_is_ignored_does_not_keep_the_request_open(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", "a@example.com"), event="e1")
        bench.run_to_end(2)
        bench.deliver("s1", ("first name", "x"), event="e2")
        # The last target ends before the late identifier is mapped.
        from connector.services.confirm import confirm

        bench.clock.advance(minutes=2)
        confirm(bench.site)
        assert (bench.state(), bench.target_states()) == ("working", ["not_found"])
        bench.run_to_end(1)
        assert bench.state() == "completed"

    def test_a_new_attempt_follows_the_mended_rules(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s1@example.com"}
        bench.deliver()
        bench.run_to_end(2)
        bench.with_rules(compile_rules([Rule(("email",), (TargetRule("user", "mail", ()),))]))
        bench.deliver()
        bench.lytics.refuses = set()
        bench.run_to_end()
        assert bench.lytics.calls[-1][1] == "mail"
        assert bench.state() == "completed"

    def test_a_new_attempt_of_a_partial_request_repeats_only_what_failed(self, bench: Bench) -> None:
        bench.lytics.refuses = {"77"}
        bench.deliver("s1", ("email", "a@example.com"), ("loyalty id", "77"))
        bench.run_to_end()
        assert bench.state() == "partial"
        bench.lytics.refuses = set()
        bench.deliver("s1", ("email", "a@example.com"), ("loyalty id", "77"))
        bench.run_to_end()
        assert bench.state() == "completed"
        assert bench.lytics.submitted() == {"a@example.com": 1, "77": 2}
        assert "2 identities received, 2 mapped" in bench.reporter.sent[-1].comment

    def test_a_new_attempt_that_the_rules_hold_waits_and_then_goes_on(self, bench: Bench) -> None:
        bench.lytics.refuses = {"77"}
        both = ("email", "a@example.com"), ("loyalty id", "77")
        bench.deliver("s1", *both)
        bench.run_to_end()
        bench.lytics.refuses = set()
        bench.deliver("s1", *both, ("shoe size", "44"))
        bench.run_to_end()
        assert bench.state() == "held"
        bench.with_rules(compile_rules(bench.source.rules.rules, ignore_kinds=("shoe size",)))
        bench.run_to_end()
        assert bench.state() == "completed"


class TestDefects:
    def test_a_request_that_cannot_be_mapped_for_a_defect_does_not_stop_the_others(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.deliver("s0", ("email", "canary@example.com"))
        bench.deliver("s1")
        apply_rules = mapping_step.apply_rules

        def broken(rules, identities):
            if any(one.value.reveal().startswith("canary") for one in identities):
                raise UnicodeError("canary@example.com")
            return apply_rules(rules, identities)

        monkeypatch.setattr(mapping_step, "apply_rules", broken)
        bench.run_to_end()
        assert (bench.state("s0"), bench.state("s1")) == ("received", "completed")
        (fields, *_) = [fields for action, fields in bench.log.records if action == "step_failed"]
        assert (fields["step"], fields["error_class"]) == ("map", "UnicodeError")
        assert "canary" not in repr(bench.log.records)
        monkeypatch.undo()
        bench.run_to_end()
        assert bench.state("s0") == "completed"

    def test_a_run_full_of_such_requests_ends(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        bench.site = replace(bench.site, budgets=replace(bench.site.budgets, map=1))

        def broken(*_):
            raise IllegalMove("RequestState", "a", "b")

        bench.deliver()
        monkeypatch.setattr(mapping_step, "apply_rules", broken)
        assert not mapping_step.map_requests(bench.site)

    def test_nothing_is_left_of_a_mapping_that_broke_off(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_args, **_values):
            raise RuntimeError

        bench.deliver()
        monkeypatch.setattr(requests, "move_requests", broken)
        bench.pass_time(seconds=1)
        assert (bench.state(), bench.target_states()) == ("received", [])
