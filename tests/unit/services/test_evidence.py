"""The evidence is filed before the completion, once, and a completion does not fail for want of it."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.model import Delivered, Filed
from connector.policy.evidence import Facts, as_csv, outcome
from connector.stops import never
from connector.store.tables import identities, reports, requests
from tests.support.site import Bench
from tests.support.stand_ins import Killed, StandInFiling, StandInFollowUp

DOWN = Temporary(Code.REMOTE_FAULT, outcome_unknown=True)


@pytest.fixture
def filing(bench: Bench) -> StandInFiling:
    made = StandInFiling()
    bench.beside(filing=made)
    return made


def finished(bench: Bench, *identities: tuple[str, str]) -> None:
    bench.knows("s1@example.com")
    bench.deliver("s1", *identities)
    bench.run_to_end()


def rows_of(filing: StandInFiling) -> list[list[str]]:
    ((_, content),) = filing.files
    return list(csv.reader(content.decode().splitlines()))


def test_a_completion_names_its_file_and_the_digest_of_it(bench: Bench, filing: StandInFiling) -> None:
    finished(bench)
    ((stem, content),) = filing.files
    told = bench.reporter.sent[-1]
    assert told.attachment == Filed("file-1", f"{stem}.csv")
    assert f"Evidence: {stem}.csv, SHA-256 {hashlib.sha256(content).hexdigest()}." in told.comment
    assert bench.reporter.sent[0].attachment is None


def test_it_holds_what_an_auditor_asks_for_and_nobody(bench: Bench, filing: StandInFiling) -> None:
    finished(bench, ("email", "s1@example.com"), ("loyalty id", "L-99"))
    rows = rows_of(filing)
    (request,) = bench.rows(requests)
    by = {(what, which): value for what, which, value in rows}
    assert by["id", "job"] == request.id
    assert by["id", "subtask"] == "s1"
    assert (by["outcome", ""], by["attempt", ""]) == ("erased", "1")
    assert by["time", "received"] == f"{request.received_at:%Y-%m-%dT%H:%M:%SZ}"
    assert by["time", "confirmed"] == f"{request.finished_at:%Y-%m-%dT%H:%M:%SZ}"
    assert "unknown" not in (by["time", "submitted"], by["time", "accepted_by_lytics"])
    assert (by["count", "identities_received"], by["count", "deleted"], by["count", "not_found"]) == ("2", "1", "1")
    assert (by["field", "user.email deleted"], by["field", "user.loyalty_id not_found"]) == ("1", "1")
    assert {value for what, _, value in rows if what == "operation"} == set(bench.lytics.statuses)
    digests = {value for what, _, value in rows if what == "identity"}
    assert digests == {one.value_hash for one in bench.rows(identities)}
    ended = {which: value for what, which, value in rows if what == "identity"}
    by_kind = {one.kind.casefold(): one.value_hash for one in bench.rows(identities)}
    assert ended == {"user.email deleted": by_kind["email"], "user.loyalty_id not_found": by_kind["loyalty id"]}
    text = filing.files[0][1].decode()
    assert "@" not in text
    assert "L-99" not in text


def test_nobody_who_was_known_is_said_in_one_word(bench: Bench, filing: StandInFiling) -> None:
    bench.deliver("s1")
    bench.run_to_end()
    assert ["outcome", "", "nothing_held"] in rows_of(filing)


def test_what_was_not_completed_has_no_file(bench: Bench, filing: StandInFiling) -> None:
    bench.lytics.refuses = {"s1@example.com"}
    bench.deliver("s1")
    bench.deliver("s2", test=True)
    bench.run_to_end()
    assert sorted(bench.reporter.statuses) == ["FAILED", "REJECTED"]
    assert filing.files == []


def dying_at(bench: Bench, wanted: str) -> None:
    """Let the process die at a point, once; it starts again without the wish to die."""

    def reached(point: str) -> None:
        if point == wanted:
            raise Killed

    bench.site = replace(bench.site, reached=reached)
    with pytest.raises(Killed):
        finished(bench)
    bench.starts_again()
    bench.site = replace(bench.site, reached=never)


def test_who_dies_after_the_file_repeats_only_what_comes_after_it(bench: Bench, filing: StandInFiling) -> None:
    dying_at(bench, "filed")
    assert (len(filing.files), bench.reporter.statuses) == (1, ["IN_PROGRESS"])
    bench.run_to_end()
    assert (len(filing.files), bench.reporter.statuses) == (1, ["IN_PROGRESS", "COMPLETED"])
    assert bench.reporter.sent[-1].attachment == Filed("file-1", f"{filing.files[0][0]}.csv")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_report_that_is_lost_takes_no_second_file(bench: Bench, filing: StandInFiling, when: str) -> None:
    if when == "before":
        bench.reporter.answers = [None, DOWN]
    bench.knows("s1@example.com")
    bench.deliver("s1")
    for _ in range(12):
        if when == "after" and bench.reporter.statuses == ["IN_PROGRESS"]:
            bench.reporter.after = DOWN
        bench.pass_time(seconds=61)
    assert (len(filing.files), bench.reporter.statuses) == (1, ["IN_PROGRESS", "COMPLETED"])
    assert len(bench.reporter.tried) == 3
    assert {one.attachment.file_id for one in bench.reporter.tried[1:] if one.attachment} == {"file-1"}


def test_a_file_whose_id_was_lost_is_filed_again_and_reported_once(bench: Bench, filing: StandInFiling) -> None:
    dying_at(bench, "uploaded")
    bench.run_to_end()
    (first, second) = filing.files
    # The same facts make the same file, so it does not matter which of the two is looked at.
    assert first == second
    assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]


@pytest.mark.parametrize(
    "error",
    [Refused(Code.REMOTE_REFUSED), NotFound(Code.REMOTE_NOT_FOUND), Refused(Code.PERMISSION_MISSING)],
    ids=lambda one: one.code.value,
)
def test_where_it_is_refused_the_report_goes_without_and_says_so(
    bench: Bench, filing: StandInFiling, error: ConnectorError
) -> None:
    filing.answers = [error]
    finished(bench)
    told = bench.reporter.sent[-1]
    assert (told.status, told.attachment) == ("COMPLETED", None)
    assert told.comment.endswith("Without an evidence file, because it was not taken.")
    assert "evidence_refused" in bench.log.actions
    # Should the report be sent once more, after somebody mended it, it is tried again.
    assert [one.evidence for one in bench.rows(reports) if one.final] == [None]


@pytest.mark.parametrize(
    "error",
    [DOWN, RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=3600), Misconfigured(Code.PERMISSION_MISSING)],
    ids=lambda one: one.code.value,
)
def test_what_passes_is_waited_for(bench: Bench, filing: StandInFiling, error: ConnectorError) -> None:
    filing.answers = [error]
    finished(bench)
    bench.pass_time(seconds=7300)
    assert bench.reporter.sent[-1].attachment is not None


def test_what_does_not_pass_costs_the_file_and_not_the_report(bench: Bench, filing: StandInFiling) -> None:
    filing.answers = [DOWN] * 99
    finished(bench)
    for _ in range(8):
        bench.pass_time(seconds=3700)
    assert len(filing.answers) == 99 - 5
    told = bench.reporter.sent[-1]
    assert (told.status, told.attachment) == ("COMPLETED", None)


def test_a_limit_of_calls_never_costs_the_file(bench: Bench, filing: StandInFiling) -> None:
    filing.answers = [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=60)] * 8
    finished(bench)
    for _ in range(12):
        bench.pass_time(seconds=8000)
    assert bench.reporter.sent[-1].attachment is not None


def test_a_task_that_somebody_ended_gets_no_file_and_is_a_conflict(bench: Bench, filing: StandInFiling) -> None:
    filing.ended = True
    bench.reporter.answers = [None, Delivered.CONFLICT]
    finished(bench)
    assert filing.files == []
    assert [str(one.state) for one in bench.rows(reports) if one.final] == ["conflict"]


class TestFollowUps:
    def test_each_report_is_followed_with_its_numbers_and_its_own_id(self, bench: Bench) -> None:
        follow = StandInFollowUp()
        bench.beside(follow_ups=(follow,))
        finished(bench)
        (first, last) = [one for one, _ in follow.done]
        assert (first.counts, last.counts["deleted"]) == ({}, 1)
        assert {first.report_id, last.report_id} == {one.id for one in bench.rows(reports)}

    def test_a_refusal_is_logged_and_is_no_error_of_the_report(self, bench: Bench) -> None:
        refusal: list[BaseException] = [Refused(Code.REMOTE_REFUSED), Misconfigured(Code.PERMISSION_MISSING)]
        follow, other = StandInFollowUp(answers=refusal), StandInFollowUp("webhook")
        bench.beside(follow_ups=(follow, other))
        finished(bench)
        assert {(one.status.value, str(one.state)) for one in bench.rows(reports)} == {
            ("IN_PROGRESS", "sent"),
            ("COMPLETED", "sent"),
        }
        said = [fields for action, fields in bench.log.records if action == "follow_up_refused"]
        assert [one["code"].value for one in said] == ["remote_refused", "permission_missing"]
        assert len(other.done) == 2
        assert bench.site.may_report(bench.source)

    def test_an_outage_has_it_repeated_and_not_the_report(self, bench: Bench) -> None:
        follow = StandInFollowUp(answers=[DOWN])
        bench.beside(follow_ups=(follow,))
        finished(bench)
        bench.pass_time(seconds=3700)
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]
        assert [delivered for _, delivered in follow.done if delivered is Delivered.ALREADY]

    def test_an_outage_without_an_end_does_not_make_a_report_that_was_told_a_dead_one(self, bench: Bench) -> None:
        follow = StandInFollowUp(answers=[DOWN] * 99)
        bench.beside(follow_ups=(follow,))
        finished(bench)
        for _ in range(8):
            bench.pass_time(seconds=3700)
        assert [str(one.state) for one in bench.rows(reports) if one.final] == ["sent"]
        assert bench.reporter.statuses[-1] == "COMPLETED"
        assert "report_dead" not in bench.log.actions
        assert "follow_up_refused" in bench.log.actions

    def test_who_dies_after_it_repeats_no_report(self, bench: Bench) -> None:
        follow = StandInFollowUp()
        bench.beside(follow_ups=(follow,))
        dying_at(bench, "followed")
        bench.run_to_end()
        assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]
        assert [str(one.state) for one in bench.rows(reports)] == ["sent", "sent"]
        assert {one.report_id for one, _ in follow.done} == {one.id for one in bench.rows(reports)}


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"targets": 2, "not_found": 2}, "nothing_held"),
        ({"targets": 2, "not_found": 1}, "erased"),
        ({"targets": 0, "not_found": 0}, "erased"),
        ({}, "erased"),
    ],
)
def test_nothing_held_is_said_only_where_something_was_looked_for(counts: dict[str, int], said: str) -> None:
    assert outcome(counts) == said


def test_what_comes_from_elsewhere_cannot_be_a_formula_or_another_line() -> None:
    facts = Facts(
        ids={"request": '=HYPERLINK("x")', "subtask": "a\nb,c"},
        times={"received": None},
        attempt=1,
        counts={},
        fields={("user.email", "deleted"): 1},
        operations=["@SUM(1)", "-op"],
        identities=[],
    )
    rows = list(csv.reader(as_csv(facts).decode().splitlines()))
    assert {len(row) for row in rows} == {3}
    assert not [cell for row in rows for cell in row if cell and not cell[0].isalnum()]
    assert ["time", "received", "unknown"] in rows
