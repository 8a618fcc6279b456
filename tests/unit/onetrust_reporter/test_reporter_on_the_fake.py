"""The reporter against the fake OneTrust over HTTP: what its history of status writes says afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.model import Delivered, Report, SourceStatus
from connector.outbound import Client, Limits
from connector.private import Secret
from connector.sandbox.defaults import ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET, SUBTASK_NAME
from connector.sandbox.onetrust import FakeOneTrust
from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.reporter import OneTrustReporter
from connector.sources.onetrust.token import TokenSource

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    return FixedClock(START)


@pytest.fixture
def onetrust(clock):
    with FakeOneTrust(clock=lambda: clock.now().timestamp()) as fake:
        yield fake


@pytest.fixture
def request_(onetrust):
    return onetrust.add_request("ana@example.com", comment_required=True)


@pytest.fixture(params=[False, True], ids=["multipart", "form"])
def reporter(onetrust, clock, request):
    http = Client(onetrust.url, clock=clock, limits=Limits(connect_s=5, read_s=5, total_s=5))
    secret = Secret(ONETRUST_CLIENT_SECRET, "env:S")
    tokens = TokenSource(http, ONETRUST_CLIENT_ID, secret, clock=clock, as_form=request.param)
    yield OneTrustReporter(OneTrustApi(http, tokens), subtask_name=SUBTASK_NAME)
    http.close()


def report(request, status=SourceStatus.COMPLETED, **external):
    known = external or {"subtask_id": request.subtask_id, "request_ref": request.ref_id}
    return Report(known, status, "3 <given>, 3 deleted")


def history(onetrust, request):
    return [(entry["status"], entry["by"]) for entry in onetrust.desk.subtasks[request.subtask_id].history]


def test_a_request_goes_from_open_to_completed_with_one_token(reporter, onetrust, request_):
    for status in (SourceStatus.IN_PROGRESS, SourceStatus.COMPLETED):
        assert reporter.deliver(report(request_, status)) is Delivered.SENT
        assert reporter.deliver(report(request_, status)) is Delivered.ALREADY
    assert history(onetrust, request_) == [("IN_PROGRESS", "api"), ("COMPLETED", "api")]
    assert onetrust.calls["token"] == 1
    assert onetrust.desk.subtasks[request_.subtask_id].comments[-1]["comment"] == "3 &lt;given&gt;, 3 deleted"


@pytest.mark.parametrize("shape", [None, "bare_array"])
def test_a_subtask_is_found_by_the_requests_id_among_many(reporter, onetrust, request_, shape):
    if shape:
        onetrust.faults.turn_on(shape)
    assert reporter.deliver(report(request_, request_ref=request_.ref_id)) is Delivered.SENT
    assert history(onetrust, request_) == [("COMPLETED", "api")]


def test_a_persons_decision_is_never_written_over(reporter, onetrust, request_):
    subtask = onetrust.desk.subtasks[request_.subtask_id]
    subtask.write_status("REJECTED", at=onetrust.now(), by="person")
    for status in (SourceStatus.IN_PROGRESS, SourceStatus.COMPLETED, SourceStatus.FAILED):
        assert reporter.deliver(report(request_, status)) is Delivered.CONFLICT
    assert history(onetrust, request_) == [("REJECTED", "person")]


@pytest.mark.parametrize("fault", ["drop_after", "server_error_after"])
def test_a_write_whose_answer_was_lost_is_not_repeated(reporter, onetrust, request_, fault):
    onetrust.faults.turn_on(fault, operation="subtask_status", times=1)
    with pytest.raises(Temporary):
        reporter.deliver(report(request_))
    assert reporter.deliver(report(request_)) is Delivered.ALREADY
    assert history(onetrust, request_) == [("COMPLETED", "api")]


def test_a_token_that_ends_meanwhile_is_replaced_without_an_error(reporter, onetrust, request_, clock):
    reporter.deliver(report(request_, SourceStatus.IN_PROGRESS))
    onetrust.faults.turn_on("token_expired", times=1)
    assert reporter.deliver(report(request_)) is Delivered.SENT
    assert onetrust.calls["token"] == 2
    clock.advance(hours=2)
    assert reporter.deliver(report(request_)) is Delivered.ALREADY
    assert onetrust.calls["token"] == 3


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("token_refused", Misconfigured, Code.TOKEN_REFUSED),
        ("scope_missing", Misconfigured, Code.PERMISSION_MISSING),
        ("not_found", NotFound, Code.REMOTE_NOT_FOUND),
        ("rate_limited", RateLimited, Code.REMOTE_RATE_LIMITED),
        ("bad_gateway", Temporary, Code.REMOTE_FAULT),
        ("truncated_json", Temporary, Code.REMOTE_ANSWER_UNREADABLE),
    ],
)
def test_each_fault_is_told_as_what_it_is_and_writes_nothing(reporter, onetrust, request_, fault, kind, code):
    operation = {"token_refused": "token"}.get(fault, "subtask_get")
    onetrust.faults.turn_on(fault, operation=operation)
    with pytest.raises(kind) as caught:
        reporter.deliver(report(request_))
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert history(onetrust, request_) == []


def test_a_resolution_that_the_subtask_demands_and_nobody_configured_is_a_final_no(reporter, onetrust):
    request = onetrust.add_request("bo@example.com", resolution_required=True)
    with pytest.raises(Refused) as caught:
        reporter.deliver(report(request))
    assert caught.value.code is Code.REMOTE_REFUSED
