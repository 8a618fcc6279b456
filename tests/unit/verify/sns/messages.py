"""Messages as Amazon SNS sends them, signed by the tables of its developer guide."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes

from tests.support.certificates import Holder, certificate

TOPIC: Final = "arn:aws:sns:eu-west-1:123456789012:erasures"
HOST: Final = "sns.eu-west-1.amazonaws.com"
FILE: Final = f"https://{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CONFIRM: Final = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f"
MESSAGE: Final = '{"subTaskId": "1",\n "e-mail": "jöhn@example.com"}'
NOTIFICATION: Final[dict[str, Any]] = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": TOPIC,
    "Message": MESSAGE,
    "Timestamp": "2026-11-02T09:14:33.000Z",
}
SUBSCRIPTION: Final[dict[str, Any]] = {
    **NOTIFICATION,
    "Type": "SubscriptionConfirmation",
    "Message": "You have chosen to subscribe to the topic.\nTo confirm, visit the SubscribeURL.",
    "SubscribeURL": CONFIRM,
    "Token": "2336412f37fb687f",
}
FAREWELL: Final[dict[str, Any]] = {**SUBSCRIPTION, "Type": "UnsubscribeConfirmation"}


def signer(**settings: Any) -> Holder:
    return certificate("sns.amazonaws.com", **{"key": "amazon", **settings})


def text_of(message: Mapping[str, Any]) -> bytes:
    """The text to sign, from the tables of the developer guide."""
    confirms = message["Type"] != "Notification"
    names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
    left_out = {"Subject"} if confirms else {"SubscribeURL", "Token"}
    lines = [line for name in names if name in message and name not in left_out for line in (name, message[name])]
    return "".join(f"{line}\n" for line in lines).encode()


def signed(message: Mapping[str, Any], sender: Holder | None = None, version: str = "2", **more: Any) -> dict[str, Any]:
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = base64.b64encode((sender or signer()).sign(text_of(message), digest)).decode()
    return {**message, "SignatureVersion": version, "Signature": signature, "SigningCertURL": FILE, **more}
