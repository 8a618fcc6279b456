"""Messages that Amazon SNS signed with the certificate it published then."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.verify.sns import Sns
from tests.support.documents import PublishedDocuments

VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "vectors/certificates/sns.json").read_text(encoding="utf-8")
)
each = pytest.mark.parametrize("vector", VECTORS["messages"], ids=[one["name"] for one in VECTORS["messages"]])


def check(*, allow_sha1: bool = True) -> Sns:
    documents = PublishedDocuments({VECTORS["certificate_url"]: "\n".join(VECTORS["certificate"]).encode()})
    return Sns((VECTORS["topic"],), documents, allow_sha1)


def sent(body: str) -> Inbound:
    return Inbound("POST", "https://connector.example.com/webhooks/x", (), body.encode())


def soon_after(message: dict[str, str]) -> datetime:
    return datetime.fromisoformat(message["Timestamp"]) + timedelta(seconds=5)


@each
def test_accepts_a_message_as_it_was_sent(vector: dict[str, str]) -> None:
    message = json.loads(vector["body"])
    said = check().verify(sent(vector["body"]), soon_after(message))
    assert said.replay_key == f"id:{message['MessageId']}"
    # As `openssl x509 -noout -fingerprint -sha256` prints it of the certificate.
    assert said.secret_ids == ("sns.us-west-2.amazonaws.com:ee6f7928eab1b920",)
    if message["Type"] == "Notification":
        assert said.payload.decode() == message["Message"]
    else:
        assert said.payload.decode() == vector["body"]
    confirms = message["Type"] == "SubscriptionConfirmation"
    assert (said.confirm_url.reveal() if said.confirm_url else None) == (message["SubscribeURL"] if confirms else None)


@each
def test_refuses_it_with_one_letter_changed(vector: dict[str, str]) -> None:
    message = json.loads(vector["body"])
    altered = vector["body"].replace(message["Message"][:4], message["Message"][:3] + "x", 1)
    assert altered != vector["body"]
    with pytest.raises(Rejected) as caught:
        check().verify(sent(altered), soon_after(message))
    assert caught.value.code is Code.CREDENTIAL_WRONG


@each
def test_refuses_version_1_unless_it_is_allowed(vector: dict[str, str]) -> None:
    message = json.loads(vector["body"])
    strict = check(allow_sha1=False)
    if message["SignatureVersion"] == "2":
        assert strict.verify(sent(vector["body"]), soon_after(message)).payload
        return
    with pytest.raises(Rejected) as caught:
        strict.verify(sent(vector["body"]), soon_after(message))
    assert caught.value.code is Code.ALGORITHM_NOT_ALLOWED


def test_refuses_a_message_once_the_certificate_has_ended() -> None:
    with pytest.raises(Rejected) as caught:
        check().verify(sent(VECTORS["messages"][2]["body"]), datetime(2026, 10, 15, tzinfo=UTC))
    assert caught.value.code is Code.CREDENTIAL_EXPIRED
