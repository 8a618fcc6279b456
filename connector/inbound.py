"""One inbound call exactly as it arrived: what every check of the content is made over.

Nothing here is parsed further than a check needs. Header names compare without regard to case (RFC 9110 section 5.1);
header values, the body and the URL may be personal and never show in a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.codes import Code
from connector.errors import Rejected


@dataclass(frozen=True, slots=True)
class Inbound:
    """A delivery before anything is believed.

    Attributes:
        method: as sent, `POST` and not `post`.
        url: as the sender sees it: a configured public base with the raw path and query, never built from `Host` or
            forwarded headers.
        headers: every line in order, repeated names repeated. A server that joins them has joined them with a comma.
        body: the raw bytes.
        peer: the address from which the connection came, as the server saw it: the sender's, or a proxy's.
    """

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    peer: str = field(default="", repr=False)
    _by_name: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for given, value in self.headers:
            name = given.lower()
            self._by_name[name] = (*self._by_name.get(name, ()), value)

    def values(self, name: str) -> tuple[str, ...]:
        """Return all values of a header, in order; empty if it is absent."""
        return self._by_name.get(name.lower(), ())

    def has(self, name: str) -> bool:
        return bool(self.values(name))

    def only(
        self, name: str, missing: Code = Code.CREDENTIAL_MISSING, malformed: Code = Code.CREDENTIAL_MALFORMED
    ) -> str:
        """Return the one value of a header.

        Raises:
            Rejected: `missing` if it is absent or blank; `malformed` if it came twice or holds characters beyond ASCII.
        """
        found = self.values(name)
        if len(found) > 1:
            raise Rejected(malformed, f"header {name} came more than once")
        if not found or not found[0].strip():
            raise Rejected(missing, f"header {name}")
        if not found[0].isascii():
            raise Rejected(malformed, f"header {name} holds characters beyond ASCII")
        return found[0]

    @property
    def host(self) -> str:
        """The authority of the URL: host, and port if the URL names one."""
        return self._split()[0]

    @property
    def path(self) -> str:
        """The path, still escaped; `/` if the URL has none."""
        return self._split()[1].partition("?")[0] or "/"

    @property
    def query(self) -> str:
        """What follows the first question mark, still escaped and without it."""
        return self._split()[1].partition("?")[2]

    def _split(self) -> tuple[str, str]:
        # Not urlsplit: it drops tabs and line feeds and may raise, and what was signed must stay as it was.
        rest = self.url.partition("://")[2].partition("#")[0]
        end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        return rest[:end], rest[end:]
