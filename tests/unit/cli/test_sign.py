from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from connector.cli.sign import headers_for
from connector.config.verify_models import (
    BasicCheck,
    BearerCheck,
    Check,
    CheckSection,
    HeaderCheck,
    HmacCheck,
    verifier_of,
)
from connector.errors import Rejected
from connector.private import Secret

NOW = datetime(2026, 11, 2, 9, 14, 33, 120_000, tzinfo=UTC)
BODY = '{"name": "Zoë"}'.encode()
LIVE = (Secret("the-newest-secret-of-two", "env:NEW"), Secret("the-older-secret-of-two", "env:OLD"))
HMACS = [
    HmacCheck.model_construct(
        check="hmac",
        algorithm=algorithm,
        encoding=encoding,
        prefix=prefix,
        timestamp_header=stamp,
        timestamp_unit=unit,
        separator=separator,
        secrets=LIVE,
    )
    for algorithm, encoding, prefix, (stamp, unit), separator in product(
        ("sha256", "sha512"),
        ("hex", "base64"),
        ("", "v1="),
        (("", "seconds"), ("X-Time", "seconds"), ("X-Time", "milliseconds")),
        (".", ":"),
    )
]
CHECKS: list[Any] = [
    HeaderCheck.model_construct(check="header", name="X-Connector-Secret", secrets=LIVE),
    HeaderCheck.model_construct(check="header", name="X-Connector-Secret", prefix="Token ", secrets=LIVE),
    BearerCheck.model_construct(check="bearer", secrets=LIVE),
    BasicCheck.model_construct(check="basic", user="Zoë", passwords=LIVE),
    *HMACS,
]


def received(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def said(check: CheckSection) -> str:
    return "-".join(str(one) for one in check.model_dump(exclude={"secrets", "passwords"}).values() if one)


@pytest.mark.parametrize("check", CHECKS, ids=said)
def test_the_receiver_accepts_what_is_signed_for_it(check: Check) -> None:
    for body in (BODY, b""):
        headers = received(headers_for((check,), body, NOW))
        verdict = verifier_of((check,)).verify("POST", headers, body, NOW)
        assert verdict.secret_id == "env:NEW"
        assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("check", HMACS, ids=said)
def test_a_signature_is_of_this_body_and_this_time(check: HmacCheck) -> None:
    headers = received(headers_for((check,), BODY, NOW))
    verifier = verifier_of((check,))
    with pytest.raises(Rejected):
        verifier.verify("POST", headers, BODY + b" ", NOW)
    if check.timestamp_header:
        with pytest.raises(Rejected):
            verifier.verify("POST", headers, BODY, NOW + timedelta(seconds=check.tolerance_s + 1))


def test_several_checks_get_their_headers_together() -> None:
    checks = (CHECKS[0], CHECKS[2], HMACS[2])
    headers = received(headers_for(checks, BODY, NOW))
    assert verifier_of(checks).verify("POST", headers, BODY, NOW).principal == "header+bearer+hmac"
    assert sorted(headers) == [
        "authorization",
        "content-type",
        "x-connector-secret",
        "x-onetrust-signature",
        "x-time",
    ]
