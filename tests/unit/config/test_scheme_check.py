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
from connector.config.checks import verifier_of
from connector.config.checks.base import NothingPublished
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound

SHIPPED = Path(__file__).parents[3] / "config/connector.toml"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def loaded(check: str, secret: str = SECRET, url: str = ""):
    override = f"sources.onetrust.verify=[{check}]"
    assert tomllib.loads(override.replace("sources.onetrust.verify", "x", 1))
    overrides = [override, f'sources.onetrust.url="{url}"']
    return load(SHIPPED, {"SIGNING": secret}, overrides, ["onetrust"]).sources["onetrust"].verify


def built(checks):
    return verifier_of(checks, NothingPublished())


def call(headers: dict[str, str], url: str = "") -> Inbound:
    return Inbound("POST", url, tuple(headers.items()), b"{}")


def standard(body: bytes, key: bytes = KEY) -> dict[str, str]:
    stamp = str(int(NOW.timestamp()))
    signature = base64.b64encode(hmac.digest(key, b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256)).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def test_a_delivery_signed_in_the_named_layout_is_accepted() -> None:
    verifier = built(loaded('{check="scheme", scheme="standard-webhooks", secrets=["env:SIGNING"]}'))
    verified = verifier.verify(call(standard(b"{}")), NOW)
    assert (verified.payload, verified.secret_id, verified.sender_time) == (b"{}", "env:SIGNING", NOW)


def test_one_signed_with_another_key_is_refused() -> None:
    verifier = built(loaded('{check="scheme", scheme="standard-webhooks", secrets=["env:SIGNING"]}'))
    with pytest.raises(Rejected) as refusal:
        verifier.verify(call(standard(b"{}", b"x" * 32)), NOW)
    assert refusal.value.code is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ('{check="scheme", scheme="no-such", secrets=["env:SIGNING"]}', "not a scheme; known:"),
        ('{check="scheme", scheme="hubspot-v3", secrets=["env:SIGNING"]}', "set url"),
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
    check = '{check="scheme", scheme="hubspot-v2", secrets=["env:SIGNING"]}'
    verifier = built(loaded(check, secret, url))
    signed = hashlib.sha256(f"{secret}POST{url}".encode() + b"{}").hexdigest()
    headers = {"x-hubspot-signature": signed, "host": "elsewhere.example.org"}
    assert verifier.verify(call(headers, url), NOW).payload == b"{}"


def test_a_reference_to_a_variable_that_cannot_be_one_is_not_shown() -> None:
    with pytest.raises(Misconfigured) as refusal:
        load(SHIPPED, {}, ['accounts.main.token="env:at.123.not-a-name"'], ["onetrust"])
    assert "at.123" not in str(refusal.value)
    assert "letters, digits and _" in refusal.value.detail
