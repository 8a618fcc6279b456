"""A callback in, a report out: the fake OneTrust and the fake Lytics say what became of a person."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.journey import Journey, journey

APIS = ("identity-delete", "identity-queue")
Start = Callable[..., Journey]


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(tmp_path: Path, api: str) -> Iterator[Start]:
    """Start a journey on SQLite with the deletion API of this run."""
    with ExitStack() as stack:

        def begin(*settings: str, store_url: str = f"sqlite:///{tmp_path / 'store.db'}", **options: Any) -> Journey:
            made: AbstractContextManager[Journey] = journey(
                store_url, f'accounts.main.deletion_api="{api}"', *settings, **options
            )
            return stack.enter_context(made)

        yield begin


def test_a_known_person_is_deleted_by_exactly_the_mapped_values_once(start: Start, store_url: str) -> None:
    life = start(store_url=store_url)
    life.knows("ana@example.com", loyalty_id="00481516", phone="+493023125042", user_id="u-1")
    life.knows("bystander@example.com", loyalty_id="00481517")
    asked = life.ask(" Ana@Example.COM ", identifiers={"Loyalty ID": "00481516 ", "Phone Number": "030 23125 042"})
    life.accept(asked)
    life.run_until_told(asked)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
    assert "3 identities received, 3 mapped to 3 Lytics fields: 3 deleted, 0 not found, 0 refused, 0 failed" in (
        life.last_comment(asked)
    )
    assert life.submitted() == {
        ("email", "ana@example.com"): 1,
        ("loyalty_id", "00481516"): 1,
        ("phone", "+493023125042"): 1,
    }
    assert [one.fields["email"] for one in life.lytics.profiles] == ["bystander@example.com"]


def test_an_unknown_person_is_completed_with_zero_records(start: Start, store_url: str) -> None:
    life = start(store_url=store_url)
    life.knows("bystander@example.com")
    asked = life.ask("nobody@example.com")
    life.accept(asked)
    life.run_until_told(asked)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
    assert "0 deleted, 1 not found" in life.last_comment(asked)
    assert "no profile" in life.last_comment(asked)
    assert life.submitted() == {("email", "nobody@example.com"): 1}
    assert len(life.lytics.profiles) == 1


def test_nothing_more_is_written_after_the_end(start: Start) -> None:
    life = start()
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_until_told(asked)
    life.run_for(6, seconds=3600)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
    assert life.submitted() == {("email", "ana@example.com"): 1}


def test_somebody_who_is_still_there_is_never_reported_completed(start: Start) -> None:
    life = start("accounts.main.confirm_for_s=60")
    life.knows("ana@example.com")
    life.lytics.faults.turn_on("still_present")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_until_told(asked, seconds=20)
    assert life.written(asked) == ["IN_PROGRESS", "FAILED"]
    assert "0 deleted, 0 not found, 0 refused, 1 failed" in life.last_comment(asked)


def test_a_deletion_that_takes_its_time_is_not_reported_before_its_end(start: Start) -> None:
    life = start(finish_after_s=600)
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_for(20)
    assert life.written(asked) == ["IN_PROGRESS"]
    assert life.lytics.has("user", "email", "ana@example.com")
    life.clock.advance(seconds=600)
    life.run_until_told(asked)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]


def test_a_decision_by_hand_is_not_overwritten(start: Start) -> None:
    life = start(finish_after_s=600)
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_for(6)
    life.onetrust.person_sets(asked.subtask_id, "REJECTED", "we must keep the data")
    life.clock.advance(seconds=600)
    life.run_for(8)
    assert [(one["by"], one["status"]) for one in life.onetrust.history(asked.subtask_id)] == [
        ("api", "IN_PROGRESS"),
        ("person", "REJECTED"),
    ]
    assert [str(one.state) for one in life.dossier(asked).reports] == ["sent", "conflict"]


def test_an_unmapped_identity_holds_the_request_and_deletes_nothing(start: Start) -> None:
    # Where OneTrust is read back, what no rule names there is an attribute.
    life = start("sources.onetrust.read_back.enabled=false")
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com", identifiers={"Shoe size": "44"})
    life.accept(asked)
    life.run_for(8)
    assert life.written(asked) == ["IN_PROGRESS"]
    assert "Held for review" in life.last_comment(asked)
    assert life.calls() == []
    assert life.lytics.has("user", "email", "ana@example.com")


def test_several_requests_go_out_in_one_call(start: Start) -> None:
    life = start()
    asked = [life.ask(f"person-{number}@example.com") for number in range(7)]
    life.accept(*asked)
    life.run_until_told(*asked)
    assert [sorted(one["values"]) for one in life.calls()] == [[f"person-{number}@example.com" for number in range(7)]]
    assert {life.state(one) for one in asked} == {"completed"}


def test_two_requests_of_one_person_are_both_completed_by_one_deletion(start: Start) -> None:
    life = start()
    life.knows("ana@example.com")
    asked = [life.ask("ana@example.com"), life.ask("ANA@example.com")]
    life.accept(*asked)
    life.run_until_told(*asked)
    assert [life.written(one) for one in asked] == [["IN_PROGRESS", "COMPLETED"]] * 2
    assert life.submitted() == {("email", "ana@example.com"): 1}


def test_one_call_per_identifier_becomes_one_request(start: Start) -> None:
    life = start()
    life.knows("ana@example.com", loyalty_id="00481516")
    asked = life.ask("ana@example.com", identifiers={"Loyalty ID": "00481516"})
    deliveries = life.fire(asked, knobs={"apply_each": "own"})
    assert [(one.status, one.answer["duplicate"]) for one in deliveries] == [(202, False), (202, False)]
    assert len({one.answer["jobId"] for one in deliveries}) == 1
    life.run_until_told(asked)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
    assert "2 identities received, 2 mapped to 2 Lytics fields: 2 deleted" in life.last_comment(asked)


def test_a_repeated_and_a_forged_callback_change_nothing(start: Start) -> None:
    life = start()
    life.knows("ana@example.com")
    life.knows("victim@example.com")
    asked, victim = life.ask("ana@example.com"), life.ask("victim@example.com")
    assert [one.answer["duplicate"] for one in life.fire(asked, knobs={"duplicate": 3})] == [False, True, True]
    assert [one.status for one in life.fire(victim, knobs=("tampered_body",))] == [401]
    assert [one.status for one in life.fire(victim, knobs=("wrong_secret",))] == [401]
    life.run_until_told(asked)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
    assert life.submitted() == {("email", "ana@example.com"): 1}
    assert life.written(victim) == []
    assert life.lytics.has("user", "email", "victim@example.com")


def test_a_token_that_lytics_refuses_burns_nothing_and_work_goes_on_after(start: Start) -> None:
    life = start()
    life.knows("ana@example.com")
    life.lytics.faults.turn_on("token_expired")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_for(6, seconds=400)
    assert life.state(asked) == "queued"
    (target,) = life.dossier(asked).targets
    assert (str(target.state), target.submission_id) == ("queued", None)
    assert life.calls() == []
    life.lytics.faults.turn_off("token_expired")
    life.run_until_told(asked, seconds=400)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
    assert life.submitted() == {("email", "ana@example.com"): 1}


def test_a_permission_that_is_missing_at_the_submission_burns_nothing(start: Start) -> None:
    life = start()
    life.knows("ana@example.com")
    life.lytics.faults.turn_on("forbidden")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_for(6, seconds=400)
    assert [str(one.state) for one in life.dossier(asked).targets] == ["queued"]
    assert life.lytics.has("user", "email", "ana@example.com")
    life.lytics.faults.turn_off("forbidden")
    life.run_until_told(asked, seconds=400)
    assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
    assert life.submitted() == {("email", "ana@example.com"): 1}


def test_a_credential_that_onetrust_refuses_loses_no_report(start: Start) -> None:
    # With the same credential nothing would be read back, and so nothing deleted that could be reported.
    life = start("sources.onetrust.read_back.enabled=false")
    life.knows("ana@example.com")
    life.onetrust.faults.turn_on("token_refused")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_for(8, seconds=400)
    assert (life.state(asked), life.written(asked)) == ("completed", [])
    life.onetrust.faults.turn_off("token_refused")
    life.run_until_told(asked, seconds=400)
    # What was in progress is no news any more.
    assert life.written(asked) == ["COMPLETED"]


def test_an_outage_of_both_systems_is_waited_out(start: Start) -> None:
    life = start()
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.lytics.stop()
    life.onetrust.stop()
    life.run_for(6, seconds=60)
    life.lytics.start()
    life.onetrust.start()
    life.run_until_told(asked, seconds=400)
    assert life.written(asked)[-1] == "COMPLETED"
    assert life.submitted() == {("email", "ana@example.com"): 1}


def test_an_answer_to_a_report_that_was_lost_does_not_double_it(start: Start) -> None:
    life = start()
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.onetrust.faults.turn_on("drop_after", operation="subtask_status", times=2)
    life.run_until_told(asked, seconds=60)
    life.run_for(6, seconds=400)
    assert life.written(asked).count("COMPLETED") == 1


def test_a_submission_whose_answer_was_lost_is_not_made_twice(tmp_path: Path) -> None:
    # identity-delete alone: the other API documents that a repeat returns the original ids.
    with journey(f"sqlite:///{tmp_path / 'store.db'}", 'accounts.main.deletion_api="identity-delete"') as life:
        life.knows("ana@example.com")
        life.lytics.faults.turn_on("drop_after", operation="delete_submit", times=1)
        asked = life.ask("ana@example.com")
        life.accept(asked)
        life.run_until_told(asked)
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
        assert "1 deleted" in life.last_comment(asked)
        assert life.submitted() == {("email", "ana@example.com"): 1}


def test_a_repeat_that_is_documented_as_safe_is_made_and_deletes_once(tmp_path: Path) -> None:
    with journey(f"sqlite:///{tmp_path / 'store.db'}", 'accounts.main.deletion_api="identity-queue"') as life:
        life.knows("ana@example.com")
        life.lytics.faults.turn_on("drop_after", operation="queue_submit", times=1)
        asked = life.ask("ana@example.com")
        life.accept(asked)
        life.run_until_told(asked)
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
        assert life.submitted() == {("email", "ana@example.com"): 2}
        assert len(life.lytics.snapshot()["deletions"]) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [({"test_request": True}, "test request"), ({"request_types": ("Data Access",)}, "request types")],
)
def test_what_is_no_erasure_is_rejected_and_deletes_nothing(start: Start, given: dict[str, Any], words: str) -> None:
    life = start()
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com", **given)
    life.accept(asked)
    life.run_until_told(asked)
    assert life.written(asked) == ["REJECTED"]
    assert words in life.last_comment(asked)
    assert life.calls() == []


def test_an_identity_is_in_no_url_no_log_and_no_comment(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Canaries go in by every field, and through every kind of fault; nothing but the request bodies may hold them."""
    life = start("accounts.main.confirm_for_s=30")
    canaries = ("canary-7f3a", "LCANARY99", "23125042", "Kanarienvogel", "Zeisig")
    email, phone = "canary-7f3a@example.com", "+493023125042"
    life.knows(email, loyalty_id="LCANARY99", phone=phone)
    names = {"first_name": "Kanarienvogel", "last_name": "Zeisig"}
    identifiers = {"Loyalty ID": "LCANARY99", "Phone Number": "030 23125042"}
    asked = [life.ask(email, identifiers=identifiers, **names) for _ in range(3)]
    held = life.ask(email, identifiers={"Shoe size": "canary-7f3a"}, **names)
    spoiled = life.ask(email, **names)
    for knob in ("unescaped_quote", "unrendered_placeholder", "doubled_event_id", "tampered_body", "oversized_body"):
        life.fire(spoiled, knobs=(knob,))
    for system, operations in (
        (life.lytics, ("lookup_post", "delete_submit", "queue_submit", "delete_status", "queue_status")),
        (life.onetrust, ("token", "subtask_get", "subtask_status")),
    ):
        for fault, operation in itertools.product(("server_error", "drop_before", "truncated_json"), operations):
            system.faults.turn_on(fault, times=1, operation=operation)
    life.accept(*asked, held)
    life.run_until_told(*asked, seconds=400)
    log = capsys.readouterr().err
    whole = [
        *(url for _, url in itertools.chain(life.lytics.access_log, life.onetrust.access_log)),
        log,
        json.dumps(life.onetrust.snapshot()["subtasks"]),
        json.dumps(life.onetrust.snapshot()["deliveries"]),
    ]
    assert {one for one in canaries for text in whole if one in text} == set()
    # The canaries were alive: they went where they had to go.
    assert life.submitted()["email", email] >= 1
    assert life.submitted()["phone", phone] >= 1
    told = {json.loads(line)["action"] for line in log.splitlines()}
    assert {"delivery_accepted", "delivery_refused", "batch_failed", "poll_failed", "report_failed"} <= told


def test_a_subtask_that_asks_for_a_resolution_gets_the_configured_one(start: Start) -> None:
    erased = "1f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
    life = start(f'sources.onetrust.report.resolutions.completed="{erased}"')
    asked = life.ask("ana@example.com", resolution_required=True, comment_required=True)
    life.accept(asked)
    life.run_until_told(asked)
    assert life.onetrust.history(asked.subtask_id)[-1]["resolutionId"] == erased


def test_a_phone_number_is_read_by_the_configured_region(start: Start) -> None:
    life = start('sources.onetrust.default_region="US"')
    life.knows("ana@example.com", phone="+12025550142")
    asked = life.ask("ana@example.com", identifiers={"Phone Number": "(202) 555-0142"}, country_code="US")
    life.accept(asked)
    life.run_until_told(asked)
    assert life.submitted()["phone", "+12025550142"] == 1
    assert "2 deleted" in life.last_comment(asked)


def test_a_field_that_lytics_does_not_know_as_an_identity_keeps_its_requests_waiting(start: Start) -> None:
    life = start()
    fields = life.lytics.world.schema["user"]
    fields["email"] = False
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_for(20, seconds=60)
    assert life.state(asked) == "queued"
    assert not life.submitted()
    fields["email"] = True
    life.run_until_told(asked, seconds=60)
    assert life.written(asked)[-1] == "COMPLETED"
