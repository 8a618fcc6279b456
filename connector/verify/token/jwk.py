"""Keys that check tokens: each bound to the algorithms of its kind, by what it is and by what its publisher says.

Signatures are checked by PyJWT's algorithms, over keys of the `cryptography` package. A shared secret never becomes a
public key or the reverse: what a key is decides which algorithms it serves (RFC 8725 section 3.1).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt import PyJWK, PyJWTError
from jwt.algorithms import get_default_algorithms

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Secret
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.key_format import MIN_RSA_BITS

# OpenSSL refuses longer ones too.
MAX_RSA_BITS: Final = 16_384

_PRINTABLE: Final = re.compile(r"[!-~]{1,100}")
_MAX_MEMBER_CHARS: Final = 3_000


class TokenAlgorithm(StrEnum):
    """The signature algorithms of RFC 7518, RFC 8037 and RFC 9864 that can be allowed. There is no `none`."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"
    ED25519 = "Ed25519"
    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"

    @property
    def is_shared(self) -> bool:
        """Whether both sides hold the same secret, so that the receiver could sign too."""
        return self.value.startswith("HS")

    @property
    def min_secret_bytes(self) -> int:
        """The least length of a shared secret: that of the hash (RFC 7518 section 3.2)."""
        return int(self.value.removeprefix("HS")) // 8


_LIBRARY: Final = get_default_algorithms()
_OF_RSA: Final = frozenset(one for one in TokenAlgorithm if one.value[:2] in {"RS", "PS"})
_OF_CURVES: Final = {
    "secp256r1": frozenset({TokenAlgorithm.ES256}),
    "secp384r1": frozenset({TokenAlgorithm.ES384}),
    "secp521r1": frozenset({TokenAlgorithm.ES512}),
}
_OF_ED25519: Final = frozenset({TokenAlgorithm.EDDSA, TokenAlgorithm.ED25519})
_OF_SECRETS: Final = frozenset(one for one in TokenAlgorithm if one.is_shared)

PublicMaterial: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey
_PUBLIC: Final = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, Ed25519PublicKey)

# Everything else in a JWK, private parts and certificates included, is not looked at.
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}


def require_one_kind(algorithms: Collection[TokenAlgorithm]) -> None:
    """Raise `Misconfigured` for no algorithm, or for algorithms of public keys beside those of shared secrets."""
    if not algorithms:
        raise Misconfigured(Code.CONFIG_INVALID, "jws: name the algorithms that are accepted")
    if len({one.is_shared for one in algorithms}) > 1:
        raise Misconfigured(
            Code.CONFIG_INVALID,
            "jws: accept HS256, HS384 and HS512 or algorithms of public keys, not both: a public key is no secret",
        )


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One key.

    Attributes:
        holder: its id and the time in which it counts; a published key counts as long as it is published.
        key_id: the `kid` by which a token may name it; None if it has none.
        material: the public key, or the bytes of a shared secret.
        algorithms: all that it serves.
    """

    holder: Secret
    key_id: str | None
    material: PublicMaterial | bytes = field(repr=False)
    algorithms: frozenset[TokenAlgorithm]

    def could_be(self, key_id: str | None, algorithm: TokenAlgorithm) -> bool:
        """Whether a token that names a key, or none, may be checked with this one."""
        named = key_id is not None and self.key_id is not None
        return algorithm in self.algorithms and (not named or key_id == self.key_id)

    def matches(self, algorithm: TokenAlgorithm, signed: bytes, signature: bytes) -> bool:
        library = _LIBRARY["EdDSA" if algorithm is TokenAlgorithm.ED25519 else algorithm.value]
        try:
            return library.verify(signed, self.material, signature)
        except (ValueError, TypeError):  # a signature of another length or form
            return False


def algorithms_of(material: object) -> frozenset[TokenAlgorithm]:
    """Return the algorithms that a key of this kind serves; none for an RSA key that is too short or too long."""
    if isinstance(material, bytes):
        return frozenset(one for one in _OF_SECRETS if len(material) >= one.min_secret_bytes)
    if isinstance(material, rsa.RSAPublicKey):
        return _OF_RSA if MIN_RSA_BITS <= material.key_size <= MAX_RSA_BITS else frozenset()
    if isinstance(material, ec.EllipticCurvePublicKey):
        return _OF_CURVES.get(material.curve.name, frozenset())
    return _OF_ED25519 if isinstance(material, Ed25519PublicKey) else frozenset()


def material_of_pem(text: bytes) -> PublicMaterial | None:
    """Return the public key that PEM text holds, or None."""
    try:
        loaded = load_pem_public_key(text.strip())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return loaded if isinstance(loaded, _PUBLIC) else None


def material_of_jwk(jwk: Mapping[str, object]) -> PublicMaterial | None:
    """Return the public key that a JWK holds (RFC 7517, RFC 8037), or None; private and shared parts are left out."""
    kind = jwk.get("kty")
    names = _MEMBERS.get(kind, ()) if isinstance(kind, str) else ()
    members = {name: jwk.get(name) for name in names}
    if not members or not all(_is_base64url(value) for value in members.values()):
        return None
    try:
        key = PyJWK({"kty": kind, "crv": jwk.get("crv"), **members}).key
    except (PyJWTError, ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, _PUBLIC) else None


def uses_of_jwk(jwk: Mapping[str, object]) -> frozenset[TokenAlgorithm]:
    """Return the algorithms for which its publisher lets a JWK check signatures (RFC 7517 sections 4.2 to 4.4)."""
    if jwk.get("use", "sig") != "sig":
        return frozenset()
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return frozenset()
    only = jwk.get("alg")
    return frozenset(TokenAlgorithm) if only is None else frozenset(one for one in TokenAlgorithm if one == only)


def published_key(jwk: Mapping[str, object], place: str, wanted: Collection[TokenAlgorithm]) -> TokenKey | None:
    """Return a published key if it serves one of the wanted algorithms.

    Args:
        place: what stands before the key's name in its id.
        wanted: nothing is built for a key that serves none of these.
    """
    uses = uses_of_jwk(jwk).intersection(wanted)
    material = material_of_jwk(jwk) if uses else None
    if material is None:
        return None
    key_id = jwk.get("kid")
    name = key_id if isinstance(key_id, str) else None
    algorithms = uses & algorithms_of(material)
    return TokenKey(Secret("", id_of(name, material, place)), name, material, algorithms) if algorithms else None


def id_of(name: str | None, material: PublicMaterial, place: str) -> str:
    """Return how the record of a delivery names a published key: by its `kid`, else by the start of its SHA-256."""
    if name is None or _PRINTABLE.fullmatch(name) is None:
        encoded = material.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        name = f"sha256:{hashlib.sha256(encoded).hexdigest()[:16]}"
    return f"{place}#{name}"


def _is_base64url(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _MAX_MEMBER_CHARS:
        return False
    return decode(value, SignatureEncoding.BASE64URL) is not None
