"""A callback that never came is found in OneTrust's own list, and handled exactly as if it had come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from connector.sandbox.defaults import SUBTASK_NAME
from connector.services.backstop import backstop
from connector.store.tables import deliveries, requests
from tests.acceptance.journey import Journey, journey

ON = f'sources.onetrust.backstop={{system_name="{SUBTASK_NAME}"}}'
HALF_AN_HOUR = 1801.0


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Journey]:
    with ExitStack() as stack:
        made = stack.enter_context(journey(f"sqlite:///{tmp_path / 'store.db'}", ON))
        yield made


def count(life: Journey, table: Any) -> int:
    with life.site.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def people(life: Journey, number: int) -> list[Any]:
    asked = []
    for place in range(number):
        life.knows(f"person-{place}@example.com")
        asked.append(life.ask(f"person-{place}@example.com"))
    return asked


def deleted_once(life: Journey, asked: list[Any]) -> None:
    life.run_until_told(*asked, seconds=60)
    assert {life.status(one) for one in asked} == {"COMPLETED"}
    assert life.lytics.profiles == []
    assert set(life.submitted().values()) == {1}
    assert [life.written(one).count("COMPLETED") for one in asked] == [1] * len(asked)
    assert count(life, requests) == len(asked)


def test_requests_whose_callbacks_never_came_are_carried_out(life: Journey) -> None:
    deleted_once(life, people(life, 3))


@pytest.mark.parametrize("shape", ["page", "bare_array"])
def test_every_page_of_the_list_is_read(life: Journey, shape: str) -> None:
    if shape == "bare_array":
        life.onetrust.faults.turn_on("bare_array")
    asked = people(life, 101)
    backstop(life.site)
    assert count(life, requests) == len(asked)
    assert life.onetrust.calls["subtasks_list"] == 2


def test_a_callback_before_or_after_it_is_the_same_request(life: Journey) -> None:
    first, second = people(life, 2)
    life.accept(first)
    life.pass_time()
    life.accept(second)
    life.run_for(2)
    life.accept(first, second)
    deleted_once(life, [first, second])


def one_attempt_each(life: Journey, asked: list[Any]) -> None:
    """Require that everybody was deleted once and told once, whatever names the requests came under."""
    life.run_until_told(*asked, seconds=60)
    assert life.lytics.profiles == []
    assert set(life.submitted().values()) == {1}
    assert [life.written(one).count("COMPLETED") for one in asked] == [1] * len(asked)


def test_a_callback_that_names_only_the_request_is_the_same_request(life: Journey) -> None:
    """In either order, and whether or not the first was listed when the second came."""
    asked = people(life, 4)
    for one in asked[:2]:
        assert life.post({"requestQueueRefId": one.ref_id}) == 202
    life.run_for(1, seconds=1)
    backstop(life.site)
    for one in asked[2:]:
        assert life.post({"requestQueueRefId": one.ref_id}) == 202
    one_attempt_each(life, asked)
    life.run_for(3, seconds=HALF_AN_HOUR)
    states = [life.dossier(one).request for one in asked]
    assert {str(one.state) for one in states} == {"completed"}
    with life.site.database.read() as connection:
        ended = connection.execute(select(requests).where(requests.c.state == "rejected")).all()
    assert len(ended) == count(life, requests) - len(asked)
    assert {one.reason[:8] for one in ended} == {"same_as:"}


@pytest.mark.parametrize("named_first", [True, False])
def test_a_further_call_under_either_name_is_one_for_the_same_request(life: Journey, *, named_first: bool) -> None:
    life.knows("ana@example.com")
    life.lytics.faults.turn_on("still_present")
    asked = life.ask("ana@example.com")
    names = [{"subTaskId": asked.subtask_id}, {"requestQueueRefId": asked.ref_id}]
    first, second = names if named_first else reversed(names)
    assert life.post(first) == 202
    life.run_until_told(asked, seconds=7200)
    assert life.written(asked)[-1] == "FAILED"
    life.onetrust.person_sets(asked.subtask_id, "OPEN", "please try again")
    assert life.post(second) == 202
    life.run_until_told(asked, seconds=7200)
    assert life.written(asked).count("FAILED") == 2
    life.lytics.faults.turn_off("still_present")
    life.onetrust.person_sets(asked.subtask_id, "OPEN", "and once more")
    # The very same bytes as before: those of a request that ended because another one is the same.
    assert life.post(second) in (200, 202)
    life.run_until_told(asked, seconds=7200)
    assert life.written(asked)[-1] == "COMPLETED"
    with life.site.database.read() as connection:
        rows = connection.execute(select(requests)).all()
    assert sorted((str(one.state), one.attempt) for one in rows) == [("completed", 3), ("rejected", 1)]


def test_both_at_the_same_moment_are_one_request(life: Journey) -> None:
    asked = people(life, 20)
    begun = threading.Barrier(2)

    def look() -> None:
        begun.wait()
        backstop(life.site)

    looking = threading.Thread(target=look)
    looking.start()
    begun.wait()
    statuses = {one.status for one in life.onetrust.fire([one.subtask_id for one in asked], threads=4)}
    looking.join()
    assert statuses == {202}
    deleted_once(life, asked)


def test_it_looks_every_half_hour_and_reaches_back_two_hours(life: Journey) -> None:
    deleted_once(life, people(life, 1))
    looks = life.onetrust.calls["subtasks_list"]
    life.run_for(5, seconds=60)
    assert life.onetrust.calls["subtasks_list"] == looks
    life.run_for(1, seconds=HALF_AN_HOUR)
    assert life.onetrust.calls["subtasks_list"] == looks + 1
    # One that was listed late, with a date of its own from before the last look.
    late = life.ask("late@example.com")
    life.onetrust.subtask(late.subtask_id).updated_at = life.onetrust.now() - 5400
    life.run_for(1, seconds=HALF_AN_HOUR)
    life.run_until_told(late)
    assert life.written(late)[-1] == "COMPLETED"


def test_after_an_outage_it_reaches_back_to_the_last_look_that_went_well(life: Journey) -> None:
    life.run_for(1)
    life.onetrust.faults.turn_on("server_error", operation="subtasks_list")
    lost = people(life, 2)
    life.run_for(12, seconds=3600)
    assert count(life, requests) == 0
    life.onetrust.faults.turn_off("server_error")
    life.run_for(2, seconds=3600)
    deleted_once(life, lost)


def test_what_is_not_open_or_of_another_system_is_left_alone(life: Journey) -> None:
    life.knows("ana@example.com")
    life.ask("ana@example.com", subtask_name="Other system")
    life.ask("ana@example.com", subtask_name=f"{SUBTASK_NAME} 2")
    life.ask("ana@example.com", subtask_status="COMPLETED")
    life.ask("ana@example.com", subtask_type="MANUAL")
    life.run_for(3, seconds=HALF_AN_HOUR)
    assert count(life, requests) == 0


def test_a_reprocess_whose_callback_was_lost_starts_a_new_attempt_and_a_failure_alone_does_not(life: Journey) -> None:
    life.knows("ana@example.com")
    life.lytics.faults.turn_on("still_present")
    asked = life.ask("ana@example.com")
    life.accept(asked)
    life.run_until_told(asked, seconds=7200)
    assert life.written(asked)[-1] == "FAILED"
    life.run_for(3, seconds=HALF_AN_HOUR)
    assert life.state(asked) == "failed"
    life.lytics.faults.turn_off("still_present")
    life.onetrust.person_sets(asked.subtask_id, "OPEN", "please try again")
    life.run_until_told(asked, seconds=900)
    assert life.written(asked)[-1] == "COMPLETED"
    assert life.dossier(asked).request.attempt == 2


def test_it_is_recorded_as_what_it_was(life: Journey) -> None:
    (asked,) = people(life, 1)
    backstop(life.site)
    with life.site.database.read() as connection:
        assert connection.scalars(select(deliveries.c.principal)).all() == ["backstop"]
    assert life.state(asked) == "unconfirmed"
