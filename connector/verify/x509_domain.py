"""Signatures with the certificate of the sender's domain, as OpenDSR and OpenGDPR have them.

A header names the domain, which has to be on the list. The domain publishes a discovery document, which names the
address of a certificate, which an authority issued for that domain and whose key signed the raw body (OpenDSR
specification sections 4 and 6.3, security guidelines "Callback validation"). Nothing in it tells one delivery from the
same one sent again: there is neither id nor time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected, Temporary
from connector.hosts import is_host_name
from connector.inbound import Inbound
from connector.model import Document, KeyAddress, Verified
from connector.ports import Documents
from connector.private import Secret
from connector.verify.base import decode_base64, require_header_name
from connector.verify.certificates import (
    Hash,
    Padding,
    Trust,
    fingerprint,
    has_signed,
    is_self_signed,
    is_valid,
    may_sign,
    names_of,
    read_certificates,
)
from connector.verify.strict_json import read_object

DISCOVERY: Final = "https://{domain}/discovery"
MEMBER: Final = "processor_certificate"

_DOMAIN: Final = "{domain}"
# No user, no port, no fragment; nothing that programs read differently.
_ADDRESS: Final = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?:/[!$-;=?-\[\]_a-z~]*)?")


@dataclass(frozen=True, slots=True)
class DomainHeaders:
    """Where domain and signature stand."""

    domain: str
    signature: str

    def __post_init__(self) -> None:
        for name in (self.domain, self.signature):
            require_header_name(name, "x509-domain")
        if self.domain.lower() == self.signature.lower():
            raise _wrong("domain and signature need headers of their own")


#: The names of version 2 and 3, and those that everybody has to go on reading (OpenDSR specification section 10.1).
OPENDSR: Final = DomainHeaders("X-OpenDSR-Processor-Domain", "X-OpenDSR-Signature")
OPENGDPR: Final = DomainHeaders("X-OpenGDPR-Processor-Domain", "X-OpenGDPR-Signature")


@dataclass(frozen=True, slots=True)
class X509Domain:
    """The certificate of one of the domains signed the body.

    Attributes:
        domains: the only ones that are believed, in lower case.
        discovery: the address of the discovery document; `{domain}` stands for the domain.
        member: its member with the certificate's address.
        certificate_hosts: where a certificate may stand, besides on its own domain.
        discovery_headers: what the publisher of the discovery document wants; for a single domain only, or one sender
            would learn what another gave out.

    Raises:
        Misconfigured: it could not work, or not protect; with the mend.
    """

    domains: tuple[str, ...]
    trust: Trust
    documents: Documents = field(repr=False)
    headers: DomainHeaders = OPENDSR
    discovery: str = DISCOVERY
    member: str = MEMBER
    certificate_hosts: frozenset[str] = frozenset()
    digest: Hash = Hash.SHA256
    padding: Padding = Padding.PKCS1
    discovery_headers: tuple[tuple[str, Secret], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "domains", tuple(self.domains))
        object.__setattr__(self, "certificate_hosts", frozenset(self.certificate_hosts))
        object.__setattr__(self, "discovery_headers", tuple(self.discovery_headers))
        if not self.domains:
            raise _wrong("name at least one domain; with none, any holder of a certificate could sign")
        if not all(map(is_host_name, (*self.domains, *self.certificate_hosts))):
            raise _wrong("a domain or host is a full host name in lower case, such as opendsr.example.com")
        if len(self.domains) > 1 and _DOMAIN not in self.discovery:
            raise _wrong("with several domains, the address of the discovery document needs {domain}")
        if not all(_host(self._discovery(domain).url) for domain in self.domains):
            raise _wrong("the address of the discovery document is https://HOST/PATH, with {domain} for the domain")
        if not self.member:
            raise _wrong("name the member of the discovery document that holds the certificate's address")
        if self.digest is Hash.SHA1:
            raise _wrong("SHA-1 is not accepted; choose sha256")
        if self.discovery_headers and len(self.domains) > 1:
            raise _wrong("headers for discovery go to every domain listed; use any_of with one check for each domain")

    @property
    def addresses(self) -> tuple[KeyAddress, ...]:
        """The addresses that the settings name, and the root of every host on which a certificate may stand."""
        hosts = (*self.domains, *sorted(self.certificate_hosts))
        return (*map(self._discovery, self.domains), *(KeyAddress(f"https://{host}/") for host in hosts))

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        """Return what was verified.

        Raises:
            Rejected: with a 401 code.
            Temporary: `keys_unavailable`: what the domain publishes cannot be had, or cannot be read.
        """
        domain = inbound.only(self.headers.domain).lower()
        if domain not in self.domains:
            raise Rejected(Code.KEY_UNKNOWN, f"header {self.headers.domain}: the domain is not allowed")
        signature = decode_base64(inbound.only(self.headers.signature), self.headers.signature)
        page = self.documents.get(self._discovery(domain), now)
        file: Document | None = None
        refusal: Rejected | Temporary
        try:
            file = self.documents.get(self._certificate(page, domain), now)
            return self._judge(file, domain, signature, inbound.body, now)
        except (Rejected, Temporary) as error:
            refusal = error
        # Once more with what is published by now: the sender may have a new certificate, or a new place for it.
        newer = self._renewed(page, file, domain, now)
        if newer is None:
            raise refusal
        return self._judge(newer, domain, signature, inbound.body, now)

    def _judge(self, file: Document, domain: str, signature: bytes, body: bytes, now: datetime) -> Verified:
        chain = read_certificates(file.body)
        if not chain:
            raise Temporary(Code.KEYS_UNAVAILABLE, "what the domain publishes as its certificate is none")
        leaf = chain[0]
        if is_self_signed(leaf):
            raise _no_good("it is self-signed")
        if not is_valid(leaf, now):
            raise Rejected(Code.CREDENTIAL_EXPIRED, "the certificate of the domain does not count at this time")
        if not may_sign(leaf):
            raise _no_good("its key usage does not name digital signatures")
        # No wildcard: its key lies on servers that have nothing to do with this (security guidelines, "Certificates").
        if domain not in names_of(leaf):
            raise _no_good("it was not issued for exactly this domain")
        if not self.trust.vouches_for(chain, domain, now):
            raise _no_good("no path leads from it to a trusted authority")
        if not has_signed(leaf, signature, body, self.digest, self.padding):
            raise Rejected(Code.CREDENTIAL_WRONG, f"header {self.headers.signature}")
        return Verified(body, "x509-domain", (f"{domain}:{fingerprint(leaf)}",))

    def _renewed(self, page: Document, file: Document | None, domain: str, now: datetime) -> Document | None:
        newer = self.documents.renew(page, now)
        address = self._certificate(newer or page, domain)
        if file is not None and file.address == address:
            return self.documents.renew(file, now)
        return None if newer is None else self.documents.get(address, now)

    def _discovery(self, domain: str) -> KeyAddress:
        return KeyAddress(self.discovery.replace(_DOMAIN, domain), self.discovery_headers)

    def _certificate(self, page: Document, domain: str) -> KeyAddress:
        named = (read_object(page.body) or {}).get(self.member)
        if not isinstance(named, str) or _host(named) not in {domain, *self.certificate_hosts}:
            why = f"{self.member} of the discovery document names no certificate, or one on a host that is not allowed"
            raise Temporary(Code.KEYS_UNAVAILABLE, why)
        return KeyAddress(named)


def _host(url: str) -> str:
    """Return the host of an https address in lower case, empty for anything else."""
    found = _ADDRESS.fullmatch(url)
    host = found["host"].lower() if found is not None else ""
    return host if is_host_name(host) else ""


def _no_good(why: str) -> Rejected:
    return Rejected(Code.KEY_UNKNOWN, f"the certificate of the domain: {why}")


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"x509-domain: {why}")
