"""How a refusal is taken apart: each check and condition speaks for itself, and nothing of the call is repeated."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

import pytest

from connector.codes import Code
from connector.errors import Temporary
from connector.inbound import Inbound
from connector.model import Verified
from connector.ports import Verifier
from connector.private import Secret
from connector.verify.combine import AllOf, AnyOf
from connector.verify.conditions import FromAddress, Networks
from connector.verify.explain import Asked, Finding, explain, notes, replay_kind
from connector.verify.presets import PRESETS
from connector.verify.shared import StaticHeader
from connector.verify.signed import Signed

NOW: Final = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECRET: Final = "correct-horse-battery-staple"
URL: Final = "https://connector.example.com/webhooks/privacy"
BODY: Final = b'{"request": "7f3a"}'
SIGNED: Final = Signed(PRESETS["github"], (Secret(SECRET, "env:SIGNING"),))
STATIC: Final = StaticHeader("X-Api-Key", (Secret(SECRET, "env:STATIC"),))
ADDRESS: Final = FromAddress(Networks(("192.0.2.0/24",), "allowed"))
GOOD: Final = {"X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), BODY, "sha256").hexdigest()}


class Unreachable:
    """Stands for a check whose keys cannot be had."""

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        raise Temporary(Code.KEYS_UNAVAILABLE, "nothing is fetched here")


def leaf(name: str, verifier: Verifier) -> Asked:
    return Asked(name, verifier)


def call(headers: dict[str, str], *, url: str = URL, body: bytes = BODY, method: str = "POST") -> Inbound:
    return Inbound(method, url, tuple(headers.items()), body, "192.0.2.7")


def either(*checks: tuple[str, Verifier]) -> Asked:
    alternatives = AnyOf(tuple(verifier for _, verifier in checks))
    inner = Asked("any_of", alternatives, parts=tuple(leaf(*one) for one in checks))
    return Asked("verify", AllOf((alternatives,)), parts=(inner,))


def places(finding: Finding) -> list[tuple[str, str, bool]]:
    return [(one.place, one.name, one.passed) for part in finding.parts for one in (part, *part.parts)]


def test_every_check_and_condition_speaks_for_itself() -> None:
    parts = (leaf("scheme github", SIGNED), leaf("header", STATIC), Asked("address", condition=ADDRESS))
    asked = Asked("verify", AllOf((SIGNED, STATIC), (ADDRESS,)), parts=parts)
    found = explain(asked, call(GOOD), NOW)
    assert places(found) == [("1", "scheme github", True), ("2", "header", False), ("3", "address", True)]
    assert found.error is not None
    assert found.error.code is Code.CREDENTIAL_MISSING
    assert found.parts[0].verified is not None
    assert found.parts[0].verified.secret_ids == ("env:SIGNING",)


def test_a_condition_that_does_not_hold_is_told() -> None:
    asked = Asked("verify", AllOf((SIGNED,), (ADDRESS,)), parts=(Asked("address", condition=ADDRESS),))
    found = explain(asked, Inbound("POST", URL, tuple(GOOD.items()), BODY, "203.0.113.9"), NOW)
    assert found.parts[0].error is not None
    assert found.parts[0].error.code is Code.ADDRESS_NOT_ALLOWED


def test_of_alternatives_one_suffices_and_the_others_are_not_looked_into() -> None:
    found = explain(either(("header", STATIC), ("scheme github", SIGNED)), call(GOOD), NOW)
    assert found.passed
    assert places(found) == [("1", "any_of", True), ("1.1", "header", False), ("1.2", "scheme github", True)]
    refused = found.parts[0].parts[0]
    assert (refused.search.hints, refused.search.tried) == ((), "")


def test_where_no_alternative_passes_each_is_looked_into() -> None:
    headers = {"X-Key": SECRET, "X-Hub-Signature-256": GOOD["X-Hub-Signature-256"].removeprefix("sha256=")}
    found = explain(either(("header", STATIC), ("scheme github", SIGNED)), call(headers), NOW)
    assert not found.passed
    assert all(one.search.has_match for one in found.parts[0].parts)
    assert not found.parts[0].search.hints


def test_a_check_whose_keys_cannot_be_had_is_undecided_and_not_refused() -> None:
    found = explain(either(("header", STATIC), ("jws", Unreachable())), call({}), NOW)
    assert (found.passed, found.is_undecided) == (False, True)
    assert [one.is_undecided for one in found.parts[0].parts] == [False, True]


class TestContents:
    def test_they_are_told_by_length_and_digest(self) -> None:
        (content,) = explain(leaf("scheme github", SIGNED), call({**GOOD}), NOW).contents
        assert (content.length, content.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())

    def test_each_spelling_of_the_address_has_its_own(self) -> None:
        check = Signed(PRESETS["twilio"], (Secret(SECRET, "env:S"),))
        headers = {"X-Twilio-Signature": "A" * 27 + "=", "Content-Type": "application/x-www-form-urlencoded"}
        found = explain(leaf("scheme twilio", check), call(headers, body=b"b=2&a=1"), NOW).contents
        expected = [f"{url}a1b2".encode() for url in (URL, URL.replace(".com", ".com:443"))]
        assert [one.sha256 for one in found] == [hashlib.sha256(one).hexdigest() for one in expected]
        assert [one.spelling for one in found] == ["", "the port added or left out"]

    def test_they_never_hold_the_secret(self) -> None:
        check = Signed(PRESETS["hubspot-v1"], (Secret(SECRET, "env:S"),))
        (content,) = explain(leaf("x", check), call({"X-HubSpot-Signature": "ab" * 32}), NOW).contents
        assert content.sha256 == hashlib.sha256(BODY).hexdigest()

    @pytest.mark.parametrize("headers", [{}, {"X-Hub-Signature-256": "sha512=ab"}])
    def test_there_are_none_where_the_parts_are_missing(self, headers: dict[str, str]) -> None:
        assert explain(leaf("scheme github", SIGNED), call(headers), NOW).contents == ()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "none: only the body tells it from others"),
        ("id:msg_2b1Tz", "the sender's signed id"),
        ("jti:7f3a", "the token's id"),
        ("nonce:7f3a", "the sender's nonce"),
        ("sha256:7f3a", "digest of the signed content"),
        ("ana@example.com", "a value of its own"),
        ("ana@example.com:7", "a value of its own"),
    ],
)
def test_of_a_replay_key_only_its_kind_is_told(key: str, words: str) -> None:
    assert replay_kind(Verified(b"", "x", (), replay_key=key)) == words


class TestNotes:
    KINDS = frozenset({"application/json"})

    @pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
    def test_a_call_that_the_checks_would_see_has_none(self, kind: str) -> None:
        assert notes(call({"content-type": kind, "Content-Encoding": "identity"}), self.KINDS) == []
        assert notes(call({}, method="GET"), self.KINDS) == []

    @pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json5"}])
    def test_a_content_type_that_is_refused_before_is_told(self, headers: dict[str, str]) -> None:
        (line,) = notes(call(headers), self.KINDS)
        assert "415" in line
        assert "application/json" in line

    def test_a_compressed_body_is_told(self) -> None:
        (line,) = notes(call({"Content-Type": "application/json", "Content-Encoding": "gzip"}), self.KINDS)
        assert "compressed" in line
