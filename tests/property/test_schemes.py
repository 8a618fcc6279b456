"""Whatever is sent: every scheme gives a verdict or a 401; nothing else leaves, and no refusal repeats a value."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import ConnectorError, Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.grammar import Pairs, Plain, SignatureEncoding, Versioned, decode
from connector.verify.key_format import KeyFormat, make_key
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.scheme import Names, Scheme, UrlForm
from connector.verify.signed import Signed
from connector.verify.stamp import TimeUnit, Tolerance
from connector.verify.template import PLACEHOLDERS, Template
from tests.contract.subjects.schemes import CASES, NOW

OWN = Signed(
    Scheme(
        "own",
        (Names("X-Signature", "X-Sent-At", "X-Id"),),
        "{id}\n{ts}\n{method} {path}?{query} {host} {header:Content-Type}\n{body}",
        Algorithm.HMAC_SHA512,
        encoding=SignatureEncoding.BASE64URL,
        window=Tolerance(TimeUnit.ISO8601),
    ),
    (Secret("correct-horse-battery-staple", "env:A"),),
)
SCHEMES = (*(case.check() for case in CASES.values()), OWN)
NAMES = sorted(
    {
        name
        for one in SCHEMES
        for names in one.scheme.names
        for name in (names.signature, names.timestamp, names.id)
        if name is not None
    }
    | {"content-type"}
)

# Any code point, lone surrogates among them, and the beginnings of what the grammars look for.
wild_text = st.text(st.characters(), max_size=120)
signature_text = st.one_of(
    st.binary(max_size=72).map(bytes.hex),
    st.binary(max_size=72).map(lambda raw: base64.b64encode(raw).decode()),
    st.sampled_from([(bytes(size)).hex() for size in (20, 32, 64)]),
    st.sampled_from([base64.b64encode(bytes(size)).decode() for size in (20, 32, 64)]),
)
near_text = st.builds(
    lambda head, middle, tail: head + middle + tail,
    st.sampled_from(["", "v1,", "v1a,", "v1=", "v0=", "sha256=", "t=1793610873,v1=", "ts=1793610873;h1=", "t=,v1="]),
    signature_text,
    st.sampled_from(["", " ", ",", ";", "=", " v1,", ",v1=", ";h1="]) | wild_text,
)
stamp_text = st.sampled_from(
    ("1793610873", "1793610873000", "9" * 11, "2026-11-02T09:14:33Z", "2026-13-41T99:99:99Z")
) | st.just("0001-01-01T00:00:00+23:59")
iso_text = st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)", fullmatch=True)
template_text = st.lists(st.sampled_from([*(f"{{{name}}}" for name in PLACEHOLDERS), "{", "}", "."])).map("".join)
header_lists = st.lists(
    st.tuples(
        st.sampled_from(NAMES) | wild_text,
        wild_text | near_text | stamp_text | st.just("application/x-www-form-urlencoded"),
    ),
    max_size=8,
).map(tuple)
bodies = st.binary(max_size=200) | st.sampled_from([b"a=1&b=%ff", b"=", b"&&&", b"a=" * 2_000, b"%", b"a=1&" * 1_001])
urls = wild_text | st.sampled_from(
    ["https://[::1", "https://h:99999/x", "https://h:x/", "http://h", "?", "https://h/?bodySHA256=%ff&bodySHA256=1"]
)
inbounds = st.builds(Inbound, wild_text | st.just("POST"), urls, header_lists, bodies)
nows = st.integers(-10_000_000_000, 100_000_000_000).map(
    lambda second: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)


def attempt(call: Callable[[], Any], refusal: type[ConnectorError]) -> Any:
    """Return the answer or the refusal; anything else ends the test."""
    try:
        return call()
    except refusal as refused:
        return refused


def verdict_of(check: Signed, inbound: Inbound, now: datetime) -> Verified | Rejected:
    answer: Verified | Rejected = attempt(lambda: check.verify(inbound, now), Rejected)
    return answer


@settings(max_examples=150, deadline=None)
@given(inbound=inbounds, now=nows)
def test_every_scheme_gives_a_verdict_or_a_401_whatever_arrives(inbound: Inbound, now: datetime) -> None:
    for check in SCHEMES:
        answer = verdict_of(check, inbound, now)
        assert isinstance(answer, Rejected)
        assert answer.entry.status == 401
        assert not any(value in answer.detail for _, value in inbound.headers if len(value) > 30)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(CASES)))
def test_no_header_of_a_good_delivery_can_be_replaced_by_another_value(data: st.DataObject, name: str) -> None:
    case = CASES[name]
    good = case.headers()
    replaced = data.draw(st.sampled_from(sorted(good)))
    value = data.draw(wild_text | near_text | stamp_text)
    answer = verdict_of(case.check(), case.inbound(good | {replaced: value}), NOW)
    assert isinstance(answer, Rejected) or value.lower() == good[replaced].lower()


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=300), name=st.sampled_from(sorted(set(CASES) - {"twilio"})))
def test_a_delivery_with_any_body_is_accepted_and_with_any_other_body_refused(body: bytes, name: str) -> None:
    case = CASES[name]
    headers = case.headers(body=body)
    assert case.check().verify(case.inbound(headers, body), NOW).payload == body
    for other in (body + b"\x00", body[1:] if body else b"1", bytes([*body[:-1], 0x80])):
        if other != body:
            assert isinstance(verdict_of(case.check(), case.inbound(headers, other), NOW), Rejected)


@settings(max_examples=200, deadline=None)
@given(text=wild_text | near_text)
def test_a_grammar_reads_or_refuses_any_text(text: str) -> None:
    for grammar in (Plain("v1="), Pairs("v1", "t"), Pairs("h1", "ts", ";"), Versioned(("v1", "v1a"))):
        answer = attempt(partial(grammar.read, text), Rejected)
        assert answer.entry.status == 401 if isinstance(answer, Rejected) else answer.signatures
    for encoding in SignatureEncoding:
        decoded = decode(text, encoding)
        assert decoded is None or text.isascii()


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(min_size=1, max_size=80))
def test_a_signature_decodes_to_the_bytes_that_were_written(raw: bytes) -> None:
    url = base64.urlsafe_b64encode(raw).decode()
    assert decode(raw.hex(), SignatureEncoding.HEX) == raw
    assert decode(raw.hex().upper(), SignatureEncoding.HEX) == raw
    assert decode(base64.b64encode(raw).decode(), SignatureEncoding.BASE64) == raw
    assert decode(url, SignatureEncoding.BASE64URL) == decode(url.rstrip("="), SignatureEncoding.BASE64URL) == raw


@settings(max_examples=200, deadline=None)
@given(text=wild_text | template_text)
def test_a_template_is_built_or_refused_as_a_misconfiguration(text: str) -> None:
    answer = attempt(lambda: Template(text), Misconfigured)
    assert answer.detail if isinstance(answer, Misconfigured) else answer.uses("body") or answer.uses("form")


@settings(max_examples=200, deadline=None)
@given(text=wild_text | near_text | st.binary(max_size=100).map(lambda raw: base64.b64encode(raw).decode()))
def test_a_key_is_made_or_refused_as_a_misconfiguration_that_does_not_repeat_it(text: str) -> None:
    for algorithm in Algorithm:
        for form in KeyFormat:
            answer = attempt(partial(make_key, Secret(text, "env:K"), algorithm, form, 16, 1_024), Misconfigured)
            if isinstance(answer, Misconfigured):
                assert len(text) < 12 or text not in str(answer)
            else:
                assert answer.id == "env:K"


@settings(max_examples=200, deadline=None)
@given(url=urls)
def test_any_url_has_spellings_and_parts(url: str) -> None:
    inbound = Inbound("POST", url, (), b"")
    assert isinstance(inbound.host + inbound.path + inbound.query, str)
    for name in ("hubspot-v3", "twilio", "github"):
        assert url in PRESETS[name].urls(inbound)
    assert UrlForm(PRESETS["twilio"].url) is UrlForm.EITHER_PORT


@settings(max_examples=200, deadline=None)
@given(text=wild_text | stamp_text | iso_text)
def test_a_timestamp_is_read_as_an_aware_time_or_refused(text: str) -> None:
    for unit in TimeUnit:
        answer = attempt(partial(Tolerance(unit).read, text), Rejected)
        assert answer.entry.status == 401 if isinstance(answer, Rejected) else answer.tzinfo is UTC
