"""A sender of tokens, written against RFC 7515 and RFC 7518 with the standard library and `cryptography`.

It shares no code with the checks, and makes the tokens of attackers as readily as good ones.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES: Final = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segment(value: Any) -> str:
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


@dataclass(frozen=True)
class Signer:
    """A key of a sender: `name` is its kid."""

    name: str
    key: Private | bytes

    @property
    def public(self) -> Any:
        assert not isinstance(self.key, bytes)
        return self.key.public_key()

    @property
    def pem(self) -> str:
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def der(self) -> bytes:
        return self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def jwk(self, **more: Any) -> dict[str, Any]:
        return {**members(self.key), "kid": self.name, **more}

    def raw(self, algorithm: str, signed: bytes) -> bytes:
        """Return the signature of some bytes (RFC 7518 section 3, RFC 8037 section 3.1)."""
        key, bits = self.key, algorithm[-3:]
        if isinstance(key, bytes):
            return hmac.new(key, signed, f"sha{bits}").digest()
        if isinstance(key, Ed25519PrivateKey):
            return key.sign(signed)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.key_size + 7) // 8
            r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(HASHES[bits])))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if algorithm.startswith("PS"):
            digest = HASHES[bits]
            return key.sign(signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(signed, padding.PKCS1v15(), HASHES[bits])

    def token(self, algorithm: str, payload: Any, **header: Any) -> str:
        """Return a token in compact form; the payload is bytes, or anything that JSON can hold."""
        signed = f"{segment({'alg': algorithm, 'kid': self.name, **header})}.{segment(payload)}"
        return f"{signed}.{b64(self.raw(algorithm, signed.encode()))}"

    def detached(self, algorithm: str, body: bytes, **header: Any) -> str:
        """Return a token whose payload stands outside (RFC 7515 appendix F, RFC 7797)."""
        protected = segment({"alg": algorithm, "kid": self.name, **header})
        middle = body if header.get("b64") is False else b64(body).encode()
        return f"{protected}..{b64(self.raw(algorithm, protected.encode() + b'.' + middle))}"


def members(key: Private | bytes) -> dict[str, Any]:
    """Return the public members of a JWK (RFC 7517), of a shared secret the secret itself."""
    if isinstance(key, bytes):
        return {"kty": "oct", "k": b64(key)}
    if isinstance(key, Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": b64(_bytes(numbers.n)), "e": b64(_bytes(numbers.e))}
    point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
    coordinates = {name: b64(getattr(point, name).to_bytes(size, "big")) for name in ("x", "y")}
    return {"kty": "EC", "crv": NAMES[key.curve.name], **coordinates}


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


@cache
def signer(name: str, algorithm: str, bits: int = 2_048) -> Signer:
    """Return the key of that name, the same one throughout a run."""
    if algorithm.startswith("HS"):
        return Signer(name, hashlib.sha512(f"a secret for tests: {name}".encode()).digest())
    if algorithm.startswith("ES"):
        return Signer(name, ec.generate_private_key(CURVES[algorithm]))
    if algorithm.startswith("Ed"):
        return Signer(name, Ed25519PrivateKey.generate())
    return Signer(name, rsa.generate_private_key(65_537, bits))
