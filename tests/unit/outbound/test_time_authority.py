"""A question goes out as RFC 3161 says; what the server says of itself is told apart from what the authority says."""

from __future__ import annotations

import pytest
import responses

from connector.clock import SystemClock
from connector.codes import Code
from connector.errors import ConnectorError, Refused, Temporary
from connector.outbound import Client
from connector.outbound.time_authority import TimeAuthority

BASE = "https://stamps.example.com"


def authority() -> TimeAuthority:
    return TimeAuthority(Client(BASE, clock=SystemClock()), "/tsr")


@responses.activate
def test_a_question_is_posted_with_its_type() -> None:
    sent = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    responses.post(f"{BASE}/tsr", b"answer", match=[responses.matchers.header_matcher(sent)])
    assert authority().ask(b"question") == b"answer"
    assert responses.calls[0].request.body == b"question"


@pytest.mark.parametrize(
    ("status", "raised", "code"),
    [
        (500, Temporary, Code.REMOTE_FAULT),
        (503, Temporary, Code.REMOTE_FAULT),
        (429, Temporary, Code.REMOTE_RATE_LIMITED),
        (302, Refused, Code.REMOTE_REFUSED),
        (404, Refused, Code.REMOTE_REFUSED),
        (204, Refused, Code.REMOTE_REFUSED),
    ],
)
@responses.activate
def test_what_is_no_answer_is_told_by_its_kind(status: int, raised: type[ConnectorError], code: Code) -> None:
    responses.post(f"{BASE}/tsr", b"", status=status)
    with pytest.raises(raised) as told:
        authority().ask(b"question")
    assert told.value.code is code
