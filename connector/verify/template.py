"""The text that a sender signs, spelled with placeholders and filled from a delivery.

A template is checked once, at the start: an unknown placeholder, or a body that is not covered, would only show as
signatures that never match, or as deliveries that anybody may alter.
"""

from __future__ import annotations

import hashlib
import hmac
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.verify.base import is_encodable, read_form, require_header_name

#: `{form}` is Twilio's rule: the form's pairs, or a hash of the body in the query.
PLACEHOLDERS: Final = frozenset(
    {"id", "ts", "body", "form", "method", "url", "path", "query", "host", "secret", "header"}
)
# What whoever repeats a call can choose. Of an address that is the query with its question mark: all before it comes
# from the settings.
_FROM_CALLS: Final = frozenset({"id", "header", "query", "url"})
_BODIES: Final = frozenset({"body", "form"})
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_BODY_HASH: Final = "bodySHA256"


@dataclass(frozen=True, slots=True)
class Place:
    """One placeholder and the fixed text around it.

    Attributes:
        behind_body: whether the body, which may hold anything, comes before it.
    """

    name: str
    header: str
    before: str
    follows: str
    behind_body: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template.

    Attributes:
        text: literal text and `{placeholders}`; a brace itself is doubled.
        unseparated: whether placeholders may touch. A sender's own format may say so; in one's own it would let
            characters move from one part to the next under the same signature.

    Raises:
        Misconfigured: an unknown placeholder, no body, or parts that touch.
    """

    text: str
    unseparated: bool = False
    start: str = field(init=False, default="")
    places: tuple[Place, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        literals, names = self._parse()
        places: list[Place] = []
        for (name, header), (before, after) in zip(names, pairwise(literals), strict=True):
            behind_body = any(place.name in _BODIES for place in places)
            places.append(Place(name, header, before, after, behind_body))
        object.__setattr__(self, "start", literals[0])
        object.__setattr__(self, "places", tuple(places))
        if not any(place.name in _BODIES for place in places):
            raise _wrong("it has to contain {body}, or anybody may alter the body")
        if not self.unseparated and any(not place.follows for place in places[:-1]):
            raise _wrong("put a separator between the placeholders")
        if not self.unseparated and self.uses("form"):
            raise _wrong("{form} writes names and values without a separator, as one known sender does; use {body}")

    def uses(self, name: str) -> bool:
        return any(place.name == name for place in self.places)

    def fill(self, inbound: Inbound, values: Mapping[str, str], secret: bytes) -> bytes:
        """Return the bytes to be signed.

        Args:
            inbound: the delivery.
            values: `id`, `ts` and `url`, as far as the scheme reads them.
            secret: what `{secret}` stands for.

        Raises:
            Rejected: a header in the template is missing or cannot be read, a part holds a separator beside it, or a
                form does not cover the body.
        """
        pieces = [self.start.encode()]
        for place in self.places:
            pieces += [self._value(place, inbound, values, secret), place.follows.encode()]
        return b"".join(pieces)

    def _parse(self) -> tuple[list[str], list[tuple[str, str]]]:
        literals, names = [""], []
        try:
            # The library's own parser of format strings: literal text, field, specification, conversion.
            parsed = list(string.Formatter().parse(self.text))
        except ValueError:
            raise _wrong("a brace is not closed, or not doubled") from None
        for literal, name, spec, conversion in parsed:
            literals[-1] += literal
            if name is None:
                continue
            if name not in PLACEHOLDERS or conversion or bool(spec) != (name == "header"):
                raise _wrong(f"the placeholders are {', '.join(sorted(PLACEHOLDERS - {'header'}))} and header:NAME")
            if spec:
                require_header_name(spec, "signed content")
            names.append((name, spec or ""))
            literals.append("")
        if not is_encodable("".join(literals)):
            raise _wrong("it is not UTF-8 text")
        return literals, names

    def _value(self, place: Place, inbound: Inbound, values: Mapping[str, str], secret: bytes) -> bytes:
        if place.name == "body":
            return inbound.body
        if place.name == "form":
            return _form(inbound)
        if place.name == "secret":
            return secret
        text = inbound.only(place.header) if place.name == "header" else _text(place.name, inbound, values)
        if place.name in _FROM_CALLS:
            _require_apart(place, text)
        # A URL or a method may hold anything; it must be refused by the comparison, not by the encoder.
        return text.encode(errors="surrogatepass")


def _require_apart(place: Place, text: str) -> None:
    """Refuse what a call chose if a piece of it could pass for a piece of the part beside it.

    What is signed has to be read in one way only: up to the body from the left, behind it from the right. So no part
    holds the separator that ends it there, nor a beginning of it, as `a:` does with `::` behind it.
    """
    chosen = "".join(text.partition("?")[1:]) if place.name == "url" else text
    what = place.header or place.name
    if place.follows and (chosen + place.follows).index(place.follows) < len(chosen):
        raise Rejected(Code.CREDENTIAL_MALFORMED, f"{what} holds the separator after it")
    if place.behind_body and place.before and (place.before + chosen).rindex(place.before) > 0:
        raise Rejected(Code.CREDENTIAL_MALFORMED, f"{what} holds the separator before it")


def _text(name: str, inbound: Inbound, values: Mapping[str, str]) -> str:
    if name in values:
        return values[name]
    return {"method": inbound.method, "path": inbound.path, "query": inbound.query, "host": inbound.host}[name]


def _form(inbound: Inbound) -> bytes:
    """Return Twilio's text for the body: each form name and value, sorted, equal pairs once.

    It is empty for other bodies, which the query vouches for with their SHA-256 (Twilio, "Webhooks security").
    """
    given = _pairs(inbound.query)
    hashes = [value for name, value in given if name == _BODY_HASH]
    if len(hashes) > 1:
        raise Rejected(Code.CREDENTIAL_MALFORMED, f"{_BODY_HASH} came more than once")
    if hashes:
        actual = hashlib.sha256(inbound.body).hexdigest()
        if not hmac.compare_digest(hashes[0].encode(errors="surrogatepass"), actual.encode()):
            raise Rejected(Code.CREDENTIAL_WRONG, f"the body does not have the hash in {_BODY_HASH}")
        return b""
    if not inbound.body:
        return b""
    kinds = inbound.values("content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != _FORM_TYPE:
        raise Rejected(Code.CREDENTIAL_MISSING, f"the query has no {_BODY_HASH} and the body is not a form")
    try:
        pairs = set(_pairs(inbound.body.decode()))
    except UnicodeDecodeError:
        raise Rejected(Code.CREDENTIAL_MALFORMED, "the form is not UTF-8") from None
    if not all(name for name, _ in pairs):
        raise Rejected(Code.CREDENTIAL_MALFORMED, "the form has a value without a name")
    return "".join(name + value for name, value in sorted(pairs)).encode()


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = read_form(text)
    if pairs is None:
        raise Rejected(Code.CREDENTIAL_MALFORMED, "a form or query cannot be read")
    return pairs


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"signed content: {why}")
