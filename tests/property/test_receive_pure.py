"""Whatever is sent: a check gives a verdict or a 401, parsing a call or a 400 or 422; no refusal repeats a value."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.errors import Rejected
from connector.model import Call
from connector.sources.onetrust.parse import OneTrustSource

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=60)
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4)
)
NAMES = [
    "schema",
    "event",
    "eventId",
    "requestQueueRefId",
    "requestRefId",
    "requestId",
    "refId",
    "requestQueueId",
    "requestQueueGuid",
    "subTaskId",
    "subtaskId",
    "subTaskGuid",
    "subtask_id",
    "requestTypes",
    "requestType",
    "countryCode",
    "deadline",
    "testRequest",
    "dataSubjectEmail",
    "requesterEmail",
    "email",
    "identifier",
    "identifiers",
    "firstName",
]
likely = st.sampled_from(
    [
        "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32",
        "0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21",
        "K7Q2M9XW4D",
        "jo.meyer@example.com",
        "dsar.subtask.created",
        "${(event.payload.x)!}",
        "2026-12-01T11:00:00.000+0000",
        "null",
        "true",
        "DE",
    ]
)
identifiers = st.dictionaries(st.text(max_size=20), scalars | likely, max_size=5)
# A good call with a few members replaced or added, so that many of them can be read.
bodies = st.builds(
    dict.__or__,
    st.just({"subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32", "identifier": "00481516"}),
    st.dictionaries(
        st.sampled_from(NAMES) | st.sampled_from(NAMES).map(str.upper) | st.text(max_size=10),
        likely | trees | identifiers,
        max_size=4,
    ),
)


def outcome(payload: bytes, *, require_identity: bool = True) -> Call | Rejected:
    """Parse; anything but a call or a sound refusal fails the test."""
    try:
        return OneTrustSource(require_identity=require_identity).parse(payload)
    except Rejected as refusal:
        result = refusal
    assert result.entry.status in (400, 422)
    assert result.__context__ is None
    return result


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=300), require_identity=st.booleans())
@example(payload=b'{"subTaskId": "\\ud800"}', require_identity=True)
@example(payload=b"[" * 50_000, require_identity=True)
@example(payload=b'{"identifiers": ' * 50_000, require_identity=True)
def test_parsing_any_bytes_gives_a_call_or_a_refusal(payload: bytes, *, require_identity: bool) -> None:
    assert isinstance(outcome(payload, require_identity=require_identity), Call | Rejected)


@settings(max_examples=400, deadline=None)
@given(body=bodies, require_identity=st.booleans())
def test_parsing_any_json_gives_a_call_that_can_be_stored_or_a_refusal(
    body: dict[str, Any], *, require_identity: bool
) -> None:
    call = outcome(json.dumps(body).encode(), require_identity=require_identity)
    if isinstance(call, Rejected):
        return
    texts = [call.request_key, call.event_id or "", *call.external.values(), *call.request_types]
    for text in [*texts, *(part for one in call.identities for part in (one.kind, one.value.reveal()))]:
        assert "\x00" not in text
        assert text.encode().decode() == text
    assert set(call.external) <= {"subtask_id", "request_ref", "request_id"}
    assert call.request_key.startswith(("subtask:", "request:"))
    assert require_identity <= len(call.identities) <= 100
    assert len(set(call.identities)) == len(call.identities)
    assert all(one.value for one in call.identities)


marked = st.text("abcdefghijklmnopqrstuvwxyz0123456789@.:${}\ud800\x00 ", min_size=1, max_size=40).map(
    "MARKED{}".format
)


@settings(max_examples=400, deadline=None)
@given(
    body=st.dictionaries(
        st.sampled_from(NAMES),
        marked | st.lists(marked, max_size=3) | st.dictionaries(st.sampled_from(["email", "Loyalty ID"]), marked),
        min_size=1,
        max_size=8,
    ),
    damage=st.sampled_from(["", "}", "\x00", '"']),
)
def test_a_refusal_repeats_no_value(body: dict[str, Any], damage: str) -> None:
    result = outcome((json.dumps(body) + damage).encode())
    if isinstance(result, Rejected):
        assert "MARKED" not in f"{result!s} {result!r} {result.detail} {result.args}"
