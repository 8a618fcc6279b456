"""Keys of HTTP message signatures, each bound to one algorithm, and the signature base that they sign (RFC 9421).

The base, its components and the algorithms are the library's; everything that decides is ours. The library is not asked
about time, because it reads the machine's clock, and it is shown one signature of a message at a time.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import http_sf
from cryptography.exceptions import InvalidSignature as Mismatch
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureComponentResolver,
    MappingKeyResolver,
    algorithms,
)

from connector.codes import Code
from connector.errors import Misconfigured
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.base import malformed
from connector.verify.key_format import (
    MAX_SECRET_BYTES,
    MIN_SECRET_BYTES,
    PUBLIC_FORMATS,
    SECRET_FORMATS,
    KeyFormat,
    make_key,
)
from connector.verify.keys import Algorithm, EcdsaKey, Ed25519Key, Key, MacKey, RsaKey

SIGNATURE: Final = "Signature"
SIGNATURE_INPUT: Final = "Signature-Input"


class MessageAlgorithm(StrEnum):
    """The algorithms registered for HTTP message signatures (RFC 9421 section 6.2.2)."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256-sha256"
    ECDSA_P384 = "ecdsa-p384-sha384"
    RSA_PSS = "rsa-pss-sha512"
    RSA_V1_5 = "rsa-v1_5-sha256"
    HMAC = "hmac-sha256"


# Who computes, and what kind of key that takes: kind and size are measured as for every other check.
_COMPUTED: Final[dict[MessageAlgorithm, tuple[type[HTTPSignatureAlgorithm], Algorithm]]] = {
    MessageAlgorithm.ED25519: (algorithms.ED25519, Algorithm.ED25519),
    MessageAlgorithm.ECDSA_P256: (algorithms.ECDSA_P256_SHA256, Algorithm.ECDSA_P256_RAW),
    MessageAlgorithm.ECDSA_P384: (algorithms.ECDSA_P384_SHA384, Algorithm.ECDSA_P384_RAW),
    MessageAlgorithm.RSA_PSS: (algorithms.RSA_PSS_SHA512, Algorithm.RSA_PSS_SHA256),
    MessageAlgorithm.RSA_V1_5: (algorithms.RSA_V1_5_SHA256, Algorithm.RSA_PKCS1_SHA256),
    MessageAlgorithm.HMAC: (algorithms.HMAC_SHA256, Algorithm.HMAC_SHA256),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One signature of a message, as it is written there; nothing in it is believed yet.

    Attributes:
        components: names with their parameters, in the order in which they are signed.
        parameters: `created`, `keyid` and so on.
    """

    label: str = field(repr=False)
    components: Sequence[tuple[str, Mapping[str, Any]]] = field(repr=False)
    parameters: Mapping[str, Any] = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The two header fields with this signature alone."""
        inner: Any = ([(name, dict(more)) for name, more in self.components], dict(self.parameters))
        return (
            (SIGNATURE_INPUT, http_sf.ser({self.label: inner})),
            (SIGNATURE, f"{self.label}=:{base64.b64encode(self.signature).decode()}:"),
        )


@dataclass(frozen=True, slots=True)
class SenderKey:
    """A sender's key under the id that its signatures name; several secrets during a rotation that keeps the id.

    Raises:
        Misconfigured: no id, no secret, or one that is not of the algorithm, is too weak or cannot be read.
    """

    id: str
    algorithm: MessageAlgorithm
    secrets: tuple[Secret, ...]
    written: KeyFormat = KeyFormat.PEM
    _keys: tuple[Key, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.id.isascii() or not self.id.isprintable() or not self.id:
            raise Misconfigured(Code.CONFIG_INVALID, "http-message-signature: a key id has to be printable ASCII")
        object.__setattr__(self, "secrets", tuple(self.secrets))
        if not self.secrets:
            raise Misconfigured(Code.CONFIG_INVALID, f"http-message-signature: key {self.id} has no secret")
        if self.written not in (SECRET_FORMATS if self.algorithm is MessageAlgorithm.HMAC else PUBLIC_FORMATS):
            raise Misconfigured(
                Code.CONFIG_INVALID,
                f"http-message-signature: {self.algorithm} does not take keys written as {self.written}",
            )
        _, kind = _COMPUTED[self.algorithm]
        made = (make_key(one, kind, self.written, MIN_SECRET_BYTES, MAX_SECRET_BYTES) for one in self.secrets)
        object.__setattr__(self, "_keys", tuple(made))

    def check(self, candidate: Candidate, inbound: Inbound) -> tuple[list[Secret], bytes]:
        """Return the secrets that made a signature, none if it was made otherwise, and what was signed.

        Raises:
            Rejected: `credential_malformed`, if no signature of the algorithm looks so, or if something that it covers
                is missing or cannot be read.
        """
        if not any(key.could_be(candidate.signature) for key in self._keys):
            raise malformed(SIGNATURE, f"a signature does not have the length of {self.algorithm}")
        # Every key is tried, so that the time taken does not tell which one it was.
        bases = [_base_of(candidate, inbound, self.id, self.algorithm, key) for key in self._keys]
        if None in bases:
            raise malformed(SIGNATURE_INPUT, "something that a signature covers is missing or cannot be read")
        matching = [secret for secret, base in zip(self.secrets, bases, strict=True) if base]
        return matching, next((base for base in bases if base), b"")


@dataclass(frozen=True, slots=True)
class _Fields:
    lines: tuple[tuple[str, str], ...] = field(repr=False)

    def items(self) -> tuple[tuple[str, str], ...]:
        return self.lines


@dataclass(frozen=True, slots=True)
class _Message:
    """A delivery in the shape that the library reads. The URL is the configured one, whatever `Host` says."""

    method: str
    url: str = field(repr=False)
    headers: _Fields


@dataclass(frozen=True, slots=True)
class _WithOneSignature:
    """The message, of whose signatures the library is shown one; what that covers comes from the whole message."""

    headers: _Fields
    whole: _Message


class _Components(HTTPSignatureComponentResolver):
    def __init__(self, message: _WithOneSignature) -> None:
        super().__init__(message.whole)  # type: ignore[no-untyped-call]


class _Timeless(HTTPMessageVerifier):
    """The library's verifier without its clock; the caller judges `created` and `expires`."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Judge nothing."""


def _base_of(
    candidate: Candidate, inbound: Inbound, key_id: str, algorithm: MessageAlgorithm, key: Key
) -> bytes | None:
    """Return what was signed; empty if it was not with this key, None if it cannot be put together."""
    computed, _ = _COMPUTED[algorithm]
    assert isinstance(key, MacKey | Ed25519Key | EcdsaKey | RsaKey)
    material = key.secret if isinstance(key, MacKey) else key.key
    verifier = _Timeless(
        signature_algorithm=computed,
        key_resolver=MappingKeyResolver(public_keys={key_id: material}, private_keys={}),
        component_resolver_class=_Components,
    )
    try:
        message = _WithOneSignature(
            _Fields(candidate.fields), _Message(inbound.method, inbound.url, _Fields(inbound.headers))
        )
        (result,) = verifier.verify(message, max_age=None)
    except HTTPMessageSignaturesException as error:
        # The library has one error for both; only a signature that does not match has this cause.
        return b"" if isinstance(error.__cause__, Mismatch) else None
    except (ValueError, TypeError, OverflowError):
        return None
    return "\n".join(f"{name}: {value}" for name, value in result.covered_components.items()).encode()
