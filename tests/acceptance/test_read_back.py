"""What OneTrust itself does not list is not deleted, whoever signs for it; what it lists is taken from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.journey import Journey, journey

UNKNOWN_SUBTASK = "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Journey]:
    with journey(f"sqlite:///{tmp_path / 'store.db'}") as made:
        yield made


def held_because(life: Journey, asked: Any) -> str:
    row = life.dossier(asked).request
    assert row.state == "held"
    return str(row.reason)


def test_a_stolen_secret_triggers_nothing_that_onetrust_does_not_list(life: Journey) -> None:
    """The thief knows the webhook's secret, and names people of his choice under ids of his choice."""
    life.knows("victim@example.com")
    real = life.ask("ana@example.com")
    life.knows("ana@example.com")
    forged = [
        {"subTaskId": UNKNOWN_SUBTASK, "identifiers": {"email": "victim@example.com"}},
        {"subTaskId": real.subtask_id, "identifiers": {"email": "victim@example.com"}},
        {"subTaskId": real.subtask_id, "identifiers": {"Loyalty ID": "00000001"}},
        {"requestQueueRefId": "ZZZZZZZZZZ", "identifiers": {"email": "victim@example.com"}},
        {"subTaskId": UNKNOWN_SUBTASK, "requestQueueRefId": real.ref_id, "email": "victim@example.com"},
    ]
    assert {life.post(said) for said in forged} == {202}
    life.run_for(60)
    assert "victim@example.com" in [one.fields["email"] for one in life.lytics.profiles]
    # The second and third name a request that is listed, and an address that is not: nobody at all is deleted by it.
    assert not life.submitted()


def test_identifiers_are_those_that_onetrust_lists_and_not_those_of_the_callback(life: Journey) -> None:
    life.knows("ana@example.com", loyalty_id="00481516")
    life.knows("other@example.com", loyalty_id="99999999")
    asked = life.ask("ana@example.com", identifiers={"Loyalty ID": "00481516"})
    said = {
        "subTaskId": asked.subtask_id,
        "identifiers": {"Email Address": "Ana@example.com", "Loyalty ID": "99999999"},
    }
    assert life.post(said) == 202
    life.run_until_told(asked)
    assert life.submitted() == {("email", "ana@example.com"): 1, ("loyalty_id", "00481516"): 1}
    assert [one.fields["email"] for one in life.lytics.profiles] == ["other@example.com"]


def test_a_callback_with_nothing_but_an_id_is_enough(life: Journey) -> None:
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    assert life.post({"subTaskId": asked.subtask_id}) == 202
    life.run_until_told(asked)
    assert life.written(asked)[-1] == "COMPLETED"
    assert life.lytics.profiles == []


def test_answers_that_no_rule_names_do_not_hold_a_request_and_are_counted_if_they_look_like_an_identity(
    life: Journey,
) -> None:
    asked = life.ask("ana@example.com", identifiers={"State": "Bavaria", "Membership": "AB-1234-5678", "Why": "moved"})
    life.accept(asked)
    life.run_until_told(asked)
    assert life.written(asked)[-1] == "COMPLETED"
    assert life.dossier(asked).request.unnamed == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"stage": "Verifying Identity"}, "stage_not_allowed"),
        ({"stage": "UNVERIFIED"}, "stage_not_allowed"),
        ({"subtask_status": "COMPLETED"}, "task_closed"),
        ({"request_types": ()}, "type_missing"),
        ({"subtask_name": "Legal review"}, "ids_differ"),
    ],
)
def test_what_does_not_allow_a_deletion_holds_the_request(life: Journey, given: dict[str, Any], reason: str) -> None:
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com", **given)
    life.accept(asked)
    life.run_for(4)
    assert held_because(life, asked) == reason
    assert not life.submitted()
    assert life.written(asked) == []


def test_a_type_or_a_test_that_only_onetrust_tells_is_refused(life: Journey) -> None:
    for given in ({"request_types": ("Access",)}, {"test_request": True}):
        asked = life.ask("ana@example.com", **given)
        assert life.post({"subTaskId": asked.subtask_id, "requestTypes": ["Data Deletion"]}) == 202
        life.run_until_told(asked)
        assert life.written(asked)[-1] == "REJECTED"
    assert not life.submitted()


@pytest.mark.parametrize("said", [{"testRequest": True}, {"requestTypes": ["Access"]}])
def test_a_callback_that_itself_asks_for_no_erasure_deletes_nobody_whatever_is_listed(
    life: Journey, said: dict[str, Any]
) -> None:
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    assert life.post({"subTaskId": asked.subtask_id, **said}) == 202
    life.run_for(4)
    assert held_because(life, asked) == "not_asked_for"
    life.accept(asked)
    life.run_for(4)
    assert held_because(life, asked) == "not_asked_for"
    assert not life.submitted()
    assert life.written(asked) == []


def test_a_request_that_is_not_listed_yet_is_waited_for_and_then_held_until_it_is(life: Journey) -> None:
    life.knows("ana@example.com")
    early = life.ask("ana@example.com")
    life.onetrust.faults.turn_on("visibility_delay", 90.0)
    life.accept(early)
    life.run_for(6)
    assert life.state(early) == "unconfirmed"
    life.run_until_told(early, seconds=10)
    assert life.written(early)[-1] == "COMPLETED"

    life.onetrust.faults.turn_off("visibility_delay")
    life.onetrust.faults.turn_on("visibility_delay", 5_000.0)
    late = life.ask("ana@example.com")
    life.accept(late)
    life.run_for(16, seconds=10)
    assert held_because(life, late) == "not_listed"
    life.run_until_told(late, seconds=900)
    assert life.written(late)[-1] == "COMPLETED"


def test_a_further_call_asks_at_once_and_a_held_request_goes_on(life: Journey) -> None:
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com", stage="Verifying Identity")
    life.accept(asked)
    life.run_for(3)
    assert held_because(life, asked) == "stage_not_allowed"
    life.onetrust.desk.requests[asked.ref_id].stage = "In Progress"
    life.accept(asked)
    life.run_until_told(asked)
    assert life.submitted() == {("email", "ana@example.com"): 1}


def test_an_outage_or_a_refused_credential_of_onetrust_loses_nothing_and_deletes_nothing(life: Journey) -> None:
    life.knows("ana@example.com")
    asked = life.ask("ana@example.com")
    life.onetrust.faults.turn_on("server_error")
    life.accept(asked)
    life.run_for(5, seconds=30)
    life.onetrust.faults.turn_off("server_error")
    life.onetrust.faults.turn_on("scope_missing")
    life.run_for(5, seconds=30)
    assert life.state(asked) == "unconfirmed"
    assert not life.submitted()
    life.onetrust.faults.turn_off("scope_missing")
    life.run_until_told(asked, seconds=900)
    assert life.written(asked)[-1] == "COMPLETED"


def test_the_platforms_own_due_date_is_taken_over_and_kept_while_it_is_paused(life: Journey) -> None:
    asked = life.ask("ana@example.com", deadline_days=7, stage="Verifying Identity")
    life.accept(asked)
    life.onetrust.desk.requests[asked.ref_id].stage = "In Progress"
    life.run_for(2)
    row = life.dossier(asked).request
    assert (row.due_basis, (row.due_at - row.received_at).days) == ("platform", 7)


def test_switched_off_it_lets_go_what_waited(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with journey(store, "sources.onetrust.read_back.enabled=false") as life:
        life.knows("ana@example.com")
        asked = life.ask("ana@example.com", stage="Verifying Identity")
        life.accept(asked)
        life.run_until_told(asked)
        assert life.written(asked)[-1] == "COMPLETED"
