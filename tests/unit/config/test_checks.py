"""The checks of a source as they are written: what each becomes, and what is refused with its place and the mend."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.codes import Code
from connector.config.checks import media_types, verifier_of
from connector.config.checks import shared as shared_checks
from connector.config.checks.base import NothingPublished
from connector.errors import Misconfigured, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import KeyAddress
from connector.verify.combine import AllOf, AnyOf
from connector.verify.conditions import FromAddress, WithClientCertificate
from connector.verify.shared import Basic, Bearer, QueryParameter, StaticHeader
from connector.verify.signed import Signed
from connector.verify.stamp import TimeUnit, Tolerance
from connector.verify.template import PLACEHOLDERS
from tests.unit.config.trial import ENVIRON, SOURCE, VERIFY, Trial, spoilt

SECRETS = {"secrets": ["env:WEBHOOK_SECRET"]}
BASIC = {"check": "basic", "user": "onetrust", "passwords": ["env:WEBHOOK_SECRET"]}
BEARER = {"check": "bearer", **SECRETS}
ADDRESS = {"check": "address", "allowed": ["192.0.2.0/24"]}
CERTIFICATE = {
    "check": "client-certificate",
    "trusted_proxies": ["127.0.0.1"],
    "subjects": ["CN=onetrust"],
    "subject_header": "X-Subject",
    "verified_header": "X-Verified",
}
PLACE = "sources.onetrust.verify"
URL = "https://hooks.example.com/webhooks/onetrust"
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def checks(trial: Trial, *written: dict[str, Any]) -> list[str]:
    return trial.lines(spoilt((VERIFY, list(written))))


def built(trial: Trial, *written: dict[str, Any], url: str = "") -> AllOf:
    changes = ((VERIFY, list(written)), ((*SOURCE, "url"), url))
    return verifier_of(trial.load(spoilt(*changes)).sources["onetrust"].verify, NothingPublished())


def call(*headers: tuple[str, str], peer: str = "192.0.2.10") -> Inbound:
    return Inbound("POST", "", headers, b"{}", peer)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"check": "header", "name": "X-Secret", "prefix": "Token ", **SECRETS}, StaticHeader),
        (BEARER, Bearer),
        (BASIC, Basic),
        ({"check": "query", "name": "token", **SECRETS}, QueryParameter),
        ({"check": "signature", **SECRETS}, Signed),
        ({"check": "scheme", "scheme": "github", **SECRETS}, Signed),
        ({"check": "all_of", "checks": [BEARER, ADDRESS]}, AllOf),
        ({"check": "any_of", "checks": [BEARER, BASIC]}, AnyOf),
    ],
    ids=lambda value: value["check"] if isinstance(value, dict) else "",
)
def test_each_check_becomes_its_verifier(trial: Trial, written: dict[str, Any], kind: type) -> None:
    verifier = built(trial, written, url=URL)
    assert [type(one) for one in verifier.checks] == [kind]


def test_each_condition_stands_beside_the_checks(trial: Trial) -> None:
    verifier = built(trial, BEARER, ADDRESS, CERTIFICATE)
    assert [type(one) for one in verifier.conditions] == [FromAddress, WithClientCertificate]
    assert len(verifier.checks) == 1


@pytest.mark.parametrize("written", [[ADDRESS], [ADDRESS, CERTIFICATE]])
def test_conditions_alone_are_refused(trial: Trial, written: list[dict[str, Any]]) -> None:
    assert checks(trial, *written) == [
        f"{PLACE}: expected at least one check of a credential; a condition never suffices alone"
    ]


@pytest.mark.parametrize("kind", ["any_of", "all_of"])
def test_a_condition_alone_is_no_alternative(trial: Trial, kind: str) -> None:
    (line,) = checks(trial, {"check": "any_of", "checks": [BEARER, {"check": kind, "checks": [ADDRESS]}]})
    assert line.startswith(f"{PLACE}[0]")
    assert "never suffices alone" in line
    if kind == "any_of":
        (line,) = checks(trial, {"check": "any_of", "checks": [BEARER, ADDRESS]})
        assert "never suffices alone" in line


def test_any_of_lets_a_sender_move_from_one_check_to_another(trial: Trial) -> None:
    secret = ENVIRON["WEBHOOK_SECRET"]
    new = {"check": "all_of", "checks": [{"check": "header", "name": "X-Secret", **SECRETS}, ADDRESS]}
    verifier = built(trial, {"check": "any_of", "checks": [new, BEARER]})
    assert verifier.verify(call(("Authorization", f"Bearer {secret}"), peer="203.0.113.1"), NOW).principal == "bearer"
    assert verifier.verify(call(("X-Secret", secret)), NOW).principal == "header"
    with pytest.raises(Rejected) as caught:
        verifier.verify(call(("X-Secret", secret), peer="203.0.113.1"), NOW)
    assert caught.value.code is Code.ADDRESS_NOT_ALLOWED


def test_the_settings_of_a_signature_reach_its_scheme(trial: Trial) -> None:
    written = {
        "check": "signature",
        "header": "X-Sig",
        "algorithm": "hmac-sha512",
        "encoding": "base64",
        "prefix": "v1=",
        "timestamp_header": "X-Time",
        "timestamp_unit": "milliseconds",
        "id_header": "X-Id",
        "tolerance_s": 60,
        "future_s": 10,
        **SECRETS,
    }
    (check,) = built(trial, written).checks
    assert isinstance(check, Signed)
    scheme = check.scheme
    (names,) = scheme.names
    assert (names.signature, names.timestamp, names.id) == ("X-Sig", "X-Time", "X-Id")
    assert (scheme.algorithm, scheme.encoding, scheme.content) == ("hmac-sha512", "base64", "{id}.{ts}.{body}")
    assert scheme.window == Tolerance(TimeUnit.MILLISECONDS, 60, 10)


@pytest.mark.parametrize(
    ("layout", "header"),
    [
        ({"layout_of_header": "pairs", "timestamp_item": "t", "signature_item": "v1"}, "t=1793577600,v1={}"),
        ({"layout_of_header": "versions", "versions": ["v1", "v2"]}, "v2,{}"),
        ({"prefix": "sha256="}, "sha256={}"),
    ],
)
def test_a_signature_may_stand_in_its_header_in_three_ways(trial: Trial, layout: dict[str, Any], header: str) -> None:
    content = b"1793577600.{}" if "timestamp_item" in layout else b"{}"
    mac = hmac.new(ENVIRON["WEBHOOK_SECRET"].encode(), content, hashlib.sha256).hexdigest()
    verifier = built(trial, {"check": "signature", "header": "X-Sig", **layout, **SECRETS})
    assert verifier.verify(call(("X-Sig", header.format(mac))), NOW).payload == b"{}"


def test_without_a_time_the_body_alone_is_signed(trial: Trial) -> None:
    (check,) = built(trial, {"check": "signature", **SECRETS}).checks
    assert isinstance(check, Signed)
    assert (check.scheme.window, check.scheme.content) == (None, "{body}")


def test_several_checks_have_to_pass_all(trial: Trial) -> None:
    verifier = built(trial, {"check": "header", "name": "X-Secret", **SECRETS}, BEARER)
    secret = ("X-Secret", ENVIRON["WEBHOOK_SECRET"])
    with pytest.raises(Rejected):
        verifier.verify(call(secret), NOW)
    both = call(secret, ("Authorization", f"Bearer {ENVIRON['WEBHOOK_SECRET']}"))
    assert verifier.verify(both, NOW).principal == "header+bearer"


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
            {"check": "signature", "prefix": " v1=", **SECRETS},
            "[0].prefix: expected printable ASCII that does not start with a blank",
        ),
        (
            {"check": "signature", "header": "X\nSig", **SECRETS},
            "[0].header: expected the name of a header: letters, digits and hyphens",
        ),
        (
            {"check": "signature", "timestamp_header": "X Time", **SECRETS},
            "[0].timestamp_header: expected the name of a header: letters, digits and hyphens",
        ),
        (
            {"check": "signature", "header": "X-Sig", "timestamp_header": "x-sig", **SECRETS},
            "[0]: scheme: signature, timestamp and id need headers of their own",
        ),
        (
            {"check": "signature", "timestamp_header": "X-Time", "content": "{ts}{body}", **SECRETS},
            "[0]: signed content: put a separator between the placeholders",
        ),
        (
            {"check": "signature", "content": "{payload}", **SECRETS},
            f"[0]: signed content: the placeholders are {', '.join(sorted(PLACEHOLDERS - {'header'}))} and header:NAME",
        ),
        (
            {"check": "signature", "algorithm": "ed25519", **SECRETS},
            "[0]: scheme: ed25519 does not take keys written as utf8",
        ),
        ({"check": "signature", "tolerance_s": 0, **SECRETS}, "[0].tolerance_s: expected at least 1; found 0"),
        (
            {"check": "signature", "tolerance_s": 86401, **SECRETS},
            "[0].tolerance_s: expected at most 86400; found 86401",
        ),
        (
            ADDRESS | {"allowed": ["here"]},
            "[0]: allowed: 'here' is no address or network such as 192.0.2.0/24",
        ),
        (ADDRESS | {"allowed": ["0.0.0.0/0"]}, "[0]: allowed: 0.0.0.0/0 means everybody"),
        (
            ADDRESS | {"header": "X-Real-IP"},
            "[0]: header does nothing here; it belongs to trusted_proxies",
        ),
        *(
            (
                {"check": "signature", **unused, **SECRETS},
                f"[0]: {next(iter(unused))} does nothing here; it belongs to {owner}",
            )
            for unused, owner in (
                ({"tolerance_s": 60}, "timestamp_header or timestamp_item"),
                ({"future_s": 60}, "timestamp_header or timestamp_item"),
                ({"timestamp_unit": "iso8601"}, "timestamp_header or timestamp_item"),
                ({"prefix": "v1=", "layout_of_header": "pairs"}, "layout_of_header = plain"),
                ({"signature_item": "h1"}, "layout_of_header = pairs"),
                ({"timestamp_item": "t"}, "layout_of_header = pairs"),
                ({"item_separator": ";", "layout_of_header": "versions"}, "layout_of_header = pairs"),
                ({"versions": ["v2"]}, "layout_of_header = versions"),
            )
        ),
        (
            BASIC | {"user": "one:trust"},
            "[0]: basic: the user name must be given, printable and without a colon",
        ),
        (BASIC | {"user": ""}, "[0].user: expected at least one character; found nothing"),
    ],
)
def test_what_a_verifier_would_refuse_is_told_with_its_place(trial: Trial, written: dict[str, Any], line: str) -> None:
    assert checks(trial, written) == [PLACE + line]


@pytest.mark.parametrize("algorithm", ["none", "hmac-sha1", "digest-sha256", "sha256", ""])
def test_an_algorithm_that_does_not_protect_cannot_be_chosen(trial: Trial, algorithm: str) -> None:
    (line,) = checks(trial, {"check": "signature", "algorithm": algorithm, **SECRETS})
    assert line.startswith(f"{PLACE}[0].algorithm: expected 'hmac-sha256'")


@pytest.mark.parametrize(
    "written",
    [
        {"check": "query", "name": "token", **SECRETS},
        {"check": "signature", "content": "{url}.{body}", **SECRETS},
        {"check": "any_of", "checks": [{"check": "scheme", "scheme": "hubspot-v3", **SECRETS}]},
    ],
)
def test_a_check_over_the_url_needs_the_senders_address(trial: Trial, written: dict[str, Any]) -> None:
    assert checks(trial, written) == [
        "sources.onetrust: a check reads the URL; set url to the address that the sender calls"
    ]
    assert built(trial, written, url=URL)


@pytest.mark.parametrize("url", ["hooks", "https://h/p?q=1", "ftp://h/p", "https://h/p#f", "https://h/a b"])
def test_an_address_that_no_sender_could_call_is_refused(trial: Trial, url: str) -> None:
    (line,) = trial.lines(spoilt(((*SOURCE, "url"), url)))
    assert line.startswith("sources.onetrust.url: expected the address as the sender has it, without a query")


def test_a_form_is_taken_where_a_check_reads_one(trial: Trial) -> None:
    for scheme, kinds in (("twilio", {"application/x-www-form-urlencoded"}), ("github", set())):
        written = {"check": "scheme", "scheme": scheme, **SECRETS}
        config = trial.load(spoilt((VERIFY, [written]), ((*SOURCE, "url"), URL)))
        assert media_types(config.sources["onetrust"].verify) == kinds


@pytest.mark.parametrize(
    ("secret", "secret_id"),
    [
        ("env:WEBHOOK_SECRET", "env:WEBHOOK_SECRET"),
        ({"ref": "env:WEBHOOK_SECRET"}, "env:WEBHOOK_SECRET"),
        ({"ref": "env:WEBHOOK_SECRET", "id": "2026-q4", "not_after": "2027-01-31T00:00:00Z"}, "2026-q4"),
    ],
)
def test_a_secret_may_have_an_id_and_a_time(trial: Trial, secret: Any, secret_id: str) -> None:
    verifier = built(trial, {"check": "bearer", "secrets": [secret]})
    sent = call(("Authorization", f"Bearer {ENVIRON['WEBHOOK_SECRET']}"))
    assert verifier.verify(sent, NOW).secret_ids == (secret_id,)
    if isinstance(secret, dict) and "not_after" in secret:
        with pytest.raises(Rejected) as caught:
            verifier.verify(sent, datetime(2027, 1, 31, 0, 0, 1, tzinfo=UTC))
        assert caught.value.code is Code.CREDENTIAL_EXPIRED


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({"id": "a"}, "expected a reference"),
        ({"ref": "env:NOT_SET"}, "NOT_SET is not set"),
        ({"ref": "env:WEBHOOK_SECRET", "until": "2027"}, "unknown key until"),
        ({"ref": "env:WEBHOOK_SECRET", "id": "a b"}, "id: expected"),
        ({"ref": "env:WEBHOOK_SECRET", "id": ""}, "id: expected"),
        ({"ref": "env:WEBHOOK_SECRET", "not_after": "soon"}, "not_after: expected a date and time"),
        ({"ref": "env:WEBHOOK_SECRET", "not_after": "2027-01-31T00:00:00"}, "not_after: expected a date and time"),
        (
            {
                "ref": "env:WEBHOOK_SECRET",
                "not_before": "2027-01-31T00:00:00Z",
                "not_after": "2027-01-31T00:00:00+00:00",
            },
            "not_before has to lie before not_after",
        ),
    ],
)
def test_a_time_or_id_that_cannot_be_read_is_told(trial: Trial, secret: dict[str, str], said: str) -> None:
    (line,) = checks(trial, {"check": "bearer", "secrets": [secret]})
    assert line.startswith(f"{PLACE}[0].secrets[0]: ")
    assert said in line


def test_two_secrets_need_ids_that_tell_them_apart(trial: Trial) -> None:
    (line,) = checks(trial, {"check": "bearer", "secrets": ["env:WEBHOOK_SECRET", "env:WEBHOOK_SECRET"]})
    assert "the same id" in line


def test_two_secrets_of_one_check_are_not_the_same_under_two_ids(trial: Trial) -> None:
    """Whoever ends the old one would go on accepting it under the other id."""
    twice = [{"ref": "env:WEBHOOK_SECRET", "id": one} for one in ("2026", "2027")]
    (line,) = checks(trial, {"check": "bearer", "secrets": twice})
    assert "2026 and 2027 hold the same secret" in line
    assert ENVIRON["WEBHOOK_SECRET"] not in line


def test_the_problems_of_all_checks_are_told_together(trial: Trial) -> None:
    written = (
        {"check": "signature", "header": "a b", "timestamp_header": "c d", "prefix": "é", "secrets": ["env:NOT_SET"]},
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
        (BEARER, BASIC, "authorization"),
        (
            {"check": "header", "name": "X-Sig", **SECRETS},
            {"check": "signature", "header": "x-sig", **SECRETS},
            "x-sig",
        ),
        (BEARER, {"check": "all_of", "checks": [BASIC]}, "authorization"),
    ],
)
def test_two_checks_of_one_header_could_never_pass(
    trial: Trial, first: dict[str, Any], second: dict[str, Any], header: str
) -> None:
    assert checks(trial, first, second) == [
        f"{PLACE}: two checks read the header {header}; a delivery cannot pass both"
    ]


def test_an_alternative_that_no_delivery_could_pass_is_refused(trial: Trial) -> None:
    joined = {"check": "any_of", "checks": [BEARER, {"check": "all_of", "checks": [BEARER, BASIC]}]}
    (line,) = checks(trial, joined)
    assert "two checks read the header authorization" in line


def test_alternatives_may_read_the_same_header(trial: Trial) -> None:
    assert built(trial, {"check": "any_of", "checks": [BEARER, BASIC]})


def test_a_rule_that_only_the_verifier_knows_is_told_too(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Misconfigured(Code.CONFIG_INVALID, "bearer: a new rule")

    monkeypatch.setattr(shared_checks, "Bearer", refuse)
    assert checks(trial, BEARER) == [f"{PLACE}[0]: bearer: a new rule"]


def test_nothing_is_fetched_while_settings_are_only_checked() -> None:
    nothing = NothingPublished()
    with pytest.raises(Temporary) as caught:
        nothing.get(KeyAddress("https://keys.example.com/jwks.json"), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE
