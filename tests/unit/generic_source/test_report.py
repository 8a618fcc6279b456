"""Reports to a described platform, against stand-ins for the two clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.clock import FixedClock
from connector.codes import Code
from connector.dialect.text import Body, Text
from connector.errors import ConnectorError, Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.model import Delivered, Report, SourceStatus
from connector.outbound import Answer
from connector.private import Private, Secret
from connector.sources.generic.report import GenericReporter, Header, NoReporter, ToCallback, ToConfigured

NAMES = ("request_id", "job_id", "status", "comment", "time", "ticket")
URL = "https://callbacks.example.com/canary?token=canary"
COMPLETED = SourceStatus.COMPLETED
SECRET = Header("Authorization", Secret("canary-token", "env:TOKEN"), "Bearer ")
FIXED = Header("X-Version", Secret("2", "2"))


@dataclass
class StandInClient:
    """Takes the calls of both clients; an address or a path is the second argument of either."""

    status: int = 200
    error: ConnectorError | None = None
    calls: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    def request(self, method: str, to: str, *, headers: Mapping[str, str] | None = None, json: object = None) -> Answer:
        self.calls.append((method, to, dict(headers or {}), json))
        if self.error is not None:
            raise self.error
        return Answer(self.status, {}, b"canary")


def reporter(
    client: StandInClient, path: str = "", *, headers: tuple[Header, ...] = (), **changes: Any
) -> GenericReporter:
    to: Any = ToCallback(client)
    if path:
        to = ToConfigured(client, tuple(Text.read(one, NAMES) for one in path[1:].split("/")))  # type: ignore[arg-type]
    settings: dict[str, Any] = {
        "method": "POST",
        "body": Body.read({"id": "{request_id}", "state": "{status}", "text": "{comment}"}, NAMES),
        "statuses": {COMPLETED: "done", SourceStatus.FAILED: "failed"},
        "final": frozenset({409, 410}),
        "clock": FixedClock(datetime(2026, 11, 2, 9, tzinfo=UTC)),
        **changes,
    }
    return GenericReporter(to, headers=headers, **settings)


def report(status: SourceStatus = COMPLETED, url: str | None = URL, **external: str) -> Report:
    ids = {"request_id": "r/1", **external}
    return Report(ids, status, 'said <b>"plainly"</b> & so', Private(url) if url else None, job_id="job-1")


class TestWhatIsSent:
    def test_a_callback_gets_the_platforms_word_and_the_comment_as_it_is(self) -> None:
        client = StandInClient(204)
        assert reporter(client, headers=(SECRET, FIXED)).deliver(report()) is Delivered.SENT
        assert client.calls == [
            (
                "POST",
                URL,
                {"Authorization": "Bearer canary-token", "X-Version": "2"},
                {"id": "r/1", "state": "done", "text": 'said <b>"plainly"</b> & so'},
            )
        ]

    def test_ids_in_a_path_stay_inside_their_segment(self) -> None:
        client = StandInClient()
        reporter(client, "/v1/requests/{request_id}/status-{ticket}", method="PUT").deliver(report(ticket="ä?#%"))
        assert client.calls[0][:2] == ("PUT", "/v1/requests/r%2F1/status-%C3%A4%3F%23%25")

    @pytest.mark.parametrize(("path", "called"), [("/", "/"), ("/v1/", "/v1/"), ("/v1", "/v1")])
    def test_a_slash_at_the_end_of_a_path_is_kept(self, path: str, called: str) -> None:
        client = StandInClient()
        reporter(client, path).deliver(report())
        assert client.calls[0][1] == called

    def test_our_id_and_the_time_may_be_sent(self) -> None:
        client = StandInClient()
        reporter(client, body=Body.read({"job": "{job_id}", "at": "{time}"}, NAMES)).deliver(report())
        assert client.calls[0][3] == {"job": "job-1", "at": "2026-11-02T09:00:00Z"}

    def test_a_status_without_a_word_is_not_sent(self) -> None:
        client = StandInClient()
        assert reporter(client).deliver(report(SourceStatus.IN_PROGRESS)) is Delivered.NOT_WANTED
        assert client.calls == []

    def test_a_platform_without_reports_is_told_nothing_and_that_is_said(self) -> None:
        assert {NoReporter().deliver(report(one)) for one in SourceStatus} == {Delivered.NOT_WANTED}


class TestWhatIsNotSent:
    @pytest.mark.parametrize("request_id", ["", ".", "..", "\ud800"])
    def test_an_id_that_would_lead_elsewhere_is_refused_before_anything_is_sent(self, request_id: str) -> None:
        client = StandInClient()
        with pytest.raises(Refused, match="nothing was sent"):
            reporter(client, "/v1/{request_id}").deliver(report(request_id=request_id))
        assert client.calls == []

    def test_a_request_that_lacks_an_id_of_the_path_is_refused(self) -> None:
        client = StandInClient()
        with pytest.raises(Refused, match="no ticket, which the path names"):
            reporter(client, "/v1/x-{ticket}").deliver(report())

    def test_a_request_that_brought_no_address_is_refused(self) -> None:
        client = StandInClient()
        with pytest.raises(Refused, match="brought no address"):
            reporter(client).deliver(report(url=None))
        assert client.calls == []

    @pytest.mark.parametrize(
        "error",
        [
            Refused(Code.ADDRESS_REFUSED, "its host is not on the list"),
            Temporary(Code.REMOTE_UNREACHABLE, outcome_unknown=True),
        ],
    )
    def test_what_the_client_raises_passes_as_it_is(self, error: ConnectorError) -> None:
        with pytest.raises(type(error)) as caught:
            reporter(StandInClient(error=error)).deliver(report())
        assert caught.value is error

    def test_a_callback_that_asks_for_time_keeps_no_other_report_waiting(self) -> None:
        client = StandInClient(error=RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=86_400.0))
        with pytest.raises(Temporary) as caught:
            reporter(client).deliver(report())
        assert not isinstance(caught.value, RateLimited)
        assert (caught.value.code, caught.value.retry_after_s) == (Code.REMOTE_RATE_LIMITED, 86_400.0)
        with pytest.raises(RateLimited):
            reporter(client, "/v1").deliver(report())


ANSWERS: list[tuple[int, type[ConnectorError], Code]] = [
    (400, Refused, Code.REMOTE_REFUSED),
    (401, Misconfigured, Code.TOKEN_REFUSED),
    (403, Misconfigured, Code.PERMISSION_MISSING),
    (404, NotFound, Code.REMOTE_NOT_FOUND),
    (408, Temporary, Code.REMOTE_FAULT),
    (422, Refused, Code.REMOTE_REFUSED),
    (500, Temporary, Code.REMOTE_FAULT),
    (503, Temporary, Code.REMOTE_FAULT),
]


class TestAnswers:
    @pytest.mark.parametrize(("status", "kind", "code"), ANSWERS)
    def test_an_error_is_told_by_its_status_alone(self, status: int, kind: type[ConnectorError], code: Code) -> None:
        with pytest.raises(kind) as caught:
            reporter(StandInClient(status), "/v1").deliver(report())
        assert (caught.value.code, caught.value.detail) == (code, f"status {status}")
        assert "canary" not in f"{caught.value!s}{caught.value!r}"

    @pytest.mark.parametrize("status", [401, 403])
    def test_at_a_callback_it_is_ours_to_mend_only_where_a_credential_of_ours_was_sent(self, status: int) -> None:
        with pytest.raises(Refused):
            reporter(StandInClient(status), headers=(FIXED,)).deliver(report())
        with pytest.raises(Misconfigured):
            reporter(StandInClient(status), headers=(SECRET,)).deliver(report())

    @pytest.mark.parametrize("status", [409, 410])
    def test_a_final_answer_says_that_it_was_decided_there(self, status: int) -> None:
        assert reporter(StandInClient(status)).deliver(report()) is Delivered.CONFLICT
        with pytest.raises(Refused):
            reporter(StandInClient(status), final=frozenset()).deliver(report())


def test_nothing_of_a_reporter_shows_a_secret() -> None:
    assert "canary" not in repr(reporter(StandInClient(), headers=(SECRET,)))
