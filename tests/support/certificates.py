"""Authorities and certificates for tests, made on the spot: the same one for the same question within a process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: Around the moments at which the tests take place.
BEGINS: Final = datetime(2026, 10, 1, tzinfo=UTC)
ENDS: Final = datetime(2027, 1, 31, tzinfo=UTC)
_FOR_CENTURIES: Final = (datetime(1960, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, eq=False)
class Holder:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def short_id(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()[:16]

    def sign(self, content: bytes, digest: hashes.HashAlgorithm | None = None, *, pss: bool = False) -> bytes:
        digest = digest or hashes.SHA256()
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(content, ec.ECDSA(digest))
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(content)
        pad = padding.PSS(padding.MGF1(digest), digest.digest_size) if pss else padding.PKCS1v15()
        return self.key.sign(content, pad, digest)


@cache
def key_of(name: str, kind: str = "rsa-2048") -> Any:
    """Return the private key of this name, the same one each time."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65_537, int(kind.removeprefix("rsa-")))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}[kind])


@cache
def authority(name: str = "Example Root", issuer: str = "") -> Holder:
    """Return a root, or with an issuer an authority below that root."""
    above = authority(issuer) if issuer else None
    return _issue(name, name, "p256", above, _FOR_CENTURIES, (), ("key_cert_sign", "crl_sign"), is_authority=True)


@cache
def certificate(
    name: str = "opendsr.example.com",
    *,
    key: str = "a sender",
    kind: str = "rsa-2048",
    issuer: Holder | None = None,
    valid: tuple[datetime, datetime] = (BEGINS, ENDS),
    names: tuple[str, ...] | None = None,
    usages: tuple[str, ...] | None = ("digital_signature", "key_encipherment"),
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    is_authority: bool = False,
) -> Holder:
    """Return a certificate as an authority issues it for a web server, by default for one name by the root."""
    above = issuer or authority()
    return _issue(
        name, key, kind, above, valid, names if names is not None else (name,), usages, purposes, is_authority
    )


@cache
def self_signed(name: str = "opendsr.example.com", key: str = "a sender") -> Holder:
    return _issue(name, key, "rsa-2048", None, (BEGINS, ENDS), (name,), ("digital_signature",))


def _issue(
    name: str,
    key: str,
    kind: str,
    above: Holder | None,
    valid: tuple[datetime, datetime],
    names: tuple[str, ...],
    usages: tuple[str, ...] | None,
    purposes: tuple[x509.ObjectIdentifier, ...] = (),
    is_authority: bool = False,
) -> Holder:
    own = key_of(key, kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = above.key if above else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False
        )
    if usages is not None:
        builder = builder.add_extension(x509.KeyUsage(**{one: one in usages for one in _USAGES}), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return Holder(builder.sign(signer, hashes.SHA256()), own)
