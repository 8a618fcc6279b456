"""A due date that comes near is told while there is time: in the log always, at the source once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.services import warn as step
from connector.store.tables import requests
from tests.support.listings import Lister, asking, listing
from tests.support.site import START, Bench
from tests.support.stand_ins import Killed, StandInCommenter


@pytest.fixture
def waiting(bench: Bench) -> Iterator[Bench]:
    """A site on which a deletion runs and does not end; it is due after a month."""
    bench.lytics.finish_at_once = False
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end(2)
    return bench


@pytest.fixture
def warner(waiting: Bench) -> StandInCommenter:
    made = StandInCommenter()
    waiting.beside(warner=made)
    return made


def days(bench: Bench, number: int) -> None:
    for _ in range(number):
        bench.pass_time(days=1)


def warnings(bench: Bench) -> int:
    return bench.log.actions.count("deadline_near")


def test_seven_days_before_it_is_said_once_and_names_nobody(waiting: Bench, warner: StandInCommenter) -> None:
    days(waiting, 22)
    assert (warner.said, warnings(waiting)) == ([], 0)
    days(waiting, 20)
    ((subtask, text),) = warner.said
    assert subtask == "s1"
    assert text.startswith("Warning: this erasure is due 2026-12-02 09:00:00 UTC. Lytics has not confirmed it yet.")
    assert "1 pending" in text
    assert "@" not in text
    (said,) = [fields for action, fields in waiting.log.records if action == "deadline_near"]
    assert (said["state"], said["count"]) == ("working", 1)


def test_one_that_is_held_says_so(bench: Bench) -> None:
    warner = StandInCommenter()
    bench.beside(warner=warner)
    bench.deliver("s1", ("shoe size", "44"))
    days(bench, 25)
    assert "It is held here until a person has looked at it." in warner.said[0][1]


def test_an_account_that_only_observes_is_no_silence_of_lytics(bench: Bench) -> None:
    warner = StandInCommenter()
    bench.beside(warner=warner)
    bench.with_account(observes=True)
    bench.deliver("s1")
    days(bench, 25)
    ((_, text),) = warner.said
    assert "Observed only: nothing is deleted for now." in text
    assert "Lytics" not in text.partition("identity")[0]


def test_what_is_over_in_time_is_not_warned_of(waiting: Bench, warner: StandInCommenter) -> None:
    for one in list(waiting.lytics.operations):
        waiting.lytics.finish(one)
    days(waiting, 40)
    assert waiting.state() == "completed"
    assert (warner.said, warnings(waiting)) == ([], 0)


def test_the_log_says_it_where_nobody_else_is_told(waiting: Bench) -> None:
    days(waiting, 40)
    assert warnings(waiting) == 1


def test_how_near_is_the_source_s_own(waiting: Bench) -> None:
    warner = StandInCommenter()
    waiting.beside(warner=warner, warn_before=timedelta(days=2))
    days(waiting, 27)
    assert warner.said == []
    days(waiting, 3)
    assert len(warner.said) == 1


@pytest.mark.parametrize(
    "error",
    [Temporary(Code.REMOTE_FAULT), Misconfigured(Code.PERMISSION_MISSING), RateLimited(Code.REMOTE_RATE_LIMITED)],
    ids=lambda one: one.code.value,
)
def test_one_that_was_surely_not_written_is_written_the_next_day(
    waiting: Bench, warner: StandInCommenter, error: ConnectorError
) -> None:
    days(waiting, 22)
    warner.answers = [error]
    days(waiting, 1)
    assert "deadline_not_told" in waiting.log.actions
    for _ in range(5):
        waiting.pass_time(hours=2)
    assert warner.said == []
    days(waiting, 5)
    assert len(warner.said) == 1


@pytest.mark.parametrize(
    "error",
    [Temporary(Code.REMOTE_FAULT, outcome_unknown=True), Refused(Code.REMOTE_REFUSED)],
    ids=lambda one: one.code,
)
def test_one_that_may_be_there_or_is_refused_is_not_written_again(
    waiting: Bench, warner: StandInCommenter, error: ConnectorError
) -> None:
    days(waiting, 22)
    warner.answers = [error]
    days(waiting, 10)
    assert warner.said == []
    assert warnings(waiting) == 1


def test_a_missing_permission_for_comments_keeps_no_report_from_its_way(
    waiting: Bench, warner: StandInCommenter
) -> None:
    days(waiting, 22)
    warner.answers = [Misconfigured(Code.PERMISSION_MISSING)]
    waiting.clock.advance(days=1)
    step.warn(waiting.site)
    assert waiting.site.may_report(waiting.source)


def test_while_the_source_may_not_be_told_anything_it_waits(waiting: Bench, warner: StandInCommenter) -> None:
    waiting.clock.advance(days=24)
    waiting.site.pause_reports(waiting.source, RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=60))
    step.warn(waiting.site)
    assert warner.said == []
    days(waiting, 2)
    assert len(warner.said) == 1


def test_who_dies_on_the_way_does_not_say_it_twice(waiting: Bench, warner: StandInCommenter) -> None:
    days(waiting, 22)
    warner.answers = [Killed()]
    with pytest.raises(Killed):
        days(waiting, 3)
    waiting.starts_again()
    days(waiting, 5)
    assert warner.said == []


def test_a_due_date_that_was_moved_is_warned_of_anew(bench: Bench) -> None:
    warner, lister = StandInCommenter(), Lister(listing(email="s1@example.com", due_at=START + timedelta(days=10)))
    bench.lytics.finish_at_once = False
    bench.knows("s1@example.com")
    bench.list_by(asking(lister))
    bench.beside(warner=warner)
    bench.deliver("s1")
    days(bench, 5)
    assert len(warner.said) == 1
    lister.answer = listing(email="s1@example.com", due_at=START + timedelta(days=60))
    days(bench, 40)
    assert len(warner.said) == 1
    days(bench, 15)
    assert len(warner.said) == 2


def test_a_new_attempt_is_warned_of_anew(waiting: Bench, warner: StandInCommenter) -> None:
    days(waiting, 25)
    with waiting.database.read() as connection:
        assert connection.scalar(select(requests.c.warned_at)) is not None
    waiting.lytics.refuses = {"s1@example.com"}
    waiting.lytics.statuses.clear()
    days(waiting, 6)
    assert waiting.state() == "failed"
    waiting.lytics.refuses = set()
    waiting.deliver("s1", event="again")
    days(waiting, 2)
    assert len(warner.said) == 2
