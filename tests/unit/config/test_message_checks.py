"""`nacl-combined`, `http-message-signature` and `signed-request` as they are written in the file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from connector.config.checks import can_pass_together, key_addresses, live_secrets, media_types, needs_url, verifier_of
from connector.config.checks.base import NothingPublished
from connector.private import Secret
from connector.verify.message.key import MessageAlgorithm
from connector.verify.message.signature import DEFAULT_COMPONENTS, MessageSignature
from connector.verify.nacl_combined import NaclCombined
from connector.verify.signed_request import SignedRequest
from tests.contract.subjects import message_sender, nacl_combined, signed_request
from tests.contract.subjects.subject import CURRENT, NEXT, NOW, URL, Sent
from tests.unit.config.trial import ENVIRON, VERIFY, Trial, spoilt

KEYS: Final = {
    "TOKEN": nacl_combined.token("shared"),
    "VERIFY_KEY": nacl_combined.verify_key(CURRENT).reveal(),
    "ED25519": message_sender.ED25519.configured(CURRENT),
    "P256": message_sender.P256.configured(NEXT),
    "MAC": message_sender.HMAC.configured(CURRENT),
    "APP_SECRET": signed_request.app_secret(CURRENT),
    "MAC_TEXT": "bm8ga2V5IG9mIGVkMjU1MTk=",
    "SHORT": "fifteen-chars-x",
}
AGENT: Final = {"id": nacl_combined.AGENT, "tokens": ["env:TOKEN"], "keys": ["env:VERIFY_KEY"]}
NACL: Final = {"check": "nacl-combined", "business_ids": [nacl_combined.US], "agents": [AGENT]}
KEY: Final = {"keyid": "key-current", "algorithm": "ed25519", "secrets": ["env:ED25519"]}
MESSAGE: Final = {"check": "http-message-signature", "keys": [KEY]}
REQUEST: Final = {"check": "signed-request", "secrets": ["env:APP_SECRET"]}
PLACE: Final = "sources.onetrust.verify"


def loaded(trial: Trial, written: dict[str, Any]) -> Any:
    environ = {**ENVIRON, **KEYS}
    url = {("sources", "onetrust", "url"): URL.partition("?")[0]}
    changes = ((VERIFY, [written]), *(url.items() if written["check"] == "http-message-signature" else ()))
    return trial.load(spoilt(*changes), environ=environ).sources["onetrust"].verify


def said(trial: Trial, written: dict[str, Any]) -> str:
    return trial.refusal(spoilt((VERIFY, [written])), environ={**ENVIRON, **KEYS})


@pytest.mark.parametrize(
    ("written", "kind", "sent"),
    [
        (NACL, NaclCombined, nacl_combined.send(CURRENT, nacl_combined.CONTENT, NOW)),
        (MESSAGE, MessageSignature, message_sender.good()),
        (REQUEST, SignedRequest, signed_request.form(signed_request.GOOD)),
    ],
    ids=["nacl-combined", "http-message-signature", "signed-request"],
)
def test_each_check_becomes_its_verifier_and_accepts_a_good_delivery(
    trial: Trial, written: dict[str, Any], kind: type, sent: Sent
) -> None:
    verifier = verifier_of(loaded(trial, written), NothingPublished())
    (check,) = verifier.checks
    assert isinstance(check, kind)
    assert verifier.verify(sent.inbound(), NOW).principal == written["check"]


def test_says_in_which_content_types_the_deliveries_come_and_whether_the_url_is_needed(trial: Trial) -> None:
    facts = {
        written["check"]: (media_types(loaded(trial, written)), needs_url(loaded(trial, written)))
        for written in (NACL, MESSAGE, REQUEST)
    }
    assert facts == {
        "nacl-combined": ({"text/plain"}, False),
        "http-message-signature": (set(), True),
        "signed-request": ({"application/x-www-form-urlencoded"}, False),
    }


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        (NACL, ["env:TOKEN", "env:VERIFY_KEY"]),
        (
            {**MESSAGE, "keys": [KEY, {"keyid": "2", "algorithm": "ecdsa-p256-sha256", "secrets": ["env:P256"]}]},
            ["env:ED25519", "env:P256"],
        ),
        (REQUEST, ["env:APP_SECRET"]),
    ],
    ids=["nacl-combined", "http-message-signature", "signed-request"],
)
def test_all_secrets_and_keys_are_reported(trial: Trial, written: dict[str, Any], ids: list[str]) -> None:
    found = list(live_secrets(loaded(trial, written)))
    assert all(isinstance(one, Secret) for one in found)
    assert [one.id for one in found] == ids


def test_the_settings_of_a_message_signature_reach_the_verifier(trial: Trial) -> None:
    mac = {
        "keyid": "mac",
        "algorithm": "hmac-sha256",
        "key_format": "base64",
        "secrets": [{"ref": "env:MAC", "id": "m"}],
    }
    more = {"keys": [KEY, mac], "tag": "erasures", "tolerance_s": 60, "future_s": 5, "components": ["content-digest"]}
    (check,) = verifier_of(loaded(trial, {**MESSAGE, **more}), NothingPublished()).checks
    assert isinstance(check, MessageSignature)
    assert [key.algorithm for key in check.keys] == [MessageAlgorithm.ED25519, MessageAlgorithm.HMAC]
    assert (check.tag, check.components) == ("erasures", ("content-digest",))
    assert (check.window.past_s, check.window.future_s) == (60, 5)
    (default,) = verifier_of(loaded(trial, MESSAGE), NothingPublished()).checks
    assert isinstance(default, MessageSignature)
    assert default.components == DEFAULT_COMPONENTS


def test_published_keys_need_no_configured_ones_and_their_address_may_be_called(trial: Trial) -> None:
    url = "https://keys.example.com/jwks.json"
    written = {"check": "http-message-signature", "keys_url": url, "keys_algorithm": "rsa-pss-sha512"}
    checks = loaded(trial, written)
    assert [one.url for one in key_addresses(checks)] == [url]
    (check,) = verifier_of(checks, NothingPublished()).checks
    assert isinstance(check, MessageSignature)
    assert check.published is not None
    assert check.published.algorithm is MessageAlgorithm.RSA_PSS
    assert key_addresses(loaded(trial, MESSAGE)) == ()


def test_the_settings_of_the_others_reach_their_verifiers(trial: Trial) -> None:
    (nacl,) = verifier_of(loaded(trial, {**NACL, "max_lifetime_s": 900, "tolerance_s": 0}), NothingPublished()).checks
    assert isinstance(nacl, NaclCombined)
    assert (nacl.max_lifetime_s, nacl.tolerance_s, [one.id for one in nacl.agents]) == (900, 0, [nacl_combined.AGENT])
    more = {"field": "request", "max_age_s": 600, "future_s": 5, "require_issued_at": True}
    (request,) = verifier_of(loaded(trial, {**REQUEST, **more}), NothingPublished()).checks
    assert isinstance(request, SignedRequest)
    assert (request.form_field, request.time_required) == ("request", True)
    assert (request.window.past_s, request.window.future_s) == (600, 5)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({**NACL, "agents": []}, "agents"),
        ({**NACL, "business_ids": []}, "business_ids"),
        ({**NACL, "agents": [AGENT, AGENT]}, "two agents have the same id"),
        ({**NACL, "agents": [{**AGENT, "keys": ["env:MAC_TEXT"]}]}, "env:MAC_TEXT is not a public key"),
        ({**NACL, "agents": [{**AGENT, "tokens": ["env:SHORT"]}]}, "fewer than 16 characters"),
        ({**NACL, "tolerance_s": 301}, "tolerance_s"),
        ({"check": "http-message-signature"}, "at least one key, or where keys are published"),
        ({**MESSAGE, "keys_url": "http://keys.example.com/", "keys_algorithm": "ed25519"}, "https://HOST only"),
        ({**MESSAGE, "keys_url": "https://keys.example.com/", "keys_algorithm": "hmac-sha256"}, "keys_algorithm"),
        ({**MESSAGE, "keys_url": "https://keys.example.com/"}, "keys_url and keys_algorithm belong together"),
        ({**MESSAGE, "keys_algorithm": "ed25519"}, "keys_url and keys_algorithm belong together"),
        ({**MESSAGE, "components": ["@method"]}, "content-digest has to be covered"),
        ({**MESSAGE, "components": ["@status", "content-digest"]}, "no component of a request"),
        ({**MESSAGE, "keys": [{**KEY, "algorithm": "hmac-sha256"}]}, "does not take keys written as pem"),
        ({**MESSAGE, "keys": [{**KEY, "algorithm": "none"}]}, "algorithm"),
        ({**MESSAGE, "keys": [{**KEY, "secrets": ["env:P256"]}]}, "env:P256 is not a key for ed25519"),
        ({**MESSAGE, "keys": [KEY, KEY]}, "every key id once"),
        ({**REQUEST, "secrets": ["env:SHORT"]}, "fewer than 16 characters"),
        ({**REQUEST, "max_age_s": 0}, "max_age_s"),
        ({**REQUEST, "algorithm": "none"}, "algorithm"),
    ],
)
def test_what_cannot_work_or_protect_is_refused_at_the_start(
    trial: Trial, written: dict[str, Any], expected: str
) -> None:
    message = said(trial, written)
    assert PLACE in message
    assert expected in message
    assert not any(value in message for value in KEYS.values())


def examples() -> list[Any]:
    page = (Path(__file__).parents[3] / "docs/verification-other.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [next(iter(tomllib.loads(one)["sources"].values()))["verify"] for one in blocks]


@pytest.mark.parametrize("written", examples(), ids=lambda written: written[0]["check"])
def test_the_examples_of_the_page_can_be_loaded(trial: Trial, written: list[dict[str, Any]]) -> None:
    names = {
        "DRP_TOKEN_OF_AGENT": "TOKEN",
        "DRP_VERIFY_KEY_OF_AGENT": "VERIFY_KEY",
        "PARTNER_SECRET": "MAC",
        "META_APP_SECRET": "APP_SECRET",
    }
    (trial.folder / "partner-2026.pem").write_text(KEYS["ED25519"])
    environ = {**ENVIRON, **{name: KEYS[key] for name, key in names.items()}}
    raw = spoilt((VERIFY, written), (("sources", "onetrust", "url"), "https://connector.example.com/webhooks/partner"))
    assert verifier_of(trial.load(raw, environ=environ).sources["onetrust"].verify, NothingPublished())


def test_two_message_signatures_can_be_demanded_of_one_delivery(trial: Trial) -> None:
    checks = (*loaded(trial, MESSAGE), *loaded(trial, {**MESSAGE, "tag": "proxy"}))
    assert can_pass_together(checks) == checks


def test_a_bearer_token_beside_that_of_the_agent_is_refused(trial: Trial) -> None:
    bearer = {"check": "bearer", "secrets": ["env:TOKEN"]}
    lines = trial.refusal(spoilt((VERIFY, [NACL, bearer])), environ={**ENVIRON, **KEYS})
    assert "authorization" in lines
