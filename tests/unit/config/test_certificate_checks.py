"""`check = "x509-domain"` and `check = "sns"` as they are written in the file."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from connector.config.authorities import public_authorities
from connector.config.checks import key_addresses, media_types, needs_url, verifier_of
from connector.inbound import Inbound
from connector.model import Verified
from tests.support.certificates import authority, certificate
from tests.support.documents import PublishedDocuments
from tests.unit.config.trial import ENVIRON, VERIFY, Trial, spoilt

NOW: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PLACE: Final = "sources.onetrust.verify[0]"
DOMAIN: Final = {"check": "x509-domain", "domains": ["opendsr.example.com"]}
PRIVATE: Final = {**DOMAIN, "authorities": ["env:OUR_AUTHORITY"]}
TOPIC: Final = "arn:aws:sns:eu-west-1:123456789012:erasures"
SNS: Final = {"check": "sns", "topics": [TOPIC]}
ENVIRONMENT: Final = {**ENVIRON, "OUR_AUTHORITY": authority().pem.decode(), "NO_AUTHORITY": "canary-no-certificate"}


def lines(trial: Trial, written: dict[str, Any]) -> list[str]:
    return trial.lines(spoilt((VERIFY, [written])), environ=ENVIRONMENT)


def section(trial: Trial, written: dict[str, Any]) -> Any:
    return trial.load(spoilt((VERIFY, [written])), environ=ENVIRONMENT).sources["onetrust"].verify


def accepted(trial: Trial, written: dict[str, Any], published: dict[str, bytes], inbound: Inbound) -> Verified:
    return verifier_of(section(trial, written), PublishedDocuments(published)).verify(inbound, NOW)


def callback(brand: str = "X-OpenDSR-", *names: str) -> Inbound:
    text = base64.b64encode(certificate().sign(b"{}")).decode()
    domain, signature = names or (f"{brand}Processor-Domain", f"{brand}Signature")
    return Inbound("POST", "", ((domain, "opendsr.example.com"), (signature, text)), b"{}")


def page(address: str, member: str = "processor_certificate") -> bytes:
    return json.dumps({member: address}).encode()


def test_a_domain_is_enough_where_a_private_authority_vouches_for_it(trial: Trial) -> None:
    published = {
        "https://opendsr.example.com/discovery": page("https://opendsr.example.com/c.pem"),
        "https://opendsr.example.com/c.pem": certificate().pem,
    }
    said = accepted(trial, PRIVATE, published, callback())
    assert said.secret_ids == (f"opendsr.example.com:{certificate().short_id}",)


def test_every_setting_of_a_domain_reaches_the_check(trial: Trial) -> None:
    sender = certificate(kind="p384", key="p384")
    text = base64.b64encode(sender.sign(b"{}")).decode()
    written = {
        **PRIVATE,
        "layout": "opengdpr",
        "domain_header": "X-Domain",
        "discovery": "https://{domain}/v3/discovery",
        "discovery_headers": [{"name": "Authorization", "prefix": "Basic ", "secret": "env:CLIENT_SECRET"}],
        "member": "cert",
        "certificate_hosts": ["static.example.com"],
        "hash": "sha256",
        "padding": "pss",
    }
    published = {
        "https://opendsr.example.com/v3/discovery": page("https://static.example.com/c.pem", "cert"),
        "https://static.example.com/c.pem": sender.pem,
    }
    inbound = Inbound("POST", "", (("X-Domain", "opendsr.example.com"), ("X-OpenGDPR-Signature", text)), b"{}")
    assert accepted(trial, written, published, inbound).payload == b"{}"
    checks = section(trial, written)
    assert checks[0].headers == ("X-Domain", "X-OpenGDPR-Signature")
    addresses = key_addresses(checks)
    assert [one.url for one in addresses] == [
        "https://opendsr.example.com/v3/discovery",
        "https://opendsr.example.com/",
        "https://static.example.com/",
    ]
    ((name, secret),) = addresses[0].headers
    assert (name, secret.reveal()) == ("Authorization", f"Basic {ENVIRON['CLIENT_SECRET']}")


def test_without_authorities_of_ones_own_those_of_the_public_web_count(trial: Trial) -> None:
    verifier = verifier_of(section(trial, DOMAIN), PublishedDocuments())
    names = {one.subject.rfc4514_string() for one in public_authorities().roots}
    assert verifier.checks[0].trust is public_authorities()
    assert len(names) > 100
    assert any("ISRG Root X1" in one for one in names)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"domains": []}, "domains: expected at least one entry"),
        ({"domains": ["https://opendsr.example.com"]}, "expected a bare host name in lower case"),
        ({"layout": "opendsr-v2"}, "'opendsr' or 'opengdpr'"),
        (
            {"layout": "opengdpr", "domain_header": "X-Domain", "signature_header": "X-Signature"},
            "layout does nothing here",
        ),
        ({"signature_header": "X-OpenDSR-Processor-Domain"}, "domain and signature need headers of their own"),
        ({"discovery": "http://{domain}/discovery"}, "the address of the discovery document is https://HOST/PATH"),
        ({"hash": "sha1"}, "'sha256', 'sha384' or 'sha512'"),
        ({"padding": "none"}, "'pkcs1' or 'pss'"),
        ({"authorities": ["env:NO_AUTHORITY"]}, "env:NO_AUTHORITY does not hold certificates in PEM"),
        ({"authorities": ["-----BEGIN CERTIFICATE-----"]}, "expected a reference"),
        ({"surprise": True}, "surprise"),
    ],
)
def test_refuses_settings_of_a_domain_with_place_and_mend(trial: Trial, more: dict[str, Any], said: str) -> None:
    found = lines(trial, {**DOMAIN, **more})
    assert len(found) == 1
    assert found[0].startswith(PLACE)
    assert said in found[0]
    assert "canary" not in found[0]


def test_sns_comes_as_plain_text_and_needs_no_url(trial: Trial) -> None:
    checks = section(trial, SNS)
    assert media_types(checks) == {"text/plain"}
    assert not needs_url(checks)
    assert checks[0].headers == ()
    assert [one.url for one in key_addresses(checks)] == ["https://sns.eu-west-1.amazonaws.com/"]


def test_every_setting_of_sns_reaches_the_check(trial: Trial) -> None:
    written = {**SNS, "allow_sha1": True, "tolerance_s": 60, "future_s": 30}
    (check,) = verifier_of(section(trial, written), PublishedDocuments()).checks
    assert (check.topics, check.allow_sha1) == ((TOPIC,), True)
    assert (check.window.past_s, check.window.future_s) == (60, 30)
    (usual,) = verifier_of(section(trial, SNS), PublishedDocuments()).checks
    assert (usual.allow_sha1, usual.window.past_s, usual.window.future_s) == (False, 7_200, 300)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"topics": []}, "topics: expected at least one entry"),
        ({"topics": ["*"]}, "a topic is written arn:aws:sns:REGION:ACCOUNT:NAME"),
        ({"topics": [f"{TOPIC}.fifo"]}, "FIFO topics do not deliver over HTTP"),
        ({"tolerance_s": 0}, "at least 1"),
        ({"future_s": 86_401}, "at most 86400"),
    ],
)
def test_refuses_settings_of_sns_with_place_and_mend(trial: Trial, more: dict[str, Any], said: str) -> None:
    found = lines(trial, {**SNS, **more})
    assert len(found) == 1
    assert found[0].startswith(PLACE)
    assert said in found[0]
