"""Keys of HTTP message signatures that a sender publishes as a JWK Set (RFC 7517 section 5).

The address and the algorithm come from the settings. A signature only names one of the keys that stand there, by its
`kid`; a JWK that says something else about its use is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.codes import Code
from connector.errors import Misconfigured, Temporary
from connector.model import Document, KeyAddress
from connector.ports import Documents
from connector.private import Secret
from connector.verify.message.key import MessageAlgorithm, SenderKey
from connector.verify.strict_json import read_object
from connector.verify.token.jwk import TokenAlgorithm, TokenKey, published_key
from connector.verify.token.key_places import host_of, is_address

#: As for tokens: a large sender publishes about ten.
MAX_PUBLISHED_KEYS: Final = 100

# What `alg` of a JWK says (RFC 7518 section 3.1, RFC 8037, RFC 9864) in the words of RFC 9421.
_IN_JWK: Final[dict[MessageAlgorithm, tuple[TokenAlgorithm, ...]]] = {
    MessageAlgorithm.ED25519: (TokenAlgorithm.EDDSA, TokenAlgorithm.ED25519),
    MessageAlgorithm.ECDSA_P256: (TokenAlgorithm.ES256,),
    MessageAlgorithm.ECDSA_P384: (TokenAlgorithm.ES384,),
    MessageAlgorithm.RSA_PSS: (TokenAlgorithm.PS512,),
    MessageAlgorithm.RSA_V1_5: (TokenAlgorithm.RS256,),
}


@dataclass(frozen=True, slots=True)
class KeySet:
    """A sender's published keys, all for one algorithm.

    Raises:
        Misconfigured: an address that is not safe, or HMAC, whose secrets nobody publishes.
    """

    documents: Documents = field(repr=False)
    address: KeyAddress
    algorithm: MessageAlgorithm

    def __post_init__(self) -> None:
        if self.algorithm not in _IN_JWK:
            raise _wrong(f"{self.algorithm} has no keys that could be published")
        if not is_address(self.address.url):
            raise _wrong("keys are read from https://HOST only, or http:// on a loopback address")

    def read(self, now: datetime) -> Document:
        """Return what is published, or raise `Temporary` with `keys_unavailable`; also if that is no JWK Set."""
        document: Document | None = self.documents.get(self.address, now)
        if document is not None and _listed(document) is None:
            document = self.documents.renew(document, now)
        if document is None or _listed(document) is None:
            raise Temporary(Code.KEYS_UNAVAILABLE, f"{host_of(self.address.url)} publishes no JWK Set")
        return document

    def read_again(self, seen: Document, now: datetime) -> Document | None:
        """Return what is published by now, because nothing in `seen` did fit; None if it is too soon to ask."""
        return self.documents.renew(seen, now)

    def key(self, document: Document, key_id: str) -> SenderKey | None:
        """Return the key of this id; several of one id count as a rotation. None if there is none that may be used."""
        place = host_of(document.address.url)
        named = (jwk for jwk in _listed(document) or () if isinstance(jwk, dict) and jwk.get("kid") == key_id)
        found = [published_key(jwk, place, _IN_JWK[self.algorithm]) for jwk in named]
        secrets = tuple(_secret(one) for one in found if one is not None)
        try:
            return SenderKey(key_id, self.algorithm, secrets)
        except Misconfigured:  # nothing is found, or an id that a signature cannot carry
            return None


def _listed(document: Document) -> list[object] | None:
    listed = (read_object(document.body) or {}).get("keys")
    return listed if isinstance(listed, list) and len(listed) <= MAX_PUBLISHED_KEYS else None


def _secret(key: TokenKey) -> Secret:
    assert not isinstance(key.material, bytes)
    return Secret(key.material.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), key.holder.id)


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"http-message-signature: {why}")
