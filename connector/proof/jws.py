"""JSON Web Signatures in compact form (RFC 7515) with Ed25519 (RFC 8037), of one kind and no other.

Written out here because it is one algorithm, one header and no choice: what a general library leaves open, such as
other algorithms, spellings of base64 or members of the header, is refused. The tests hold it against two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector.proof import canonical
from connector.proof.keys import PublicKey, SigningKey, b64url, un_b64url
from connector.proof.verdict import Flaw, Refuted

_PARTS: Final = 3


def sign(payload: bytes, typ: str, key: SigningKey) -> str:
    """Return the signed payload."""
    signed = f"{b64url(_header(typ, key.public))}.{b64url(payload)}"
    return f"{signed}.{b64url(key.sign(signed.encode()))}"


def open_signed(token: str, typ: str, keys: Sequence[PublicKey]) -> tuple[bytes, PublicKey]:
    """Return the payload, and which of the keys has signed it.

    Raises:
        Refuted: it is malformed, of another kind, of an unknown key, or was changed.
    """
    parts = token.split(".")
    data = [un_b64url(one) for one in parts]
    if len(parts) != _PARTS or any(one is None for one in data):
        raise Refuted(Flaw.JWS_MALFORMED, "three parts in base64url are expected")
    header, payload, signature = (one or b"" for one in data)
    key = _named(header, typ, keys)
    if not key.verifies(signature, f"{parts[0]}.{parts[1]}".encode()):
        raise Refuted(Flaw.SIGNATURE_WRONG, "the signature of the statement")
    return payload, key


def _named(header: bytes, typ: str, keys: Sequence[PublicKey]) -> PublicKey:
    """Return the key that a header names; the header has to be exactly what we would have written for it."""
    for one in keys:
        if header == _header(typ, one):
            return one
    said = canonical.read_object(header)
    if said.keys() == {"alg", "kid", "typ"} and (said["alg"], said["typ"]) == ("EdDSA", typ):
        raise Refuted(Flaw.KEY_UNKNOWN, "signed by a key that was not given")
    raise Refuted(Flaw.JWS_MALFORMED, "the header is none of this kind")


def _header(typ: str, key: PublicKey) -> bytes:
    return canonical.write({"alg": "EdDSA", "kid": key.kid, "typ": typ})
