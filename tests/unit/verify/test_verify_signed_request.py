"""Meta's signed request: published values, its time, and what tells a replay."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.private import Secret
from connector.verify.signed_request import SignedRequest
from connector.verify.stamp import Tolerance
from tests.contract.subjects.signed_request import (
    CONTENT,
    CURRENT,
    FORM,
    GOOD,
    ISSUED,
    MESSAGE,
    NOW,
    Sent,
    app_secret,
    check,
    form,
    signed,
)

VECTORS: Final = json.loads((Path(__file__).parents[2] / "vectors" / "signed-request.json").read_text())["vectors"]
TICK: Final = timedelta(microseconds=1)


def code(verifier: SignedRequest, sent: Sent, now: datetime = NOW) -> Code:
    with pytest.raises(Rejected) as caught:
        verifier.verify(sent.inbound(), now)
    return caught.value.code


def saying(**changes: Any) -> Sent:
    message = {name: value for name, value in {**MESSAGE, **changes}.items() if value is not None}
    return form(signed(json.dumps(message).encode()))


@pytest.mark.parametrize("vector", VECTORS, ids=[one["name"] for one in VECTORS])
def test_agrees_with_the_published_values(vector: dict[str, Any]) -> None:
    verifier = SignedRequest((Secret(vector["secret"], "app"),))
    issued_at = None if vector["issued_at"] is None else datetime.fromtimestamp(vector["issued_at"], UTC)
    sent = form(vector["signed_request"])
    if vector["refused"]:
        assert code(verifier, sent) == vector["refused"]
        return
    said = verifier.verify(sent.inbound(), issued_at or NOW)
    assert json.loads(said.payload).get("user_id") == vector["user_id"]
    assert said.sender_time == issued_at
    assert (said.replay_until is None, not said.replay_key) == (issued_at is None, issued_at is None)


def test_every_vector_says_where_it_comes_from() -> None:
    assert all(one["origin"] for one in VECTORS)


def test_the_payload_is_the_json_and_nothing_else_of_the_form() -> None:
    sent = form(GOOD)
    crowded = replace(sent, body=b"user_id=1&a=%20&" + sent.body + b"&signed=1")
    assert check(CURRENT).verify(crowded.inbound(), NOW).payload == CONTENT


def test_the_form_may_escape_what_it_need_not() -> None:
    escaped = "".join(f"%{byte:02X}" for byte in GOOD.encode())
    for text in (quote(GOOD, safe=""), escaped):
        assert check(CURRENT).verify(Sent({"Content-Type": FORM}, f"signed_request={text}".encode()).inbound(), NOW)


def test_another_field_can_be_named() -> None:
    verifier = SignedRequest(check(CURRENT).secrets, "request")
    assert verifier.verify(form(GOOD, field="request").inbound(), NOW).payload == CONTENT
    assert code(verifier, form(GOOD)) is Code.CREDENTIAL_MISSING


def test_a_message_counts_for_as_long_as_the_settings_say() -> None:
    verifier = SignedRequest(check(CURRENT).secrets, window=Tolerance(past_s=600, future_s=60))
    old, early = NOW + timedelta(seconds=600), NOW - timedelta(seconds=60)
    for moment in (old, early):
        assert verifier.verify(form(GOOD).inbound(), moment).replay_until == old
    assert code(verifier, form(GOOD), old + TICK) is Code.TIMESTAMP_TOO_OLD
    assert code(verifier, form(GOOD), early - TICK) is Code.TIMESTAMP_IN_FUTURE


def test_the_time_of_a_message_that_is_not_signed_is_not_judged() -> None:
    forged = form(signed(json.dumps({**MESSAGE, "issued_at": 1}).encode(), "attacker"))
    assert code(check(CURRENT), forged) is Code.CREDENTIAL_WRONG


def test_without_a_time_nothing_tells_a_replay_and_the_settings_may_refuse_that() -> None:
    timeless = saying(issued_at=None)
    said = check(CURRENT).verify(timeless.inbound(), NOW)
    assert (said.replay_key, said.replay_until, said.sender_time) == ("", None, None)
    strict = SignedRequest(check(CURRENT).secrets, time_required=True)
    assert code(strict, timeless) is Code.TIMESTAMP_MISSING
    assert strict.verify(form(GOOD).inbound(), NOW).payload == CONTENT


def test_the_replay_key_is_that_of_the_signed_text() -> None:
    def key(sent: Sent) -> str:
        return check(CURRENT, "next").verify(sent.inbound(), NOW).replay_key

    assert key(form(GOOD)) == key(form(GOOD)) == key(form(signed(CONTENT, "next")))
    assert key(form(GOOD)) != key(saying(issued_at=ISSUED + 1))


def test_the_end_of_the_access_token_is_not_that_of_the_message() -> None:
    for expires in (0, 1, ISSUED - 1):
        assert check(CURRENT).verify(saying(expires=expires).inbound(), NOW).payload


def test_a_secret_out_of_its_time_is_said_to_be_so() -> None:
    ended = Secret(app_secret(CURRENT), "app", not_after=NOW - TICK)
    assert code(SignedRequest((ended,)), form(GOOD)) is Code.CREDENTIAL_EXPIRED
    assert SignedRequest((ended, *check(CURRENT).secrets)).verify(form(GOOD).inbound(), NOW).secret_id == "test:current"
