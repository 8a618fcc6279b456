"""Keys as they are configured: decoded, measured and bound to one algorithm, or refused at the start with the mend.

A refusal names the id of the secret, never a part of it.
"""

from __future__ import annotations

import base64
import re
from enum import StrEnum
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Secret
from connector.verify.keys import Algorithm, DigestKey, EcdsaKey, Ed25519Key, Key, MacKey, PublicKey, RsaKey

MIN_SECRET_BYTES: Final = 16
MAX_SECRET_BYTES: Final = 1_024
MIN_RSA_BITS: Final = 2_048

_ED25519_BYTES: Final = 32
_BASE64_TEXT: Final = re.compile(r"[0-9A-Za-z+/]+={0,2}")
_BASE64URL_TEXT: Final = re.compile(r"[0-9A-Za-z_-]+={0,2}")
_HEX_TEXT: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_CURVES: Final[dict[Algorithm, tuple[type[ec.EllipticCurve], bool]]] = {
    Algorithm.ECDSA_P256: (ec.SECP256R1, False),
    Algorithm.ECDSA_P256_RAW: (ec.SECP256R1, True),
    Algorithm.ECDSA_P384: (ec.SECP384R1, False),
    Algorithm.ECDSA_P384_RAW: (ec.SECP384R1, True),
}
_PADDINGS: Final = {Algorithm.RSA_PKCS1_SHA256: False, Algorithm.RSA_PSS_SHA256: True}


class KeyFormat(StrEnum):
    """How a secret or a public key is written in the settings.

    `whsec` and `whpk` are Base64 behind that prefix and an underscore. Encoded public keys are the 32 raw bytes of
    Ed25519 or a SubjectPublicKeyInfo.
    """

    UTF8 = "utf8"
    HEX = "hex"
    BASE64 = "base64"
    BASE64URL = "base64url"
    WHSEC = "whsec"
    WHPK = "whpk"
    PEM = "pem"


SECRET_FORMATS: Final = frozenset(
    {KeyFormat.UTF8, KeyFormat.HEX, KeyFormat.BASE64, KeyFormat.BASE64URL, KeyFormat.WHSEC}
)
PUBLIC_FORMATS: Final = frozenset({KeyFormat.PEM, KeyFormat.WHPK, KeyFormat.BASE64, KeyFormat.BASE64URL, KeyFormat.HEX})


def make_key(secret: Secret, algorithm: Algorithm, form: KeyFormat, at_least: int, at_most: int) -> Key:
    """Return the key that `secret` holds.

    Args:
        secret: a shared secret, or a public key (which is no secret, but is configured like one).
        algorithm: the only one that this key will serve.
        form: how it is written.
        at_least: bytes of a shared secret after decoding.
        at_most: the same.

    Raises:
        Misconfigured: it cannot be read, is too short or too long, or is a key of another kind. Names the id only.
    """
    if not algorithm.hash_name:
        return _public(secret, algorithm, form)
    text = secret.reveal()
    if "-----BEGIN" in text or text.startswith("whpk_"):
        raise _wrong(secret, "is a public key; an HMAC needs the shared secret")
    key = _decode(secret, form)
    if not at_least <= len(key) <= at_most:
        raise _wrong(secret, f"has to have {at_least} to {at_most} bytes; make a new one on both sides")
    if algorithm is Algorithm.DIGEST_SHA256:
        return DigestKey(secret.id, key, algorithm.hash_name)
    return MacKey(secret.id, key, algorithm.hash_name)


def _public(secret: Secret, algorithm: Algorithm, form: KeyFormat) -> PublicKey:
    text = secret.reveal()
    if "PRIVATE KEY" in text or text.startswith("whsk_"):
        raise _wrong(secret, "is a private key; only the sender has it, configure the public one")
    loaded = _load(secret, form, algorithm)
    if algorithm is Algorithm.ED25519 and isinstance(loaded, Ed25519PublicKey):
        return Ed25519Key(secret.id, loaded)
    if algorithm in _CURVES and isinstance(loaded, ec.EllipticCurvePublicKey):
        curve, raw = _CURVES[algorithm]
        if isinstance(loaded.curve, curve):
            return EcdsaKey(secret.id, loaded, raw)
    if algorithm in _PADDINGS and isinstance(loaded, rsa.RSAPublicKey):
        if loaded.key_size < MIN_RSA_BITS:
            raise _wrong(secret, f"has fewer than {MIN_RSA_BITS} bits")
        return RsaKey(secret.id, loaded, _PADDINGS[algorithm])
    raise _wrong(secret, f"is not a key for {algorithm}")


def _load(secret: Secret, form: KeyFormat, algorithm: Algorithm) -> PublicKeyTypes:
    try:
        if form is KeyFormat.PEM:
            return load_pem_public_key(secret.reveal().strip().encode())
        key = _decode(secret, form)
        if algorithm is Algorithm.ED25519 and len(key) == _ED25519_BYTES:
            return Ed25519PublicKey.from_public_bytes(key)
        return load_der_public_key(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _wrong(secret, f"is not a public key written as {form}") from None


def _decode(secret: Secret, form: KeyFormat) -> bytes:
    text = secret.reveal()
    if not text.strip():
        raise _wrong(secret, "is empty")
    if form is KeyFormat.UTF8:
        try:
            return text.encode()
        except UnicodeEncodeError:
            raise _wrong(secret, "is not UTF-8 text") from None
    if form in {KeyFormat.WHSEC, KeyFormat.WHPK}:
        text = text.removeprefix(f"{form}_")
    if form is KeyFormat.HEX and _HEX_TEXT.fullmatch(text) is not None:
        return bytes.fromhex(text)
    pattern, alphabet = (_BASE64URL_TEXT, b"-_") if form is KeyFormat.BASE64URL else (_BASE64_TEXT, b"+/")
    if form is not KeyFormat.HEX and pattern.fullmatch(text) is not None:
        # Senders print keys with and without padding; the reference libraries take both.
        bare = text.rstrip("=")
        try:
            return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=alphabet)
        except ValueError:
            pass
    raise _wrong(secret, f"is not written as {form}")


def _wrong(secret: Secret, why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"secret {secret.id} {why}")
