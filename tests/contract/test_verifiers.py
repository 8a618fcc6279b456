"""Every kind of check against the contract. A new kind is one class here."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

from connector.ports import Verifier
from connector.private import Secret
from connector.verify import Algorithm, AllOf, Basic, Bearer, Encoding, Hmac, StaticHeader, Unit, Window
from tests.contract.verifier_contract import Headers, Kind, SharedValueContract, SignedContract, TimedContract

Spell = Callable[[str], str]


def sent_hmac(secret: Secret, content: bytes, algorithm: str) -> bytes:
    return hmac.new(secret.reveal().encode(), content, getattr(hashlib, algorithm)).digest()


class TestStaticHeader(SharedValueContract):
    kind = Kind(
        make=lambda secrets, spell: StaticHeader(spell("x-onetrust-secret"), secrets),
        send=lambda secret, body, at: {"x-onetrust-secret": secret.reveal()},
        header="x-onetrust-secret",
        principal="header",
    )


class TestStaticHeaderWithAPrefix(SharedValueContract):
    kind = Kind(
        make=lambda secrets, spell: StaticHeader(spell("authorization"), secrets, prefix="Token "),
        send=lambda secret, body, at: {"authorization": f"Token {secret.reveal()}"},
        header="authorization",
        principal="header",
    )


class TestBearer(SharedValueContract):
    kind = Kind(
        make=lambda secrets, spell: Bearer(secrets),
        send=lambda secret, body, at: {"authorization": f"Bearer {secret.reveal()}"},
        header="authorization",
        principal="bearer",
    )


class TestBasic(SharedValueContract):
    kind = Kind(
        make=lambda secrets, spell: Basic("onetrust", secrets),
        send=lambda secret, body, at: {
            "authorization": "Basic " + base64.b64encode(f"onetrust:{secret.reveal()}".encode()).decode()
        },
        header="authorization",
        principal="basic",
    )


class TestHmacOverTimestampAndBody(TimedContract):
    @staticmethod
    def send(secret: Secret, body: bytes, at: datetime) -> Headers:
        stamp = str(int(at.timestamp()))
        signature = sent_hmac(secret, f"{stamp}.".encode() + body, "sha256").hex()
        return {"x-onetrust-signature": signature, "x-onetrust-timestamp": stamp}

    @staticmethod
    def make(secrets: tuple[Secret, ...], spell: Spell) -> Verifier:
        return Hmac(secrets, header=spell("X-OneTrust-Signature"), window=Window(spell("X-OneTrust-Timestamp")))

    kind = Kind(make, send, header="x-onetrust-signature", principal="hmac")


class TestHmacWithEverySettingOtherThanTheDefault(TimedContract):
    stamp = "x-sent-at"

    @staticmethod
    def send(secret: Secret, body: bytes, at: datetime) -> Headers:
        stamp = str(int(at.timestamp() * 1000))
        signature = base64.b64encode(sent_hmac(secret, f"{stamp}::".encode() + body, "sha512")).decode()
        return {"x-signed": f"v1={signature}", "x-sent-at": stamp}

    @staticmethod
    def make(secrets: tuple[Secret, ...], spell: Spell) -> Verifier:
        return Hmac(
            secrets,
            header=spell("X-Signed"),
            algorithm=Algorithm.SHA512,
            encoding=Encoding.BASE64,
            prefix="v1=",
            window=Window(spell("X-Sent-At"), Unit.MILLISECONDS, tolerance_s=300),
            separator="::",
        )

    kind = Kind(make, send, header="x-signed", principal="hmac")


class TestHmacOverTheBodyAlone(SignedContract):
    """Not timed: without a timestamp under the signature there is nothing to limit."""

    kind = Kind(
        make=lambda secrets, spell: Hmac(secrets, header=spell("X-Hub-Signature-256"), prefix="sha256=", window=None),
        send=lambda secret, body, at: {"x-hub-signature-256": "sha256=" + sent_hmac(secret, body, "sha256").hex()},
        header="x-hub-signature-256",
        principal="hmac",
    )


class TestAllOfOneCheckIsThatCheck(TimedContract):
    kind = Kind(
        make=lambda secrets, spell: AllOf((TestHmacOverTimestampAndBody.make(secrets, spell),)),
        send=TestHmacOverTimestampAndBody.send,
        header="x-onetrust-signature",
        principal="hmac",
    )
