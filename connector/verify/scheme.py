"""A signature scheme as data: where the signature and what belongs to it stand, and what is signed with which key.

A scheme that could not protect anything, or could never match, cannot be built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlsplit

from connector.codes import Code
from connector.errors import Misconfigured
from connector.inbound import Inbound
from connector.verify.base import require_header_name
from connector.verify.grammar import Grammar, Pairs, Plain, SignatureEncoding
from connector.verify.key_format import MAX_SECRET_BYTES, MIN_SECRET_BYTES, PUBLIC_FORMATS, SECRET_FORMATS, KeyFormat
from connector.verify.keys import Algorithm
from connector.verify.stamp import Tolerance
from connector.verify.template import Template

_Member = TypeVar("_Member", bound=StrEnum)


class UrlForm(StrEnum):
    """Which spelling of the URL the sender may have signed."""

    AS_SENT = "as_sent"
    EITHER_PORT = "either_port"
    DECODED_ESCAPES = "decoded_escapes"


@dataclass(frozen=True, slots=True)
class Names:
    """The headers of one delivery that belong together."""

    signature: str
    timestamp: str | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in (self.signature, self.timestamp, self.id) if name is not None]
        for name in given:
            require_header_name(name, "scheme")
        if len({name.lower() for name in given}) != len(given):
            raise _wrong("signature, timestamp and id need headers of their own")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One layout.

    Attributes:
        name: for the record of a delivery.
        names: the headers; of several sets the first whose signature header came is used, and no other.
        content: what is signed, see `template`.
        algorithm: the only one accepted.
        grammar: how the signature header is laid out.
        encoding: how a signature is written.
        key: how secrets or public keys are written.
        window: the timestamp that is signed too; None means that a recorded delivery can be sent again at any time, so
            only the claim of its replay key stops it.
        url: which spelling of the URL is signed.
        min_secret_bytes: after decoding; a published minimum, else 16.
        max_secret_bytes: the same.
        unseparated: the sender's format lets the parts of the content touch.
        sha1: the sender offers nothing but SHA-1. Only presets say so, as with the three above.
        source: who says that the sender signs in this way.

    Raises:
        Misconfigured: it could not work, or not protect; with the mend.
    """

    name: str
    names: tuple[Names, ...]
    content: str
    algorithm: Algorithm
    grammar: Grammar = field(default_factory=Plain)
    encoding: SignatureEncoding = SignatureEncoding.HEX
    key: KeyFormat = KeyFormat.UTF8
    window: Tolerance | None = field(default_factory=Tolerance)
    url: UrlForm = UrlForm.AS_SENT
    min_secret_bytes: int = MIN_SECRET_BYTES
    max_secret_bytes: int = MAX_SECRET_BYTES
    unseparated: bool = False
    sha1: bool = False
    source: str = ""
    template: Template = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "algorithm", _member(Algorithm, self.algorithm, "algorithm"))
        object.__setattr__(self, "encoding", _member(SignatureEncoding, self.encoding, "encoding"))
        object.__setattr__(self, "key", _member(KeyFormat, self.key, "key format"))
        object.__setattr__(self, "url", _member(UrlForm, self.url, "form of the URL"))
        object.__setattr__(self, "template", Template(self.content, self.unseparated))
        self._require_fitting_key()
        self._require_fitting_content()

    def urls(self, inbound: Inbound) -> tuple[str, ...]:
        """Return the spellings of the URL that the sender may have signed, each once."""
        if not self.template.uses("url"):
            return (inbound.url,)
        return tuple(dict.fromkeys((inbound.url, *_SPELLINGS[self.url](inbound.url))))

    def _require_fitting_key(self) -> None:
        if self.algorithm is Algorithm.HMAC_SHA1 and not self.sha1:
            raise _wrong("SHA-1 is accepted only where a preset needs it; choose hmac-sha256")
        if self.key not in (SECRET_FORMATS if self.algorithm.hash_name else PUBLIC_FORMATS):
            raise _wrong(f"{self.algorithm} does not take keys written as {self.key}")
        if self.template.uses("secret") != (self.algorithm is Algorithm.DIGEST_SHA256):
            raise _wrong("{secret} belongs into the content of a digest, and only there")

    def _require_fitting_content(self) -> None:
        if not self.names:
            raise _wrong("name the signature's header")
        in_header = isinstance(self.grammar, Pairs) and self.grammar.timestamp is not None
        for names in self.names:
            has_time = in_header or names.timestamp is not None
            if in_header and names.timestamp is not None:
                raise _wrong("the timestamp stands in a header or in the signature's header, not in both")
            if not has_time == self.template.uses("ts") == (self.window is not None):
                raise _wrong("a timestamp needs three things: a place, {ts} in the signed content, and a tolerance")
            if names.signature.lower() in {place.header.lower() for place in self.template.places}:
                raise _wrong("the header of the signature cannot be part of what is signed")
            if (names.id is not None) != self.template.uses("id"):
                raise _wrong("an id needs a header and {id} in the signed content; unsigned it could be altered")


def _either_port(url: str) -> tuple[str, ...]:
    """Return the URL without its port, and with the default one if it names none (Twilio's libraries try both)."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return ()
    scheme, mark, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    after = rest[len(authority) :]
    if port is not None:
        return (f"{scheme}{mark}{authority.rpartition(':')[0]}{after}",)
    default = {"https": "443", "http": "80"}.get(scheme.lower())
    return (f"{scheme}{mark}{authority}:{default}{after}",) if default and authority else ()


# HubSpot, "Validate requests", the v3 signature: these are decoded before signing, all others stay escaped.
_DECODED: Final = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}


def _decoded(url: str) -> tuple[str, ...]:
    for escaped, plain in _DECODED.items():
        url = url.replace(escaped, plain).replace(escaped.lower(), plain)
    return (url,)


_SPELLINGS: Final[Mapping[UrlForm, Callable[[str], tuple[str, ...]]]] = {
    UrlForm.AS_SENT: lambda _: (),
    UrlForm.EITHER_PORT: _either_port,
    UrlForm.DECODED_ESCAPES: _decoded,
}


def _member(kind: type[_Member], value: str, what: str) -> _Member:
    try:
        return kind(value)
    except ValueError:
        raise _wrong(f"the {what} has to be one of {', '.join(kind)}") from None


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"scheme: {why}")
