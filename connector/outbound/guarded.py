"""Calls to addresses that a sender may have a hand in: published keys, callbacks, confirmations.

Whoever may send a delivery may write such an address, and must not gain a way into the network that we run in (SSRF).
So a host has to be on the operator's list, and lead to a public address; https, no redirects, little time and size.
A refusal names the rule, and at most an entry of that list: never the URL, which may hold a person or a token.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from connector.clock import Clock
from connector.codes import Code
from connector.errors import Misconfigured, Refused
from connector.hosts import HTTPS_PORT, AllowedHost, is_host_name
from connector.outbound.answer import Answer, Limits
from connector.outbound.client import Client, Told, tell_nobody
from connector.outbound.pinned import PinnedAdapter

SMALL: Final = Limits(connect_s=5.0, read_s=5.0, total_s=10.0, max_body_bytes=256 * 1024)
_MAX_URL_CHARS: Final = 2048
_MAX_ORIGINS: Final = 32

_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>.*)", re.DOTALL)
# RFC 3986 sections 3.3 and 3.4: a path and a query as they travel. Everything else is read differently by different
# readers, a backslash for instance.
_TARGET: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
# Of ASCII only what a host name has: the parser below unescapes, and ends a host at what others take for a part of it.
_HOST: Final = re.compile(r"[A-Za-z0-9.\-\u0080-\U0010ffff]{1,253}")
_LOOPBACK: Final = re.compile(r"(?P<host>localhost|127\.0\.0\.1|\[::1\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
# RFC 9110 section 7.6.1 and its successors: headers that frame the message or belong to the connection; and those by
# which a sender would bring back what this client leaves out: cookies, and answers that grow when unpacked.
_OURS: Final = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "expect"),
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "http2-settings"),
        *("proxy-authenticate", "proxy-authorization"),
        *("accept-encoding", "cookie", "cookie2"),
    }
)


@dataclass(frozen=True, slots=True)
class Address:
    """A URL that passed: what to connect to, and what to ask for there."""

    origin: str
    target: str = field(repr=False)


class Guarded:
    """The client for addresses that a sender named. Several threads may call at the same time.

    Args:
        allowed: the hosts that may be called.
        clock: for Retry-After given as a date.
        told: of every call that was made.
        rehearsal: whether this machine may be called too: `http://` on a loopback host, and allowed names that lead
            here. For rehearsals alone: whatever else listens here becomes reachable.
    """

    def __init__(
        self,
        allowed: Iterable[AllowedHost],
        *,
        clock: Clock,
        limits: Limits = SMALL,
        rehearsal: bool = False,
        told: Told = tell_nobody,
    ) -> None:
        self._allowed = tuple(allowed)
        self._clock = clock
        self._limits = limits
        self._told = told
        self._rehearsal = rehearsal
        self._clients: OrderedDict[str, Client] = OrderedDict()
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
    ) -> Answer:
        """Make one call and return its answer, as `Client.request` does.

        Raises:
            Refused: `address_refused`: the address or a header breaks a rule, and nothing was sent. `remote_refused`:
                answered with a redirect, which is never followed.
            Temporary: no whole answer, or 429 (`RateLimited`).
        """
        address = self.vet(url)
        given = dict(headers or {})
        _require_harmless(given)
        try:
            return self._client(address.origin).request(
                method, address.target, headers=given, json=json, content=content
            )
        except Misconfigured:
            # The operator wrote neither the address nor the headers.
            raise _refused("the libraries below cannot send it") from None

    def vet(self, url: str) -> Address:
        """Return where a URL leads, or raise `Refused`; no name is resolved for that."""
        found = _URL.fullmatch(url) if len(url) <= _MAX_URL_CHARS else None
        if found is None:
            raise _refused(f"it is no URL, or has over {_MAX_URL_CHARS} characters")
        authority, target = found["authority"], found["target"]
        if "@" in authority:
            raise _refused("it holds a user name")
        if "#" in target:
            raise _refused("it holds a fragment")
        if not _TARGET.fullmatch(target):
            raise _refused("its path or query holds characters that have to be escaped")
        if not target.startswith("/"):
            target = f"/{target}"
        scheme = found["scheme"].lower()
        here = _LOOPBACK.fullmatch(authority) if self._rehearsal and scheme == "http" else None
        if here is not None:
            return Address(f"http://{here['host'].lower()}:{_port(here['port'] or '80')}", target)
        if scheme != "https":
            raise _refused("it is not https")
        host, port = self._host(authority)
        return Address(f"https://{host}" if port == HTTPS_PORT else f"https://{host}:{port}", target)

    def close(self) -> None:
        """Close the connections that nobody is using."""
        with self._lock:
            clients = list(self._clients.values())
            self._clients.clear()
        for client in clients:
            client.close()

    def _host(self, authority: str) -> tuple[str, int]:
        name, colon, digits = authority.partition(":")
        host = _as_in_dns(name)
        port = _port(digits) if colon else HTTPS_PORT
        if not is_host_name(host):
            raise _refused("its host is no full host name; addresses are not called")
        if not any(one.covers(host, port) for one in self._allowed):
            raise _refused("its host and port are not on the list of allowed hosts")
        return host, port

    def _client(self, origin: str) -> Client:
        with self._lock:
            client = self._clients.pop(origin, None)
            if client is None:
                adapter = partial(
                    PinnedAdapter,
                    secure=origin.startswith("https:"),
                    loopback=self._rehearsal,
                    resolve_s=self._limits.connect_s,
                )
                client = Client(origin, clock=self._clock, limits=self._limits, adapter=adapter, told=self._told)
            self._clients[origin] = client
            dropped = self._clients.popitem(last=False)[1] if len(self._clients) > _MAX_ORIGINS else None
        if dropped is not None:
            dropped.close()
        return client


def _as_in_dns(name: str) -> str:
    """Return a host name in lower case and ASCII, without the dot at its end; empty if it is none.

    Read by the parser that the connection is made with, so that both mean the same host (RFC 5891 for other letters).
    """
    if not _HOST.fullmatch(name):
        return ""
    try:
        return (parse_url(f"https://{name}/").host or "").lower().removesuffix(".")
    except LocationParseError:
        return ""


def _port(digits: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", digits) or not 0 < int(digits) <= 65_535:  # noqa: PLR2004 - the highest port
        raise _refused("its port is no port")
    return int(digits)


def _require_harmless(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if name.lower() in _OURS:
            raise _refused(f"the header {name.lower()} is not a sender's to set")
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise _refused("a header has a name or a value that cannot be sent")
    if len({name.lower() for name in headers}) != len(headers):
        raise _refused("a header is given twice")


def _refused(why: str) -> Refused:
    return Refused(Code.ADDRESS_REFUSED, why)
