"""Where the token stands, and what it may be."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from connector.codes import Code
from connector.verify.token.place import InBearer, InBody, InForm, InHeader, InMember
from tests.support.tokens import Signer, b64, segment, signer
from tests.unit.verify.jws.checks import NOW, SENDER, call, check, keys_of, refused, token


def test_the_token_may_stand_in_a_header_behind_a_prefix() -> None:
    verifier = check(place=InHeader("X-Signed", "JWT "))
    assert verifier.verify(call(f"JWT {token()}", header="x-signed"), NOW).payload == b"{}"
    assert refused(verifier, call(token(), header="x-signed")) is Code.CREDENTIAL_MALFORMED
    assert refused(verifier, call(token())) is Code.CREDENTIAL_MISSING


def test_the_token_may_be_a_bearer_token() -> None:
    verifier = check(place=InBearer())
    assert verifier.verify(call(f"bearer {token()}", header="Authorization"), NOW)
    assert refused(verifier, call(f"Basic {token()}", header="Authorization")) is Code.CREDENTIAL_MALFORMED


def test_the_body_may_be_the_token() -> None:
    verifier, claims = check(place=InBody()), {"jti": "d-1", "sub": {"identifierValue": "x"}}
    said = verifier.verify(call("", token(claims).encode()), NOW)
    assert json.loads(said.payload) == claims
    for body, code in ((b"", "missing"), (b" \n", "missing"), (b"\xff.a.b", "malformed"), (b"{}", "malformed")):
        assert refused(verifier, call("", body)) == f"credential_{code}"
    assert refused(verifier, call("", token().encode() + b"\n")) is Code.CREDENTIAL_MALFORMED


def test_a_member_of_the_body_may_be_the_token() -> None:
    body = json.dumps({"a": [{"jwt/1": token({"jti": "d-1"})}]}).encode()
    assert check(place=InMember("/a/0/jwt~11")).verify(call("", body), NOW).payload == b'{"jti": "d-1"}'
    text = json.dumps(token()).encode()
    assert check(place=InMember("")).verify(call("", text), NOW)
    verifier = check(place=InMember("/token"))
    for other, code in (
        (b"{}", Code.CREDENTIAL_MISSING),
        (b'{"token": null}', Code.CREDENTIAL_MISSING),
        (b'{"token": ""}', Code.CREDENTIAL_MISSING),
        (b'{"token": 1}', Code.CREDENTIAL_MALFORMED),
        (b'{"token": ["x"]}', Code.CREDENTIAL_MALFORMED),
        (b'{"token": "\\ud800"}', Code.CREDENTIAL_MALFORMED),
        (b"[]", Code.CREDENTIAL_MISSING),
        (b"", Code.CREDENTIAL_MALFORMED),
        (b'{"token": "a", "token": "b"}', Code.CREDENTIAL_MALFORMED),
    ):
        assert refused(verifier, call("", other)) is code


def test_a_field_of_a_form_may_be_the_token() -> None:
    verifier = check(place=InForm("jwt"))
    body = urlencode({"other": "1", "jwt": token({"jti": "d-1"})}).encode()
    assert verifier.verify(call("", body), NOW).payload == b'{"jti": "d-1"}'
    for other, code in (
        (b"", Code.CREDENTIAL_MISSING),
        (b"jwt=", Code.CREDENTIAL_MISSING),
        (b"jwt=a&jwt=b", Code.CREDENTIAL_MALFORMED),
        (b"jwt=%ff", Code.CREDENTIAL_MALFORMED),
        (b"\xff", Code.CREDENTIAL_MALFORMED),
        (b"&".join([b"a=1"] * 1_001), Code.CREDENTIAL_MALFORMED),
    ):
        assert refused(verifier, call("", other)) is code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "none"}, Code.ALGORITHM_NOT_ALLOWED),
        ({"alg": "None"}, Code.ALGORITHM_NOT_ALLOWED),
        ({"alg": "es256"}, Code.ALGORITHM_NOT_ALLOWED),
        ({"alg": "ES384"}, Code.ALGORITHM_NOT_ALLOWED),
        ({"alg": ["ES256"]}, Code.ALGORITHM_NOT_ALLOWED),
        ({"alg": None}, Code.ALGORITHM_NOT_ALLOWED),
        ({"alg": 1}, Code.ALGORITHM_NOT_ALLOWED),
        ({"kid": 1}, Code.CREDENTIAL_MALFORMED),
        ({"kid": ["key-1"]}, Code.CREDENTIAL_MALFORMED),
        ({"kid": "x" * 2_000}, Code.CREDENTIAL_MALFORMED),
        ({"typ": 1}, Code.CREDENTIAL_MALFORMED),
        ({"crit": ["exp"], "exp": 1}, Code.CREDENTIAL_MALFORMED),
        ({"crit": []}, Code.CREDENTIAL_MALFORMED),
        ({"crit": None}, Code.CREDENTIAL_MALFORMED),
        ({"crit": "b64"}, Code.CREDENTIAL_MALFORMED),
        ({"crit": ["b64"], "b64": True}, Code.CREDENTIAL_MALFORMED),
        ({"b64": False}, Code.CREDENTIAL_MALFORMED),
        ({"b64": 1}, Code.CREDENTIAL_MALFORMED),
        ({"padding": "x" * 20_000}, Code.CREDENTIAL_MALFORMED),
    ],
)
def test_refuses_a_header_that_asks_for_something_else(header: dict[str, Any], code: Code) -> None:
    assert refused(check(), call(token(**header))) is code


def test_refuses_a_header_that_names_something_twice_or_is_no_object() -> None:
    for header in (b'{"alg":"ES256","alg":"ES256"}', b"[]", b"null", b"\xff", b"", b"[" * 9_000):
        signed = f"{b64(header)}.{segment({})}"
        assert refused(check(), call(f"{signed}.{b64(SENDER.raw('ES256', signed.encode()))}")) is (
            Code.CREDENTIAL_MALFORMED
        )


def test_an_attacker_cannot_bring_a_key() -> None:
    attacker = signer("attacker", "ES256")
    for header in (
        {"jwk": attacker.jwk()},
        {"jku": "https://evil.example/keys.json"},
        {"x5u": "https://evil.example/chain.pem"},
        {"x5c": [base64.b64encode(attacker.der).decode()]},
    ):
        assert refused(check(), call(attacker.token("ES256", {}, **header))) is Code.CREDENTIAL_WRONG
        # Of the sender's own tokens such members are left alone.
        assert check().verify(call(token(**header)), NOW)


def test_there_is_one_spelling_of_a_token() -> None:
    good = token({"jti": "d-1"})
    protected, payload, signature = good.split(".")
    spare = signature[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[signature[-1]]
    for other in (
        f"{protected}=.{payload}.{signature}",
        f"{protected}.{payload}==.{signature}",
        f"{protected}.{payload}.{signature}==",
        f"{protected}.{payload}.{spare}",
        f"{good}.",
        f"{good}.{signature}",
        f" {good}",
        f"{good} ",
        good.replace(".", ". "),
        json.dumps({"protected": protected, "payload": payload, "signature": signature}),
        json.dumps({"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}),
        f"{protected}.{payload}.",
        f"{protected}..{signature}",
    ):
        assert refused(check(), call(other)) in {Code.CREDENTIAL_MALFORMED, Code.CREDENTIAL_WRONG}


def test_a_signature_in_der_is_none(  # RFC 7518 section 3.4
) -> None:
    assert isinstance(SENDER.key, ec.EllipticCurvePrivateKey)
    protected, payload, signature = token().split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    assert decode_dss_signature(der)
    assert refused(check(), call(f"{protected}.{payload}.{b64(der)}")) is Code.CREDENTIAL_WRONG
    for zero in (bytes(64), b"\x00" * 63 + b"\x01", b"\xff" * 64, bytes(63), bytes(65)):
        assert refused(check(), call(f"{protected}.{payload}.{b64(zero)}")) is Code.CREDENTIAL_WRONG


def test_the_public_key_is_no_shared_secret() -> None:
    for secret in (SENDER.pem, SENDER.pem.strip(), SENDER.der, json.dumps(SENDER.jwk()), SENDER.jwk()["x"]):
        forger = Signer(SENDER.name, secret if isinstance(secret, bytes) else secret.encode())
        assert refused(check(), call(forger.token("HS256", {}))) is Code.ALGORITHM_NOT_ALLOWED


def test_a_key_serves_only_the_algorithms_of_its_kind() -> None:
    rsa, ed = signer("rsa-1", "RS256"), signer("ed-1", "EdDSA")
    verifier = check("RS256 ES256 EdDSA", keys_of(rsa, SENDER, ed, algorithms="RS256 ES256 EdDSA"))
    for key, algorithm in ((rsa, "RS256"), (SENDER, "ES256"), (ed, "EdDSA")):
        assert verifier.verify(call(key.token(algorithm, {})), NOW)
        for other in {"RS256", "ES256", "EdDSA"} - {algorithm}:
            assert refused(verifier, call(key.token(algorithm, {}, alg=other))) is Code.CREDENTIAL_WRONG
    pss = call(rsa.token("PS256", {}))
    assert refused(verifier, pss) is Code.ALGORITHM_NOT_ALLOWED
    assert refused(verifier, call(rsa.token("PS256", {}, alg="RS256"))) is Code.CREDENTIAL_WRONG


def test_a_type_keeps_tokens_apart_that_one_issuer_makes() -> None:
    verifier = check(kinds=frozenset({"at+jwt"}))
    for kind in ("at+jwt", "AT+JWT", "application/at+jwt"):
        assert verifier.verify(call(token(typ=kind)), NOW)
    for kind in ("JWT", "", "at+jwt ", "id+jwt"):
        assert refused(verifier, call(token(typ=kind))) is Code.CLAIM_WRONG
    assert refused(verifier, call(token())) is Code.CLAIM_WRONG


def test_a_payload_has_to_be_an_object_with_unique_names() -> None:
    for payload in (b"null", b"[]", b'"x"', b'{"a":1,"a":2}', b"\xff", b"{"):
        assert refused(check(), call(token(payload))) is Code.CREDENTIAL_MALFORMED
