"""What a token says of the body, and of another token inside of it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.errors import Misconfigured
from connector.inbound import Inbound
from connector.verify.grammar import SignatureEncoding
from connector.verify.token.body import Detached, Hashed, Repeated, Unsigned
from connector.verify.token.claims import ClaimRules
from connector.verify.token.compact import PayloadForm
from connector.verify.token.place import InBody, InForm, InHeader, InMember
from tests.support.tokens import Signer, b64, signer
from tests.unit.verify.jws.checks import AT, HEADER, NOW, SENDER, call, check, keys_of, refused, token

BODY: Final = b'{"type": "ERASURE", "coreIdentifier": {"value": "someone@example.com"}}'


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", list(SignatureEncoding))
def test_a_claim_may_hold_a_hash_of_the_body(name: str, encoding: SignatureEncoding) -> None:
    digest = hashlib.new(name, BODY).digest()
    text = {"hex": digest.hex(), "base64": base64.b64encode(digest).decode(), "base64url": b64(digest)}[encoding]
    verifier = check(body=Hashed("request_body_hash", name, encoding))
    sent = call(token({"request_body_hash": text}), BODY)
    assert verifier.verify(sent, NOW).payload == BODY
    for other in (BODY + b" ", b"", BODY[1:]):
        assert refused(verifier, Inbound("POST", sent.url, sent.headers, other)) is Code.BODY_DIGEST_WRONG
    for wrong in (None, 1, "", text[:-1] + "%", [text]):
        assert refused(verifier, call(token({"request_body_hash": wrong}), BODY)) is Code.CLAIM_WRONG
    assert refused(verifier, call(token({}), BODY)) is Code.CLAIM_WRONG
    shorter = check(body=Hashed("request_body_hash", "sha256" if name != "sha256" else "sha512", encoding))
    assert refused(shorter, sent) is Code.BODY_DIGEST_WRONG


@pytest.mark.parametrize("form", [PayloadForm.DETACHED, PayloadForm.DETACHED_UNENCODED])
@pytest.mark.parametrize(
    "body", [BODY, b"", b"\x00\xff.\xfe", b"x" * 300_000], ids=["json", "empty", "binary", "large"]
)
def test_the_body_may_be_the_payload(form: PayloadForm, body: bytes) -> None:
    header = {"b64": False, "crit": ["b64"]} if form is PayloadForm.DETACHED_UNENCODED else {}
    verifier, text = check(body=Detached(form)), SENDER.detached("ES256", body, **header)
    assert verifier.verify(call(text, body), NOW).payload == body
    assert refused(verifier, call(text, body + b"\n")) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    "header",
    [
        {"b64": False},
        {"b64": False, "crit": ["b64", "b64"]},
        {"b64": False, "crit": ["exp", "b64"]},
        {"b64": 0, "crit": ["b64"]},
        {"b64": None, "crit": ["b64"]},
        {"crit": ["b64"]},
        {},
        {"b64": True, "crit": ["b64"]},
    ],
)
def test_an_unencoded_payload_has_to_be_announced_as_critical(header: dict[str, Any]) -> None:
    verifier = check(body=Detached(PayloadForm.DETACHED_UNENCODED))
    assert refused(verifier, call(SENDER.detached("ES256", BODY, **header), BODY)) is Code.CREDENTIAL_MALFORMED


def test_the_settings_say_whether_the_payload_is_detached_and_not_the_token() -> None:
    attached = SENDER.token("ES256", BODY)
    for form in (PayloadForm.DETACHED, PayloadForm.DETACHED_UNENCODED):
        assert refused(check(body=Detached(form)), call(attached, BODY)) is Code.CREDENTIAL_MALFORMED
    assert refused(check(), call(SENDER.detached("ES256", BODY), BODY)) is Code.CREDENTIAL_MALFORMED
    assert check(body=Detached()).verify(call(SENDER.detached("ES256", BODY, b64=True), BODY), NOW)
    with pytest.raises(Misconfigured):
        Detached(PayloadForm.ATTACHED)


def test_a_detached_payload_is_read_as_claims_only_where_a_rule_needs_them() -> None:
    verifier = check(body=Detached(), claims=ClaimRules(expires=False, max_age_s=300))
    body = json.dumps({"iat": AT, "jti": "d-1"}).encode()
    said = verifier.verify(call(SENDER.detached("ES256", body), body), NOW)
    assert (said.sender_time, said.replay_until) == (NOW, NOW + timedelta(seconds=300))
    assert refused(verifier, call(SENDER.detached("ES256", b"[]"), b"[]")) is Code.CREDENTIAL_MALFORMED
    assert check(body=Detached()).verify(call(SENDER.detached("ES256", b"[]"), b"[]"), NOW)


def test_claims_may_have_to_repeat_members_of_the_body() -> None:
    verifier = check(body=Repeated((("value", "/coreIdentifier/value"), ("kind", "/type"))))
    claims = {"value": "someone@example.com", "kind": "ERASURE"}
    assert verifier.verify(call(token(claims), BODY), NOW).payload == BODY
    for wrong in ({**claims, "value": "other@example.com"}, {"value": "someone@example.com"}, {}):
        assert refused(verifier, call(token(wrong), BODY)) is Code.CLAIM_WRONG
    assert refused(verifier, call(token(claims), b'{"type": "ERASURE"}')) is Code.CLAIM_WRONG
    for unreadable in (b"", b"<xml/>", BODY.replace(b"{", b'{"type": "ERASURE", ', 1)):
        assert refused(verifier, call(token(claims), unreadable)) is Code.CREDENTIAL_MALFORMED


def test_a_token_that_says_nothing_of_the_body_hands_it_on() -> None:
    assert check(body=Unsigned()).verify(call(token(), b"anything"), NOW).payload == b"anything"


@pytest.mark.parametrize(
    "settings",
    [
        {"place": InBody(), "body": Unsigned()},
        {"place": InForm("token"), "body": Repeated((("a", "/a"),))},
        {"place": InMember("/token"), "body": Hashed("h")},
        {"place": InMember("/token"), "body": Detached()},
        {"place": InBody(), "body": Detached()},
    ],
)
def test_refuses_a_token_in_the_body_that_should_sign_the_body(settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        check(**settings)


def test_a_token_in_a_member_may_vouch_for_the_members_around_it() -> None:
    body = json.dumps({"token": token({"id": 7}), "id": 7}).encode()
    verifier = check(place=InMember("/token"), body=Repeated((("id", "/id"),)))
    assert verifier.verify(call("", body), NOW).payload == body
    assert refused(verifier, call("", body.replace(b'"id": 7', b'"id": 8'))) is Code.CLAIM_WRONG


@pytest.mark.parametrize(
    "build",
    [
        lambda: InHeader("no header"),
        lambda: InHeader(HEADER, "ü"),
        lambda: InMember("token"),
        lambda: InForm(""),
        lambda: Hashed(""),
        lambda: Hashed("h", "sha1"),
        lambda: Repeated(()),
        lambda: Repeated((("", "/a"),)),
        lambda: Repeated((("a", "a"),)),
    ],
)
def test_refuses_settings_that_cannot_work(build: Any) -> None:
    with pytest.raises(Misconfigured):
        build()


def test_a_token_inside_has_to_be_good_as_well() -> None:
    vendor, publisher = signer("vendor", "ES256"), signer("publisher", "ES256")
    rules = ClaimRules(("vendor.example", "publisher.example"), required=("jti",), expires=False, max_age_s=300)
    keys = keys_of(json.dumps(vendor.jwk()), json.dumps(publisher.jwk()))
    verifier = check(keys=keys, claims=rules, inner="idJWT")
    inner = publisher.token("ES256", {"iss": "publisher.example", "iat": AT - 86_400, "sub": {"identifierValue": "x"}})
    claims = {"iss": "vendor.example", "iat": AT, "jti": "r-1", "idJWT": inner}
    said = verifier.verify(call(vendor.token("ES256", claims)), NOW)
    assert said.secret_ids == ("test:0", "test:1")
    assert json.loads(said.payload)["idJWT"] == inner
    assert said.replay_key == 'jti:["vendor.example", "r-1"]'
    forged = Signer("publisher", signer("attacker", "ES256").key).token("ES256", {"iss": "publisher.example"})
    for wrong, code in (
        (None, Code.CLAIM_WRONG),
        ({}, Code.CLAIM_WRONG),
        ("", Code.CREDENTIAL_MALFORMED),
        (inner[:-1], Code.CREDENTIAL_MALFORMED),
        (forged, Code.CREDENTIAL_WRONG),
        (publisher.token("ES256", {"iss": "evil.example"}), Code.CLAIM_WRONG),
        (publisher.token("ES256", {"iss": "publisher.example"}, alg="none"), Code.ALGORITHM_NOT_ALLOWED),
        (publisher.token("ES256", b"[]"), Code.CREDENTIAL_MALFORMED),
    ):
        assert refused(verifier, call(vendor.token("ES256", {**claims, "idJWT": wrong}))) is code
