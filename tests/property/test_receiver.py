"""Whatever is sent to the receiver: no 5xx and no exception; what is accepted is stored, what is refused is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from connector.catalogue import CATALOGUE
from connector.codes import Code
from connector.store import overview
from tests.unit.web.receiver import GOOD, PATH, SUBTASK, Receiver, body_of, receiving

EXAMPLES = 120
modest = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One receiver for all examples: each of them is a delivery more."""
    with receiving(f"sqlite:///{tmp_path_factory.mktemp('receiver') / 'store.db'}") as made:
        yield made


# Any code point, lone surrogates and NUL among them.
wild_text = st.text(st.characters() | st.sampled_from('\0\ud800\udfff\u202e\ufeff"\\'), max_size=60)
# Integers beyond any machine word; those beyond what Python reads as one are among the bent bodies.
numbers = st.integers() | st.sampled_from([10**400, -(10**60)]) | st.floats()
json_values = st.recursive(
    st.none() | st.booleans() | numbers | wild_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(wild_text, inner, max_size=4),
    max_leaves=12,
)
NAMES = [
    *("schema", "event", "eventId", "subTaskId", "subTaskGuid", "requestQueueRefId", "requestId", "requestTypes"),
    *("requestType", "deadline", "countryCode", "testRequest", "identifiers", "email", "dataSubjectEmail"),
    *("identifier", "firstName"),
]
near_values = st.sampled_from(
    [
        SUBTASK,
        SUBTASK.upper(),
        "ABCDEFGHJ1",
        "",
        "null",
        "${x}",
        "true",
        "2026-12-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "DE",
        "Data Deletion, Other",
        "dsar.subtask.created",
        "consent-connector/v1",
        "jo.meyer@example.com",
    ]
)
identifiers = st.dictionaries(wild_text | st.sampled_from(["email", "Loyalty ID"]), wild_text | near_values, max_size=6)
many_identifiers = st.integers(90, 130).map(lambda size: {f"kind {place}": f"v{place}" for place in range(size)})
members = st.dictionaries(
    st.sampled_from(NAMES) | wild_text,
    near_values | json_values | identifiers | many_identifiers,
    max_size=8,
)


def dumped(value: Any, *, escaped: bool) -> bytes:
    """Write JSON as some sender might: escaped, or raw with whatever is no UTF-8 in it."""
    return json.dumps(value, ensure_ascii=escaped).encode(errors="surrogatepass")


json_bodies = st.builds(dumped, json_values, escaped=st.booleans())
near_bodies = st.builds(dumped, members.map(lambda some: {"subTaskId": SUBTASK, **some}), escaped=st.booleans())
new_bodies = st.builds(
    lambda subtask, some, escaped: dumped(
        {"email": "a@example.com", **some, "subTaskId": str(subtask)}, escaped=escaped
    ),
    st.uuids(),
    members,
    st.booleans(),
)
bent_bodies = st.builds(
    lambda body, place, piece: body[: place % len(body)] + piece + body[place % len(body) :],
    st.just(GOOD),
    st.integers(0, len(GOOD)),
    st.binary(max_size=6) | st.sampled_from([b'"email": "x", ', b"\\ud800", b"\\u0000", b"{" * 50, b"9" * 5000]),
)


def require_known_answer(answer: TestResponse) -> None:
    """Check what holds for every answer."""
    assert answer.status_code < 500
    if 200 <= answer.status_code < 300:
        return
    assert answer.content_type == "application/problem+json"
    if answer.request.method == "HEAD":
        assert answer.data == b""
        return
    said = json.loads(answer.data)
    assert CATALOGUE[Code(said["code"])].status == said["status"] == answer.status_code


def require_stored_or_not(receiver: Receiver, before: dict[str, int], answer: TestResponse) -> None:
    after = receiver.row_counts()
    if answer.status_code != 202:
        assert after == before
        return
    said = answer.get_json()
    with receiver.site.database.read() as connection:
        (row,) = overview.find(connection, said["jobId"])
        kept = overview.dossier(connection, row)
    # It may name nobody: what a callback leaves out is read from OneTrust.
    assert kept.deliveries
    if not said["duplicate"]:
        assert sum(after.values()) > sum(before.values())


@modest
@given(body=st.binary(max_size=300) | json_bodies | near_bodies | new_bodies | bent_bodies)
@example(body=b"")
@example(body=b"\xef\xbb\xbf" + GOOD)
@example(body=b"[" * 100_000)
@example(body=b'{"a":' * 50_000 + b"1" + b"}" * 50_000)
@example(body=b'{"subTaskId": ' + b"9" * 100_000 + b"}")
@example(body=GOOD.replace(b"jo.meyer", b"jo\\u0000meyer"))
@example(body=GOOD.replace(b"jo.meyer", b"jo\\ud800meyer"))
@example(body=GOOD.replace(b"jo.meyer", b"jo\xed\xa0\x80meyer"))
@example(body=GOOD.replace(b'{"', b'{"email": "x@example.com", "', 1))
@example(body=body_of(email=None, identifiers={f"k{place}": "v" for place in range(101)}))
@example(body=body_of(email=None, identifiers={f"k{place}": "v" for place in range(100)}))
@example(body=body_of(eventId="e" * 5000))
@example(body=body_of(eventId="\0"))
@example(body=body_of(email=None, identifiers={"\0": "v", "": "w"}))
@example(body=b'{"subTaskId": "%s", "email": NaN}' % SUBTASK.encode())
def test_a_genuine_delivery_is_stored_or_refused_whatever_it_says(receiver: Receiver, body: bytes) -> None:
    receiver.clock.advance(seconds=1)
    before = receiver.row_counts()
    answer = receiver.post(body)
    require_known_answer(answer)
    require_stored_or_not(receiver, before, answer)


# What a WSGI server hands over: bytes of a header, a path or a query, as Latin-1.
latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=80)
header_names = st.sampled_from(
    [
        *("HTTP_X_ONETRUST_SIGNATURE", "HTTP_X_ONETRUST_TIMESTAMP", "HTTP_AUTHORIZATION", "HTTP_CONTENT_ENCODING"),
        *("HTTP_HOST", "HTTP_TRANSFER_ENCODING", "HTTP_COOKIE", "HTTP_X_FORWARDED_FOR", "HTTP_EXPECT", "HTTP_RANGE"),
        *("CONTENT_LENGTH", "CONTENT_TYPE"),
    ]
)
header_values = latin | st.sampled_from(
    [
        "",
        "sha256=" + "0" * 64,
        "1793610873",
        "9" * 400,
        "-1",
        "chunked",
        "gzip",
        "bytes=0-",
        "application/json",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; charset*=utf-8''%ff",
        "multipart/form-data; boundary=x",
        "example.org:99999",
        "[::1",
        "\xff\xfe",
    ]
)
paths = st.sampled_from([PATH, "/webhooks/", "/health/live", "/webhooks/..%2f", "/"]) | latin.map("/webhooks/{}".format)


@modest
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "TRACE", "CONNECT"])
    | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$-", min_size=1, max_size=12),
    path=paths | latin,
    query=latin,
    headers=st.dictionaries(header_names, header_values, max_size=6),
    body=st.binary(max_size=100),
)
@example(
    method="POST", path=PATH, query="", headers={"HTTP_HOST": "[::1", "CONTENT_TYPE": "application/json"}, body=b"{}"
)
@example(method="POST", path="/webhooks/\xff", query="\xff=%ff", headers={}, body=b"")
@example(method="HEAD", path=PATH, query="", headers={}, body=b"")
@example(method="POST", path="/webhooks//onetrust", query="", headers={}, body=b"")
def test_a_stranger_gets_a_known_answer_and_leaves_nothing(
    receiver: Receiver, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    receiver.clock.advance(seconds=1)
    before = receiver.row_counts()
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query} | headers
    answer = receiver.client.open(data=body, environ_overrides=environ)
    require_known_answer(answer)
    assert answer.status_code != 202
    assert receiver.row_counts() == before


@modest
@given(headers=st.dictionaries(header_names, header_values, max_size=4), body=near_bodies | new_bodies)
def test_headers_around_a_genuine_delivery_do_not_break_it(
    receiver: Receiver, headers: dict[str, str], body: bytes
) -> None:
    """A proxy adds and bends headers; the signature is right unless it is bent itself."""
    receiver.clock.advance(seconds=1)
    before = receiver.row_counts()
    answer = receiver.client.post(PATH, data=body, headers=receiver.signed(body), environ_overrides=headers)
    require_known_answer(answer)
    require_stored_or_not(receiver, before, answer)
