"""Facts about a connection that are asked for beside a check: the sender's address, its client certificate.

Neither says who signed anything, so none of them suffices alone (`AllOf` sees to that). What a proxy passes on in
headers counts only if the connection comes from a proxy that is trusted by its address: anybody else can write them.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.verify.base import require_header_name, require_header_text

DEFAULT_ADDRESS_HEADER: Final = "X-Forwarded-For"
# Where a chain of proxies is longer than this, somebody else wrote the header.
_MAX_HOPS: Final = 20
# RFC 4291 section 2.5.5.2.
_IPV4_IN_IPV6: Final = ipaddress.IPv6Network("::ffff:0:0/96")

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Networks:
    """Addresses and networks in CIDR notation.

    Raises:
        Misconfigured: none is given, one cannot be read, one means everybody, or one could never match.
    """

    given: tuple[str, ...]
    what: str
    _networks: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "given", tuple(self.given))
        object.__setattr__(self, "_networks", tuple(self._read()))

    def __contains__(self, address: Address) -> bool:
        return any(address in one for one in self._networks)

    def covers(self, network: Network) -> bool:
        """Say whether one of these holds the whole network."""
        ends = (network.network_address, network.broadcast_address)
        return any(all(end in one for end in ends) for one in self._networks)

    def inside(self, others: Networks) -> tuple[str, ...]:
        """Return those, as they were given, that others hold."""
        return tuple(text for text, one in zip(self.given, self._networks, strict=True) if others.covers(one))

    def _read(self) -> Iterable[Network]:
        if not self.given:
            raise Misconfigured(Code.CONFIG_INVALID, f"{self.what}: name at least one address or network")
        for text in self.given:
            try:
                network = ipaddress.ip_network(text)
            except ValueError:
                raise Misconfigured(
                    Code.CONFIG_INVALID, f"{self.what}: {text!r} is no address or network such as 192.0.2.0/24"
                ) from None
            if network.prefixlen == 0:
                raise Misconfigured(Code.CONFIG_INVALID, f"{self.what}: {text} means everybody")
            if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_IPV4_IN_IPV6):
                raise Misconfigured(
                    Code.CONFIG_INVALID, f"{self.what}: write {text} as IPv4, as addresses are compared"
                )
            yield network


@dataclass(frozen=True, slots=True)
class FromAddress:
    """The sender's address is one of these (fulfils `ports.Condition`).

    Attributes:
        proxies: trusted proxies; empty if senders connect directly.
        header: where they write the address that they saw. The last entry that is no trusted proxy counts: what stands
            before it was written by whoever connected.

    Raises:
        Misconfigured: a header without a name, or an allowed address that is a proxy's and so never counts.
    """

    allowed: Networks
    proxies: Networks | None = None
    header: str = DEFAULT_ADDRESS_HEADER

    def __post_init__(self) -> None:
        require_header_name(self.header, "address")
        if self.proxies is not None and (inside := self.allowed.inside(self.proxies)):
            raise Misconfigured(
                Code.CONFIG_INVALID, f"address: {inside[0]} is a trusted proxy, which is never taken for the sender"
            )

    def require(self, inbound: Inbound) -> None:
        address = _address(inbound.peer)
        if self.proxies is not None and address is not None and address in self.proxies:
            address = self._told(inbound, self.proxies)
        if address is None or address not in self.allowed:
            raise Rejected(Code.ADDRESS_NOT_ALLOWED)

    def _told(self, inbound: Inbound, proxies: Networks) -> Address | None:
        hops = ",".join(inbound.values(self.header)).split(",")
        for hop in reversed(hops[-_MAX_HOPS:]):
            address = _address(hop.strip())
            if address is None or address not in proxies:
                return address
        return None


@dataclass(frozen=True, slots=True)
class WithClientCertificate:
    """The sender showed a client certificate that the proxy verified (fulfils `ports.Condition`).

    Attributes:
        proxies: the trusted proxies; they must overwrite both headers in every call that they pass on.
        verified_header: where the proxy writes that the certificate's chain was verified, and `verified_value` how.
        subject_header: where it writes which certificate that was: subject or fingerprint, as `subjects` are written.
    """

    proxies: Networks
    subjects: tuple[str, ...]
    verified_header: str
    subject_header: str
    verified_value: str = "SUCCESS"

    def __post_init__(self) -> None:
        object.__setattr__(self, "subjects", tuple(self.subjects))
        for name in (self.verified_header, self.subject_header):
            require_header_name(name, "client certificate")
        if self.verified_header.lower() == self.subject_header.lower():
            raise Misconfigured(Code.CONFIG_INVALID, "client certificate: the two facts need headers of their own")
        if not self.subjects:
            raise Misconfigured(Code.CONFIG_INVALID, "client certificate: name at least one subject or fingerprint")
        for text in (*self.subjects, self.verified_value):
            require_header_text(text, "client certificate: a subject or the verified value")
            if not text:
                raise Misconfigured(Code.CONFIG_INVALID, "client certificate: an empty text would match a missing one")

    def require(self, inbound: Inbound) -> None:
        peer = _address(inbound.peer)
        if peer is None or peer not in self.proxies:
            raise Rejected(Code.CLIENT_CERTIFICATE_REFUSED, "the call did not come through a trusted proxy")
        if not _is(inbound, self.verified_header, (self.verified_value,)):
            raise Rejected(Code.CLIENT_CERTIFICATE_REFUSED, f"header {self.verified_header}")
        if not _is(inbound, self.subject_header, self.subjects):
            raise Rejected(Code.CLIENT_CERTIFICATE_REFUSED, f"header {self.subject_header}")


def _is(inbound: Inbound, header: str, expected: tuple[str, ...]) -> bool:
    found = inbound.values(header)
    if len(found) != 1:
        return False
    given = found[0].strip().encode(errors="surrogatepass")
    # Every one is compared, so that the time taken does not tell which one it was.
    return sum(hmac.compare_digest(given, one.encode()) for one in expected) > 0


def _address(text: str) -> Address | None:
    """Return an address; one of IPv4 written in IPv6 as that of IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
