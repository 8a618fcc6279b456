"""Tokens that others published, and tokens that other implementations made."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.verify.token.body import Detached, InToken
from connector.verify.token.claims import ClaimRules
from connector.verify.token.compact import PayloadForm
from connector.verify.token.jwk import TokenAlgorithm
from connector.verify.token.jws import Jws
from tests.unit.verify.jws.checks import NOW, call, check, keys_of, refused

VECTORS = Path(__file__).parents[3] / "vectors" / "jws"
# The tokens of RFC 7515 expired in 2011.
THEN = datetime(2011, 3, 22, 18, 42, tzinfo=UTC)


def load(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / f"{name}.json").read_text())


def cases(kind: str, *files: str) -> list[Any]:
    return [pytest.param(one, id=one["name"]) for file in files for one in load(file)[kind]]


def taken_out(token: str) -> tuple[str, bytes]:
    """Take the payload out of a token (RFC 7515 appendix F): the signature stays what it is."""
    protected, payload, signature = token.split(".")
    return f"{protected}..{signature}", base64.urlsafe_b64decode(payload + "==")


def without_claims(vector: dict[str, Any], form: PayloadForm = PayloadForm.DETACHED) -> Jws:
    written = vector["pem"] if "pem" in vector else json.dumps(vector["jwk"])
    algorithm = vector.get("algorithm") or vector["jwk"]["alg"]
    return check(algorithm, keys_of(written, algorithms=algorithm), body=Detached(form))


@pytest.mark.parametrize("vector", cases("vectors", "rfc", "made"))
def test_agrees_with_a_token_made_elsewhere(vector: dict[str, Any]) -> None:
    verifier = without_claims(vector)
    if vector.get("refused") == "credential_malformed":
        assert refused(verifier, call(vector["token"]), THEN) == vector["refused"]
        return
    token, payload = taken_out(vector["token"])
    if "refused" in vector:
        assert refused(verifier, call(token, payload), THEN) == vector["refused"]
        return
    assert verifier.verify(call(token, payload), THEN).payload == payload


@pytest.mark.parametrize("vector", cases("vectors", "rfc", "made"))
def test_refuses_each_of_them_with_any_character_of_the_signature_altered(vector: dict[str, Any]) -> None:
    verifier = without_claims(vector)
    token, payload = taken_out(vector["token"])
    start = token.rindex(".") + 1
    for place in range(start, len(token), 7):
        other = "B" if token[place] != "B" else "C"
        refused(verifier, call(token[:place] + other + token[place + 1 :], payload), THEN)


@pytest.mark.parametrize("vector", cases("detached", "rfc", "made"))
def test_agrees_with_a_detached_payload_signed_elsewhere(vector: dict[str, Any]) -> None:
    verifier, body = without_claims(vector, PayloadForm(vector["form"])), vector["body"].encode()
    if "refused" in vector:
        assert refused(verifier, call(vector["token"], body)) == vector["refused"]
        return
    assert verifier.verify(call(vector["token"], body), NOW).payload == body
    assert refused(verifier, call(vector["token"], body + b" ")) == "credential_wrong"


@pytest.mark.parametrize("name", ["rfc7515-a1", "rfc7515-a2", "rfc7515-a3"])
def test_reads_the_claims_of_the_published_tokens(name: str) -> None:
    (vector,) = (one for one in load("rfc")["vectors"] if one["name"] == name)
    keys = keys_of(json.dumps(vector["jwk"]), algorithms=vector["algorithm"])
    rules = ClaimRules(issuers=("joe",), exact={"http://example.com/is_root": True}, leeway_s=0)
    verifier = check(vector["algorithm"], keys, claims=rules)
    said = verifier.verify(call(vector["token"]), THEN)
    assert json.loads(said.payload)["iss"] == "joe"
    expiry = datetime.fromtimestamp(1_300_819_380, UTC)
    assert refused(verifier, call(vector["token"]), expiry) == "timestamp_too_old"


@pytest.mark.parametrize("vector", [one for one in cases("vectors", "made") if "refused" not in one.values[0]])
def test_reads_the_claims_of_tokens_made_elsewhere(vector: dict[str, Any]) -> None:
    written = vector["pem"] if "pem" in vector else json.dumps(vector["jwk"])
    verifier = check(
        vector["algorithm"],
        keys_of(written, algorithms=vector["algorithm"]),
        body=InToken(),
        claims=ClaimRules(
            ("https://issuer.example.com",), ("https://connector.example.com",), {"value": "someone@example.com"}
        ),
    )
    said = verifier.verify(call(vector["token"]), NOW)
    assert said.payload.decode() == load("made")["claims"]
    assert said.sender_time == NOW
    assert said.replay_key == 'jti:["https://issuer.example.com", "d-0001"]'


def of_wycheproof() -> list[Any]:
    return [
        pytest.param(group["jwk"], one, id=f"{group['comment']}-{one['tcId']}-{one['comment']}")
        for group in load("wycheproof")["groups"]
        for one in group["tests"]
    ]


@pytest.mark.parametrize(("jwk", "case"), of_wycheproof())
def test_judges_as_wycheproof_says(jwk: dict[str, Any], case: dict[str, Any]) -> None:
    verifier, token, body = without_claims({"jwk": jwk}), case["jws"], b"foo"
    if token.count(".") == 2 and not token.startswith("{"):
        token, body = taken_out(token)
    if case["result"] == "valid":
        assert verifier.verify(call(token, body), NOW).payload == b"foo"
    else:
        refused(verifier, call(token, body))


def test_every_algorithm_has_a_token_made_by_another_implementation() -> None:
    assert {one["algorithm"] for one in load("made")["vectors"]} == set(TokenAlgorithm)


def test_every_vector_says_where_it_comes_from() -> None:
    for name in ("rfc", "made"):
        assert all(one["origin"] for kind in ("vectors", "detached") for one in load(name)[kind])
    assert load("wycheproof")["source"]
