"""Messages of Amazon SNS under the contract. Each key is a certificate at an address of its own, as SNS has them."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives import hashes

from connector.errors import Temporary
from connector.model import Document, KeyAddress
from connector.verify.sns import Sns
from connector.verify.stamp import Tolerance
from tests.contract.subjects.subject import CONTENT, CURRENT, NEXT, NOW, RETIRED, Sent, Subject
from tests.support.certificates import Holder, certificate
from tests.support.documents import PublishedDocuments

TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:erasures"
HOST: Final = "sns.us-east-1.amazonaws.com"
FILES: Final = {
    CURRENT: f"https://{HOST}/SimpleNotificationService-01.pem",
    NEXT: f"https://{HOST}/SimpleNotificationService-02.pem",
    # What it signed once names the certificate of today.
    RETIRED: f"https://{HOST}/SimpleNotificationService-01.pem",
}


class AtAmazon(PublishedDocuments):
    """Answers every other address with a certificate that has nothing to do with it."""

    def get(self, address: KeyAddress, now: datetime) -> Document:
        try:
            return super().get(address, now)
        except Temporary:
            return Document(address, certificate("www.example.com").pem, now)

    def renew(self, seen: Document, now: datetime) -> Document | None:
        return super().renew(seen, now) if seen.address.url in self.published else None


def holder(key: str) -> Holder:
    return certificate("sns.amazonaws.com", key=f"sns {key}")


def verifier(*keys: str, topics: tuple[str, ...] = (TOPIC,)) -> Sns:
    return Sns(topics, AtAmazon({FILES[key]: holder(key).pem for key in keys}))


def sent(key: str = CURRENT, at: datetime = NOW, content: bytes = CONTENT, version: str = "2", **other: str) -> Sent:
    message: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Erasure",
        "Message": content.decode(),
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z",
    }
    message |= {name: value for name, value in other.items() if name in message}
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    text = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    message |= {
        "SignatureVersion": version,
        "Signature": base64.b64encode(holder(key).sign(text, digest)).decode(),
        "SigningCertURL": FILES[key],
        "UnsubscribeURL": f"https://{HOST}/?Action=Unsubscribe",
    }
    message |= {name: value for name, value in other.items() if name in ("SigningCertURL", "SignatureVersion")}
    return Sent({"x-amz-sns-message-type": "Notification"}, json.dumps(message, indent=2).encode())


SUBJECTS: Final = (
    Subject(
        name="Amazon SNS",
        primitive="rsa-pkcs1",
        verifier=verifier,
        send=lambda key, content, at: sent(key, at, content),
        credentials=(),
        secret_id=lambda key: f"{HOST}:{holder(key).short_id}",
        window_s=(7_200, 300),
        confused={
            "SHA-1": lambda: sent(version="1"),
            "SHA-1 that says SHA-256": lambda: sent(version="1", SignatureVersion="2"),
            "SHA-256 that says SHA-1": lambda: sent(SignatureVersion="1"),
            "a topic of somebody else": lambda: sent(TopicArn="arn:aws:sns:us-east-1:210987654321:erasures"),
            "a certificate elsewhere": lambda: sent(SigningCertURL="https://sns.s3.amazonaws.com/a.pem"),
            "a certificate of somebody else": lambda: sent(SigningCertURL=f"https://{HOST}/other.pem"),
            "a certificate of another region": lambda: sent(SigningCertURL=FILES[CURRENT].replace("east", "west")),
            "an unknown type": lambda: sent(Type="Confirmation"),
        },
        misconfigured={
            "no topic": lambda: verifier(CURRENT, topics=()),
            "every topic": lambda: verifier(CURRENT, topics=("*",)),
            "a FIFO topic": lambda: verifier(CURRENT, topics=(f"{TOPIC}.fifo",)),
            "seconds": lambda: Sns((TOPIC,), PublishedDocuments(), window=Tolerance()),
        },
    ),
)
