"""Alerts by webhook: signed as Standard Webhooks asks for, or in the form that Slack and those like it take.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connector.alerting import Alert, Kind, Phase
from connector.clock import Clock
from connector.codes import Code
from connector.errors import Misconfigured, Refused, Temporary
from connector.outbound.guarded import Guarded
from connector.private import Secret
from connector.verify.keys import MacKey
from connector.verify.outgoing import webhook_key

_ICONS: Final = {Phase.FIRING: ":rotating_light:", Phase.RESOLVED: ":white_check_mark:", Phase.TEST: ":wave:"}


@dataclass(frozen=True, slots=True)
class SignedWebhook:
    """Fulfils `alerting.Channel`.

    Args:
        secrets: every one that counts now signs, so that the receiver can change from one to the next.

    Raises:
        Misconfigured: a secret cannot sign.
    """

    name: str
    kinds: Collection[Kind]
    http: Guarded
    url: Secret
    secrets: Sequence[Secret]
    clock: Clock
    _keys: tuple[MacKey, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keys", tuple(webhook_key(one) for one in self.secrets))

    def send(self, alert: Alert) -> None:
        """Send a message.

        Raises:
            ConnectorError: it was not taken, or no secret counts now.
        """
        body = json.dumps(content_of(alert)).encode()
        _post(self.http, self.url, body, self.headers(alert, body))

    def headers(self, alert: Alert, body: bytes) -> dict[str, str]:
        """Return the headers with which a body travels: the id of the message, the time of this try, signatures."""
        now = self.clock.now()
        stamp = str(int(now.timestamp()))
        signed = f"{alert.id}.{stamp}.".encode() + body
        live = [key for key, secret in zip(self._keys, self.secrets, strict=True) if secret.is_live(now)]
        if not live:
            raise Misconfigured(Code.CONFIG_INVALID, f"alerts, channel {self.name}: no secret counts now")
        signatures = (f"v1,{base64.b64encode(key.make(signed)).decode()}" for key in live)
        return {"webhook-id": alert.id, "webhook-timestamp": stamp, "webhook-signature": " ".join(signatures)}


def content_of(alert: Alert) -> dict[str, Any]:
    """Return the body of a signed webhook."""
    return {
        "type": f"alert.{alert.phase.value}",
        "timestamp": alert.at.isoformat(),
        "data": {
            "kind": alert.kind.value,
            "scope": alert.scope.value,
            "name": alert.name,
            "count": alert.count,
            "since": alert.since.isoformat(),
            "title": alert.title,
            "text": alert.text,
        },
    }


@dataclass(frozen=True, slots=True)
class SlackWebhook:
    """Fulfils `alerting.Channel`. The address is the secret."""

    name: str
    kinds: Collection[Kind]
    http: Guarded
    url: Secret

    def send(self, alert: Alert) -> None:
        """Send a message.

        Raises:
            ConnectorError: it was not taken.
        """
        # https://docs.slack.dev/messaging/formatting-message-text: names from the configuration hold none of `&<>`.
        text = f"{_ICONS[alert.phase]} *{alert.title}*\n{alert.text}"
        _post(self.http, self.url, json.dumps({"text": text}).encode(), {})


def _post(http: Guarded, url: Secret, body: bytes, headers: dict[str, str]) -> None:
    answer = http.request("POST", url.reveal(), headers={"Content-Type": "application/json", **headers}, content=body)
    if answer.status >= 500:  # noqa: PLR2004 - their fault
        raise Temporary(Code.REMOTE_FAULT, f"status {answer.status}")
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - the successes
        raise Refused(Code.REMOTE_REFUSED, f"status {answer.status}")
