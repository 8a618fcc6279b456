"""People at the source hear that a request takes its time: at most once a day, and never twice for one day."""

from __future__ import annotations

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, Temporary
from connector.model import RemoteState, RemoteStatus
from connector.store.tables import reports
from tests.support.site import Bench
from tests.support.stand_ins import Killed, StandInCommenter


@pytest.fixture
def commenter(bench: Bench) -> StandInCommenter:
    made = StandInCommenter()
    bench.beside(commenter=made)
    return made


@pytest.fixture
def waiting(bench: Bench) -> Bench:
    """A site on which a deletion runs and does not end."""
    bench.lytics.finish_at_once = False
    bench.knows("s1@example.com")
    return bench


def hours(bench: Bench, number: int) -> None:
    for _ in range(number):
        bench.pass_time(seconds=3600)


def test_one_comment_a_day_with_what_is_known_and_nobody(waiting: Bench, commenter: StandInCommenter) -> None:
    waiting.deliver("s1")
    hours(waiting, 23)
    assert commenter.said == []
    hours(waiting, 3 * 24)
    assert len(commenter.said) == 3
    subtask, text = commenter.said[0]
    assert (subtask, "1 mapped to 1 Lytics field" in text, "1 pending" in text) == ("s1", True, True)
    assert text.startswith("Erasure still under way.")
    assert "@" not in text


def test_nothing_is_said_without_the_setting(waiting: Bench) -> None:
    waiting.deliver("s1")
    hours(waiting, 30)
    assert {one.remind_at for one in waiting.rows(reports)} == {None}


def test_an_account_that_only_observes_is_never_said_to_be_under_way(
    waiting: Bench, commenter: StandInCommenter
) -> None:
    waiting.with_account(observes=True)
    waiting.deliver("s1")
    hours(waiting, 26)
    ((_, text),) = commenter.said
    assert text.startswith("Observed only: nothing is deleted for now. 1 identity received")


def test_a_request_that_is_over_is_forgotten(waiting: Bench, commenter: StandInCommenter) -> None:
    waiting.deliver("s1")
    hours(waiting, 2)
    for one in list(waiting.lytics.operations):
        waiting.lytics.finish(one)
    hours(waiting, 60)
    assert commenter.said == []
    assert {one.remind_at for one in waiting.rows(reports)} == {None}


def test_a_request_that_a_person_has_to_look_at_is_not_under_way(bench: Bench, commenter: StandInCommenter) -> None:
    bench.deliver("s1", ("shoe size", "44"))
    hours(bench, 50)
    assert commenter.said == []


def test_a_new_attempt_begins_its_own_day(waiting: Bench, commenter: StandInCommenter) -> None:
    waiting.deliver("s1", event="e1")
    hours(waiting, 20)
    for one in list(waiting.lytics.statuses):
        waiting.lytics.statuses[one] = RemoteStatus(RemoteState.FAILED, "failed", None, None)
    hours(waiting, 2)
    for one in list(waiting.lytics.statuses):
        waiting.lytics.statuses[one] = RemoteStatus(RemoteState.FAILED, "failed", None, None)
    hours(waiting, 3)
    assert waiting.reporter.statuses == ["IN_PROGRESS", "FAILED"]
    waiting.deliver("s1", event="e2")
    hours(waiting, 23)
    assert commenter.said == []
    hours(waiting, 3)
    assert len(commenter.said) == 1


@pytest.mark.parametrize(
    "error",
    [Temporary(Code.REMOTE_FAULT, outcome_unknown=True), Misconfigured(Code.PERMISSION_MISSING)],
    ids=lambda one: one.code.value,
)
def test_one_that_failed_is_not_made_up_for(waiting: Bench, commenter: StandInCommenter, error: ConnectorError) -> None:
    commenter.answers = [error]
    waiting.deliver("s1")
    hours(waiting, 26)
    assert commenter.said == []
    assert "progress_not_told" in waiting.log.actions
    hours(waiting, 24)
    assert len(commenter.said) == 1


def test_who_dies_on_the_way_does_not_say_it_twice(waiting: Bench, commenter: StandInCommenter) -> None:
    commenter.answers = [Killed()]
    waiting.deliver("s1")
    with pytest.raises(Killed):
        hours(waiting, 26)
    waiting.starts_again()
    hours(waiting, 20)
    assert commenter.said == []


def test_a_task_that_somebody_ended_is_no_news(waiting: Bench, commenter: StandInCommenter) -> None:
    commenter.answers = [False]
    waiting.deliver("s1")
    hours(waiting, 26)
    assert "progress_told" not in waiting.log.actions
