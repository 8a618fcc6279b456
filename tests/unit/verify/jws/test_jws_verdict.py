"""What the verdict says, and that there is always one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.codes import Code
from connector.errors import Rejected
from connector.verify.token.body import Repeated, Unsigned
from connector.verify.token.claims import ClaimRules
from connector.verify.token.jwk import TokenAlgorithm
from connector.verify.token.place import InBody, InHeader, InMember
from tests.support.tokens import b64, signer
from tests.unit.verify.jws.checks import AT, HEADER, NOW, call, check, keys_of, refused, token

SHARED: Final = signer("shared", "HS256")


def test_the_id_of_a_token_tells_its_delivery_together_with_the_issuer() -> None:
    keys = [
        check().verify(call(token({"iss": issuer, "jti": jti})), NOW).replay_key
        for issuer, jti in (("a", "b"), ("b", "a"), ("a", "c"), (None, "b"))
    ]
    assert len(set(keys)) == 4
    assert keys[0] == 'jti:["a", "b"]'


@pytest.mark.parametrize("jti", [None, "", 1, "x" * 201, ["d-1"]])
def test_without_a_usable_id_it_is_the_signed_content_if_that_holds_a_time(jti: Any) -> None:
    claims = {"jti": jti, "iat": AT}
    said = check().verify(call(token(claims)), NOW)
    assert said.replay_key.startswith("sha256:")
    assert check().verify(call(token(claims)), NOW).replay_key == said.replay_key
    assert check().verify(call(token({**claims, "iat": AT + 1})), NOW).replay_key != said.replay_key
    untimed = check().verify(call(token({"jti": jti})), NOW)
    assert untimed.replay_key.startswith("sha256:" if jti else "")
    assert bool(untimed.replay_key) == bool(jti)


def test_a_signature_turned_into_another_good_one_is_the_same_delivery() -> None:
    """ECDSA: with (r, s) also (r, n - s) is a signature, and anybody can compute it."""
    good = token({"iat": AT})
    start, _, text = good.rpartition(".")
    raw = base64.urlsafe_b64decode(text + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-4, D.1.2.3
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    turned = f"{start}.{b64(other)}"
    assert turned != good
    said = [check().verify(call(one), NOW) for one in (good, turned)]
    assert said[0].replay_key == said[1].replay_key


def test_a_token_for_many_deliveries_tells_none_of_them() -> None:
    verifier = check(body=Unsigned(), claims=ClaimRules(), single_use=False)
    said = verifier.verify(call(token({"exp": AT + 60, "iat": AT, "jti": "t-1"})), NOW)
    assert (said.replay_key, said.replay_until, said.sender_time) == ("", None, NOW)


def test_says_who_verified_and_until_when() -> None:
    said = check(claims=ClaimRules(leeway_s=0)).verify(call(token({"exp": AT + 60})), NOW)
    assert said.principal == "jws"
    assert said.replay_until == NOW + timedelta(seconds=60) - timedelta.resolution
    assert said.sender_time is None


def test_shows_nothing_in_its_repr() -> None:
    verifier, text = (
        check("HS256", keys_of(SHARED, algorithms="HS256")),
        SHARED.token("HS256", {"jti": "d-0001-unique"}),
    )
    shown = repr(verifier) + repr(verifier.verify(call(text), NOW))
    assert isinstance(SHARED.key, bytes)
    for hidden in (text, "d-0001-unique", SHARED.key.hex(), b64(SHARED.key), repr(SHARED.key)):
        assert hidden not in shown


ALL: Final = {
    name: check(
        name,
        keys_of(signer(name, name), algorithms=name),
        place=place,
        claims=ClaimRules(expires=False, max_age_s=300),
    )
    for name, place in zip(("ES256", "EdDSA", "HS256"), (InHeader(HEADER), InBody(), InMember("/token")), strict=True)
}
texts = st.text(st.characters(), max_size=60)
segments = (
    st.binary(max_size=60).map(b64)
    | texts
    | st.sampled_from(
        [
            b64(b'{"alg":"ES256"}'),
            b64(b'{"alg":"HS256","crit":["b64"],"b64":false}'),
            b64(b'{"alg":"EdDSA","kid":{}}'),
            b64(b"{}"),
        ]
    )
)


@settings(deadline=None)
@given(parts=st.lists(segments, min_size=1, max_size=5), around=texts)
def test_whatever_comes_is_refused_with_a_401(parts: list[str], around: str) -> None:
    text = ".".join(parts)
    for body in (text.encode(errors="surrogatepass"), json.dumps({"token": text, around: 1}).encode()):
        for verifier in ALL.values():
            with pytest.raises(Rejected) as caught:
                verifier.verify(call(text, body), NOW)
            assert caught.value.entry.status == 401


@settings(deadline=None)
@given(
    claims=st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "jti", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_whatever_a_good_signature_says_is_a_verdict_or_a_401(claims: dict[str, Any]) -> None:
    verifier = check(claims=ClaimRules(("a",), ("b",), {"x": 1}, expires=False), inner="jti")
    codes = {401}
    for one in (verifier, check(), check(body=Repeated((("x", "/x"),)))):
        try:
            one.verify(call(token(claims), json.dumps(claims).encode()), datetime(2026, 1, 1, tzinfo=UTC))
        except Rejected as error:
            codes.add(error.entry.status)
    assert codes == {401}


def test_every_algorithm_verifies_what_it_signed_and_nothing_else() -> None:
    for algorithm in TokenAlgorithm:
        key = signer(f"of-{algorithm[:2]}", algorithm)
        verifier = check(algorithm, keys_of(key, algorithms=algorithm))
        assert verifier.verify(call(key.token(algorithm, {"jti": "d-1"})), NOW).payload == b'{"jti": "d-1"}'
        stranger = signer("stranger", algorithm)
        assert refused(verifier, call(stranger.token(algorithm, {}, kid=None))) is Code.CREDENTIAL_WRONG
