"""Access requests: read, handed over once, destroyed here, and never in the way of anything that deletes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, RateLimited, Refused, Rejected, Temporary
from connector.mapping.rules import compile_rules
from connector.model import Delivered, Report, SourceStatus
from connector.policy.breaker import BreakerPolicy
from connector.private import Private
from connector.profile import Profile
from connector.services import dead_letters, hand_over, holds
from connector.services import export as exporting
from connector.services.extras import AccessRules, Extras
from connector.services.map import map_requests
from connector.services.remote import Breakers
from connector.services.rules import Scope
from connector.states import REQUEST_MOVES, ReportState, RequestKind, RequestState
from connector.store import access as store
from connector.store import access_tables as a
from connector.store import dead_letters as stored_letters
from connector.store import requests
from connector.store import tables as t
from connector.store.access import REDACTED
from connector.store.audit import Decision, latest
from connector.store.targets import FREE_REQUESTS
from tests.support.site import RULES, Bench
from tests.support.stand_ins import Killed, StandInCommenter, StandInFiling, StandInReader

ACCESS = {"types": ("Data Access",)}
ERASURE = {"types": ("Data Deletion",)}
SCOPE = Scope(frozenset({"data deletion"}), access_types=frozenset({"data access"}))
EVERYTHING_READ = ("profile", "value")


@pytest.fixture
def reader(bench: Bench) -> StandInReader:
    made = StandInReader({("email", "s1@example.com"): {"email": "s1@example.com", "plan": "gold"}})
    bench.with_account(reader=made)
    bench.knows("s1@example.com")
    return made


@pytest.fixture
def filing(bench: Bench, reader: StandInReader) -> StandInFiling:
    made = StandInFiling()
    allow(bench, filing=made)
    return made


def allow(bench: Bench, **rules: Any) -> None:
    """Let the source's access type be carried out, under these rules."""
    source = replace(bench.source, scope=SCOPE, extras=Extras(access=AccessRules(**rules)))
    bench.site = replace(bench.site, sources={"onetrust": source})


def result(bench: Bench) -> Any:
    (row,) = bench.rows(a.access_results)
    return row


def kept_of_the_person(bench: Bench) -> list[object]:
    """Everything that was read or is to be read, and still lies in the store."""
    fetched = [getattr(one, name) for one in bench.rows(a.access_fetches) for name in EVERYTHING_READ]
    return [one for one in [*fetched, *(row.document for row in bench.rows(a.access_results))] if one is not None]


def take(bench: Bench, into: list[bytes]) -> exporting.Exported:
    (row,) = bench.rows(t.requests)
    return exporting.export(bench.site, row.id, into.append, Decision("ada", "asked by post", bench.clock.now()))


def finals(bench: Bench) -> list[str]:
    """What the source was told at the end; that it is under way is told only if there is time for that."""
    return [one for one in bench.reporter.statuses if one != "IN_PROGRESS"]


def say_nothing_of_deleting(bench: Bench) -> bool:
    return not any("delet" in one.comment.lower() or "eras" in one.comment.lower() for one in bench.reporter.sent)


# While it takes its time -----------------------------------------------------


@pytest.mark.usefixtures("reader")
def test_a_due_date_that_comes_near_is_told_without_a_word_of_erasure(bench: Bench) -> None:
    allow(bench, keep=timedelta(days=60))
    source = bench.site.sources["onetrust"]
    extras = replace(source.extras, warner=(warner := StandInCommenter()))
    bench.site = replace(bench.site, sources={"onetrust": replace(source, extras=extras)})
    bench.deliver(**ACCESS)
    for _ in range(25):
        bench.pass_time(days=1)
    ((_, text),) = warner.said
    assert text.startswith("Warning: this access request is due 2026-12-02 09:00:00 UTC. The data was not handed over")
    assert say_nothing_of_deleting(bench)
    assert "eras" not in text


# Handing over ----------------------------------------------------------------


def test_data_is_attached_and_told_and_destroyed_here(bench: Bench, filing: StandInFiling) -> None:
    bench.deliver(**ACCESS)
    bench.run_to_end(2)

    ((name, content),) = filing.files
    body = json.loads(content)
    assert body["profiles"] == [{"number": 1, "content": {"entity": {"email": "s1@example.com", "plan": "gold"}}}]
    assert body["look_ups"][0]["identity"] == {"kind": "email", "value": "s1@example.com"}
    assert body["look_ups"][0]["profile"] == 1
    assert finals(bench) == ["COMPLETED"]
    last = bench.reporter.sent[-1]
    assert last.attachment is not None
    assert last.attachment.file_name.startswith("access-")
    assert name.startswith("access-")
    assert "1 profile found by 1 of 1 look-up" in last.comment
    assert hashlib.sha256(content).hexdigest() in last.comment
    assert say_nothing_of_deleting(bench)
    assert last.counts == {}
    assert bench.state() == "answered"
    assert kept_of_the_person(bench) == []
    row = result(bench)
    assert (row.delivered_how, row.sha256) == ("attached", hashlib.sha256(content).hexdigest())
    assert row.shredded_at == row.delivered_at
    assert row.shredded_at is not None


def test_what_nobody_is_known_by_is_a_true_answer(bench: Bench, reader: StandInReader, filing: StandInFiling) -> None:
    reader.people.clear()
    bench.deliver(**ACCESS)
    bench.run_to_end(2)

    assert bench.reporter.statuses[-1] == "COMPLETED"
    assert "holds no data of this person" in bench.reporter.sent[-1].comment
    assert filing.files == []
    assert bench.state() == "answered"
    assert kept_of_the_person(bench) == []


def test_a_profile_that_two_identities_find_stands_in_the_document_once(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.people["loyalty_id", "L-1"] = reader.people["email", "s1@example.com"]
    bench.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "L-1"), ("loyalty id", "L-2"), **ACCESS)
    bench.run_to_end(2)

    body = json.loads(filing.files[0][1])
    assert [one["profile"] for one in body["look_ups"]] == [1, 1, None]
    assert len(body["profiles"]) == 1
    assert "1 profile found by 2 of 3 look-ups" in bench.reporter.sent[-1].comment


def test_a_file_that_is_refused_is_never_reported_as_handed_over(bench: Bench, filing: StandInFiling) -> None:
    filing.answers = [Refused(Code.PERMISSION_MISSING)] * 9
    bench.deliver(**ACCESS)
    bench.run_to_end(3)

    assert finals(bench) == []
    assert bench.state() == "delivering"
    assert "report_dead" in bench.log.actions
    assert result(bench).document is not None

    taken: list[bytes] = []
    take(bench, taken)
    bench.run_to_end(2)
    assert bench.state() == "answered"
    assert finals(bench) == ["COMPLETED"]
    assert "handed to an operator" in bench.reporter.sent[-1].comment
    assert kept_of_the_person(bench) == []


def test_a_task_that_somebody_else_ended_gets_no_file_and_the_data_is_destroyed(
    bench: Bench, filing: StandInFiling
) -> None:
    bench.reporter.answers = [Delivered.ALREADY]
    filing.ended = True
    bench.deliver(**ACCESS)
    bench.run_to_end(2)

    assert bench.state() == "failed"
    assert bench.dossier().request.reason == "decided_at_source"
    assert kept_of_the_person(bench) == []
    assert result(bench).delivered_how == ""


def test_a_conflict_after_the_upload_is_not_called_answered(bench: Bench, filing: StandInFiling) -> None:
    bench.reporter.answers = [Delivered.CONFLICT]
    bench.deliver(**ACCESS)
    bench.run_to_end(2)

    assert bench.state() == "failed"
    assert kept_of_the_person(bench) == []


def test_an_operator_takes_the_data_once(bench: Bench, reader: StandInReader) -> None:
    allow(bench)
    bench.deliver(**ACCESS)
    bench.run_to_end(2)
    assert bench.state() == "delivering"
    assert finals(bench) == []

    taken: list[bytes] = []
    done = take(bench, taken)
    assert json.loads(taken[0])["profiles"][0]["content"]["entity"]["plan"] == "gold"
    assert hashlib.sha256(taken[0]).hexdigest() == done.sha256
    assert kept_of_the_person(bench) == []
    with pytest.raises(Refused) as refused:
        take(bench, taken)
    assert refused.value.code is Code.ACCESS_DATA_GONE

    bench.run_to_end(2)
    assert bench.state() == "answered"
    assert finals(bench) == ["COMPLETED"]
    assert done.sha256 in bench.reporter.sent[-1].comment
    assert say_nothing_of_deleting(bench)
    with bench.database.read() as connection:
        (noted,) = latest(connection, 5)
    assert (noted.actor, noted.action, noted.reason) == ("ada", "access_exported", "asked by post")


def test_data_that_is_being_attached_is_not_taken_as_well(bench: Bench, filing: StandInFiling) -> None:
    filing.answers = [Temporary(Code.REMOTE_FAULT)]
    bench.deliver(**ACCESS)
    bench.run_to_end(1)

    taken: list[bytes] = []
    with pytest.raises(Refused):
        take(bench, taken)
    assert taken == []
    bench.run_to_end(2)
    assert bench.state() == "answered"


def test_a_death_after_the_file_was_written_leaves_the_data_to_be_taken_again(
    bench: Bench, reader: StandInReader
) -> None:
    allow(bench)
    bench.deliver(**ACCESS)
    bench.run_to_end(2)
    bench.site = replace(bench.site, reached=dies_at("exported"))
    taken: list[bytes] = []
    with pytest.raises(Killed):
        take(bench, taken)

    bench.starts_again()
    bench.site = replace(bench.site, reached=lambda _point: None)
    take(bench, taken)
    assert taken[0] == taken[1]
    assert kept_of_the_person(bench) == []


# Deaths of the process -------------------------------------------------------


def dies_at(point: str) -> Callable[[str], None]:
    def reached(here: str) -> None:
        if here == point:
            raise Killed

    return reached


@pytest.mark.parametrize(
    ("point", "files"),
    [("fetched", 1), ("uploaded", 2), ("filed", 1), ("reported", 1), ("followed", 1), ("told", 1)],
)
def test_a_death_at_any_point_leaves_one_answer_and_nothing_of_the_person(
    bench: Bench, filing: StandInFiling, point: str, files: int
) -> None:
    bench.deliver(**ACCESS)
    bench.site = replace(bench.site, reached=dies_at(point))
    with pytest.raises(Killed):
        bench.run_to_end(3)

    bench.starts_again()
    bench.site = replace(bench.site, reached=lambda _point: None)
    bench.run_to_end(3)
    assert bench.state() == "answered"
    assert finals(bench) == ["COMPLETED"]
    # Only an upload whose answer was lost may be there twice.
    assert len(filing.files) == files
    assert len({content for _, content in filing.files}) == 1
    assert kept_of_the_person(bench) == []


# Never deleted ---------------------------------------------------------------


def test_nothing_of_an_access_request_is_ever_a_target(bench: Bench, filing: StandInFiling) -> None:
    bench.deliver(**ACCESS)
    bench.run_to_end(4)

    assert bench.rows(t.targets) == []
    assert bench.lytics.calls == []
    assert ("user", "email", "s1@example.com") in bench.lytics.people


def test_an_erasure_beside_it_deletes_only_its_own(bench: Bench, filing: StandInFiling) -> None:
    bench.knows("other@example.com")
    bench.deliver("s1", **ACCESS)
    bench.deliver("s2", ("email", "other@example.com"), **ERASURE)
    bench.run_to_end(4)

    assert bench.lytics.submitted() == {"other@example.com": 1}
    assert (bench.state("s1"), bench.state("s2")) == ("answered", "completed")


def test_a_request_that_names_both_is_carried_out_as_neither(bench: Bench, filing: StandInFiling) -> None:
    bench.deliver(types=("Data Access", "Data Deletion"))
    bench.run_to_end(3)

    assert bench.state() == "rejected"
    assert bench.dossier().request.reason == "access_and_erasure"
    assert bench.lytics.calls == []
    assert filing.files == []
    assert bench.reporter.statuses == ["REJECTED"]


def test_the_same_task_called_as_an_erasure_is_a_request_of_its_own(bench: Bench, filing: StandInFiling) -> None:
    """Without a source that lists its requests, a word alone decides: two words are two requests."""
    bench.deliver("s1", event="e1", **ACCESS)
    bench.deliver("s1", event="e2", **ERASURE)

    rows = bench.rows(t.requests)
    assert sorted(row.request_key for row in rows) == ["access:subtask:s1", "subtask:s1"]


def test_a_replay_and_a_further_call_of_an_answered_request_repeat_nothing(bench: Bench, filing: StandInFiling) -> None:
    for event in ("e1", "e1", "e2"):
        bench.deliver("s1", event=event, **ACCESS)
        bench.run_to_end(2)

    assert bench.state() == "answered"
    assert len(filing.files) == 1
    assert bench.lytics.calls == []
    assert finals(bench) == ["COMPLETED"]


def test_a_new_attempt_after_a_failure_reads_anew_and_still_submits_nothing(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.answers = [Refused(Code.REMOTE_REFUSED)]
    bench.deliver("s1", event="e1", **ACCESS)
    bench.run_to_end(2)
    assert bench.state() == "failed"
    assert finals(bench) == ["FAILED"]
    assert say_nothing_of_deleting(bench)
    assert kept_of_the_person(bench) == []

    bench.deliver("s1", event="e2", **ACCESS)
    bench.run_to_end(3)
    assert bench.state() == "answered"
    assert bench.reporter.statuses[-1] == "COMPLETED"
    assert bench.rows(t.targets) == []
    assert bench.lytics.calls == []


def test_a_type_that_comes_to_mean_erasure_holds_what_was_taken_for_an_access(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.answers = [Refused(Code.REMOTE_REFUSED)]
    bench.deliver("s1", event="e1", **ACCESS)
    bench.run_to_end(2)
    # An operator moved the word from one list to the other while the request had failed.
    changed = replace(bench.source, scope=Scope(frozenset({"data deletion", "data access"})))
    with bench.database.write() as connection:
        (row,) = bench.rows(t.requests)
        connection.execute(t.requests.update().values(request_types=["Data Access"]))
        (locked,) = requests.lock_all(connection, [row.id])
        requests.start_again(connection, locked, bench.clock.now(), asked=False)
    bench.site = replace(bench.site, sources={"onetrust": changed})
    bench.run_to_end(4)

    assert (bench.state(), bench.dossier().request.reason) == ("held", "type_changed")
    assert bench.rows(t.targets) == []
    assert bench.lytics.calls == []


@pytest.mark.parametrize("state", list(RequestState))
def test_no_state_of_an_access_request_lets_anything_be_submitted(
    bench: Bench, reader: StandInReader, filing: StandInFiling, state: RequestState
) -> None:
    """Even one that was forced into a state by hand has no targets that a submission could take."""
    reader.answers = [Temporary(Code.REMOTE_FAULT)]
    bench.deliver(**ACCESS)
    bench.pass_time(seconds=1)
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(state=state))
    bench.run_to_end(3)
    assert bench.lytics.calls == []
    assert bench.rows(t.targets) == []


def test_the_last_gate_lets_nothing_of_an_access_pass_even_if_all_others_failed(
    bench: Bench, filing: StandInFiling
) -> None:
    bench.deliver(**ERASURE)
    map_requests(bench.site)
    assert bench.target_states() == ["queued"]
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(kind=RequestKind.ACCESS))
    bench.run_to_end(3)

    assert bench.lytics.calls == []
    assert bench.target_states() == ["queued"]
    # The same without that word would have gone.
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(kind=RequestKind.ERASURE))
    bench.run_to_end(1)
    assert len(bench.lytics.calls) == 1


def test_no_legal_move_leads_from_reading_to_submitting() -> None:
    for state in (RequestState.FETCHING, RequestState.DELIVERING, RequestState.ANSWERED):
        assert not REQUEST_MOVES[state] & set(FREE_REQUESTS)


def test_a_test_request_reads_nobody(bench: Bench, reader: StandInReader, filing: StandInFiling) -> None:
    bench.deliver(**ACCESS, test=True)
    bench.run_to_end(2)

    assert bench.state() == "rejected"
    assert bench.reporter.sent[-1].comment.startswith("Access request not carried out. This is a test request;")
    assert reader.read_by == []


def test_a_legal_hold_keeps_nobody_from_learning_what_is_held(bench: Bench, filing: StandInFiling) -> None:
    holds.add(bench.site, [Private("s1@example.com")], Decision("ada", "case 7", bench.clock.now()))
    bench.deliver("s1", **ACCESS)
    bench.deliver("s2", ("email", "s1@example.com"), **ERASURE)
    bench.run_to_end(2)

    assert (bench.state("s1"), bench.state("s2")) == ("answered", "rejected")
    assert bench.lytics.calls == []


def test_an_account_that_only_observes_answers_an_access(bench: Bench, filing: StandInFiling) -> None:
    bench.with_account(observes=True)
    bench.deliver(**ACCESS)
    bench.run_to_end(2)
    assert bench.state() == "answered"


def test_people_are_told_once_a_day_that_it_takes_time(bench: Bench, reader: StandInReader) -> None:
    allow(bench)
    commenter = StandInCommenter()
    extras = replace(bench.source.extras, commenter=commenter)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, extras=extras)})
    bench.deliver(**ACCESS)
    bench.run_to_end(2)
    bench.pass_time(days=1, minutes=1)

    ((_, said),) = commenter.said
    assert said.startswith("Access request still under way.")


def test_a_source_without_access_types_goes_on_refusing(bench: Bench, reader: StandInReader) -> None:
    bench.deliver(**ACCESS)
    bench.run_to_end(2)

    assert bench.state() == "rejected"
    assert bench.dossier().request.reason == "not_an_erasure"
    assert reader.read_by == []


# Reading ---------------------------------------------------------------------


def test_what_is_redacted_is_held_and_read_again_until_it_is_whole(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.redacts = True
    bench.deliver(**ACCESS)
    bench.run_to_end(2)
    assert (bench.state(), bench.dossier().request.reason) == ("held", REDACTED)
    assert "access_held" in bench.log.actions
    assert [one.profile for one in bench.rows(a.access_fetches)] == [None]
    assert len(reader.read_by) == 1

    reader.redacts = False
    bench.pass_time(hours=1)
    bench.run_to_end(2)
    assert bench.state() == "answered"
    assert json.loads(filing.files[0][1])["warnings"] == []


def test_what_is_redacted_is_delivered_with_a_warning_if_that_is_wanted(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    allow(bench, filing=filing, hold_redacted=False)
    reader.redacts = True
    bench.deliver(**ACCESS)
    bench.run_to_end(2)

    assert bench.state() == "answered"
    assert len(json.loads(filing.files[0][1])["warnings"]) == 1
    assert "the data is incomplete" in bench.reporter.sent[-1].comment


def test_an_answer_that_does_not_tell_is_asked_for_again_and_never_taken_for_nothing(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.answers = [Temporary(Code.REMOTE_ANSWER_UNREADABLE)] * 3
    bench.deliver(**ACCESS)
    bench.pass_time(seconds=1)
    assert bench.state() == "fetching"
    bench.run_to_end(6, minutes=11)
    assert bench.state() == "answered"
    assert len(filing.files) == 1


def test_answers_that_never_tell_end_in_a_failure_that_is_told(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.answers = [Temporary(Code.REMOTE_ANSWER_UNREADABLE)] * 100
    # Others are answered all the while, so that the account does not look as if it were away.
    bench.site = replace(bench.site, breakers=Breakers(BreakerPolicy(opens_after=1000)))
    bench.deliver(**ACCESS)
    bench.run_to_end(25, minutes=11)

    assert (bench.state(), bench.dossier().request.reason) == ("failed", "profile_unreadable")
    assert bench.reporter.statuses[-1] == "FAILED"
    assert "1 of 1 look-up gave no usable answer" in bench.reporter.sent[-1].comment
    assert kept_of_the_person(bench) == []


def test_a_refused_credential_pauses_the_account_and_uses_nothing_up(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.answers = [Misconfigured(Code.PERMISSION_MISSING)] * 30
    bench.deliver(**ACCESS)
    bench.run_to_end(30, minutes=10)
    assert bench.state() in ("fetching", "answered")
    assert bench.rows(a.access_fetches)[0].tries == 0
    bench.run_to_end(8, minutes=10)
    assert bench.state() == "answered"


@pytest.mark.parametrize("most", [10, 120])
def test_what_is_too_large_fails_and_is_not_kept(
    bench: Bench, reader: StandInReader, filing: StandInFiling, most: int
) -> None:
    allow(bench, filing=filing, max_bytes=most)
    bench.deliver(**ACCESS)
    bench.run_to_end(2)

    assert bench.state() == "failed"
    assert bench.reporter.statuses[-1] == "FAILED"
    assert kept_of_the_person(bench) == []


def test_an_unmapped_identity_holds_an_access_too(bench: Bench, filing: StandInFiling) -> None:
    bench.deliver("s1", ("email", "s1@example.com"), ("passport", "X1"), **ACCESS)
    bench.run_to_end(2)

    assert bench.state() == "held"
    assert filing.files == []
    assert bench.reporter.sent[-1].status is SourceStatus.IN_PROGRESS


def test_who_is_named_while_the_data_waits_is_not_left_out_silently(bench: Bench, reader: StandInReader) -> None:
    allow(bench)
    bench.deliver("s1", event="e1", **ACCESS)
    bench.run_to_end(2)
    with pytest.raises(Rejected) as refused:
        bench.deliver("s1", ("email", "second@example.com"), event="e2", **ACCESS)
    assert refused.value.code is Code.REQUEST_FINISHED


def test_who_is_named_while_profiles_are_read_is_read_too(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    reader.answers = [Temporary(Code.REMOTE_FAULT)]
    bench.deliver("s1", event="e1", **ACCESS)
    bench.pass_time(seconds=1)
    bench.deliver("s1", ("email", "second@example.com"), event="e2", **ACCESS)
    bench.run_to_end(3)

    assert bench.state() == "answered"
    said = {one["identity"]["value"] for one in json.loads(filing.files[0][1])["look_ups"]}
    assert said == {"s1@example.com", "second@example.com"}


# Time ------------------------------------------------------------------------


def test_data_that_nobody_takes_is_destroyed_and_said_so(bench: Bench, reader: StandInReader) -> None:
    allow(bench, keep=timedelta(days=3))
    bench.deliver(**ACCESS)
    bench.run_to_end(2)
    bench.pass_time(days=2, hours=23)
    assert result(bench).document is not None
    bench.pass_time(hours=2)

    assert (bench.state(), bench.dossier().request.reason) == ("failed", "access_expired")
    assert kept_of_the_person(bench) == []
    assert result(bench).shredded_at == bench.clock.now()
    assert len(result(bench).sha256) == 64
    bench.run_to_end(1)
    assert bench.reporter.statuses[-1] == "FAILED"
    assert "not handed over within 3 days" in bench.reporter.sent[-1].comment
    with pytest.raises(Refused):
        take(bench, [])


def test_a_dead_report_of_data_that_was_destroyed_is_never_sent_as_an_answer(
    bench: Bench, filing: StandInFiling
) -> None:
    allow(bench, filing=filing, keep=timedelta(days=3))
    filing.answers = [Refused(Code.PERMISSION_MISSING)] * 9
    bench.deliver(**ACCESS)
    bench.run_to_end(2)
    bench.pass_time(days=4)
    bench.run_to_end(2)

    assert bench.state() == "failed"
    assert finals(bench) == ["FAILED"]


def test_a_profile_is_not_kept_longer_because_another_cannot_be_read(
    bench: Bench, reader: StandInReader, filing: StandInFiling
) -> None:
    allow(bench, filing=filing, keep=timedelta(days=1))
    bench.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "L-1"), **ACCESS)
    reader.people["loyalty_id", "L-1"] = {"loyalty_id": "L-1"}
    original = reader.read

    def read(table: str, field: str, value: Private) -> Profile | None:
        if field == "loyalty_id":
            raise Temporary(Code.REMOTE_FAULT)
        return original(table, field, value)

    reader.read = read  # type: ignore[method-assign]
    bench.run_to_end(2)
    assert sorted(one.profile is not None for one in bench.rows(a.access_fetches)) == [False, True]

    bench.clock.advance(days=2)
    hand_over.expire(bench.site)
    assert [one.profile for one in bench.rows(a.access_fetches)] == [None, None]
    reader.read = original  # type: ignore[method-assign]
    bench.run_to_end(3)
    assert bench.state() == "answered"
    assert len(json.loads(filing.files[0][1])["profiles"]) == 2


def test_a_file_that_is_there_already_outlives_the_data_here(bench: Bench, filing: StandInFiling) -> None:
    """Its time is over while the source is away: what it has is enough to complete the task."""
    allow(bench, filing=filing, keep=timedelta(hours=1))
    bench.reporter.answers = [RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=7200)]
    bench.deliver(**ACCESS)
    bench.pass_time(seconds=1)
    assert len(filing.files) == 1
    bench.clock.advance(seconds=3700)
    hand_over.expire(bench.site)
    assert kept_of_the_person(bench) == []
    assert bench.state() == "delivering"
    bench.run_to_end(2, hours=2)
    assert bench.state() == "answered"
    assert len(filing.files) == 1
    assert finals(bench) == ["COMPLETED"]


@pytest.mark.parametrize("expires_first", [True, False])
def test_a_report_that_an_operator_lets_rest_ends_the_request_once_the_data_is_gone(
    bench: Bench, filing: StandInFiling, expires_first: bool
) -> None:
    allow(bench, filing=filing, keep=timedelta(hours=1))
    bench.reporter.answers = [Refused(Code.REMOTE_REFUSED)]
    bench.deliver(**ACCESS)
    bench.pass_time(seconds=1)
    assert (bench.state(), len(filing.files)) == ("delivering", 1)
    with bench.database.read() as connection:
        (letter,) = stored_letters.listed(connection, limit=9)
    bench.clock.advance(seconds=3700)
    if expires_first:
        hand_over.expire(bench.site)
        assert bench.state() == "delivering"
    assert dead_letters.drop(bench.database, letter, "ticket 4711", bench.clock.now()) == ""
    hand_over.expire(bench.site)
    assert (bench.state(), bench.dossier().request.reason) == ("failed", "access_expired")
    assert (kept_of_the_person(bench), finals(bench)) == ([], [])


def test_data_whose_time_ran_out_under_the_report_is_not_reported_as_handed_over(
    bench: Bench, filing: StandInFiling
) -> None:
    filing.answers = [Temporary(Code.REMOTE_FAULT)]
    bench.deliver(**ACCESS)
    bench.pass_time(seconds=1)
    (row,) = [one for one in bench.rows(t.reports) if one.final]
    with bench.database.write() as connection:
        (owner,) = requests.lock_all(connection, [row.request_id])
        store.shred(connection, owner.id, owner.attempt, bench.clock.now())
    report = Report({}, SourceStatus.COMPLETED, "", kind=RequestKind.ACCESS)
    with pytest.raises(Temporary) as raised:
        hand_over.with_document(bench.site, bench.source, row, report)
    assert raised.value.code is Code.ACCESS_DATA_GONE


def test_a_source_that_takes_no_files_any_more_is_told_nothing_false(bench: Bench, filing: StandInFiling) -> None:
    filing.answers = [Temporary(Code.REMOTE_FAULT)]
    bench.deliver(**ACCESS)
    bench.pass_time(seconds=1)
    allow(bench)
    bench.run_to_end(2)

    assert bench.state() == "delivering"
    assert finals(bench) == []
    dead = [one for one in bench.rows(t.reports) if one.final]
    assert [(one.state, one.reason) for one in dead] == [(ReportState.DEAD, Code.ACCESS_DATA_KEPT)]
    take(bench, [])
    bench.run_to_end(1)
    assert finals(bench) == ["COMPLETED"]


def test_the_data_of_an_earlier_attempt_does_not_end_a_later_one(bench: Bench, filing: StandInFiling) -> None:
    allow(bench, keep=timedelta(days=1))
    bench.deliver("s1", event="e1", **ACCESS)
    bench.run_to_end(2)
    (row,) = bench.rows(t.requests)
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(attempt=2, state=RequestState.FETCHING))
    bench.clock.advance(days=2)
    hand_over.expire(bench.site)

    assert kept_of_the_person(bench) == []
    assert bench.state() == "fetching"
    assert bench.dossier().request.id == row.id


def test_what_an_older_version_queued_is_an_erasure_whatever_it_is_called_now(bench: Bench) -> None:
    bench.deliver(**ERASURE)
    bench.clock.advance(seconds=1)
    map_requests(bench.site)
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(kind=None, mapping_digest="", request_types=["Data Access"]))
    allow(bench)
    bench.run_to_end(2)

    assert (bench.state(), bench.dossier().request.reason) == ("held", "type_changed")
    assert bench.lytics.calls == []
    assert bench.rows(a.access_fetches) == []


def test_what_is_held_for_its_rules_is_held_for_its_type_if_that_changed(bench: Bench, filing: StandInFiling) -> None:
    bench.deliver("s1", ("passport", "X1"), ("email", "s1@example.com"), **ACCESS)
    bench.run_to_end(1)
    assert bench.state() == "held"
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(request_types=["Data Deletion"]))
    bench.with_rules(compile_rules(RULES.rules, ignore_kinds=("passport",)))
    bench.run_to_end(2)

    assert (bench.state(), bench.dossier().request.reason) == ("held", "type_changed")
    assert bench.rows(t.targets) == []
    assert bench.lytics.calls == []


def test_an_unknown_request_is_not_exported(bench: Bench) -> None:
    with pytest.raises(Refused) as refused:
        exporting.export(bench.site, "nobody", lambda _content: None, Decision("ada", "why", bench.clock.now()))
    assert refused.value.code is Code.REQUEST_UNKNOWN


def test_what_came_to_nothing_as_an_erasure_leaves_no_target_to_an_access(bench: Bench, filing: StandInFiling) -> None:
    """Nothing was deleted for it, and no version that knew the kinds has mapped it: its types decide."""
    bench.lytics.refuses = {"s1@example.com"}
    bench.deliver("s1", event="e1", **ERASURE)
    bench.run_to_end(2)
    assert bench.state() == "failed"
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(kind=None, request_types=["Data Access"]))
    bench.deliver("s1", event="e2", **ERASURE)
    bench.run_to_end(2)

    assert bench.state() == "answered"
    assert len(bench.lytics.calls) == 1
    assert bench.rows(t.targets) == []


def test_what_was_deleted_in_part_stays_an_erasure(bench: Bench, filing: StandInFiling) -> None:
    bench.lytics.refuses = {"L-1"}
    bench.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "L-1"), event="e1", **ERASURE)
    bench.run_to_end(4)
    assert bench.state() == "partial"
    with bench.database.write() as connection:
        connection.execute(t.requests.update().values(kind=None, request_types=["Data Access"]))
    bench.deliver("s1", ("email", "s1@example.com"), event="e2", **ERASURE)
    bench.run_to_end(2)

    assert (bench.state(), bench.dossier().request.reason) == ("held", "type_changed")
    assert bench.rows(a.access_fetches) == []
    assert filing.files == []
