"""Alerts by webhook: what is sent, how it is signed, and what becomes of it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from connector.alerting import Alert, Channel, Kind, Phase, Scope
from connector.channels.webhook import SignedWebhook, SlackWebhook, content_of
from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, Refused, Temporary
from connector.inbound import Inbound
from connector.outbound.answer import Answer
from connector.private import Secret
from connector.verify.presets import PRESETS
from connector.verify.signed import Signed

NOW = datetime.now(UTC).replace(microsecond=0)
URL = Secret("https://hooks.example.com/services/canary-path", "env:HOOK")
OLD, NEW = (f"whsec_{base64.b64encode(bytes([one]) * 32).decode()}" for one in (1, 2))
ALERT = Alert("019a", Kind.DEADLINE_LATE, Phase.FIRING, Scope.SOURCE, "onetrust", 3, NOW, NOW)


class Http:
    """Takes calls, and answers as it is told."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []

    def request(self, method: str, url: str, *, headers: dict[str, str], content: bytes) -> Answer:
        self.calls.append((method, url, headers, content))
        return Answer(self.status, {}, b"canary answer")


def signed(http: Any, *secrets: Secret, clock: FixedClock | None = None) -> SignedWebhook:
    return SignedWebhook("ops", tuple(Kind), http, URL, secrets or (Secret(OLD, "env:OLD"),), clock or FixedClock(NOW))


def slack(http: Any) -> SlackWebhook:
    return SlackWebhook("chat", tuple(Kind), http, URL)


def test_the_standard_s_own_library_takes_it() -> None:
    http = Http()
    signed(http).send(ALERT)
    ((method, url, headers, body),) = http.calls
    assert (method, url) == ("POST", URL.reveal())
    assert Webhook(OLD).verify(body, headers) == content_of(ALERT)


def test_the_product_s_own_check_takes_it() -> None:
    http = Http()
    signed(http).send(ALERT)
    ((_, _, headers, body),) = http.calls
    inbound = Inbound("POST", "", tuple(headers.items()), body)
    verified = Signed(PRESETS["standard-webhooks"], (Secret(OLD, "env:OLD"),)).verify(inbound, NOW)
    assert json.loads(verified.payload) == content_of(ALERT)


def test_each_try_is_signed_anew_under_the_same_id() -> None:
    http, clock = Http(), FixedClock(NOW)
    channel = signed(http, clock=clock)
    channel.send(ALERT)
    clock.advance(seconds=90)
    channel.send(ALERT)
    first, second = (headers for _, _, headers, _ in http.calls)
    assert first["webhook-id"] == second["webhook-id"] == ALERT.id
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 90
    assert first["webhook-signature"] != second["webhook-signature"]


def test_every_secret_that_counts_signs_so_that_the_receiver_can_change() -> None:
    http = Http()
    ended = Secret(OLD, "env:OLD", not_after=NOW - timedelta(days=1))
    both = (Secret(NEW, "env:NEW"), Secret(OLD, "env:OLD"))
    signed(http, *both).send(ALERT)
    signed(http, Secret(NEW, "env:NEW"), ended).send(ALERT)
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(http.calls[0][3], http.calls[0][2])
    assert len(http.calls[1][2]["webhook-signature"].split(" ")) == 1


def test_without_a_secret_that_counts_nothing_is_sent() -> None:
    http = Http()
    with pytest.raises(Misconfigured):
        signed(http, Secret(OLD, "env:OLD", not_after=NOW - timedelta(days=1))).send(ALERT)
    assert http.calls == []


@pytest.mark.parametrize("text", ["short", "whsec_canary", f"whsec_{base64.b64encode(b'x' * 8).decode()}"])
def test_a_secret_that_cannot_sign_is_refused_at_the_start_by_its_id_alone(text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        signed(Http(), Secret(text, "env:WRONG"))
    assert "env:WRONG" in str(refused.value)
    assert text not in str(refused.value)


@pytest.mark.parametrize("phase", Phase)
def test_slack_gets_one_text(phase: Phase) -> None:
    http = Http()
    slack(http).send(Alert("1", Kind.FUSE_BLOWN, phase, Scope.ACCOUNT, "main", 1, NOW, NOW))
    ((_, url, headers, body),) = http.calls
    said = json.loads(body)
    assert url == URL.reveal()
    assert headers == {"Content-Type": "application/json"}
    assert list(said) == ["text"]
    assert ("main" in said["text"]) == (phase is not Phase.TEST)
    assert not set("<>&") & set(said["text"])


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_whose_how_many_and_what_to_do(kind: Kind) -> None:
    one = Alert("1", kind, Phase.FIRING, Scope.SOURCE, "onetrust", 4711, NOW, NOW)
    assert "onetrust" in one.title
    assert "4711" in one.text
    assert "`connector " in one.text


@pytest.mark.parametrize("make", [signed, slack])
@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (500, Temporary, Code.REMOTE_FAULT),
        (503, Temporary, Code.REMOTE_FAULT),
        (400, Refused, Code.REMOTE_REFUSED),
        (404, Refused, Code.REMOTE_REFUSED),
    ],
)
def test_what_is_not_taken_is_said_without_the_address_or_the_answer(
    make: Any, status: int, error: type[ConnectorError], code: Code
) -> None:
    channel: Channel = make(Http(status))
    with pytest.raises(error) as refused:
        channel.send(ALERT)
    assert refused.value.code is code
    assert "canary" not in f"{refused.value} {channel!r}"


@pytest.mark.parametrize("make", [signed, slack])
@pytest.mark.parametrize("status", [200, 202, 204])
def test_every_success_counts(make: Any, status: int) -> None:
    make(Http(status)).send(ALERT)
