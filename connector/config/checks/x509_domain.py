"""The check of a signature with the certificate of a domain, as it is written in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connector.config.authorities import private_authorities, public_authorities
from connector.config.checks.base import CheckSection, NothingPublished, require_effect
from connector.config.checks.jws_parts import KeyHeaderSection
from connector.config.fields import HeaderNameOrNone, HostName
from connector.config.secrets import SecretRef
from connector.model import KeyAddress
from connector.ports import Documents
from connector.verify.certificates import Hash, Padding
from connector.verify.x509_domain import DISCOVERY, MEMBER, OPENDSR, OPENGDPR, DomainHeaders, X509Domain

_LAYOUTS = {"opendsr": OPENDSR, "opengdpr": OPENGDPR}


class X509DomainCheck(CheckSection):
    """A signature with the certificate of the sender's domain (OpenDSR, OpenGDPR)."""

    check: Literal["x509-domain"] = Field(
        description="The kind of check: a signature with the certificate that an authority issued for the sender's "
        "domain (OpenDSR, OpenGDPR)."
    )
    domains: tuple[HostName, ...] = Field(
        min_length=1, description="The only domains that are believed.", examples=[["opendsr.example.com"]]
    )
    layout: Literal["opendsr", "opengdpr"] = Field(
        "opendsr", description="The names of the headers: `X-OpenDSR-…` of versions 2 and 3, or `X-OpenGDPR-…` of 1."
    )
    domain_header: HeaderNameOrNone = Field(
        "", description="The header that names the domain; left empty, the layout's."
    )
    signature_header: HeaderNameOrNone = Field(
        "", description="The header with the signature in Base64; left empty, the layout's."
    )
    discovery: str = Field(
        DISCOVERY,
        description="The address of the discovery document; `{domain}` in it stands for the domain.",
        examples=["https://{domain}/v3/discovery"],
    )
    discovery_headers: tuple[KeyHeaderSection, ...] = Field(
        (), description="Headers that the publisher of the discovery document wants; with a single domain only."
    )
    member: str = Field(
        MEMBER, min_length=1, description="The member of the discovery document with the certificate's address."
    )
    certificate_hosts: tuple[HostName, ...] = Field(
        (),
        description="Hosts, beside the domain itself, on which the certificate may stand.",
        examples=[["static.example.com"]],
    )
    hash: Literal["sha256", "sha384", "sha512"] = Field("sha256", description="The hash of the signature.")
    padding: Literal["pkcs1", "pss"] = Field("pkcs1", description="How RSA signatures are padded.")
    authorities: tuple[SecretRef, ...] = Field(
        (),
        description="References to the certificates, as PEM, of private authorities that are believed instead of the "
        "public ones; left empty, those that Mozilla trusts.",
    )

    @property
    def headers(self) -> tuple[str, ...]:
        names = self._names()
        return (names.domain, names.signature)

    @property
    def key_addresses(self) -> tuple[KeyAddress, ...]:
        return self.verifier(NothingPublished()).addresses

    def verifier(self, documents: Documents) -> X509Domain:
        named = bool(self.domain_header and self.signature_header)
        require_effect(self, {"layout": (not named, "domain_header or signature_header left empty")})
        return X509Domain(
            domains=self.domains,
            trust=private_authorities(self.authorities) if self.authorities else public_authorities(),
            documents=documents,
            headers=self._names(),
            discovery=self.discovery,
            member=self.member,
            certificate_hosts=frozenset(self.certificate_hosts),
            digest=Hash(self.hash),
            padding=Padding(self.padding),
            discovery_headers=tuple((one.name, one.value()) for one in self.discovery_headers),
        )

    def _names(self) -> DomainHeaders:
        usual = _LAYOUTS[self.layout]
        return DomainHeaders(self.domain_header or usual.domain, self.signature_header or usual.signature)
