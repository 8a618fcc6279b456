"""The step that asks a source what it lists: which answer moves a request where, and what is never lost or touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.mapping.rules import Rule, RuleSet, TargetRule, compile_rules
from connector.model import Identity, Listing
from connector.private import Private
from connector.services import listed
from connector.services.read_back import read_back
from connector.store.tables import identities, targets
from tests.support.listings import REF, Lister, asking, listing
from tests.support.site import START, Bench


def other_rules() -> RuleSet:
    """Return rules under which whoever is held by a rule is mapped again."""
    email = Rule(("email",), (TargetRule("user", "email", ("trim", "lower")),))
    loyalty = Rule(("loyalty id",), (TargetRule("user", "loyalty_id", ("trim",)),))
    return compile_rules([email, loyalty], ignore_kinds=("first name", "shoe size"))


S3 = Identity("E-Mail", Private("s3@example.com"))


class Asking(Bench):
    def __init__(self, store_url: str) -> None:
        super().__init__(store_url)
        self.lister = Lister()
        self.list_by(asking(self.lister))

    def step(self, **delta: float) -> None:
        self.clock.advance(**delta)
        while read_back(self.site):
            continue

    def values(self) -> list[tuple[str, str]]:
        return sorted((one.kind, one.value.reveal()) for one in self.rows(identities))

    @property
    def row(self) -> Any:
        return self.dossier().request


@pytest.fixture
def bench(store_url: str) -> Iterator[Asking]:
    made = Asking(store_url)
    yield made
    made.database.close()


def test_nothing_is_mapped_before_it_is_listed(bench: Asking) -> None:
    bench.deliver()
    bench.run_to_end(passes=2, seconds=10)
    assert (bench.state(), bench.target_states()) == ("unconfirmed", [])
    bench.lister.answer = listing()
    bench.step(seconds=30)
    assert bench.state() == "received"
    bench.run_to_end()
    assert bench.state() == "completed"


def test_the_listed_identities_take_the_place_of_the_delivered_ones(bench: Asking) -> None:
    bench.deliver("s1", ("email", "S1@example.com"), ("loyalty id", "thief"))
    bench.lister.answer = listing(
        ("Loyalty_ID", "0048"), ("City", "Berlin"), ("First name", "Ana"), ("Device", "AB-1234-5678")
    )
    bench.step()
    assert bench.values() == [("First name", "Ana"), ("Loyalty_ID", "0048"), ("email", "s1@example.com")]
    assert (bench.row.unnamed, bench.row.confirmed_at) == (1, START)
    assert bench.row.external == {"subtask_id": "s1", "request_ref": REF}
    record = dict(bench.log.records)["request_confirmed"]
    assert (record["unnamed"], record["unlisted"]) == (1, 2)
    bench.run_to_end()
    assert {one.value.reveal() for one in bench.rows(targets)} == {"s1@example.com", "0048"}


def test_an_address_in_the_form_as_well_is_one_identity(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing(("E-Mail", "s1@example.com"), ("email", "s1@example.com"))
    bench.step()
    assert bench.values() == [("email", "s1@example.com")]


def test_due_date_country_and_types_are_those_listed(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing(country="US", request_types=("Access",))
    bench.step()
    assert (bench.row.due_at, bench.row.due_basis) == (START + timedelta(days=9), "platform")
    assert (bench.row.country, bench.row.request_types) == ("US", ["Access"])
    bench.run_to_end(passes=1)
    assert (bench.state(), bench.row.reason) == ("rejected", "not_an_erasure")


def test_the_due_date_is_followed_day_by_day_also_through_a_pause(bench: Asking) -> None:
    bench.with_account(observes=True)
    bench.deliver()
    bench.lister.answer = listing()
    bench.run_to_end(passes=2, seconds=1)
    moved = {"paused": None, "resumed": START + timedelta(days=40), "drawn near": START + timedelta(days=4)}
    kept = [bench.row.due_at]
    for due_at in moved.values():
        bench.lister.answer = listing(due_at=due_at)
        bench.run_to_end(passes=3, hours=8, seconds=1)
        kept.append(bench.row.due_at)
    assert kept == [START + timedelta(days=9)] * 2 + [moved["resumed"], moved["drawn near"]]
    assert len(bench.lister.asked) == 4
    assert {one.due_at for one in bench.rows(targets)} == {moved["drawn near"]}


def test_what_was_withdrawn_without_a_word_is_not_submitted(bench: Asking) -> None:
    bench.with_account(observes=True)
    bench.deliver()
    bench.lister.answer = listing()
    bench.run_to_end(passes=2, seconds=1)
    assert bench.state() == "queued"
    bench.lister.answer = listing(stage="REJECTED")
    bench.run_to_end(passes=3, hours=8, seconds=1)
    bench.with_account(observes=False)
    bench.run_to_end(passes=2, seconds=1)
    assert (bench.state(), bench.row.reason, bench.lytics.calls) == ("held", "stage_not_allowed", [])


def test_what_ended_is_not_asked_about_any_more(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing()
    bench.run_to_end()
    assert bench.state() == "completed"
    asked = len(bench.lister.asked)
    bench.run_to_end(passes=5, days=1, seconds=1)
    assert len(bench.lister.asked) == asked


def test_what_is_with_lytics_is_asked_about_once_a_day_and_goes_on_whatever_is_listed(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing()
    bench.lytics.finish = lambda *_: None  # type: ignore[method-assign]
    bench.pass_time(seconds=1)
    for answer in (listing(stage="COMPLETED"), NotFound(Code.REMOTE_NOT_FOUND), listing(is_open=False)):
        bench.lister.answer = answer
        before = len(bench.lister.asked)
        bench.run_to_end(passes=3, hours=8, seconds=1)
        assert len(bench.lister.asked) == before + 1
    assert bench.state() == "working"


def test_an_unusable_answer_that_a_rule_names_holds_the_request_and_any_other_does_not(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing(unreadable=("Loyalty_ID", "Photo"))
    bench.step()
    assert (bench.state(), bench.row.reason) == ("held", "answer_unusable")
    bench.lister.answer = listing(unreadable=("Photo",))
    bench.step(seconds=901)
    assert bench.state() == "received"


def test_a_due_date_that_is_paused_keeps_its_last_value(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing(("Loyalty ID", "0"))
    bench.step()
    bench.run_to_end(passes=1, seconds=1)
    bench.lister.answer = listing(due_at=None)
    bench.deliver()
    bench.step()
    assert (bench.row.due_at, bench.row.due_basis) == (START + timedelta(days=9), "platform")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (listing(stage="NEW"), "stage_not_allowed"),
        (listing(is_open=False), "task_closed"),
        (listing(request_types=()), "type_missing"),
        (listing(email="other@example.com"), "address_differs"),
        (Refused(Code.SUBTASK_NOT_IDENTIFIED), "ids_differ"),
        (Refused(Code.REMOTE_REFUSED), "not_readable"),
    ],
)
def test_a_doubt_holds_the_request_and_is_asked_about_again(
    bench: Asking, answer: Listing | ConnectorError, reason: str
) -> None:
    bench.deliver()
    bench.lister.answer = answer
    bench.step()
    assert (bench.state(), bench.row.reason) == ("held", reason)
    bench.run_to_end(passes=3, seconds=100)
    assert (bench.state(), len(bench.lister.asked), bench.target_states()) == ("held", 1, [])
    assert bench.reporter.of("s1") == []
    bench.lister.answer = listing()
    bench.step(seconds=900)
    assert (bench.state(), bench.row.reason) == ("received", "")
    assert [one.state for one in bench.dossier().history] == ["unconfirmed", "held", "received"]


def test_another_doubt_is_told_and_the_times_between_grow(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing(stage="NEW")
    bench.step()
    bench.lister.answer = listing(is_open=False)
    bench.step(seconds=901)
    assert bench.row.reason == "task_closed"
    bench.step(seconds=901)
    assert len(bench.lister.asked) == 2
    bench.step(seconds=901)
    assert len(bench.lister.asked) == 3


def test_what_is_not_listed_yet_is_asked_about_for_two_minutes_and_then_held(bench: Asking) -> None:
    bench.deliver()
    for _ in range(11):
        bench.step(seconds=10)
        assert bench.state() == "unconfirmed"
    assert 4 <= len(bench.lister.asked) <= 8
    bench.step(seconds=30)
    assert (bench.state(), bench.row.reason) == ("held", "not_listed")


@pytest.mark.parametrize(
    "error",
    [
        Temporary(Code.REMOTE_FAULT),
        Temporary(Code.REMOTE_UNREACHABLE, outcome_unknown=True),
        RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=60),
        Misconfigured(Code.PERMISSION_MISSING),
    ],
)
def test_a_source_that_cannot_be_asked_is_asked_again_and_again_and_nothing_is_held(
    bench: Asking, error: ConnectorError
) -> None:
    bench.deliver()
    bench.lister.answer = error
    for _ in range(40):
        bench.step(hours=7)
    assert bench.state() == "unconfirmed"
    assert len(bench.lister.asked) > 20
    bench.lister.answer = listing()
    bench.step(hours=7)
    assert bench.state() == "received"


def test_a_further_delivery_asks_at_once_and_adds_nothing_of_its_own(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing()
    bench.step()
    assert bench.deliver("s1", ("email", "other@example.com")).duplicate
    bench.lister.answer = listing(("Loyalty ID", "0048"))
    bench.step()
    assert bench.values() == [("Loyalty ID", "0048"), ("email", "s1@example.com")]


def test_what_was_begun_is_not_broken_off_because_the_request_moved_on(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing()
    bench.pass_time(seconds=1)
    assert bench.state() == "working"
    bench.deliver()
    bench.lister.answer = listing(stage="COMPLETED", is_open=False)
    bench.step()
    assert bench.state() == "working"
    bench.run_to_end()
    assert bench.state() == "completed"


def test_what_waits_to_be_submitted_is_held_if_it_is_not_listed_any_more_and_goes_on_if_it_is_again(
    bench: Asking,
) -> None:
    bench.with_account(observes=True)
    bench.deliver()
    bench.lister.answer = listing()
    bench.run_to_end(passes=2, seconds=1)
    assert (bench.state(), bench.target_states()) == ("queued", ["queued"])
    bench.deliver()
    bench.lister.answer = listing(stage="REJECTED")
    bench.step()
    assert (bench.state(), bench.row.reason) == ("held", "stage_not_allowed")
    bench.with_account(observes=False)
    bench.run_to_end(passes=3, seconds=61)
    assert bench.lytics.calls == []
    bench.lister.answer = listing()
    bench.run_to_end(seconds=901)
    assert (bench.state(), len(bench.lytics.calls)) == ("completed", 1)


def test_a_new_attempt_after_a_failure_has_to_be_listed_anew(bench: Asking) -> None:
    bench.lytics.refuses = {"s1@example.com"}
    bench.deliver()
    bench.lister.answer = listing()
    bench.run_to_end()
    assert bench.state() == "failed"
    bench.lister.answer = listing(stage="REJECTED")
    bench.deliver()
    bench.run_to_end(passes=2, seconds=1)
    assert (bench.state(), bench.row.reason) == ("held", "stage_not_allowed")


def test_an_answer_that_comes_late_changes_nothing(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing(stage="NEW")

    def another_worker_is_quicker() -> None:
        bench.lister.meanwhile = lambda: None
        answer, bench.lister.answer = bench.lister.answer, listing()
        read_back(bench.site)
        bench.lister.answer = answer

    bench.lister.meanwhile = another_worker_is_quicker
    bench.step()
    assert bench.state() == "received"


def test_switched_off_it_lets_go_what_waits_and_nothing_that_a_doubt_holds(bench: Asking) -> None:
    bench.deliver("s3")
    bench.lister.answer = Refused(Code.SUBTASK_NOT_IDENTIFIED)
    bench.step()
    bench.deliver("s1")
    bench.deliver("s2")
    bench.lister.answer = Temporary(Code.REMOTE_FAULT)
    bench.step()
    bench.list_by(None)
    bench.step()
    assert (bench.state("s1"), bench.state("s2")) == ("received", "received")
    assert bench.dossier("s1").history[-1].reason == "read_back_off"
    # Neither the next pass, nor further calls, nor other rules make anybody's word out of what OneTrust denied.
    bench.deliver("s3", ("loyalty id", "0048"))
    bench.with_rules(other_rules())
    bench.run_to_end(passes=5, hours=1)
    assert bench.state("s1") == "completed"
    assert (bench.state("s3"), bench.dossier("s3").request.reason) == ("held", "ids_differ")
    assert bench.target_states("s3") == []
    bench.list_by(asking(bench.lister))
    bench.lister.answer = listing(email="s3@example.com")
    bench.run_to_end(passes=5, hours=1)
    assert bench.state("s3") == "completed"


def test_what_a_rule_was_missing_for_is_held_by_a_doubt_as_well(bench: Asking) -> None:
    """Held by the mapping it would go on under other rules, although it was withdrawn meanwhile."""
    bench.list_by(None)
    bench.deliver("s1", ("email", "s1@example.com"), ("shoe size", "44"))
    bench.run_to_end(passes=1, seconds=1)
    assert (bench.state(), bench.row.reason) == ("held", "unmapped_identity")
    bench.list_by(asking(bench.lister))
    bench.lister.answer = listing(stage="REJECTED")
    bench.deliver("s1")
    bench.step()
    assert (bench.state(), bench.row.reason) == ("held", "stage_not_allowed")
    bench.with_rules(other_rules())
    bench.run_to_end(passes=3, seconds=61)
    assert bench.lytics.calls == []
    bench.lister.answer = listing(("Loyalty ID", "0048"))
    bench.run_to_end(seconds=901)
    # It was never listed before: what is listed now takes the place of what was delivered.
    assert (bench.state(), bench.values()) == ("completed", [("Loyalty ID", "0048"), ("email", "s1@example.com")])


def test_later_identifiers_count_again_once_it_is_switched_off(bench: Asking) -> None:
    bench.with_account(observes=True)
    bench.deliver()
    bench.lister.answer = listing()
    bench.run_to_end(passes=2, seconds=1)
    bench.list_by(None)
    assert not bench.deliver("s1", ("loyalty id", "0048")).duplicate
    bench.run_to_end(passes=1, seconds=1)
    assert bench.target_states() == ["queued", "queued"]


def test_a_new_attempt_of_what_was_never_listed_has_to_be_listed(bench: Asking) -> None:
    bench.list_by(None)
    bench.lytics.refuses = {"s1@example.com"}
    bench.deliver()
    bench.run_to_end()
    assert bench.state() == "failed"
    bench.list_by(asking(bench.lister))
    bench.lister.answer = listing(email="other@example.com")
    bench.deliver()
    bench.run_to_end(passes=2, seconds=1)
    assert (bench.state(), bench.row.reason) == ("held", "address_differs")
    bench.lytics.refuses = set()
    bench.lister.answer = listing()
    bench.run_to_end(seconds=901)
    assert bench.state() == "completed"


def test_what_was_mapped_before_its_source_was_asked_keeps_what_it_has(bench: Asking) -> None:
    bench.list_by(None)
    bench.deliver("s1", ("email", "s1@example.com"), ("shoe size", "44"))
    bench.with_account(observes=True)
    bench.deliver("s2")
    bench.run_to_end(passes=2, seconds=1)
    assert (bench.state("s1"), bench.state("s2")) == ("held", "queued")
    bench.list_by(asking(bench.lister))
    bench.lister.answer = listing(("Loyalty ID", "0048"), email="s2@example.com")
    bench.deliver("s1")
    bench.deliver("s2")
    bench.step()
    assert ("shoe size", "44") in bench.values()
    bench.run_to_end(passes=2, seconds=1)
    assert bench.target_states("s2") == ["queued", "queued"]


def test_a_nearer_due_date_is_passed_on_to_what_waits(bench: Asking) -> None:
    bench.with_account(observes=True)
    bench.deliver()
    bench.lister.answer = listing()
    bench.run_to_end(passes=2, seconds=1)
    bench.lister.answer = listing(due_at=START + timedelta(days=2))
    bench.deliver()
    bench.step()
    assert {one.due_at for one in bench.rows(targets)} == {START + timedelta(days=2)}


def test_without_read_back_a_delivery_is_received_at_once(bench: Asking) -> None:
    bench.list_by(None)
    bench.deliver()
    assert (bench.state(), bench.row.confirm_at) == ("received", None)
    assert bench.lister.asked == []


def test_a_defect_in_one_keeps_no_other_waiting_and_is_tried_again(
    bench: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("s1", "s2", "s3"):
        bench.deliver(name)
    bench.lister.answer = listing(email="s1@example.com", answers=(Identity("E-Mail", Private("s2@example.com")),))
    bench.lister.answer = replace(bench.lister.answer, answers=(*bench.lister.answer.answers, S3))
    confirm = listed._confirm

    def with_a_defect(site: Any, connection: Any, source: Any, row: Any, *rest: Any) -> Any:
        if row.request_key == "subtask:s2":
            raise LookupError("s2@example.com")
        return confirm(site, connection, source, row, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(listed, "_confirm", with_a_defect)
        bench.step()
        assert [bench.state(name) for name in ("s1", "s2", "s3")] == ["received", "unconfirmed", "received"]
        assert dict(bench.log.records)["step_failed"]["error_class"] == "LookupError"
        assert len(bench.lister.asked) == 3
    bench.step(seconds=901)
    assert bench.state("s2") == "received"
    assert "example.com" not in str(bench.log.records)


def test_no_identity_is_in_the_log(bench: Asking) -> None:
    bench.deliver()
    bench.lister.answer = listing(("Loyalty ID", "0048"), ("Device", "AB-1234-5678"))
    bench.step()
    assert not [one for one in ("example.com", "0048", "AB-1234") if one in str(bench.log.records)]
