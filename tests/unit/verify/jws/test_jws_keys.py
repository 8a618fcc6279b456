"""Configured keys, and the time in which they count."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Secret
from tests.support.tokens import b64, signer
from tests.unit.verify.jws.checks import NOW, SENDER, call, check, keys_of, refused, token

SHARED: Final = signer("shared", "HS256")


def test_a_key_counts_only_in_its_time() -> None:
    current = Secret(SENDER.pem, "env:OLD", not_after=NOW)
    successor = signer("key-9", "ES256")
    coming = Secret(successor.pem, "env:NEW", not_before=NOW + timedelta(days=1))
    verifier = check(keys=keys_of(current, coming))
    assert verifier.verify(call(token()), NOW).secret_ids == ("env:OLD",)
    assert refused(verifier, call(token()), NOW + timedelta(seconds=1)) is Code.CREDENTIAL_EXPIRED
    assert refused(verifier, call(successor.token("ES256", {}))) is Code.CREDENTIAL_EXPIRED
    assert verifier.verify(call(successor.token("ES256", {})), NOW + timedelta(days=1)).secret_ids == ("env:NEW",)


def test_a_key_with_a_name_is_only_tried_for_tokens_that_say_it_or_none() -> None:
    verifier = check(keys=keys_of(json.dumps(SENDER.jwk())))
    assert verifier.verify(call(token()), NOW)
    assert verifier.verify(call(token(kid=None)), NOW)
    assert refused(verifier, call(token(kid="other"))) is Code.KEY_UNKNOWN


@pytest.mark.parametrize(
    ("written", "algorithms", "why"),
    [
        ("", "ES256", "not a public key"),
        ("a-shared-secret-that-is-long-enough-for-it", "ES256", "not a public key"),
        (signer("rsa-1", "RS256").pem, "ES256", "not a key for ES256"),
        (signer("e", "ES384").pem, "ES256 RS256", "not a key for ES256, RS256"),
        (signer("short", "RS256", 1_024).pem, "RS256", "too short"),
        (json.dumps({**SENDER.jwk(), "d": "AAAA"}), "ES256", "private key"),
        (json.dumps({**SENDER.jwk(), "use": "enc"}), "ES256", "not a key for ES256"),
        (json.dumps({"keys": [SENDER.jwk()]}), "ES256", "not a public key"),
        (json.dumps(SHARED.jwk()), "ES256", "not a public key"),
        ("{}", "ES256", "not a public key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "ES256", "private key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ES256", "certificate"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "ES256", "not a public key"),
        ("\udc80", "ES256", "not a public key"),
        (SENDER.pem, "HS256", "public key"),
        (json.dumps(SENDER.jwk()), "HS256", "not a shared secret"),
        ("x" * 31, "HS256", "32 to 1024 bytes"),
        ("x" * 63, "HS256 HS512", "64 to 1024 bytes"),
        (json.dumps({"kty": "oct", "k": b64(b"x" * 31)}), "HS256", "at least 32 bytes"),
        (json.dumps({"kty": "oct", "k": 1}), "HS256", "at least 32 bytes"),
        (json.dumps({"kty": "oct", "k": b64(b"x" * 64), "alg": "HS512"}), "HS256", "not a key for HS256"),
        (json.dumps({"kty": "oct", "k": b64(SENDER.der)}), "HS256", "is a public key"),
        ("\udc80" * 40, "HS256", "UTF-8"),
    ],
    # Not the keys themselves: they are made anew in each process.
    ids=lambda one: one if len(one) < 40 and one.isascii() else "…",
)
def test_refuses_at_the_start_a_key_that_is_not_fit(written: str, algorithms: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why) as caught:
        keys_of(written, algorithms=algorithms)
    assert "test:0" in str(caught.value)
    assert len(written) < 12 or written not in str(caught.value)


def test_shared_secrets_may_be_written_in_several_ways() -> None:
    assert isinstance(SHARED.key, bytes)
    sent = call(SHARED.token("HS256", {}))
    for form, text in (
        ("hex", SHARED.key.hex()),
        ("base64", base64.b64encode(SHARED.key).decode()),
        ("base64url", b64(SHARED.key)),
        ("utf8", json.dumps(SHARED.jwk())),
    ):
        assert check("HS256", keys_of(text, algorithms="HS256", form=form)).verify(sent, NOW)


def test_refuses_to_mix_shared_secrets_and_public_keys() -> None:
    with pytest.raises(Misconfigured, match="not both"):
        check("HS256 ES256", keys_of(SENDER))
    with pytest.raises(Misconfigured, match="no key"):
        keys_of()
    with pytest.raises(Misconfigured, match="algorithms"):
        check("", keys_of(SENDER))


def test_every_key_is_tried_even_after_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    compared, genuine = 0, hmac.compare_digest

    def count(left: Any, right: Any) -> bool:
        nonlocal compared
        compared += 1
        return genuine(left, right)

    others = (signer("shared-2", "HS256"), signer("shared-3", "HS256"))
    secrets = [one.key.hex() for one in (SHARED, *others) if isinstance(one.key, bytes)]
    verifier = check("HS256", keys_of(*secrets, algorithms="HS256", form="hex"))
    monkeypatch.setattr("hmac.compare_digest", count)
    verifier.verify(call(SHARED.token("HS256", {})), NOW)
    assert compared == 3
