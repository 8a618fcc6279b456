"""Whatever a described platform's delivery holds, it becomes a call or a refusal that repeats no value of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.dialect.description import DeadlineUnit, Description, IdentityPlace, PayloadKind
from connector.dialect.place import Place
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Call, Purpose
from connector.sources.generic.parse import GenericSource

NAMES = ("id", "event", "type", "due", "land", "test", "ping", "user", "email", "fields", "list", "url", "k", "v")
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["", "null", "true", "false", "2026-12-01T11:00:00Z", "DE", "${x}", "\ud800", "1796122800"])
)
value = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)


def described(**changes: Any) -> Description:
    return Description(
        **{
            "identities": (
                IdentityPlace("email", Place("user.email")),
                IdentityPlace("listed", Place("list[?k=='email'].v")),
                IdentityPlace("pointed", Place("/user/list/0")),
                IdentityPlace("chosen", Place("k == 'a' && v")),
            ),
            "identities_by_label": Place("fields"),
            "request_id": Place("not_null(id, event)"),
            "event_id": Place("header:X-Event"),
            "request_type": Place("type"),
            "deadline": Place("due"),
            "country": Place("/land"),
            "test": Place("test"),
            "ping": Place("ping"),
            "when": Place("!contains(keys(@), 'k') || starts_with(k, 'a')"),
            "callback_url": Place("url"),
            "kept": {"event": Place("event")},
            **changes,
        }
    )


VARIANTS = (
    described(),
    described(require_identity=False, request_id=None, ping=None, when=None),
    described(deadline_unit=DeadlineUnit.UNIX_MILLISECONDS, when=None, request_type=None),
    described(payload=PayloadKind.FORM, when=None),
)


def outcome(description: Description, payload: bytes, header: str = "") -> Call | Rejected:
    """What reading gives; any other exception fails the test by itself."""
    inbound = Inbound("POST", "", (("X-Event", header),) if header else (), payload)
    try:
        return GenericSource(description).parse(payload, inbound)
    except Rejected as refused:
        return refused


def check(result: Call | Rejected) -> None:
    if isinstance(result, Rejected):
        assert result.entry.status in {400, 422}
        assert result.__context__ is None
        return
    assert result.purpose is not Purpose.REQUEST or all(len(one.value.reveal()) <= 4096 for one in result.identities)
    assert all(isinstance(one, str) for one in result.external.values())
    assert len(result.request_key) <= 220


@settings(max_examples=500, deadline=None)
@given(payload=st.dictionaries(st.sampled_from(NAMES), value, max_size=10), variant=st.sampled_from(VARIANTS))
@example(payload={}, variant=VARIANTS[0])
def test_any_json_object_becomes_a_call_or_a_refusal(payload: dict[str, Any], variant: Description) -> None:
    check(outcome(variant, json.dumps(payload).encode()))


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=200), header=st.text(max_size=20), variant=st.sampled_from(VARIANTS))
def test_any_bytes_become_a_call_or_a_refusal(payload: bytes, header: str, variant: Description) -> None:
    check(outcome(variant, payload, header))


@settings(max_examples=300, deadline=None)
@given(value=value, variant=st.sampled_from(VARIANTS))
def test_any_json_value_becomes_a_call_or_a_refusal(value: Any, variant: Description) -> None:
    check(outcome(variant, json.dumps(value).encode()))


marked = st.sampled_from(
    ["MARKED", "MARKED ${x}", "MARKED\x00", "MARKED" * 900, ["MARKED"], {"k": "MARKED"}, 1.5, True]
)


@settings(max_examples=400, deadline=None)
@given(
    body=st.dictionaries(
        st.sampled_from(NAMES),
        marked | st.dictionaries(st.sampled_from(("email", "list", "MARKED")), marked, max_size=3),
        min_size=1,
        max_size=8,
    ),
    damage=st.sampled_from(["", "}", "\x00", '"']),
    variant=st.sampled_from(VARIANTS),
)
def test_a_refusal_repeats_no_value(body: dict[str, Any], damage: str, variant: Description) -> None:
    result = outcome(variant, (json.dumps(body) + damage).encode(), "MARKED\x01")
    if isinstance(result, Rejected):
        assert "MARKED" not in f"{result!s} {result!r} {result.detail} {result.args}"
    else:
        assert "MARKED" not in repr([result.identities, result.callback_url])


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=30) | st.text("abc.[]{}()|&!@*?'\"`/~:,=< 01", max_size=30))
def test_any_text_is_a_place_or_a_refusal_that_does_not_repeat_it(text: str) -> None:
    place = tried(lambda: Place(text))
    if isinstance(place, Misconfigured):
        assert len(text) < 8 or text not in place.detail
        return
    assert isinstance(place, Place)
    found = tried(lambda: place.find({"a": {"b": [1, {"c": "x"}]}}, Inbound("POST", "", (), b""), "setting"))
    assert not isinstance(found, Rejected) or found.detail == "setting cannot be evaluated on this payload"
    assert place.shares(place) or place.is_constant


def tried(make: Callable[[], object]) -> object:
    try:
        return make()
    except (Misconfigured, Rejected) as refused:
        return refused


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_variants_do_read_calls(variant: Description) -> None:
    payload = b"id=r-1&type=erase&list=x" if variant.payload is PayloadKind.FORM else None
    good = {"id": "r-1", "type": "erase", "user": {"email": "ana@example.com"}, "fields": {"x": "y"}}
    result = outcome(variant, payload or json.dumps(good).encode())
    assert isinstance(result, Call) is (payload is None)
