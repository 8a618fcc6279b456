"""Connections to hosts that a sender named: resolved once, and only to an address of the public internet.

The address that was examined is the one that is connected to, so a name that answers differently the next time
(DNS rebinding) gains nothing; TLS still asks for the name. The adapter of `requests-hardened` does this. What its list
of networks lets through is refused here, by the opposite rule: only what IANA gave out for global use passes.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeAlias, TypeVar

import requests
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from connector.codes import Code
from connector.errors import Refused, Temporary
from connector.outbound.deadline import TimedAdapter

_NOT_PUBLIC: Final = "the host leads to an address that is not public"
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Result = TypeVar("Result")

# RFC 4291 section 2.4 and the IANA registry of IPv6 address space: all that is routed globally lies in here. Outside
# lie the unspecified, loopback, link-local, site-local, unique local, multicast, IPv4-compatible, -mapped, -translated
# and NAT64 addresses.
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NOT_FOR_US: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "192.0.0.0/24",  # IETF protocol assignments; some clouds' metadata
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "168.63.129.16/32",  # Azure's platform address: answers from within a virtual machine
        "2001::/23",  # IETF protocol assignments, Teredo and ORCHID among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address within
        "3fff::/20",  # documentation, RFC 9637
    )
)


class PinnedAdapter(TimedAdapter, IPFilterAdapter):  # type: ignore[misc] # the library has no types
    """Resolves a host once, within a time, and connects to that address if it is public.

    Args:
        secure: whether it is for https.
        loopback: whether this machine passes too, for rehearsals.
        resolve_s: seconds to wait for the resolver.
    """

    def __init__(self, *, secure: bool, loopback: bool, resolve_s: float) -> None:
        IPFilterAdapter.__init__(self, is_https_proto=secure, allow_loopback=loopback)
        self._loopback = loopback
        self._secure = secure
        self._resolve_s = resolve_s
        # They write host names and addresses that a sender chose.
        for name in ("requests_hardened.ip_filter", "urllib3.connection"):
            logging.getLogger(name).disabled = True

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        resolve = super().build_connection_pool_key_attributes
        try:
            where, tls = _within(self._resolve_s, lambda: resolve(request, verify, cert))
        except InvalidIPAddress:
            raise Refused(Code.ADDRESS_REFUSED, _NOT_PUBLIC) from None
        except (OSError, LookupError):
            raise Temporary(Code.REMOTE_UNREACHABLE, "the host name was not resolved; nothing was sent") from None
        address = ipaddress.ip_address(str(where["host"]).strip("[]"))
        if not (is_public(address) or (self._loopback and address.is_loopback)):
            raise Refused(Code.ADDRESS_REFUSED, _NOT_PUBLIC)
        if not self._secure and not address.is_loopback:
            raise Refused(Code.ADDRESS_REFUSED, "http is for this machine alone")
        return where, tls


def is_public(address: Address) -> bool:
    """Say whether an address belongs to the public internet and leads to one machine."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in one for one in _NOT_FOR_US)


def _within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what the call returns, or raise `TimeoutError`: the system's resolver takes no limit of its own.

    A call that is late goes on in its thread, without effect, until the resolver gives up.
    """
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            outcome.set_exception(error)

    threading.Thread(target=run, name="resolve", daemon=True).start()
    return outcome.result(seconds)
