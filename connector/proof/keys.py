"""Ed25519 keys (RFC 8032) that sign receipts and checkpoints, and their public halves as JSON Web Keys (RFC 8037).

A key is named by its thumbprint (RFC 7638), which nobody has to hand out and which cannot come twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connector.proof import canonical
from connector.proof.verdict import Flaw, Refuted

_RAW_BYTES: Final = 32
_MOST_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; `raw` are its 32 bytes by RFC 8032."""

    raw: bytes

    @property
    def kid(self) -> str:
        """The thumbprint of the key (RFC 8037, appendix A.3)."""
        return b64url(hashlib.sha256(canonical.write(self._members)).digest())

    @property
    def _members(self) -> dict[str, str]:
        return {"crv": "Ed25519", "kty": "OKP", "x": b64url(self.raw)}

    def jwk(self) -> dict[str, str]:
        """Return the key as it is published."""
        return {**self._members, "alg": "EdDSA", "kid": self.kid, "use": "sig"}

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Say whether the key has signed the data."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A private key. It never leaves this object but as a signature."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(private.public_key().public_bytes_raw())

    @classmethod
    def from_pem(cls, text: str) -> SigningKey:
        """Read a private key in PEM (PKCS #8, not encrypted).

        Raises:
            ValueError: it is none, or none of Ed25519. What was found is not shown.
        """
        try:
            private = serialization.load_pem_private_key(text.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("expected a private key in PEM without a password") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("expected an Ed25519 key")  # noqa: TRY004 - a wrong value, of which a caller shows the text
        return cls(private)

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"<signing key {self.public.kid}>"


def new_pem(seed: bytes) -> str:
    """Return a private key as PEM, made from 32 random bytes."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_from_pem(text: str) -> PublicKey:
    """Read a public key in PEM; a private key in its place serves as well.

    Raises:
        ValueError: it is none, or none of Ed25519.
    """
    if "PRIVATE KEY" in text:
        return SigningKey.from_pem(text).public
    try:
        public = serialization.load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("expected a public key in PEM") from None
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError("expected an Ed25519 key")  # noqa: TRY004 - a wrong value, of which a caller shows the text
    return PublicKey(public.public_bytes_raw())


def key_set(keys: Sequence[PublicKey]) -> dict[str, Any]:
    """Return the JSON Web Key Set that is published, the key that signs now first."""
    return {"keys": [one.jwk() for one in dict.fromkeys(keys)]}


def read_keys(data: bytes) -> list[PublicKey]:
    """Read the keys that a verifier was given: a key set, a single JSON Web Key, or PEM. Other kinds are passed over.

    Raises:
        Refuted: there is no Ed25519 key in it.
    """
    try:
        text = data.decode("utf-8-sig").strip()
        if text.startswith("-----BEGIN"):
            return [public_from_pem(text)]
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise Refuted(Flaw.KEY_MALFORMED, "expected a JSON Web Key Set, a JSON Web Key or PEM") from None
    listed = said.get("keys", [said]) if isinstance(said, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise Refuted(Flaw.KEY_MALFORMED, "expected a JSON Web Key Set, a JSON Web Key or PEM")
    found = [key for one in listed if isinstance(one, dict) and (key := _of_jwk(one)) is not None]
    if not found:
        raise Refuted(Flaw.KEY_MALFORMED, "no Ed25519 key in it")
    return found


def _of_jwk(jwk: Mapping[str, Any]) -> PublicKey | None:
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or not isinstance(jwk.get("x"), str):
        return None
    raw = un_b64url(jwk["x"])
    return PublicKey(raw) if raw is not None and len(raw) == _RAW_BYTES else None


def b64url(data: bytes) -> str:
    """Encode as JOSE does: base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def un_b64url(text: str) -> bytes | None:
    """Decode strictly; None for anything that is not the one spelling of its bytes."""
    try:
        data = base64.urlsafe_b64decode(f"{text}{'=' * (-len(text) % 4)}".encode("ascii"))
    except (binascii.Error, ValueError):
        return None
    return data if b64url(data) == text else None
