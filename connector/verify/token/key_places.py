"""Where keys are published: at addresses that the settings fix, or where an issuer that they name says.

A token can choose among the issuers that are allowed, and nothing else (RFC 8725 section 3.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, Protocol
from urllib.parse import urlsplit

from connector.codes import Code
from connector.errors import Misconfigured, Rejected, Temporary
from connector.model import Document, KeyAddress
from connector.ports import Documents
from connector.verify.strict_json import read_object

#: Where an issuer describes itself (OpenID Connect Discovery 1.0, section 4).
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Locator(Protocol):
    """Knows the address of the keys."""

    @property
    def needs_issuer(self) -> bool: ...

    @property
    def addresses(self) -> tuple[KeyAddress, ...]:
        """Every address that the settings name, and the root of every host on which keys may be published besides."""
        ...

    def address(self, issuer: object, now: datetime) -> KeyAddress: ...


@dataclass(frozen=True, slots=True)
class OneAddress:
    """One address for all keys."""

    at: KeyAddress

    needs_issuer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_address(self.at.url)

    @property
    def addresses(self) -> tuple[KeyAddress, ...]:
        return (self.at,)

    def address(self, issuer: object, now: datetime) -> KeyAddress:  # noqa: ARG002 - the protocol's shape
        return self.at


@dataclass(frozen=True, slots=True)
class ByIssuer:
    """An address for each issuer that is allowed."""

    by_issuer: Mapping[str, KeyAddress]

    needs_issuer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.by_issuer:
            raise _wrong("name the issuers whose keys are looked up")
        for at in self.by_issuer.values():
            require_address(at.url)
        if len(self.by_issuer) > 1 and any(at.headers for at in self.by_issuer.values()):
            # Else one issuer would learn what another gave out.
            raise _wrong("headers for keys go to every issuer; use any_of with one check for each issuer")

    @property
    def addresses(self) -> tuple[KeyAddress, ...]:
        return tuple(self.by_issuer.values())

    def address(self, issuer: object, now: datetime) -> KeyAddress:  # noqa: ARG002 - the protocol's shape
        at = self.by_issuer.get(issuer) if isinstance(issuer, str) else None
        if at is None:
            raise Rejected(Code.CLAIM_WRONG, "claim iss is none of the issuers that are allowed")
        return at


@dataclass(frozen=True, slots=True)
class Discovered:
    """Issuers that say themselves where their keys are (OpenID Connect Discovery 1.0, RFC 8414).

    Attributes:
        issuers: exactly as they stand in `iss`; an issuer is itself an address.
        hosts: where keys may be published besides on the issuer's own host.
    """

    issuers: tuple[str, ...]
    documents: Documents = field(repr=False)
    hosts: frozenset[str] = frozenset()

    needs_issuer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.issuers:
            raise _wrong("name the issuers that are to be discovered")
        if not all(self.hosts):
            raise _wrong("an empty text is no host on which keys are published")
        for issuer in self.issuers:
            require_address(issuer)
            if set(issuer) & set("?#"):
                raise _wrong("an issuer that is discovered has no query and no fragment")

    @property
    def addresses(self) -> tuple[KeyAddress, ...]:
        urls = (*(_discovery_url(one) for one in self.issuers), *(f"https://{host}/" for host in sorted(self.hosts)))
        return tuple(KeyAddress(url) for url in urls)

    def address(self, issuer: object, now: datetime) -> KeyAddress:
        if not isinstance(issuer, str) or issuer not in self.issuers:
            raise Rejected(Code.CLAIM_WRONG, "claim iss is none of the issuers that are allowed")
        document = self.documents.get(KeyAddress(_discovery_url(issuer)), now)
        found = self._keys_of(issuer, document)
        if found is None:
            renewed = self.documents.renew(document, now)
            found = self._keys_of(issuer, renewed) if renewed is not None else None
        if found is None:
            raise Temporary(Code.KEYS_UNAVAILABLE, f"{host_of(issuer)} does not say where its keys are, or elsewhere")
        return KeyAddress(found)

    def _keys_of(self, issuer: str, document: Document) -> str | None:
        """Return the address that the issuer names, if it speaks for itself and stays where it may."""
        told = read_object(document.body) or {}
        address = told.get("jwks_uri")
        if told.get("issuer") != issuer or not isinstance(address, str) or not is_address(address):
            return None
        same = urlsplit(address)[:2] == urlsplit(issuer)[:2]
        elsewhere = urlsplit(address).scheme == "https" and host_of(address) in self.hosts
        return address if same or elsewhere else None


def _discovery_url(issuer: str) -> str:
    return issuer.rstrip("/") + DISCOVERY_PATH


def require_address(url: str) -> None:
    """Raise `Misconfigured` for an address from which no keys can be read safely."""
    if not is_address(url):
        raise _wrong("keys are read from https://HOST only, or http:// on a loopback address")


def is_address(url: str) -> bool:
    """Say whether a text is an absolute https URL without user or password; http only on a loopback address."""
    try:
        parts = urlsplit(url)
        # A colon without a port is what is left of an address inside of an address.
        usable = parts.port != 0 and bool(parts.hostname) and "@" not in parts.netloc and parts.netloc[-1:] != ":"
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return plain and usable and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))


def host_of(url: str) -> str:
    """Return the host of an address that was checked before."""
    return urlsplit(url).hostname or ""


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"jws: {why}")
