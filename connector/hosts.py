"""Which hosts may be called although a sender named them: one entry of the operator's list, and what it covers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from connector.codes import Code
from connector.errors import Misconfigured

HTTPS_PORT: Final = 443
_MAX_CHARS: Final = 253
_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# RFC 1123 section 2.1. The last label begins with a letter: one that ends in a number is an IPv4 address to resolvers
# (WHATWG URL, "ends in a number checker"), be it written 127.1, 0x7f000001 or 2130706433.
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
_ENTRY: Final = re.compile(r"(?P<any>\*\.)?(?P<name>[^:*]+)(?::(?P<port>[0-9]{1,5}))?")
_EXPECTED: Final = "expected a host name such as keys.example.com, keys.example.com:8443 or *.example.com"


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One host, or all hosts below a domain, and the one port that may be called there.

    Attributes:
        name: as in DNS: lower case, ASCII, without the dot at its end.
        subdomains: whether it stands for every name below it, at any depth, and then not for itself.
    """

    name: str
    port: int = HTTPS_PORT
    subdomains: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an entry of the list.

        Raises:
            Misconfigured: it is no host name, an address, or would cover a whole top-level domain.
        """
        found = _ENTRY.fullmatch(text.strip().lower())
        name = found["name"].removesuffix(".") if found is not None else ""
        port = int(found["port"] or HTTPS_PORT) if found is not None else 0
        if found is None or not is_host_name(name) or not 0 < port <= 65_535:  # noqa: PLR2004 - the highest port
            raise Misconfigured(Code.CONFIG_INVALID, _EXPECTED)
        return cls(name, port, found["any"] is not None)

    @classmethod
    def of_url(cls, url: str) -> Self | None:
        """Return the entry that covers an address which the operator configured; None if it names no host by name."""
        try:
            parts = urlsplit(url)
            name, port = (parts.hostname or "").removesuffix("."), parts.port
        except ValueError:
            return None
        return cls(name, port or HTTPS_PORT) if parts.scheme == "https" and is_host_name(name) else None

    def covers(self, name: str, port: int) -> bool:
        """Say whether this host name, written as in DNS, may be called at this port."""
        named = name.endswith(f".{self.name}") if self.subdomains else name == self.name
        return named and port == self.port

    def __str__(self) -> str:
        return f"{'*.' if self.subdomains else ''}{self.name}{'' if self.port == HTTPS_PORT else f':{self.port}'}"


def is_host_name(text: str) -> bool:
    """Say whether a text is a full host name as in DNS, lower case: no address, no single word."""
    return len(text) <= _MAX_CHARS and _NAME.fullmatch(text) is not None
