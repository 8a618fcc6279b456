"""Completing a subtask by `/complete`: with its file, once, and by `/status` wherever that call is not to be had."""

from __future__ import annotations

import pytest

from connector.errors import Misconfigured, Refused, Temporary
from connector.model import Delivered, Filed, Report, SourceStatus
from connector.outbound import Answer
from connector.sources.onetrust.filing import OneTrustFiling
from connector.sources.onetrust.reporter import OneTrustReporter

ERASED = "1f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
NO_DATA = "2f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"


@pytest.fixture
def reporter(api):
    return OneTrustReporter(api, use_complete=True)


def completed(external, **more):
    return Report(external, more.pop("status", SourceStatus.COMPLETED), "3 <given>, 3 deleted", **more)


def calls(fake):
    return fake.calls["subtask_complete"], fake.calls["subtask_status"]


def statuses(fake, asked):
    return [(one["status"], one["by"]) for one in fake.history(asked.subtask_id)]


def test_a_completion_is_one_call_with_comment_and_file(api, fake, asked, external, reporter):
    filed = OneTrustFiling(api).file(external, "erasure-1", b"what\n")
    assert reporter.deliver(completed(external, attachment=filed)) is Delivered.SENT
    (entry,) = fake.history(asked.subtask_id)
    assert (entry["status"], entry["comment"]) == ("COMPLETED", "3 &lt;given&gt;, 3 deleted")
    assert entry["attachments"] == [{"fileName": "erasure-1.csv", "fileId": filed.file_id}]
    assert calls(fake) == (1, 0)


@pytest.mark.parametrize("status", [SourceStatus.IN_PROGRESS, SourceStatus.FAILED, SourceStatus.REJECTED])
def test_everything_else_is_told_by_status(fake, asked, external, reporter, status):
    assert reporter.deliver(completed(external, status=status)) is Delivered.SENT
    assert (statuses(fake, asked), calls(fake)) == ([(status.value, "api")], (0, 1))


def test_a_completion_without_words_is_told_by_status(fake, external, api):
    asked = fake.add_request("bo@example.com")
    silent = Report({"subtask_id": asked.subtask_id}, SourceStatus.COMPLETED, "")
    assert OneTrustReporter(api, use_complete=True).deliver(silent) is Delivered.SENT
    assert calls(fake) == (0, 1)


def test_without_the_setting_the_call_is_never_tried(fake, external, api):
    assert OneTrustReporter(api).deliver(completed(external)) is Delivered.SENT
    assert calls(fake) == (0, 1)


@pytest.mark.parametrize("refusal", [400, 403, 404, 405, 422])
def test_where_it_is_refused_the_status_is_set_instead(fake, asked, external, reporter, refusal):
    fake.faults.turn_on("complete_refused", refusal)
    assert reporter.deliver(completed(external)) is Delivered.SENT
    assert (statuses(fake, asked), calls(fake)) == ([("COMPLETED", "api")], (1, 1))


def test_where_it_only_adds_the_comment_the_status_is_set_as_well(fake, asked, external, reporter):
    fake.faults.turn_on("complete_comments_only")
    assert reporter.deliver(completed(external)) is Delivered.SENT
    assert (statuses(fake, asked), calls(fake)) == ([("COMPLETED", "api")], (1, 1))


def test_a_login_page_in_place_of_it_is_no_completion(fake, asked, external, reporter):
    fake.faults.turn_on("html_page", operation="subtask_complete")
    assert reporter.deliver(completed(external)) is Delivered.SENT
    assert (statuses(fake, asked), calls(fake)) == ([("COMPLETED", "api")], (1, 1))


@pytest.mark.parametrize("fault", ["drop_after", "server_error_after", "truncated_json", "empty_answer", "short_body"])
def test_an_answer_that_was_lost_or_spoiled_completes_nothing_twice(fake, asked, external, reporter, fault):
    fake.faults.turn_on(fault, operation="subtask_complete", times=1)
    try:
        assert reporter.deliver(completed(external)) is Delivered.SENT
    except Temporary:
        assert reporter.deliver(completed(external)) is Delivered.ALREADY
    assert (statuses(fake, asked), calls(fake)) == ([("COMPLETED", "api")], (1, 0))


@pytest.mark.parametrize("fault", ["drop_before", "server_error", "bad_gateway"])
def test_a_call_that_never_arrived_is_made_again_and_not_replaced(fake, asked, external, reporter, fault):
    fake.faults.turn_on(fault, operation="subtask_complete", times=1)
    with pytest.raises(Temporary):
        reporter.deliver(completed(external))
    assert reporter.deliver(completed(external)) is Delivered.SENT
    assert (statuses(fake, asked), calls(fake)) == ([("COMPLETED", "api")], (2, 0))


@pytest.mark.parametrize("status", ["REJECTED", "DELETED", "READY_FOR_REVIEW", "On hold"])
def test_a_persons_decision_is_never_written_over(fake, asked, external, reporter, status):
    fake.person_sets(asked.subtask_id, status)
    assert reporter.deliver(completed(external)) is Delivered.CONFLICT
    assert (statuses(fake, asked), calls(fake)) == ([(status, "person")], (0, 0))


def test_a_decision_in_the_moment_between_read_and_write_is_read_again(fake, asked, external, reporter, monkeypatch):
    """OneTrust says so by 409; what it says then is what counts."""
    fake.faults.turn_on("closed_conflict")
    read = reporter._api.subtask

    def read_and_decide(*arguments):
        found = read(*arguments)
        fake.person_sets(asked.subtask_id, "REJECTED")
        return found

    monkeypatch.setattr(reporter._api, "subtask", read_and_decide)
    assert reporter.deliver(completed(external)) is Delivered.CONFLICT
    assert {by for _, by in statuses(fake, asked)} == {"person"}


@pytest.mark.parametrize("decided", ["COMPLETED", "REJECTED"])
def test_a_no_that_comes_of_a_decision_just_made_is_read_and_not_taken_for_a_refusal(
    fake, asked, external, api, monkeypatch, decided
):
    """A tenant may answer 400 where another answers 409."""
    reporter = OneTrustReporter(api)

    def decide_and_refuse(*_arguments):
        fake.person_sets(asked.subtask_id, decided)
        return Answer(400, {}, b"")

    monkeypatch.setattr(api, "set_status", decide_and_refuse)
    wanted = Delivered.ALREADY if decided == "COMPLETED" else Delivered.CONFLICT
    assert reporter.deliver(completed(external)) is wanted
    assert statuses(fake, asked) == [(decided, "person")]


def test_a_missing_scope_is_an_operators_matter_for_both_calls(fake, asked, external, reporter):
    fake.faults.turn_on("scope_missing", operation="subtask_complete")
    fake.faults.turn_on("scope_missing", operation="subtask_status")
    with pytest.raises(Misconfigured):
        reporter.deliver(completed(external))
    assert statuses(fake, asked) == []


def test_a_file_that_onetrust_does_not_know_is_left_behind_by_the_other_call(fake, asked, external, reporter):
    unknown = Filed("7d6b2c1e-3a0f-4c7e-8a7e-5f5b3a1c9d10", "erasure-1.csv")
    assert reporter.deliver(completed(external, attachment=unknown)) is Delivered.SENT
    assert (statuses(fake, asked), calls(fake)) == ([("COMPLETED", "api")], (1, 1))


@pytest.mark.parametrize("use_complete", [True, False])
@pytest.mark.parametrize(("missing", "sent"), [(0, ERASED), (1, ERASED), (2, NO_DATA)])
def test_who_was_not_known_at_all_has_a_resolution_of_its_own(fake, asked, external, api, use_complete, missing, sent):
    resolutions = {SourceStatus.COMPLETED: ERASED}
    told = OneTrustReporter(api, resolutions=resolutions, nothing_held=NO_DATA, use_complete=use_complete)
    assert told.deliver(completed(external, counts={"targets": 2, "not_found": missing})) is Delivered.SENT
    assert fake.history(asked.subtask_id)[-1]["resolutionId"] == sent


def test_nobody_counted_is_nobody_missing(fake, asked, external, api):
    told = OneTrustReporter(api, resolutions={SourceStatus.COMPLETED: ERASED}, nothing_held=NO_DATA)
    told.deliver(completed(external))
    assert fake.history(asked.subtask_id)[-1]["resolutionId"] == ERASED


def test_a_resolution_that_is_no_uuid_is_refused_at_the_start(api):
    with pytest.raises(Misconfigured):
        OneTrustReporter(api, nothing_held="No data held")


def test_a_demanded_resolution_that_nobody_configured_is_a_final_no_after_both_calls(fake, reporter):
    asked = fake.add_request("bo@example.com", resolution_required=True)
    with pytest.raises(Refused):
        reporter.deliver(completed({"subtask_id": asked.subtask_id}))
    assert calls(fake) == (1, 1)
