from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.sources.fields import Field, Fields, read_object


def refusal(payload: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        read_object(payload)
    assert caught.value.entry.status == 400
    return caught.value


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"\xff\xfe",
        b'{"email": "\xe4"}',
        b'{"email": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 1} {"b": 2}',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": [-Infinity]}',
        b'{"a": 01}',
        b'{"a": "line\nfeed"}',
        b'{"a": "\\u12"}',
        b"a=1&b=2",
        b"<a/>",
        pytest.param(b'{"a": ' + b"9" * 41 + b"}", id="41_digits"),
        pytest.param(b'{"a": ' + b"9" * 200_000 + b"}", id="200000_digits"),
        pytest.param(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep_list"),
        pytest.param(b'{"a": ' * 20_000 + b"1" + b"}" * 20_000, id="deep_object"),
        pytest.param(b"[" * 200_000, id="deep_and_cut"),
    ],
)
def test_refuses_what_is_not_json_in_utf8(payload: bytes) -> None:
    assert refusal(payload).code is Code.BODY_UNREADABLE


@pytest.mark.parametrize("payload", [b"null", b"1", b"true", b'"text"', b"[]", b'[{"a": 1}]', b"1e999"])
def test_refuses_what_is_not_an_object(payload: bytes) -> None:
    assert refusal(payload).code is Code.BODY_NOT_AN_OBJECT


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": [[{"b": 1, "c": 2, "b": 3}]]}',
        b'{"a": 1, "\\u0061": 2}',
        b'[{"a": 1, "a": 2}]',
    ],
)
def test_refuses_a_key_that_comes_twice_at_any_depth(payload: bytes) -> None:
    assert refusal(payload).code is Code.BODY_DUPLICATE_KEY


def test_a_refusal_carries_neither_the_body_nor_the_exception_that_holds_it() -> None:
    for payload in (b'{"email": "jo@example.com"', b'{"email": "jo@example.com\xff"}', b'{"a": "jo", "a": "jo"}'):
        error = refusal(payload)
        assert (error.__cause__, error.__context__, error.detail) == (None, None, "")


def test_a_refused_moment_carries_no_foreign_exception() -> None:
    with pytest.raises(Rejected) as caught:
        Field("deadline", "2026-02-30T00:00:00Z").moment()
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T11:00:00.000Z",
        "2026-12-01T11:00:00Z",
        "2026-12-01T11:00Z",
        "2026-12-01 11:00:00z",
        "2026-12-01T11:00:00.000+0000",
        "2026-12-01T11:00:00+00:00",
        "2026-12-01T11:00:00,000000000Z",
        "2026-12-01T12:30:00+0130",
        "2026-12-01T03:00:00.0-08:00",
        " 2026-12-01t11:00:00Z ",
    ],
)
def test_reads_a_moment_with_an_offset_as_utc(text: str) -> None:
    moment = Field("deadline", text).moment()
    assert moment == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-01",
        "2026-12-01T11:00:00",
        "01.12.2026 11:00",
        "12/01/2026",
        "20261201T110000Z",
        "2026-W49-2T11:00:00Z",
        "2026-13-01T11:00:00Z",
        "2026-12-01T25:00:00Z",
        "2026-12-01T11:00:00+2500",
        "0001-01-01T00:00:00+2300",
        "9999-12-31T23:59:59-2300",
        "٢٠٢٦-12-01T11:00:00Z",
        "tomorrow",
        1796122800000,
        True,
        ["2026-12-01T11:00:00Z"],
    ],
)
def test_refuses_a_moment_that_it_would_have_to_guess(value: object) -> None:
    with pytest.raises(Rejected) as caught:
        Field("deadline", value).moment()
    assert caught.value.code is Code.FIELD_INVALID
    assert caught.value.detail.startswith("deadline must be ")


def test_a_field_shows_no_value_in_its_repr() -> None:
    assert repr(Field("email", "jo@example.com")) == "Field(name='email')"


def test_finds_a_member_without_regard_to_case_and_names_it_as_the_contract_does() -> None:
    fields = Fields({"EMAIL": "a", "other": "b"})
    assert fields.each("email", "Other") == [Field("email", "a"), Field("Other", "b")]
    assert fields.one("third") is None


def test_what_says_nothing_is_not_there() -> None:
    assert Fields({"a": "", "A": None, "b": " Null "}).each("a", "b") == []


def test_accepts_one_thing_said_twice_and_refuses_two() -> None:
    assert Fields({"a": "x", "A": " X "}).one("a") == Field("a", "x")
    for first, second in (("x", "y"), (1, 2), ([], []), ({}, {})):
        with pytest.raises(Rejected, match="a must be the same as a"):
            Fields({"a": first, "A": second}).one("a")


def test_does_not_follow_the_nesting_of_what_is_given_twice() -> None:
    deep = b"[" * 700 + b"]" * 700
    fields = read_object(b'{"a": ' + deep + b', "A": ' + deep + b"}")
    with pytest.raises(Rejected) as caught:
        fields.one("a")
    assert caught.value.code is Code.FIELD_INVALID
