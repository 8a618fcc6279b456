"""A sender of HTTP message signatures, written from RFC 9421 sections 2 and 3 and RFC 9530 section 2."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.private import Secret
from connector.verify.key_format import KeyFormat
from connector.verify.message.key import MessageAlgorithm, SenderKey
from tests.contract.subjects.subject import CONTENT, CURRENT, NOW, URL, Sent

#: The name of a key that is not the sender's.
ATTACKER: Final = "attacker"
KEYS_URL: Final = "https://keys.example.com/jwks.json"
HOST: Final = "connector.example.com"
ELSEWHERE: Final = "https://other.example.org/webhooks/privacy?tenant=7"
DEFAULT: Final = ('"@method"', '"@target-uri"', '"content-digest"')
PARTS: Final = ('"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"', '"content-type"')


def seed(name: str) -> bytes:
    return hashlib.sha256(f"message key {name}".encode()).digest()


def ed25519(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed(name))


def on_curve(name: str, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(seed(name), "big"), curve)


def pem(public: Any) -> str:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def raw_ecdsa(key: ec.EllipticCurvePrivateKey, base: bytes, digest: hashes.HashAlgorithm) -> bytes:
    size = key.key_size // 8
    r, s = decode_dss_signature(key.sign(base, ec.ECDSA(digest)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


@dataclass(frozen=True)
class Kind:
    """One algorithm: how a key by its name signs, and how it is configured."""

    algorithm: MessageAlgorithm
    sign: Callable[[str, bytes], bytes]
    configured: Callable[[str], str]
    written: KeyFormat = KeyFormat.PEM

    def key(self, key_id: str, *names: str) -> SenderKey:
        secrets = tuple(Secret(self.configured(name), f"test:{name}") for name in names)
        return SenderKey(key_id, self.algorithm, secrets, self.written)


ED25519: Final = Kind(
    MessageAlgorithm.ED25519, lambda name, base: ed25519(name).sign(base), lambda name: pem(ed25519(name).public_key())
)
P256: Final = Kind(
    MessageAlgorithm.ECDSA_P256,
    lambda name, base: raw_ecdsa(on_curve(name, ec.SECP256R1()), base, hashes.SHA256()),
    lambda name: pem(on_curve(name, ec.SECP256R1()).public_key()),
)
P384: Final = Kind(
    MessageAlgorithm.ECDSA_P384,
    lambda name, base: raw_ecdsa(on_curve(name, ec.SECP384R1()), base, hashes.SHA384()),
    lambda name: pem(on_curve(name, ec.SECP384R1()).public_key()),
)
HMAC: Final = Kind(
    MessageAlgorithm.HMAC,
    lambda name, base: hmac.new(seed(name), base, hashlib.sha256).digest(),
    lambda name: base64.b64encode(seed(name)).decode(),
    KeyFormat.BASE64,
)


def digest_of(content: bytes, name: str = "sha-256") -> str:
    made = hashlib.new(name.replace("-", ""), content).digest()
    return f"{name}=:{base64.b64encode(made).decode()}:"


@dataclass(frozen=True)
class Draft:
    """A message about to be signed. `line` says what a component stands for, where the defaults do not know it."""

    components: tuple[str, ...] = DEFAULT
    parameters: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    url: str = URL
    headers: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)
    label: str = "sig1"

    def parts(self, content: bytes) -> dict[str, str]:
        rest = self.url.partition("://")[2]
        authority, _, target = rest.partition("/")
        path, _, query = target.partition("?")
        known = {
            '"@method"': self.method,
            '"@target-uri"': self.url,
            '"@authority"': authority,
            '"@scheme"': "https",
            '"@path"': f"/{path}",
            '"@query"': f"?{query}",
            '"@request-target"': f"/{target}",
        }
        named = {f'"{name.lower()}"': value for name, value in self.fields(content).items()}
        return {**known, **named, **self.lines}

    def fields(self, content: bytes) -> dict[str, str]:
        return {"Content-Type": "application/json", "Content-Digest": digest_of(content), **self.headers}

    def params(self, at: datetime, key_id: str) -> str:
        given = {"created": str(int(at.timestamp())), "keyid": f'"{key_id}"', **self.parameters}
        listed = "".join(f";{name}={value}" for name, value in given.items() if value)
        return f"({' '.join(self.components)}){listed}"

    def base(self, content: bytes, at: datetime, key_id: str) -> bytes:
        parts = self.parts(content)
        lines = [f"{name}: {parts[name]}" for name in self.components]
        return "\n".join([*lines, f'"@signature-params": {self.params(at, key_id)}']).encode()

    def sent(
        self, sign: Callable[[bytes], bytes], key_id: str, content: bytes = CONTENT, at: datetime = NOW, url: str = ""
    ) -> Sent:
        signature = base64.b64encode(sign(self.base(content, at, key_id))).decode()
        headers = {
            **self.fields(content),
            "Signature-Input": f"{self.label}={self.params(at, key_id)}",
            "Signature": f"{self.label}=:{signature}:",
        }
        return Sent(headers, content, url=url or self.url, method=self.method)


def by(kind: Kind, name: str = CURRENT) -> Callable[[bytes], bytes]:
    return lambda base: kind.sign(name, base)


def good(draft: Draft | None = None, kind: Kind = ED25519, name: str = CURRENT, **more: Any) -> Sent:
    return (draft or Draft()).sent(by(kind, name), f"key-{name}", **more)


def changed(sent: Sent, **headers: str) -> Sent:
    return replace(sent, headers={**sent.headers, **{name.replace("_", "-"): text for name, text in headers.items()}})


def both(one: Sent, other: Sent) -> Sent:
    """Put the signatures of both into the message of the first."""
    joined = {name: f"{one.headers[name]}, {other.headers[name]}" for name in ("Signature-Input", "Signature")}
    return replace(one, headers={**one.headers, **joined})


def jwk_of(name: str, key_id: str = "", **more: object) -> dict[str, object]:
    """Return a key as it is published (RFC 8037 section 2)."""
    raw = ed25519(name).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key_id or f"key-{name}", **more}


def key_set(*jwks: Mapping[str, object]) -> bytes:
    return json.dumps({"keys": jwks}).encode()
