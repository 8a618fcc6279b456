"""Reports to OneTrust: read first, write once, never over a person's decision, and never for the wrong subtask."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers

from connector.codes import Code
from connector.errors import Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.model import Delivered, Report, SourceStatus
from connector.sources.onetrust.api import normalised
from connector.sources.onetrust.reporter import MAX_COMMENT, escaped
from connector.states import RequestKind
from tests.unit.onetrust_reporter.conftest import BASE, LIST_URL, NAME, REF, SUBTASK, SUBTASK_URL, TOKEN_URL

OTHER = "b6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"
RESOLUTION = "1f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
COMMENT = "3 identifiers given, 3 deleted."
IN_PROGRESS, COMPLETED = SourceStatus.IN_PROGRESS, SourceStatus.COMPLETED
FAILED, REJECTED = SourceStatus.FAILED, SourceStatus.REJECTED


def report(status=COMPLETED, external=None, comment=COMMENT):
    return Report({"subtask_id": SUBTASK, "request_ref": REF} if external is None else external, status, comment)


@pytest.fixture
def onetrust(http):
    """The mock, with one token issued."""
    http.post(TOKEN_URL, json={"access_token": "token-1", "expires_in": 3599})
    return http


def subtask(status="OPEN", **more):
    return {"subTaskId": SUBTASK, "taskName": NAME, "status": status, "requestQueueRefId": REF, **more}


def reads(http, status="OPEN", token="token-1", **more):
    http.get(
        SUBTASK_URL,
        json=subtask(status, **more),
        match=[matchers.header_matcher({"Authorization": f"Bearer {token}"}), matchers.query_param_matcher({})],
    )


def writes(http, body, *, status=200, answer=True, token="token-1"):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    match = [matchers.json_params_matcher(body), matchers.header_matcher(headers), matchers.query_param_matcher({})]
    http.put(f"{SUBTASK_URL}/status", status=status, json=answer, match=match)


def calls(http, url):
    return sum(1 for call in http.calls if call.request.url.split("?")[0] == url)


@pytest.mark.parametrize("status", list(SourceStatus))
def test_a_report_writes_status_and_comment_and_nothing_else(tenant, onetrust, status):
    reads(onetrust)
    writes(onetrust, {"status": status.value, "comment": COMMENT})
    assert tenant.reporter().deliver(report(status)) is Delivered.SENT


@pytest.mark.parametrize("status", list(SourceStatus))
def test_a_resolution_goes_with_the_two_statuses_that_may_have_one(tenant, onetrust, status):
    reads(onetrust)
    body = {"status": status.value, "comment": COMMENT}
    if status in (COMPLETED, REJECTED):
        body["resolutionId"] = RESOLUTION
    writes(onetrust, body)
    reporter = tenant.reporter(resolutions={COMPLETED: RESOLUTION, REJECTED: RESOLUTION})
    assert reporter.deliver(report(status)) is Delivered.SENT


@pytest.mark.parametrize("own", ["", "3f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"])
def test_an_access_request_has_a_resolution_of_its_own_or_none(tenant, onetrust, own):
    reads(onetrust)
    writes(onetrust, {"status": "COMPLETED", "comment": COMMENT} | ({"resolutionId": own} if own else {}))
    reporter = tenant.reporter(resolutions={COMPLETED: RESOLUTION}, nothing_held=RESOLUTION, access=own)
    answered = replace(report(COMPLETED), kind=RequestKind.ACCESS)
    assert reporter.deliver(answered) is Delivered.SENT


@pytest.mark.parametrize("resolutions", [{IN_PROGRESS: RESOLUTION}, {FAILED: RESOLUTION}, {COMPLETED: "erased"}])
def test_a_resolution_that_onetrust_would_refuse_is_refused_at_start(tenant, resolutions):
    error = tenant.failure(tenant.reporter, resolutions=resolutions)
    assert (type(error), error.code) == (Misconfigured, Code.CONFIG_INVALID)


@pytest.mark.parametrize(
    ("found", "wanted", "delivered"),
    [
        ("COMPLETED", COMPLETED, Delivered.ALREADY),
        ("Complete", COMPLETED, Delivered.ALREADY),
        ("In Progress", IN_PROGRESS, Delivered.ALREADY),
        ("FAILED", FAILED, Delivered.ALREADY),
        ("rejected", REJECTED, Delivered.ALREADY),
        ("COMPLETED", IN_PROGRESS, Delivered.CONFLICT),
        ("COMPLETED", FAILED, Delivered.CONFLICT),
        ("REJECTED", COMPLETED, Delivered.CONFLICT),
        ("Deleted", COMPLETED, Delivered.CONFLICT),
        ("Ready for Review", COMPLETED, Delivered.CONFLICT),
        ("READY_FOR_REVIEW", IN_PROGRESS, Delivered.CONFLICT),
        ("ON_HOLD", COMPLETED, Delivered.CONFLICT),
    ],
)
def test_a_state_that_is_reached_or_decided_is_not_written_over(tenant, onetrust, found, wanted, delivered):
    reads(onetrust, found)
    assert tenant.reporter().deliver(report(wanted)) is delivered
    assert calls(onetrust, f"{SUBTASK_URL}/status") == 0


@pytest.mark.parametrize("found", ["OPEN", "Assigned", "unassigned", "IN PROGRESS", "processing", "Not Run", "FAILED"])
def test_an_open_state_is_ours_to_move(tenant, onetrust, found):
    reads(onetrust, found)
    writes(onetrust, {"status": "COMPLETED", "comment": COMMENT})
    assert tenant.reporter().deliver(report(COMPLETED)) is Delivered.SENT


def test_a_failed_step_may_be_put_back_in_progress(tenant, onetrust):
    reads(onetrust, "FAILED")
    writes(onetrust, {"status": "IN_PROGRESS", "comment": COMMENT})
    assert tenant.reporter().deliver(report(IN_PROGRESS)) is Delivered.SENT


def test_a_report_whose_answer_was_lost_is_found_delivered(tenant, onetrust):
    reads(onetrust, "IN_PROGRESS")
    onetrust.put(f"{SUBTASK_URL}/status", body=ConnectionResetError("token-1"))
    reporter = tenant.reporter()
    assert tenant.failure(reporter.deliver, report()).outcome_unknown
    onetrust.remove("GET", SUBTASK_URL)
    reads(onetrust, "COMPLETED")
    assert reporter.deliver(report()) is Delivered.ALREADY
    assert calls(onetrust, f"{SUBTASK_URL}/status") == 1


def test_the_token_is_fetched_once_for_many_reports(tenant, onetrust):
    reads(onetrust)
    writes(onetrust, {"status": "COMPLETED", "comment": COMMENT})
    reporter = tenant.reporter()
    for _ in range(5):
        assert reporter.deliver(report()) is Delivered.SENT
    assert calls(onetrust, TOKEN_URL) == 1


def test_a_refused_token_is_renewed_once_and_the_call_repeated(tenant, http):
    http.post(TOKEN_URL, json={"access_token": "token-1", "expires_in": 3599})
    http.post(TOKEN_URL, json={"access_token": "token-2", "expires_in": 3599})
    http.get(SUBTASK_URL, status=401, match=[matchers.header_matcher({"Authorization": "Bearer token-1"})])
    reads(http, token="token-2")
    writes(http, {"status": "COMPLETED", "comment": COMMENT}, token="token-2")
    assert tenant.reporter().deliver(report()) is Delivered.SENT
    assert calls(http, TOKEN_URL) == 2


def test_a_second_refusal_is_the_credentials_fault(tenant, http):
    http.post(TOKEN_URL, json={"access_token": "token-1", "expires_in": 3599})
    http.get(SUBTASK_URL, status=401, json={"message": "token-1 expired"})
    error = tenant.failure(tenant.reporter().deliver, report())
    assert (type(error), error.code) == (Misconfigured, Code.TOKEN_REFUSED)
    assert (calls(http, TOKEN_URL), calls(http, SUBTASK_URL)) == (2, 2)


ERRORS = [
    (400, {}, Refused, Code.REMOTE_REFUSED),
    (403, {}, Misconfigured, Code.PERMISSION_MISSING),
    (404, {}, NotFound, Code.REMOTE_NOT_FOUND),
    (405, {}, Refused, Code.REMOTE_REFUSED),
    (422, {}, Refused, Code.REMOTE_REFUSED),
    (429, {"Retry-After": "2135", "ot-period": "HOUR"}, RateLimited, Code.REMOTE_RATE_LIMITED),
    (500, {}, Temporary, Code.REMOTE_FAULT),
    (502, {}, Temporary, Code.REMOTE_FAULT),
    (302, {"Location": "/login"}, Refused, Code.REMOTE_REFUSED),
]
BODIES = ['"ana@example.com"', "ana@example.com", "<html>ana@example.com", "", '{"message": "ana@example.com"}']


@pytest.mark.parametrize(("status", "headers", "kind", "code"), ERRORS)
@pytest.mark.parametrize("body", BODIES)
def test_what_a_refused_read_means(tenant, onetrust, status, headers, kind, code, body):
    onetrust.get(SUBTASK_URL, status=status, headers=headers, body=body)
    error = tenant.failure(tenant.reporter().deliver, report())
    assert (type(error), error.code) == (kind, code)
    if kind is RateLimited:
        assert error.retry_after_s == 2135
    if kind is Misconfigured:
        assert "organization" in error.detail


@pytest.mark.parametrize(("status", "headers", "kind", "code"), ERRORS)
def test_what_a_refused_write_means(tenant, onetrust, status, headers, kind, code):
    reads(onetrust)
    onetrust.put(f"{SUBTASK_URL}/status", status=status, headers=headers, body=BODIES[0])
    error = tenant.failure(tenant.reporter().deliver, report())
    assert (type(error), error.code) == (kind, code)


def test_a_write_that_collides_reads_again_and_decides_again(tenant, onetrust):
    onetrust.get(SUBTASK_URL, json=subtask("OPEN"))
    onetrust.get(SUBTASK_URL, json=subtask("REJECTED"))
    onetrust.put(f"{SUBTASK_URL}/status", status=409)
    assert tenant.reporter().deliver(report()) is Delivered.CONFLICT
    assert calls(onetrust, f"{SUBTASK_URL}/status") == 1


def test_a_write_that_collides_twice_is_refused(tenant, onetrust):
    reads(onetrust)
    onetrust.put(f"{SUBTASK_URL}/status", status=409)
    assert type(tenant.failure(tenant.reporter().deliver, report())) is Refused
    assert calls(onetrust, f"{SUBTASK_URL}/status") == 2


def test_an_answer_of_false_is_not_taken_for_delivered(tenant, onetrust):
    reads(onetrust)
    writes(onetrust, {"status": "COMPLETED", "comment": COMMENT}, answer=False)
    assert type(tenant.failure(tenant.reporter().deliver, report())) is Temporary


def test_a_login_page_that_answers_200_is_not_taken_for_delivered(tenant, onetrust):
    reads(onetrust)
    onetrust.put(f"{SUBTASK_URL}/status", body="<!doctype html><form>Please log in</form>", content_type="text/html")
    error = tenant.failure(tenant.reporter().deliver, report())
    assert (type(error), error.code) == (Temporary, Code.REMOTE_ANSWER_UNREADABLE)


@pytest.mark.parametrize(
    "body", [[], {}, {"subTaskId": SUBTASK}, {"subTaskId": SUBTASK, "status": " "}, {"status": "OPEN"}]
)
def test_a_subtask_that_cannot_be_read_is_not_written_to(tenant, onetrust, body):
    onetrust.get(SUBTASK_URL, json=body)
    assert tenant.failure(tenant.reporter().deliver, report()).code is Code.REMOTE_ANSWER_UNREADABLE


@pytest.mark.parametrize("more", [{"requestQueueRefId": "ZZZZZZZZZZ"}, {"subTaskId": OTHER}])
def test_a_subtask_of_another_request_is_not_written_to(tenant, onetrust, more):
    onetrust.get(SUBTASK_URL, json=subtask() | more)
    error = tenant.failure(tenant.reporter().deliver, report())
    assert (type(error), error.code) == (Refused, Code.SUBTASK_NOT_IDENTIFIED)


@pytest.mark.parametrize("spelling", [SUBTASK.upper(), SUBTASK])
def test_an_id_that_differs_in_case_only_is_the_same(tenant, onetrust, spelling):
    onetrust.get(SUBTASK_URL, json=subtask("COMPLETED") | {"subTaskId": spelling})
    assert tenant.reporter().deliver(report()) is Delivered.ALREADY


@pytest.mark.parametrize(
    "external",
    [
        {},
        {"request_ref": REF},
        {"subtask_id": REF},
        {"subtask_id": f"{SUBTASK}/../x"},
        {"subtask_id": f"{SUBTASK}\n"},
        {"subtask_id": "", "request_ref": ""},
    ],
)
def test_without_an_id_of_the_right_kind_nothing_is_called(tenant, http, external):
    error = tenant.failure(tenant.reporter().deliver, report(external=external))
    assert (type(error), error.code) == (Refused, Code.SUBTASK_NOT_IDENTIFIED)
    assert len(http.calls) == 0


@pytest.mark.parametrize("ref", [SUBTASK, "k7q2m9xw4d", "K7Q2M9XW4", "K7Q2M9XW4/", "../../../..", f"{REF}\n"])
def test_a_request_id_of_another_kind_is_never_put_into_a_path(tenant, http, ref):
    reporter = tenant.reporter(subtask_name=NAME)
    error = tenant.failure(reporter.deliver, report(external={"request_ref": ref}))
    assert (error.code, len(http.calls)) == (Code.SUBTASK_NOT_IDENTIFIED, 0)


def item(subtask_id, status="OPEN", name=NAME):
    return {"subTaskId": subtask_id, "subTaskName": name, "subTaskStatus": status}


def lists(http, items, page=0, **more):
    match = [matchers.query_param_matcher({"page": str(page), "size": "50"})]
    body = items if more.pop("bare", False) else {"content": items, **more}
    http.get(LIST_URL, json=body, match=match)


def by_name(tenant):
    return tenant.reporter(subtask_name=NAME).deliver(report(external={"request_ref": REF}))


@pytest.mark.parametrize("shape", [{"last": True}, {"totalPages": 1}, {"bare": True}, {}])
def test_the_subtask_is_found_by_its_exact_name(tenant, onetrust, shape):
    lists(onetrust, [item(OTHER, name=f"{NAME} 2"), item(OTHER, name=NAME.lower()), item(SUBTASK)], **shape)
    reads(onetrust)
    writes(onetrust, {"status": "COMPLETED", "comment": COMMENT})
    assert by_name(tenant) is Delivered.SENT


@pytest.mark.parametrize("bare", [True, False])
def test_the_subtask_is_found_on_the_second_page(tenant, onetrust, bare):
    many = [item(f"{number:08d}-9f4a-4b8e-9b39-1f9f6f0f1b32", name="other") for number in range(50)]
    lists(onetrust, many, bare=bare, **({} if bare else {"last": False, "totalPages": 2}))
    lists(onetrust, [item(SUBTASK)], page=1, bare=bare, **({} if bare else {"last": True}))
    reads(onetrust)
    writes(onetrust, {"status": "COMPLETED", "comment": COMMENT})
    assert by_name(tenant) is Delivered.SENT


def test_a_server_that_repeats_its_first_page_is_read_once_more_at_most(tenant, onetrust):
    many = [item(SUBTASK)] + [item(f"{number:08d}-9f4a-4b8e-9b39-1f9f6f0f1b32", name="other") for number in range(49)]
    lists(onetrust, many, bare=True)
    lists(onetrust, many, page=1, bare=True)
    reads(onetrust, "COMPLETED")
    assert by_name(tenant) is Delivered.ALREADY


@pytest.mark.parametrize("status", ["COMPLETED", "Complete"])
def test_our_own_closed_subtask_is_found_again_by_name(tenant, onetrust, status):
    lists(onetrust, [item(SUBTASK, status)])
    reads(onetrust, status)
    assert by_name(tenant) is Delivered.ALREADY


def test_of_two_with_the_name_the_open_one_is_meant(tenant, onetrust):
    lists(onetrust, [item(OTHER, "Rejected"), item(SUBTASK, "Failed")])
    reads(onetrust, "FAILED")
    writes(onetrust, {"status": "COMPLETED", "comment": COMMENT})
    assert by_name(tenant) is Delivered.SENT


@pytest.mark.parametrize(
    "items",
    [
        [],
        [item(SUBTASK, name="other")],
        [item(SUBTASK), item(OTHER)],
        [item(SUBTASK, "COMPLETED"), item(OTHER, "REJECTED")],
    ],
)
def test_a_subtask_is_never_guessed(tenant, onetrust, items):
    lists(onetrust, items)
    error = tenant.failure(by_name, tenant)
    assert (type(error), error.code) == (Refused, Code.SUBTASK_NOT_IDENTIFIED)


@pytest.mark.parametrize("body", [{}, {"content": None}, "x", {"content": [{"subTaskId": SUBTASK}]}])
def test_a_list_that_cannot_be_read_is_tried_again(tenant, onetrust, body):
    onetrust.get(LIST_URL, json=body)
    assert type(tenant.failure(by_name, tenant)) is Temporary


def test_an_unknown_request_is_not_found(tenant, onetrust):
    onetrust.get(LIST_URL, status=404)
    assert type(tenant.failure(by_name, tenant)) is NotFound


def test_a_comment_is_escaped_for_html(tenant, onetrust):
    reads(onetrust)
    writes(onetrust, {"status": "COMPLETED", "comment": "a &lt;b&gt; &amp; &#x27;c&#x27;\nd"})
    assert tenant.reporter().deliver(report(comment="a <b> & 'c'\nd")) is Delivered.SENT


def test_no_comment_is_left_away_rather_than_sent_empty(tenant, onetrust):
    reads(onetrust)
    writes(onetrust, {"status": "COMPLETED"})
    assert tenant.reporter().deliver(report(comment="")) is Delivered.SENT


@given(
    st.text(alphabet="a<&'\n", min_size=1).map(lambda text: (text * MAX_COMMENT)[: MAX_COMMENT + 50]),
    st.integers(0, 60),
)
def test_a_long_comment_is_cut_but_never_inside_an_entity(text, shift):
    cut = escaped(text[shift:])
    assert len(cut) <= MAX_COMMENT
    assert "<" not in cut
    assert re.search(r"&(?!lt;|amp;|#x27;)", cut) is None


def test_a_comment_within_the_limit_is_not_cut():
    assert escaped("x" * MAX_COMMENT) == "x" * MAX_COMMENT
    assert escaped("x" * (MAX_COMMENT + 1)) == "x" * (MAX_COMMENT - 1) + "…"


@pytest.mark.parametrize(
    ("word", "plain"),
    [(" In  Progress ", "IN_PROGRESS"), ("complete", "COMPLETED"), ("Ready-for review", "READY_FOR_REVIEW")],
)
def test_statuses_are_compared_without_regard_to_spelling(word, plain):
    assert normalised(word) == plain


def test_the_paths_carry_the_prefix_of_the_api(tenant, onetrust):
    reads(onetrust, "COMPLETED")
    tenant.reporter().deliver(report())
    assert onetrust.calls[-1].request.url == f"{BASE}/api/datasubject/v2/subtasks/{SUBTASK}"
