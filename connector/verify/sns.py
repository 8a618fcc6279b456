"""Messages of Amazon SNS to an HTTPS endpoint: a signed envelope of JSON around what the publisher said.

The text that is signed, and what to check besides the signature, stand in the Amazon SNS developer guide, "Verifying
the signatures of Amazon SNS messages". All customers of a region share one signing key, so a good signature says only
that SNS sent the message: what makes it ours is the topic, which has to be on the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.x509 import Certificate

from connector.codes import Code
from connector.errors import Misconfigured, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import Document, KeyAddress, Verified
from connector.ports import Documents
from connector.private import Private
from connector.verify.base import is_encodable
from connector.verify.certificates import Hash, fingerprint, has_signed, is_valid, names_of, read_certificates
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.sns_topic import Topic
from connector.verify.stamp import TimeUnit, Tolerance
from connector.verify.strict_json import read_object

#: SNS repeats a message with its first time, for at most an hour of pauses ("Amazon SNS message delivery retries");
#: attempts that hang and a throttle come on top. What is refused as too old it never sends again.
PAST_S: Final = 7_200
FUTURE_S: Final = 300

_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
#: What is signed of each type of message, in this order.
_SIGNED: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_OPTIONAL: Final = "Subject"
_FREE_TEXT: Final = "Message"
_VERSIONS: Final = {"1": Hash.SHA1, "2": Hash.SHA256}
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_RAW: Final = "x-amz-sns-rawdelivery"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The members of a message that count, all of them text. Nothing is believed yet."""

    type: str
    members: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.members[name]

    @property
    def signed_text(self) -> bytes:
        """The text that is signed: names and values in lines."""
        named = (name for name in _SIGNED[self.type] if name in self.members)
        return "".join(f"{name}\n{self.members[name]}\n" for name in named).encode()


@dataclass(frozen=True, slots=True)
class Sns:
    """A message that SNS signed, of one of the topics.

    Attributes:
        allow_sha1: whether version 1 of the signature will do as well, which hashes with SHA-1.
        window: how far the time of publishing may lie from now.

    Raises:
        Misconfigured: no topic, one that is none, or a time that is not written as SNS writes it.
    """

    topics: tuple[str, ...]
    documents: Documents = field(repr=False)
    allow_sha1: bool = False
    window: Tolerance = field(default_factory=lambda: Tolerance(TimeUnit.ISO8601, PAST_S, FUTURE_S))
    _topics: Mapping[str, Topic] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "topics", tuple(self.topics))
        object.__setattr__(self, "_topics", {arn: Topic(arn) for arn in self.topics})
        if not self.topics:
            raise Misconfigured(Code.CONFIG_INVALID, "sns: name the topics; anybody can make one that SNS signs for")
        if self.window.unit is not TimeUnit.ISO8601:
            raise Misconfigured(Code.CONFIG_INVALID, "sns: the time is written as iso8601")

    @property
    def addresses(self) -> tuple[KeyAddress, ...]:
        """The root of every host that may be called: for certificates, and to confirm a subscription."""
        return tuple(
            KeyAddress(f"https://{host}/") for host in dict.fromkeys(one.host for one in self._topics.values())
        )

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        """Return what was verified: of a notification what was published, of the other types the whole body.

        Raises:
            Rejected: with a 401 code.
            Temporary: `keys_unavailable`: the certificate cannot be had, or cannot be read.
        """
        if inbound.has(_RAW):
            raise Rejected(Code.CREDENTIAL_MISSING, "raw message delivery is on, which carries no signature")
        message = _open(inbound.body)
        topic = self._topics.get(message["TopicArn"])
        if topic is None:
            raise Rejected(Code.CLAIM_WRONG, "member TopicArn: the topic is not allowed")
        digest = self._digest(message)
        signature = decode(message["Signature"], SignatureEncoding.BASE64)
        if signature is None:
            raise _malformed("Signature", "it is not Base64")
        sent_at = self.window.read(message["Timestamp"])
        certificate = self._certificate(topic, message["SigningCertURL"], now)
        if not has_signed(certificate, signature, message.signed_text, digest):
            raise Rejected(Code.CREDENTIAL_WRONG, "member Signature")
        # Only now: what a time says counts once it is known to be the sender's.
        self.window.require_inside(sent_at, now)
        return Verified(
            payload=message[_FREE_TEXT].encode() if message.type == "Notification" else inbound.body,
            principal="sns",
            secret_ids=(f"{topic.host}:{fingerprint(certificate)}",),
            sender_time=sent_at,
            replay_key=f"id:{message['MessageId']}",
            replay_until=self.window.end_of(sent_at),
            confirm_url=_confirmation(topic, message),
        )

    def _digest(self, message: Envelope) -> Hash:
        digest = _VERSIONS.get(message["SignatureVersion"])
        if digest is None:
            raise Rejected(Code.ALGORITHM_NOT_ALLOWED, "member SignatureVersion is neither 1 nor 2")
        if digest is Hash.SHA1 and not self.allow_sha1:
            why = (
                "member SignatureVersion is 1, which hashes with SHA-1: set the topic's attribute SignatureVersion to 2"
            )
            raise Rejected(Code.ALGORITHM_NOT_ALLOWED, why)
        return digest

    def _certificate(self, topic: Topic, url: str, now: datetime) -> Certificate:
        if not topic.may_publish(url):
            raise Rejected(Code.KEY_UNKNOWN, "member SigningCertURL is no file at the host of the topic's region")
        document = self.documents.get(KeyAddress(url), now)
        refusal: Rejected | Temporary
        try:
            return _judge(topic, document, now)
        except (Rejected, Temporary) as error:
            refusal = error
        # A certificate has its own address, so a newer one is no other; but what was kept may have been an error page.
        newer = self.documents.renew(document, now)
        if newer is None:
            raise refusal
        return _judge(topic, newer, now)


def _judge(topic: Topic, document: Document, now: datetime) -> Certificate:
    """Return the certificate as the AWS SDKs accept it: current, and issued to SNS.

    SNS publishes it without those above it, so no path can be built to an authority. What vouches for it is the host it
    was fetched from, by name and over TLS, which the same authorities vouch for.
    """
    chain = read_certificates(document.body)
    if not chain:
        raise Temporary(Code.KEYS_UNAVAILABLE, "what is published at member SigningCertURL is no certificate")
    leaf = chain[0]
    if not names_of(leaf) & topic.signers:
        raise Rejected(Code.KEY_UNKNOWN, "the certificate at member SigningCertURL was not issued to SNS")
    if not is_valid(leaf, now):
        raise Rejected(Code.CREDENTIAL_EXPIRED, "the certificate at member SigningCertURL does not count at this time")
    return leaf


def _confirmation(topic: Topic, message: Envelope) -> Private | None:
    """Return the address that confirms a subscription; nothing undoes the end of one (guide, "HTTP/S endpoints")."""
    if message.type != "SubscriptionConfirmation":
        return None
    if not topic.may_confirm(message["SubscribeURL"]):
        raise Rejected(Code.CLAIM_WRONG, "member SubscribeURL does not lead to the host of the topic's region")
    return Private(message["SubscribeURL"])


def _open(body: bytes) -> Envelope:
    found = read_object(body)
    if found is None:
        raise Rejected(Code.CREDENTIAL_MALFORMED, "the body is no message of SNS")
    kind = _text(found, "Type")
    if kind not in _SIGNED:
        raise _malformed("Type", "it is no type of message that SNS sends")
    names = [name for name in _SIGNED[kind] if name != _OPTIONAL or found.get(name) is not None]
    members = {name: _text(found, name) for name in (*names, "SignatureVersion", "Signature", "SigningCertURL")}
    if _ID.fullmatch(members["MessageId"]) is None:
        raise _malformed("MessageId", "it holds more than letters, digits and hyphens, or is too long")
    return Envelope(kind, members)


def _text(found: Mapping[str, object], name: str) -> str:
    value = found.get(name)
    if value is None or value == "":
        raise Rejected(Code.CREDENTIAL_MISSING, f"member {name}")
    if not isinstance(value, str) or not is_encodable(value):
        raise _malformed(name, "it is no text")
    # With line breaks elsewhere, one signed text could be read as several messages.
    if name != _FREE_TEXT and "\n" in value:
        raise _malformed(name, "it holds a line break")
    return value


def _malformed(name: str, why: str) -> Rejected:
    return Rejected(Code.CREDENTIAL_MALFORMED, f"member {name}: {why}")
