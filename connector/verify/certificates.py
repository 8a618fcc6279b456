"""X.509 certificates with which senders sign: read from what is published, judged at a time, used to check a signature.

Paths are built and judged by the verifier of the `cryptography` package, by the rules for certificates of web servers
(RFC 5280, CA/Browser Forum). Revocation is not asked for: nothing here calls out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Certificate
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from connector.codes import Code
from connector.errors import Misconfigured

MIN_RSA_BITS: Final = 2_048
#: A file holds a leaf and the few above it; more would only make us compute.
MAX_CERTIFICATES: Final = 10
#: Enough to tell one certificate of a sender from the next: hexadecimal digits of its SHA-256.
FINGERPRINT_CHARS: Final = 16

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
# What the package raises for certificates and extensions that break their own rules; of a serial number that is not
# positive it only warns, which is raised where warnings are errors.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)


class Hash(StrEnum):
    """The hash of a signature. SHA-1 is for Amazon SNS alone."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class Padding(StrEnum):
    """How RSA signatures are padded (RFC 8017); says nothing about other keys."""

    PKCS1 = "pkcs1"
    PSS = "pss"


_HASHES: Final[dict[Hash, hashes.HashAlgorithm]] = {
    Hash.SHA1: hashes.SHA1(),  # noqa: S303 - only where the settings allow it
    Hash.SHA256: hashes.SHA256(),
    Hash.SHA384: hashes.SHA384(),
    Hash.SHA512: hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class Trust:
    """The authorities whose certificates are believed.

    Raises:
        Misconfigured: there is none.
    """

    roots: tuple[Certificate, ...] = field(repr=False)
    _store: Store = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "roots", tuple(self.roots))
        if not self.roots:
            raise Misconfigured(Code.CONFIG_INVALID, "no certificate of an authority is given")
        object.__setattr__(self, "_store", Store(list(self.roots)))

    def vouches_for(self, chain: Sequence[Certificate], name: str, now: datetime) -> bool:
        """Say whether a path leads from the first certificate, which holds `name`, to a root, and counts now.

        The others may serve as steps of the path, in any order.
        """
        leaf, *between = chain
        try:
            policy = PolicyBuilder().store(self._store).time(now)
            policy.build_server_verifier(x509.DNSName(name)).verify(leaf, between)
        except (VerificationError, *_UNREADABLE):
            return False
        return True


def read_certificates(published: bytes) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM file, the signer's first, or the one of a DER file.

    Those that cannot be read are passed over, because files carry old roots that nobody needs; without the first there
    is nothing to check with, and the result is empty.
    """
    blocks = _PEM.findall(published)[:MAX_CERTIFICATES]
    if not blocks:
        return _some(_der(published))
    first, *others = map(_pem, blocks)
    return _some(first, *others) if first is not None else ()


def read_roots(published: bytes) -> tuple[Certificate | None, ...]:
    """Return every certificate of a PEM file, None for one that cannot be read."""
    return tuple(map(_pem, _PEM.findall(published)))


def is_valid(certificate: Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def is_self_signed(certificate: Certificate) -> bool:
    """Say whether it names itself as its issuer, whatever its signature says."""
    return certificate.issuer == certificate.subject


def may_sign(certificate: Certificate) -> bool:
    """Say whether its key usage names digital signatures (RFC 5280 section 4.2.1.3)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return False


def names_of(certificate: Certificate) -> frozenset[str]:
    """Return the host names it was issued for, in lower case; the common name does not count (RFC 9525)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def fingerprint(certificate: Certificate) -> str:
    """Return the beginning of its SHA-256, as `openssl x509 -fingerprint -sha256` prints it without the colons."""
    return certificate.fingerprint(hashes.SHA256()).hex()[:FINGERPRINT_CHARS]


def has_signed(
    certificate: Certificate, signature: bytes, content: bytes, digest: Hash, pad: Padding = Padding.PKCS1
) -> bool:
    """Say whether the certificate's key made the signature.

    RSA keys of 2048 bits and more by the padding given, PSS with a salt as long as the hash; keys on a curve by ECDSA,
    in DER. Other keys sign nothing.
    """
    hashing = _HASHES[digest]
    try:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
            pss = padding.PSS(padding.MGF1(hashing), padding.PSS.DIGEST_LENGTH)
            key.verify(signature, content, pss if pad is Padding.PSS else padding.PKCS1v15(), hashing)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(hashing))
            return True
    except (InvalidSignature, *_UNREADABLE):
        pass
    return False


def _pem(block: bytes) -> Certificate | None:
    return _read(x509.load_pem_x509_certificate, block)


def _der(published: bytes) -> Certificate | None:
    return _read(x509.load_der_x509_certificate, published)


def _read(load: Callable[[bytes], Certificate], data: bytes) -> Certificate | None:
    try:
        found = load(data)
        # The names are decoded only when they are asked for.
        _ = (found.issuer, found.subject)
    except _UNREADABLE:
        return None
    return found


def _some(*found: Certificate | None) -> tuple[Certificate, ...]:
    return tuple(one for one in found if one is not None)
