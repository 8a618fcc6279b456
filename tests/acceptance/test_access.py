"""Access requests through the front door: what OneTrust holds at the end, and that nobody was deleted on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connector.services import approvals
from connector.store import access_tables as a
from connector.store import tables as t
from tests.acceptance.journey import Journey, journey

ACCESS = ("Data Access",)
ATTACH = (
    'sources.onetrust.access.types=["Data Access"]',
    'sources.onetrust.access.delivery="attach"',
    'sources.onetrust.report.complete_with="complete"',
)
RESOLVED = "1f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
ERASED = "2f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
Start = Callable[..., Journey]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(*settings: str, store_url: str = f"sqlite:///{tmp_path / 'store.db'}") -> Journey:
            return stack.enter_context(journey(store_url, *settings))

        yield begin


def asks(life: Journey, email: str = "ana@example.com", types: tuple[str, ...] = ACCESS, **given: Any) -> Any:
    life.knows(email, loyalty_id="00481516", first_name="Ana")
    asked = life.ask(email, request_types=types, **given)
    life.accept(asked)
    return asked


def files(life: Journey) -> list[dict[str, Any]]:
    return list(life.onetrust.desk.files.values())


def kept(life: Journey) -> list[object]:
    """What was read about anybody, and still lies in the store."""
    with life.site.database.read() as connection:
        fetched = connection.execute(a.access_fetches.select()).all()
        results = connection.execute(a.access_results.select()).all()
    held = [*(one.profile for one in fetched), *(one.value for one in fetched), *(one.document for one in results)]
    return [one for one in held if one is not None]


def nobody_was_deleted(life: Journey, email: str = "ana@example.com") -> bool:
    with life.site.database.read() as connection:
        targets = connection.execute(t.targets.select()).all()
    return not targets and not life.calls() and life.lytics.world.find("user", "email", email) is not None


def test_the_data_is_attached_to_the_subtask_and_destroyed_here(
    start: Start, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    resolutions = "sources.onetrust.report.resolutions"
    life = start(
        *ATTACH, f'{resolutions}.access="{RESOLVED}"', f'{resolutions}.completed="{ERASED}"', store_url=store_url
    )
    asked = asks(life, identifiers={"Loyalty ID": "00481516"})
    life.run_until_told(asked)
    life.run_for(2)

    (file,) = files(life)
    body = json.loads(file["content"])
    assert [one["content"]["entity"]["first_name"] for one in body["profiles"]] == ["Ana"]
    assert sorted(one["identity"]["value"] for one in body["look_ups"]) == ["00481516", "ana@example.com"]
    assert body["ids"]["request_ref"] == asked.ref_id
    last = life.onetrust.history(asked.subtask_id)[-1]
    assert life.status(asked) == "COMPLETED"
    assert [one["fileId"] for one in last["attachments"]] == [file["Id"]]
    assert last["resolutionId"] == RESOLVED
    assert hashlib.sha256(file["content"].encode()).hexdigest() in last["comment"]
    assert not any(word in last["comment"].lower() for word in ("delet", "eras"))
    assert file["IsInternal"] is True
    assert life.state(asked) == "answered"
    assert kept(life) == []
    assert nobody_was_deleted(life)
    assert not any(word in capsys.readouterr().err for word in ("ana@example.com", "00481516", "Ana"))


@pytest.mark.parametrize("message", ["404", "Not Found"])
def test_nobody_known_is_a_true_answer_in_both_shapes(start: Start, message: str) -> None:
    life = start(*ATTACH)
    if message != "404":
        life.lytics.faults.turn_on("v1_not_found", value=message)
    asked = life.ask("nobody@example.com", request_types=ACCESS)
    life.accept(asked)
    life.run_until_told(asked)

    assert life.status(asked) == "COMPLETED"
    assert "holds no data of this person" in life.last_comment(asked)
    assert files(life) == []
    assert life.state(asked) == "answered"


def test_a_look_up_that_ran_out_of_time_is_not_taken_for_no_data(start: Start) -> None:
    life = start(*ATTACH)
    life.lytics.faults.turn_on("v1_not_found", value="Timed out")
    asked = life.ask("late@example.com", request_types=ACCESS)
    life.accept(asked)
    life.run_for(6)
    assert life.state(asked) == "fetching"

    life.lytics.faults.turn_off("v1_not_found")
    life.knows("late@example.com")
    life.run_until_told(asked, seconds=600)
    assert len(files(life)) == 1


@pytest.mark.parametrize("shape", ["absent", "marked"])
def test_redacted_profiles_hold_the_request_until_the_token_may_see_them(start: Start, shape: str) -> None:
    life = start(*ATTACH)
    life.lytics.faults.turn_on("pii_redacted", value=shape)
    asked = asks(life)
    life.run_for(3)
    assert (life.state(asked), life.dossier(asked).request.reason) == ("held", "profile_redacted")
    assert files(life) == []

    life.lytics.faults.turn_off("pii_redacted")
    life.run_until_told(asked, seconds=3601)
    assert len(files(life)) == 1
    assert life.state(asked) == "answered"


def test_redacted_profiles_go_with_a_warning_if_that_is_wanted(start: Start) -> None:
    life = start(*ATTACH, 'sources.onetrust.access.when_redacted="deliver"')
    life.lytics.faults.turn_on("pii_redacted")
    asked = asks(life)
    life.run_until_told(asked)

    assert "the data is incomplete" in life.last_comment(asked)
    assert json.loads(files(life)[0]["content"])["warnings"] != []


def test_a_request_of_both_types_is_held_and_nobody_is_deleted_or_read(start: Start) -> None:
    life = start(*ATTACH)
    asked = asks(life, types=("Data Access", "Data Deletion"))
    life.run_for(5)

    assert (life.state(asked), life.dossier(asked).request.reason) == ("held", "access_and_erasure")
    assert nobody_was_deleted(life)
    assert files(life) == []

    # Somebody at OneTrust leaves one of them.
    life.onetrust.desk.requests[asked.ref_id].request_types[:] = ["Data Access"]
    life.run_until_told(asked, seconds=3600)
    assert life.state(asked) == "answered"
    assert nobody_was_deleted(life)


def test_an_access_that_is_listed_as_an_erasure_later_deletes_nobody(start: Start) -> None:
    life = start(*ATTACH)
    life.lytics.faults.turn_on("v1_not_found", value="Timed out")
    asked = life.ask("ana@example.com", request_types=ACCESS)
    life.accept(asked)
    life.run_for(3)
    assert life.state(asked) == "fetching"
    life.knows("ana@example.com")
    life.lytics.faults.turn_on("server_error", operation="lookup_post")
    life.onetrust.desk.requests[asked.ref_id].request_types[:] = ["Data Deletion"]
    life.fire(asked)
    life.run_for(6)
    life.lytics.faults.turn_off()
    life.run_for(6)

    assert (life.state(asked), life.dossier(asked).request.reason) == ("held", "type_changed")
    assert nobody_was_deleted(life)


def test_an_erasure_that_is_listed_as_an_access_later_deletes_nobody_either(start: Start) -> None:
    life = start(*ATTACH, 'accounts.main.approval="always"')
    asked = asks(life, types=("Data Deletion",))
    life.run_for(3)
    assert life.state(asked) == "queued"

    life.onetrust.desk.requests[asked.ref_id].request_types[:] = ["Data Access"]
    life.fire(asked)
    life.run_for(4)
    assert (life.state(asked), life.dossier(asked).request.reason) == ("held", "type_changed")
    assert not life.calls()
    # Back to what it was, it goes on as that.
    life.onetrust.desk.requests[asked.ref_id].request_types[:] = ["Data Deletion"]
    life.run_for(4, seconds=3600)
    assert life.state(asked) == "queued"
    assert not life.calls()


def test_neither_preview_nor_approval_nor_a_fuse_sees_an_access(start: Start) -> None:
    life = start(*ATTACH, 'accounts.main.approval="always"', "sources.onetrust.fuse.max_values=1")
    first, second = asks(life), asks(life, "bo@example.com")
    life.run_for(3)

    with life.site.database.read() as connection:
        assert approvals.preview(connection, life.site.accounts["main"], 3).parts == []
    assert (life.status(first), life.status(second)) == ("COMPLETED", "COMPLETED")
    assert nobody_was_deleted(life)


def test_a_completed_task_that_is_fired_again_is_answered_once(start: Start) -> None:
    life = start(*ATTACH)
    asked = asks(life)
    life.run_until_told(asked)
    life.fire(asked)
    life.run_for(4)

    assert life.written(asked).count("COMPLETED") == 1
    assert len(files(life)) == 1
    assert nobody_was_deleted(life)
