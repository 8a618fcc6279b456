"""How a signature header is laid out, and how the signatures in it are written as text.

A grammar only takes text apart. Entries it does not know are passed over, because senders add versions; which entries
count is fixed by the receiver's settings, never by the header.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from connector.codes import Code
from connector.errors import Misconfigured, Rejected

#: Senders list one signature per live key; more would only make us compute.
MAX_SIGNATURES: Final = 16

_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_NAME: Final = re.compile(r"[!-~]+")


class SignatureEncoding(StrEnum):
    HEX = "hex"
    BASE64 = "base64"
    BASE64URL = "base64url"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a header holds: the signatures that count, still as text, and the timestamp if the header carries it."""

    signatures: tuple[str, ...] = field(repr=False)
    timestamp: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """One signature, behind a prefix that has to match exactly (`sha256=`, `v0=`, or nothing)."""

    prefix: str = ""

    def __post_init__(self) -> None:
        if self.prefix and (not self.prefix.isascii() or not self.prefix.isprintable() or self.prefix[0] == " "):
            raise Misconfigured(Code.CONFIG_INVALID, "the prefix of the signature must be printable ASCII")

    def read(self, value: str) -> Parts:
        if not value.startswith(self.prefix):
            raise Rejected(Code.CREDENTIAL_MALFORMED, "the prefix is missing")
        return Parts((value.removeprefix(self.prefix),))


@dataclass(frozen=True, slots=True)
class Pairs:
    """`name=value` items behind each other, such as `t=1492774577,v1=…,v1=…`; names are compared with their case."""

    signature: str
    timestamp: str | None = None
    separator: str = ","

    def __post_init__(self) -> None:
        named = [name for name in (self.signature, self.timestamp) if name is not None]
        if self.separator not in {",", ";"}:
            raise Misconfigured(Code.CONFIG_INVALID, "the items of a signature header are separated by , or ;")
        if len(set(named)) != len(named) or not all(_is_item_name(name) for name in named):
            raise Misconfigured(Code.CONFIG_INVALID, "the item names of a signature header must be two different words")

    def read(self, value: str) -> Parts:
        items = [item.strip(" ").partition("=") for item in value.split(self.separator)]
        if not all(equals for _, equals, _ in items):
            raise Rejected(Code.CREDENTIAL_MALFORMED, "an item has no equals sign")
        stamps = [text for name, _, text in items if name == self.timestamp]
        if len(stamps) > 1:
            raise Rejected(Code.TIMESTAMP_MALFORMED, "it came more than once")
        return Parts(_some([text for name, _, text in items if name == self.signature]), stamps[0] if stamps else None)


@dataclass(frozen=True, slots=True)
class Versioned:
    """`version,signature` entries behind blanks (Standard Webhooks); other versions than the accepted are skipped."""

    accepted: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepted", tuple(self.accepted))
        if not self.accepted or not all(_is_item_name(name) for name in self.accepted):
            raise Misconfigured(Code.CONFIG_INVALID, "name the accepted versions of the signature, such as v1")

    def read(self, value: str) -> Parts:
        entries = [entry.partition(",") for entry in value.split(" ")]
        return Parts(_some([text for version, _, text in entries if version in self.accepted]))


Grammar: TypeAlias = Plain | Pairs | Versioned


def decode(text: str, encoding: SignatureEncoding) -> bytes | None:
    """Return the bytes of a signature, or None for text that the encoding would not produce."""
    if encoding is SignatureEncoding.HEX:
        return bytes.fromhex(text) if _HEX.fullmatch(text) is not None else None
    if encoding is SignatureEncoding.BASE64:
        return _canonical(text, altchars=b"+/")
    # RFC 4648 section 5 is met with and without padding.
    bare = text.removesuffix("=").removesuffix("=")
    return _canonical(text if text != bare else bare + "=" * (-len(bare) % 4), altchars=b"-_")


def _canonical(padded: str, altchars: bytes) -> bytes | None:
    try:
        decoded = base64.b64decode(padded, altchars=altchars, validate=True)
    except ValueError:
        return None
    # Encoding again settles what a decoder lets pass: stray bits in the last character, the other alphabet.
    again = base64.b64encode(decoded, altchars=altchars).decode()
    return decoded if decoded and again == padded else None


def _some(signatures: list[str]) -> tuple[str, ...]:
    if not signatures:
        raise Rejected(Code.CREDENTIAL_MALFORMED, "it holds no signature of an accepted version")
    if len(signatures) > MAX_SIGNATURES:
        raise Rejected(Code.CREDENTIAL_MALFORMED, f"it holds more than {MAX_SIGNATURES} signatures")
    return tuple(signatures)


def _is_item_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not set(name) & set(",;=")
