"""What a token that we issue is worth, where and how long. Its forgeries are in the contract of all checks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.token.issued import IssuedToken, TokenClient

NOW = datetime(2026, 11, 2, 9, 14, 33, 999_000, tzinfo=UTC)
OLD = Secret("the-old-secret-of-the-client", "env:OLD")
NEW = Secret("the-new-secret-of-the-client", "env:NEW")
KEY = Secret("k" * 32, "env:KEY")
NEXT_KEY = Secret("n" * 32, "env:NEXT_KEY")


def client(
    *secrets: Secret, keys: tuple[Secret, ...] = (KEY,), audience: str = "a", name: str = "c", lifetime_s: int = 600
) -> TokenClient:
    return TokenClient(name, audience, secrets, keys, lifetime_s)


def shown(token: str) -> Inbound:
    return Inbound("POST", "", (("Authorization", f"Bearer {token}"),), b"{}")


def refusal(check: TokenClient, token: str, now: datetime = NOW) -> Rejected:
    with pytest.raises(Rejected) as caught:
        IssuedToken(check).verify(shown(token), now)
    return caught.value


def test_a_token_is_accepted_and_names_the_secret_and_the_signing_key() -> None:
    asked = client(NEW, OLD, keys=(NEXT_KEY, KEY))
    said = IssuedToken(asked).verify(shown(asked.issue(OLD, NOW, "t1")), NOW)
    assert (said.payload, said.principal, said.secret_ids) == (b"{}", "issued-token", ("env:OLD", "env:NEXT_KEY"))
    # One token serves many calls, so it claims none of them.
    assert (said.replay_key, said.replay_until) == ("", None)


def test_it_says_who_it_is_for_and_nothing_of_the_secret() -> None:
    token = client(NEW).issue(NEW, NOW, "t1")
    head, payload, _ = token.split(".")
    assert json.loads(decode(head, SignatureEncoding.BASE64URL) or b"") == {"alg": "HS256", "typ": "at+jwt"}
    issued = int(NOW.timestamp())
    assert json.loads(decode(payload, SignatureEncoding.BASE64URL) or b"") == {
        "iss": "consent-connector",
        "aud": "a",
        "sub": "c",
        "client_id": "c",
        "scope": "deliver",
        "iat": issued,
        "exp": issued + 660,
        "jti": "t1",
    }


def test_it_counts_a_minute_longer_than_its_client_is_told_and_not_a_moment_more() -> None:
    asked = client(NEW)
    token = asked.issue(NEW, NOW, "t1")
    end = NOW.replace(microsecond=0) + timedelta(seconds=660)
    assert IssuedToken(asked).verify(shown(token), end - timedelta.resolution)
    assert refusal(asked, token, end).code is Code.TIMESTAMP_TOO_OLD


def test_a_lifetime_that_was_shortened_counts_for_tokens_that_are_out() -> None:
    token = client(NEW).issue(NEW, NOW, "t1")
    assert refusal(client(NEW, lifetime_s=60), token, NOW + timedelta(seconds=121)).code is Code.TIMESTAMP_TOO_OLD


def test_clocks_of_several_machines_may_differ_by_a_minute() -> None:
    asked = client(NEW)
    assert IssuedToken(asked).verify(shown(asked.issue(NEW, NOW, "t1")), NOW - timedelta(seconds=59))
    assert refusal(asked, asked.issue(NEW, NOW, "t1"), NOW - timedelta(seconds=61)).code is Code.TIMESTAMP_IN_FUTURE


@pytest.mark.parametrize(
    "other",
    [
        client(NEW, audience="b"),
        client(NEW, name="d"),
        client(OLD),
        client(NEW, keys=(NEXT_KEY,)),
    ],
    ids=["another audience", "another client", "its secret is gone", "the signing key is gone"],
)
def test_a_token_is_good_nowhere_else(other: TokenClient) -> None:
    assert refusal(other, client(NEW).issue(NEW, NOW, "t1")).code is Code.CREDENTIAL_WRONG


def test_a_token_ends_with_the_secret_that_it_was_asked_for_with() -> None:
    ends = Secret(OLD.reveal(), "env:OLD", not_after=NOW + timedelta(seconds=30))
    asked = client(NEW, ends)
    token = asked.issue(ends, NOW, "t1")
    assert IssuedToken(asked).verify(shown(token), NOW + timedelta(seconds=30))
    error = refusal(asked, token, NOW + timedelta(seconds=31))
    assert (error.code, error.secret_id) == (Code.CREDENTIAL_EXPIRED, "env:OLD")


def test_a_new_signing_key_is_accepted_everywhere_before_it_signs_anywhere() -> None:
    """Its change over several processes: known, then first, then alone."""
    before, known, first, alone = (
        client(NEW, keys=keys) for keys in ((KEY,), (KEY, NEXT_KEY), (NEXT_KEY, KEY), (NEXT_KEY,))
    )
    for issuer, receiver in (
        (before, known),
        (known, before),
        (known, first),
        (first, known),
        (first, alone),
        (alone, first),
    ):
        assert IssuedToken(receiver).verify(shown(issuer.issue(NEW, NOW, "t1")), NOW)


def test_a_secret_is_taken_only_within_its_time() -> None:
    later = Secret(NEW.reveal(), "env:NEW", not_before=NOW + timedelta(days=1))
    asked = client(later, OLD)
    assert asked.authenticate(OLD.reveal(), NOW) is OLD
    for given, code in ((NEW.reveal(), Code.CREDENTIAL_EXPIRED), ("something else entirely", Code.CREDENTIAL_WRONG)):
        with pytest.raises(Rejected) as caught:
            asked.authenticate(given, NOW)
        assert caught.value.code is code
        assert given not in str(caught.value)


def test_a_repr_shows_neither_secret_nor_key() -> None:
    text = repr(IssuedToken(client(NEW, OLD)))
    assert not [one for one in (NEW, OLD, KEY) if one.reveal() in text]
