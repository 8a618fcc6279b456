from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connector.codes import Code
from connector.config import verify_models
from connector.config.verify_models import verifier_of
from connector.errors import Misconfigured, Rejected
from connector.verify import AllOf, Basic, Bearer, Hmac, StaticHeader
from tests.unit.config.trial import ENVIRON, VERIFY, Trial, spoilt

SECRETS = {"secrets": ["env:WEBHOOK_SECRET"]}
BASIC = {"check": "basic", "user": "onetrust", "passwords": ["env:WEBHOOK_SECRET"]}
PLACE = "sources.onetrust.verify"


def checks(trial: Trial, *written: dict[str, Any]) -> list[str]:
    return trial.lines(spoilt((VERIFY, list(written))))


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"check": "header", "name": "X-Secret", "prefix": "Token ", **SECRETS}, StaticHeader),
        ({"check": "bearer", **SECRETS}, Bearer),
        (BASIC, Basic),
        ({"check": "hmac", **SECRETS}, Hmac),
    ],
)
def test_each_check_becomes_its_verifier(trial: Trial, written: dict[str, Any], kind: type) -> None:
    config = trial.load(spoilt((VERIFY, [written])))
    verifier = verifier_of(config.sources["onetrust"].verify)
    assert isinstance(verifier, AllOf)
    assert [type(one) for one in verifier.checks] == [kind]


def test_the_settings_of_an_hmac_reach_the_verifier(trial: Trial) -> None:
    written = {
        "check": "hmac",
        "header": "X-Sig",
        "algorithm": "sha512",
        "encoding": "base64",
        "prefix": "v1=",
        "timestamp_header": "X-Time",
        "timestamp_unit": "milliseconds",
        "separator": ":",
        "tolerance_s": 60,
        **SECRETS,
    }
    (check,) = trial.load(spoilt((VERIFY, [written]))).sources["onetrust"].verify
    verifier = check.verifier()
    assert isinstance(verifier, Hmac)
    assert (verifier.header, verifier.algorithm, verifier.encoding) == ("X-Sig", "sha512", "base64")
    assert (verifier.prefix, verifier.separator) == ("v1=", ":")
    assert verifier.window is not None
    assert (verifier.window.header, verifier.window.unit, verifier.window.tolerance_s) == ("X-Time", "milliseconds", 60)


def test_without_a_timestamp_header_the_body_alone_is_signed(trial: Trial) -> None:
    (check,) = trial.load(spoilt((VERIFY, [{"check": "hmac", **SECRETS}]))).sources["onetrust"].verify
    verifier = check.verifier()
    assert isinstance(verifier, Hmac)
    assert verifier.window is None


def test_several_checks_have_to_pass_all(trial: Trial) -> None:
    written = [{"check": "header", "name": "X-Secret", **SECRETS}, {"check": "bearer", **SECRETS}]
    verifier = verifier_of(trial.load(spoilt((VERIFY, written))).sources["onetrust"].verify)
    headers, now = {"x-secret": ENVIRON["WEBHOOK_SECRET"]}, datetime(2026, 11, 2, tzinfo=UTC)
    with pytest.raises(Rejected):
        verifier.verify("POST", headers, b"{}", now)
    headers["authorization"] = f"Bearer {ENVIRON['WEBHOOK_SECRET']}"
    assert verifier.verify("POST", headers, b"{}", now).principal == "header+bearer"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (
            {"check": "header", "name": "X Secret", **SECRETS},
            "[0].name: expected the name of a header: letters, digits and hyphens",
        ),
        (
            {"check": "header", "name": "", **SECRETS},
            "[0].name: expected the name of a header: letters, digits and hyphens",
        ),
        (
            {"check": "header", "name": "X", "prefix": "Tökén ", **SECRETS},
            "[0].prefix: expected printable ASCII that does not start with a blank",
        ),
        (
            {"check": "hmac", "prefix": " v1=", **SECRETS},
            "[0].prefix: expected printable ASCII that does not start with a blank",
        ),
        (
            {"check": "hmac", "header": "X\nSig", **SECRETS},
            "[0].header: expected the name of a header: letters, digits and hyphens",
        ),
        (
            {"check": "hmac", "timestamp_header": "X Time", **SECRETS},
            "[0].timestamp_header: expected the name of a header: letters, digits and hyphens",
        ),
        (
            {"check": "hmac", "header": "X-Sig", "timestamp_header": "x-sig", **SECRETS},
            "[0]: hmac: signature and timestamp need headers of their own",
        ),
        (
            {"check": "hmac", "timestamp_header": "X-Time", "separator": "", **SECRETS},
            "[0]: hmac: the separator must be ASCII and not start with a digit",
        ),
        (
            {"check": "hmac", "timestamp_header": "X-Time", "separator": "0", **SECRETS},
            "[0]: hmac: the separator must be ASCII and not start with a digit",
        ),
        ({"check": "hmac", "tolerance_s": 0, **SECRETS}, "[0].tolerance_s: expected at least 1; found 0"),
        ({"check": "hmac", "tolerance_s": 86401, **SECRETS}, "[0].tolerance_s: expected at most 86400; found 86401"),
        (
            BASIC | {"user": "one:trust"},
            "[0]: basic: the user name must be given, printable and without a colon",
        ),
        (BASIC | {"user": ""}, "[0].user: expected at least one character; found nothing"),
    ],
)
def test_what_a_verifier_would_refuse_is_told_with_its_place(trial: Trial, written: dict[str, Any], line: str) -> None:
    assert checks(trial, written) == [PLACE + line]


def test_the_problems_of_all_checks_are_told_together(trial: Trial) -> None:
    written = (
        {"check": "hmac", "header": "a b", "timestamp_header": "c d", "prefix": "é", "secrets": ["env:NOT_SET"]},
        BASIC | {"user": "one:trust"},
        {"check": "bearer", "secrets": ["env:WEBHOOK_SECRET", "env:NOT_SET"]},
    )
    assert [one.partition(": ")[0] for one in checks(trial, *written)] == [
        f"{PLACE}[0].header",
        f"{PLACE}[0].prefix",
        f"{PLACE}[0].secrets[0]",
        f"{PLACE}[0].timestamp_header",
        f"{PLACE}[1]",
        f"{PLACE}[2].secrets[1]",
    ]


@pytest.mark.parametrize(
    ("first", "second", "header"),
    [
        ({"check": "bearer", **SECRETS}, BASIC, "authorization"),
        ({"check": "header", "name": "X-Sig", **SECRETS}, {"check": "hmac", "header": "x-sig", **SECRETS}, "x-sig"),
    ],
)
def test_two_checks_of_one_header_could_never_pass(
    trial: Trial, first: dict[str, Any], second: dict[str, Any], header: str
) -> None:
    assert checks(trial, first, second) == [
        f"{PLACE}: two checks read the header {header}; a delivery cannot pass both"
    ]


def test_a_rule_that_only_the_verifier_knows_is_told_too(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Misconfigured(Code.CONFIG_INVALID, "bearer: a new rule")

    monkeypatch.setattr(verify_models, "Bearer", refuse)
    assert checks(trial, {"check": "bearer", **SECRETS}) == [f"{PLACE}[0]: bearer: a new rule"]
