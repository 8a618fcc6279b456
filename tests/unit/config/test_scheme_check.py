"""`check = "scheme"`: a known sender's layout by its name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.codes import Code
from connector.config import load
from connector.config.verify_models import verifier_of
from connector.errors import Misconfigured, Rejected

SHIPPED = Path(__file__).parents[3] / "config/connector.toml"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def loaded(check: str, secret: str = SECRET):
    override = f"sources.onetrust.verify=[{check}]"
    assert tomllib.loads(override.replace("sources.onetrust.verify", "x", 1))
    return load(SHIPPED, {"SIGNING": secret}, [override], ["onetrust"]).sources["onetrust"].verify


def standard(body: bytes, key: bytes = KEY) -> dict[str, str]:
    stamp = str(int(NOW.timestamp()))
    signature = base64.b64encode(hmac.digest(key, b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256)).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def test_a_delivery_signed_in_the_named_layout_is_accepted() -> None:
    verifier = verifier_of(loaded('{check="scheme", scheme="standard-webhooks", secrets=["env:SIGNING"]}'))
    verified = verifier.verify("POST", standard(b"{}"), b"{}", NOW)
    assert (verified.payload, verified.secret_id, verified.sender_time) == (b"{}", "env:SIGNING", NOW)


def test_one_signed_with_another_key_is_refused() -> None:
    verifier = verifier_of(loaded('{check="scheme", scheme="standard-webhooks", secrets=["env:SIGNING"]}'))
    with pytest.raises(Rejected) as refusal:
        verifier.verify("POST", standard(b"{}", b"x" * 32), b"{}", NOW)
    assert refusal.value.code is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ('{check="scheme", scheme="no-such", secrets=["env:SIGNING"]}', "not a scheme; known:"),
        ('{check="scheme", scheme="hubspot-v3", secrets=["env:SIGNING"]}', "set url"),
        ('{check="scheme", scheme="hubspot-v3", url="hooks", secrets=["env:SIGNING"]}', "the whole address"),
        ('{check="scheme", scheme="standard-webhooks", secrets=[]}', "secrets"),
        ('{check="scheme", scheme="sendgrid", secrets=["env:SIGNING"]}', "env:SIGNING"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start_without_the_secret(check: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        loaded(check)
    assert said in refusal.value.detail
    assert SECRET not in str(refusal.value)


def test_a_scheme_that_signs_the_url_uses_the_configured_one() -> None:
    secret = "a-secret-of-some-length"
    url = "https://hooks.example.com/webhooks/onetrust"
    check = f'{{check="scheme", scheme="hubspot-v2", url="{url}", secrets=["env:SIGNING"]}}'
    verifier = verifier_of(loaded(check, secret))
    signed = hashlib.sha256(f"{secret}POST{url}".encode() + b"{}").hexdigest()
    headers = {"x-hubspot-signature": signed, "host": "elsewhere.example.org"}
    assert verifier.verify("POST", headers, b"{}", NOW).payload == b"{}"


def test_a_reference_to_a_variable_that_cannot_be_one_is_not_shown() -> None:
    with pytest.raises(Misconfigured) as refusal:
        load(SHIPPED, {}, ['accounts.main.token="env:at.123.not-a-name"'], ["onetrust"])
    assert "at.123" not in str(refusal.value)
    assert "letters, digits and _" in refusal.value.detail
