"""Time-stamp tokens (RFC 3161): the signed data (RFC 5652) of an authority, taken apart and its signature checked.

The structures are read by `asn1crypto`; keys, certificates and paths are those of `cryptography`. Nothing here calls
anybody or reads a clock, and revocation is not asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from connector.clock import require_aware
from connector.proof.verdict import Flaw, Refuted
from connector.verify.certificates import (
    MAX_CERTIFICATES,
    Hash,
    Padding,
    fingerprint,
    has_signed,
    is_valid,
    read_certificates,
)

#: A token with the certificates of its authority has a few kilobytes.
MOST_BYTES: Final = 64 * 1024
#: What reading something that is no such structure raises; the library reads parts only when they are asked for.
UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
#: Other hashes prove nothing any more.
HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
_PADDINGS: Final = {"rsassa_pss": Padding.PSS}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """What an authority says in a token.

    Attributes:
        hash: of the bytes that it has seen, and `digest` that hash's value.
        at: when, by its clock.
        nonce: of the question; None if it does not repeat it.
        authority: the beginning of the SHA-256 of its certificate, in hex.
    """

    hash: str
    digest: bytes
    at: datetime
    policy: str
    nonce: int | None
    authority: str


@dataclass(frozen=True, slots=True)
class Authorities:
    """The roots, or the certificates of authorities themselves, that are trusted for the time."""

    certificates: tuple[Certificate, ...]
    _store: Store = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_store", Store(list(self.certificates)))

    def require(self, signer: Certificate, between: Iterable[Certificate], at: datetime) -> None:
        """Require that a certificate is one for time stamps, and that a path leads from it to one of these.

        Args:
            at: when the certificates have to count.

        Raises:
            Refuted: it is not so.
        """
        if not _is_for_stamps(signer):
            raise Refuted(Flaw.STAMP_PURPOSE_WRONG, "the certificate is not for time stamps alone")
        if not is_valid(signer, at):
            raise Refuted(Flaw.STAMP_UNTRUSTED, "the authority's certificate does not count at the time of the stamp")
        try:
            policy = PolicyBuilder().store(self._store).time(at)
            policy = policy.extension_policies(ca_policy=_above(), ee_policy=ExtensionPolicy.permit_all())
            policy.build_client_verifier().verify(signer, list(between))
        except (VerificationError, x509.UnsupportedGeneralNameType, *UNREADABLE):
            raise Refuted(Flaw.STAMP_UNTRUSTED, "no path leads from its certificate to a trusted one") from None


def read(token: bytes, authorities: Authorities) -> Said:
    """Return what a token says, if its signature holds and is that of a trusted authority, at the time it names.

    Raises:
        Refuted: it is none, or it does not hold.
    """
    if len(token) > MOST_BYTES:
        raise Refuted(Flaw.STAMP_MALFORMED, "longer than any stamp")
    signed = _asked(lambda: _signed_data(token))
    content = _asked(lambda: bytes(signed["encap_content_info"]["content"]))
    carried = _asked(lambda: _certificates(signed))
    signer = _asked(lambda: _signer(signed, content, [*carried, *authorities.certificates]))
    said = _asked(lambda: _said(content, signer))
    authorities.require(signer, [one for one in carried if one != signer], said.at)
    return said


def _asked(read_it: Callable[[], T]) -> T:
    try:
        return read_it()
    except UNREADABLE:
        raise Refuted(Flaw.STAMP_MALFORMED, "it is no time-stamp token") from None


def _signed_data(token: bytes) -> Any:
    info = cms.ContentInfo.load(token, strict=True)
    signed = info["content"]
    if (
        info["content_type"].native != "signed_data"
        or signed["encap_content_info"]["content_type"].native != "tst_info"
    ):
        raise ValueError("other content")
    return signed


def _certificates(signed: Any) -> list[Certificate]:
    ders = [one.chosen.dump() for one in signed["certificates"] if one.name == "certificate"]
    # Those that cannot be read are passed over; if one is needed, there is no path.
    return [found for one in ders[:MAX_CERTIFICATES] for found in read_certificates(one)]


def _signer(signed: Any, content: bytes, known: Iterable[Certificate]) -> Certificate:
    """Return the certificate that has signed the content (RFC 5652, section 5.4; RFC 5816).

    It is found by its hash, which is among what is signed, so that no other certificate can be put in its place.
    """
    (info,) = signed["signer_infos"]
    attributes = {one["type"].native: one["values"] for one in info["signed_attrs"]}
    digest = info["digest_algorithm"]["algorithm"].native
    ((kind,), (noted,)) = attributes["content_type"], attributes["message_digest"]
    if kind.native != "tst_info" or digest not in HASHES:
        raise ValueError("other content, or another hash")
    if noted.native != hashlib.new(digest, content).digest():
        raise Refuted(Flaw.SIGNATURE_WRONG, "the stamp is not what was signed")
    signer = _named(attributes, known)
    algorithm = info["signature_algorithm"]
    name = algorithm["algorithm"].native
    # The oldest name of RSA says nothing of the hash.
    hashing = Hash(digest if name == "rsassa_pkcs1v15" else algorithm.hash_algo)
    pad = _PADDINGS.get(algorithm.signature_algo, Padding.PKCS1)
    # What is signed is the set by its own tag (RFC 5652, section 5.4), not by the one that it has in the structure.
    attested = info["signed_attrs"].untag().dump()
    if hashing not in HASHES or not has_signed(signer, info["signature"].native, attested, hashing, pad):
        raise Refuted(Flaw.SIGNATURE_WRONG, "the signature of the stamp")
    return signer


def _named(attributes: Any, known: Iterable[Certificate]) -> Certificate:
    """Return the certificate that the signed attributes name first, which is the signer's."""
    second = attributes.get("signing_certificate_v2")
    named = (second if second is not None else attributes["signing_certificate"])[0]["certs"][0]
    # Its first form has no other hash (RFC 2634, section 5.4.1); that certificate has to be trusted beside it.
    digest = named["hash_algorithm"]["algorithm"].native if second is not None else "sha1"
    for one in known:
        der = one.public_bytes(Encoding.DER)
        if hashlib.new(digest, der, usedforsecurity=False).digest() == named["cert_hash"].native:
            return one
    raise Refuted(Flaw.STAMP_UNTRUSTED, "the certificate of the authority is neither in the stamp nor trusted")


def _said(content: bytes, signer: Certificate) -> Said:
    info = tsp.TSTInfo.load(content, strict=True)
    imprint = info["message_imprint"]
    return Said(
        hash=imprint["hash_algorithm"]["algorithm"].native,
        digest=imprint["hashed_message"].native,
        at=require_aware(info["gen_time"].native),
        policy=info["policy"].dotted,
        nonce=info["nonce"].native,
        authority=fingerprint(signer),
    )


def _is_for_stamps(certificate: Certificate) -> bool:
    """Say whether its extended key usage is critical and names time stamps alone (RFC 3161, section 2.3)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, *UNREADABLE):
        return False
    return found.critical and list(found.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def _above() -> ExtensionPolicy:
    """Return what is asked of authorities above: as on the public web, but their purpose may be time stamps."""
    return ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _may_stamp_below
    )


def _may_stamp_below(_policy: Policy, _certificate: Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    allowed = {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if usage is not None and not allowed & set(usage):
        raise ValueError("an authority above is not for time stamps")
