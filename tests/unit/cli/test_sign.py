"""What `connector send` makes is what the receiver accepts: for every shared value and every scheme with a secret."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from connector.cli.sign import headers_for, query_for
from connector.config.checks import AllOfCheck, AnyOfCheck, Check, verifier_of
from connector.config.checks.base import NothingPublished
from connector.config.checks.conditions import AddressCondition
from connector.config.checks.issued_token import IssuedTokenCheck
from connector.config.checks.shared import BasicCheck, BearerCheck, HeaderCheck, QueryCheck
from connector.config.checks.signed import SchemeCheck, SignatureCheck
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.presets import PRESETS

NOW = datetime(2026, 11, 2, 9, 14, 33, 120_000, tzinfo=UTC)
BODY = '{"name": "Zoë"}'.encode()
URL = "https://connector.example.com/webhooks/privacy"
PUBLIC_KEY_SCHEMES = {"standard-webhooks-v1a", "sendgrid"}
SECRETS_OF = {
    "standard-webhooks": "whsec_" + base64.b64encode(b"n" * 24).decode(),
    "svix": "whsec_" + base64.b64encode(b"s" * 24).decode(),
}


def live(text: str = "the-newest-secret-of-two") -> tuple[Secret, ...]:
    return Secret(text, "env:NEW"), Secret(text[:-1] + "x" if "whsec" not in text else text, "env:OLD")


def scheme(name: str) -> SchemeCheck:
    secrets = live(SECRETS_OF.get(name, "the-newest-secret-of-two"))
    return SchemeCheck.model_construct(check="scheme", scheme=name, secrets=secrets)


def signature(**given: Any) -> SignatureCheck:
    return SignatureCheck.model_construct(check="signature", secrets=live(), **given)


SIGNATURES = [
    signature(algorithm=algorithm, encoding=encoding, prefix=prefix, **time, **more)
    for algorithm, encoding, prefix, time, more in product(
        ("hmac-sha256", "hmac-sha384", "hmac-sha512"),
        ("hex", "base64", "base64url"),
        ("", "v1="),
        (
            {},
            *({"timestamp_header": "X-Time", "timestamp_unit": one} for one in ("seconds", "milliseconds", "iso8601")),
        ),
        ({}, {"id_header": "X-Id"}),
    )
]
LAID_OUT = [
    signature(layout_of_header="pairs", timestamp_item="t"),
    signature(layout_of_header="pairs", signature_item="h1", item_separator=";"),
    signature(layout_of_header="versions", timestamp_header="X-Time"),
    signature(content="{method} {url} {body}"),
    signature(content="{header:Content-Type}|{path}|{query}|{host}|{body}"),
]
SHARED: list[Any] = [
    HeaderCheck.model_construct(check="header", name="X-Connector-Secret", secrets=live()),
    HeaderCheck.model_construct(check="header", name="X-Connector-Secret", prefix="Token ", secrets=live()),
    BearerCheck.model_construct(check="bearer", secrets=live()),
    BasicCheck.model_construct(check="basic", user="Zoë", passwords=live()),
    QueryCheck.model_construct(check="query", name="the token", secrets=live("50% & more = ünsafe +text")),
]
ISSUED: Any = IssuedTokenCheck.model_construct(
    check="issued-token",
    client_id="c",
    audience="a",
    secrets=live(),
    signing_keys=(Secret("k" * 32, "env:KEY"),),
    lifetime_s=600,
)
SCHEMES: list[Any] = [scheme(name) for name in PRESETS if name not in PUBLIC_KEY_SCHEMES]
CHECKS = [*SHARED, *SIGNATURES, *LAID_OUT, *SCHEMES]


def called(checks: Sequence[Check], body: bytes = BODY, now: datetime = NOW) -> Inbound:
    """Make the call as the command does."""
    query = query_for(checks, body, now)
    url = f"{URL}?{query}" if query else URL
    headers = headers_for(checks, Inbound("POST", url, (), body), now)
    return Inbound("POST", url, tuple(headers.items()), body, "127.0.0.1")


def judged(checks: Sequence[Check], call: Inbound, now: datetime = NOW) -> Verified:
    return verifier_of(checks, NothingPublished()).verify(call, now)


def said(check: Any) -> str:
    values = (getattr(check, name, "") for name in type(check).model_fields if name not in {"secrets", "passwords"})
    return "-".join(str(one) for one in values if one)


@pytest.mark.parametrize("check", CHECKS, ids=said)
def test_the_receiver_accepts_what_is_signed_for_it(check: Check) -> None:
    for body in (BODY, b""):
        call = called((check,), body)
        assert judged((check,), call).secret_id == "env:NEW"
        assert call.values("Content-Type") == ("application/json",)


def test_a_token_of_our_own_is_made_as_if_it_had_been_fetched() -> None:
    call = called((ISSUED,))
    assert judged((ISSUED,), call).secret_ids == ("env:NEW", "env:KEY")
    with pytest.raises(Rejected):
        judged((ISSUED,), call, NOW + timedelta(seconds=661))


@pytest.mark.parametrize("check", [*SIGNATURES, *LAID_OUT, *SCHEMES], ids=said)
def test_a_signature_is_of_this_body_and_this_time(check: SignatureCheck) -> None:
    call = called((check,))
    with pytest.raises(Rejected):
        judged((check,), Inbound(call.method, call.url, call.headers, BODY + b" "))
    if check.layout().window is not None:
        with pytest.raises(Rejected):
            judged((check,), call, NOW + timedelta(days=2))


def test_several_checks_get_their_headers_together() -> None:
    checks = (SHARED[0], SHARED[2], signature(timestamp_header="X-Time"))
    call = called(checks)
    assert judged(checks, call).principal == "header+bearer+signature"
    assert sorted(name for name, _ in call.headers) == [
        "Authorization",
        "Content-Type",
        "X-Connector-Secret",
        "X-OneTrust-Signature",
        "X-Time",
    ]


def test_checks_and_conditions_that_belong_together_are_made_together() -> None:
    address = AddressCondition(check="address", allowed=("127.0.0.0/8",))
    both = AllOfCheck.model_construct(check="all_of", checks=(SHARED[4], address, scheme("hubspot-v2")))
    assert judged((both,), called((both,))).principal == "query+hubspot-v2"


def test_of_alternatives_the_first_that_can_be_made_is_used() -> None:
    key = signature(algorithm="ed25519", key="base64")
    inner = AllOfCheck.model_construct(check="all_of", checks=(SHARED[4], key))
    made = AllOfCheck.model_construct(check="all_of", checks=(SHARED[0], scheme("github")))
    either = AnyOfCheck.model_construct(check="any_of", checks=(key, inner, made, SHARED[2]))
    call = called((either,))
    assert sorted(name for name, _ in call.headers) == ["Content-Type", "X-Connector-Secret", "X-Hub-Signature-256"]
    # Nothing of an alternative that was given up is left in the address.
    assert call.url == URL
    assert judged((made,), call).principal == "header+github"


@pytest.mark.parametrize("name", sorted(PUBLIC_KEY_SCHEMES))
def test_what_only_the_sender_can_sign_is_said_so(name: str) -> None:
    for checks in ((scheme(name),), (AnyOfCheck.model_construct(check="any_of", checks=(scheme(name),)),)):
        with pytest.raises(Misconfigured, match="only the sender can sign with"):
            called(checks)


def test_twilio_is_sent_json_whose_hash_stands_in_the_address() -> None:
    call = called((scheme("twilio"),))
    assert "?bodySHA256=" in call.url
    assert query_for((scheme("twilio"),), b"", NOW) == ""


def test_a_secret_that_does_not_count_now_is_used_only_if_there_is_no_other() -> None:
    ended = Secret("the-secret-that-has-ended", "env:ENDED", not_after=NOW - timedelta(days=1))
    both = (HeaderCheck.model_construct(check="header", name="X-Secret", secrets=(ended, *live())),)
    assert judged(both, called(both)).secret_id == "env:NEW"
    alone = (HeaderCheck.model_construct(check="header", name="X-Secret", secrets=(ended,)),)
    with pytest.raises(Rejected, match="does not count at this time"):
        judged(alone, called(alone))
