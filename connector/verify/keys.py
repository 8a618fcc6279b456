"""Keys: each bound to one algorithm, able to check a signature and nothing else.

The algorithm comes from the settings, never from a message. All cryptography is the standard library's `hmac` and the
`cryptography` package's.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_ED25519_SIGNATURE_BYTES: Final = 64
_P256_BITS: Final = 256


class Algorithm(StrEnum):
    """What makes the signature. `digest-*` hashes a text that contains the secret; only old formats do so."""

    HMAC_SHA1 = "hmac-sha1"
    HMAC_SHA256 = "hmac-sha256"
    HMAC_SHA384 = "hmac-sha384"
    HMAC_SHA512 = "hmac-sha512"
    DIGEST_SHA256 = "digest-sha256"
    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P256_RAW = "ecdsa-p256-raw"
    ECDSA_P384 = "ecdsa-p384"
    ECDSA_P384_RAW = "ecdsa-p384-raw"
    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PSS_SHA256 = "rsa-pss-sha256"

    @property
    def hash_name(self) -> str:
        """The hash of an HMAC or digest, as `hashlib` calls it; empty for a public-key algorithm."""
        kind, _, name = self.value.partition("-")
        return name if kind in {"hmac", "digest"} else ""


class Key(Protocol):
    """One live key."""

    @property
    def id(self) -> str: ...

    @property
    def in_content(self) -> bytes:
        """What stands for `{secret}` in the signed content; empty unless the algorithm is a digest."""
        ...

    def could_be(self, signature: bytes) -> bool:
        """Whether a signature of this algorithm can have this length."""
        ...

    def matches(self, signature: bytes, content: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class MacKey:
    id: str
    secret: bytes = field(repr=False)
    hash_name: str
    in_content: bytes = field(default=b"", repr=False)

    def could_be(self, signature: bytes) -> bool:
        return len(signature) == hashlib.new(self.hash_name).digest_size

    def matches(self, signature: bytes, content: bytes) -> bool:
        return hmac.compare_digest(signature, self.make(content))

    def make(self, content: bytes) -> bytes:
        """Return the signature of a content."""
        return hmac.digest(self.secret, content, self.hash_name)


@dataclass(frozen=True, slots=True)
class DigestKey:
    id: str
    in_content: bytes = field(repr=False)
    hash_name: str

    def could_be(self, signature: bytes) -> bool:
        return len(signature) == hashlib.new(self.hash_name).digest_size

    def matches(self, signature: bytes, content: bytes) -> bool:
        return hmac.compare_digest(signature, self.make(content))

    def make(self, content: bytes) -> bytes:
        """Return the digest of a content that holds the secret."""
        return hashlib.new(self.hash_name, content).digest()


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    id: str
    key: Ed25519PublicKey = field(repr=False)
    in_content: bytes = b""

    def could_be(self, signature: bytes) -> bool:
        return len(signature) == _ED25519_SIGNATURE_BYTES

    def matches(self, signature: bytes, content: bytes) -> bool:
        try:
            self.key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class EcdsaKey:
    """ECDSA with the curve's own hash; a signature is DER or, `raw`, r and s at full length behind each other."""

    id: str
    key: ec.EllipticCurvePublicKey = field(repr=False)
    raw: bool
    in_content: bytes = b""

    def could_be(self, signature: bytes) -> bool:
        size = self.key.key_size // 8
        # DER: two integers of at most size + 1 bytes, and at most nine bytes around them.
        return len(signature) == 2 * size if self.raw else len(signature) <= 2 * size + 11

    def matches(self, signature: bytes, content: bytes) -> bool:
        half = self.key.key_size // 8
        if self.raw:
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            signature = encode_dss_signature(r, s)
        digest = hashes.SHA256() if self.key.key_size == _P256_BITS else hashes.SHA384()
        try:
            self.key.verify(signature, content, ec.ECDSA(digest))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class RsaKey:
    """RSA with SHA-256: PKCS #1 v1.5, or PSS with MGF1 of the same hash and a salt of its length (RFC 8017)."""

    id: str
    key: rsa.RSAPublicKey = field(repr=False)
    pss: bool
    in_content: bytes = b""

    def could_be(self, signature: bytes) -> bool:
        return len(signature) == (self.key.key_size + 7) // 8

    def matches(self, signature: bytes, content: bytes) -> bool:
        digest = hashes.SHA256()
        pad = padding.PSS(padding.MGF1(digest), digest.digest_size) if self.pss else padding.PKCS1v15()
        try:
            self.key.verify(signature, content, pad, digest)
        except InvalidSignature:
            return False
        return True


PublicKey: TypeAlias = Ed25519Key | EcdsaKey | RsaKey
