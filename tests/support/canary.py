"""Marked values that stand for people and secrets, and a search that finds them however they are written.

A marked value is looked for by its words: runs of at least eight letters and digits, which nothing holds by chance. So
a value that was cut, masked too little or torn into its parts is found as well as a whole one.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import quote

# As long as a word has to be, and every spelling of it.
_LEAST: Final = 8
_WORD: Final = re.compile(rf"[^\W_]{{{_LEAST},}}")
_AT_HOME: Final = 9
_DIGESTS: Final = ("md5", "sha1", "sha256")


@dataclass(frozen=True)
class Marker:
    """A value that must not be seen. Its name may: that is what a test says of it."""

    name: str
    value: str = field(repr=False)

    @property
    def words(self) -> tuple[str, ...]:
        found = tuple(_WORD.findall(self.value))
        # As people write a telephone number at home.
        return (*found, *(one[-_AT_HOME:] for one in found if one.isdecimal() and len(one) > _AT_HOME))


#: What a person is known by, and what they said.
PEOPLE: Final = (
    Marker("email", "Quaggawiese.7f3a@Xylofonhain.example"),
    Marker("second email", "zwergotterbach@example.com"),
    Marker("telephone", "+4915550179843"),
    Marker("loyalty id", "LQ77310946528"),
    Marker("user id", "uid-9K4T2M8WQ6XB"),
    Marker("first name", "Wüstenfüchsin"),
    Marker("last name", "Kranichmoorsee"),
    Marker("street", "Nebelpantherweg 4711"),
    Marker("town", "Bad Okapigrund"),
    Marker("postcode", "DE-9911774420"),
    Marker("shoe size", "halbschuhgroesse44"),
    Marker("comment", 'He said: "mondfischteich\\lagune" <b>'),
    Marker("password of the person", "Pw!taschenkrebsfang"),
    Marker("magic link", "https://privacy.example.com/magic/Zaunkoenigflug88"),
    Marker("stranger", "fremderlurchpfad@example.org"),
    Marker("header", "schneeeulenkopfzeile"),
)
#: What opens something.
SECRETS: Final = (
    Marker("webhook secret", "webhookSchluesselhabicht0123456789"),
    Marker("lytics token", "at.LyticsTokenDachsbau0123456789"),
    Marker("onetrust client secret", "ontrustKundenwortIgel0123456789"),
    Marker("sealing key", "siegelSchluesselLuchs0123456789abcdef"),
    Marker("sealing key after the rotation", "neuesSiegelMarder0123456789abcdefgh"),
    Marker("pseudonym key", "pseudonymWortBiber0123456789abcdef"),
    Marker("share key", "geteiltesWortFischotter0123456789abc"),
    Marker("api token", "apiTokenSteinkauz0123456789abcdef"),
    Marker("dashboard password", "torhueterpasswort schwarzstorch"),
    Marker("store password", "speicherkennwortKormoran0123"),
    Marker("token signing secret", "tokenUnterschriftWiesel0123456789abcdef"),
)
MARKERS: Final = (*PEOPLE, *SECRETS)


def value_of(name: str) -> str:
    """Return the value of a marker."""
    (found,) = (one.value for one in MARKERS if one.name == name)
    return found


def _cases(text: str) -> set[str]:
    """Give how a text may stand after somebody normalised it."""
    changed = {text, text.lower(), text.upper(), text.capitalize()}
    return changed | {unicodedata.normalize(form, one) for one in changed for form in ("NFC", "NFD")}


def _as_written(text: str) -> Iterator[tuple[str, bytes]]:
    """Give the spellings of a text in which upper and lower case are not told apart."""
    raw = text.encode()
    yield "as text", raw
    yield "in Latin-1", text.encode("latin-1", errors="ignore")
    yield "in UTF-16", text.encode("utf-16-le")
    yield "in UTF-16", text.encode("utf-16-be")
    yield "escaped as JSON", json.dumps(text)[1:-1].encode()
    yield "escaped as Python", ascii(text)[1:-1].encode()
    yield "escaped as Python", repr(raw)[2:-1].encode()
    yield "escaped as HTML", html.escape(text).encode("ascii", errors="xmlcharrefreplace")
    yield "encoded for a URL", quote(text, safe="").encode()
    yield "encoded for a URL", "".join(f"%{one:02x}" for one in raw).encode()
    yield "in hexadecimal", raw.hex().encode()


def _in_base64(text: str) -> Iterator[bytes]:
    """Give a text in base64 at each of the three offsets, without the ends that depend on what stands beside it."""
    raw = text.encode()
    for shift in range(3):
        padded = b"\0" * shift + raw
        whole = base64.b64encode(padded[: len(padded) - len(padded) % 3])
        inner = whole[4:] if shift else whole
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _digests(value: str) -> Iterator[tuple[str, bytes]]:
    """Give the hashes of a value that need no key: whoever guesses the value can compute them."""
    for text in {value, value.lower(), value.strip("+")}:
        for name in _DIGESTS:
            yield (
                f"as {name} without a key",
                hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest().encode(),
            )
        # Of the one that people take today, also the other ways of writing it.
        raw = hashlib.sha256(text.encode()).digest()
        yield "as sha256 without a key", raw
        yield "as sha256 without a key", base64.b64encode(raw).rstrip(b"=")
        yield "as sha256 without a key", base64.urlsafe_b64encode(raw).rstrip(b"=")


@dataclass(frozen=True)
class Search:
    """Looks for marked values in bytes.

    Attributes:
        markers: those that are looked for.
    """

    markers: tuple[Marker, ...] = MARKERS

    @cached_property
    def _any_case(self) -> Mapping[bytes, str]:
        found: dict[bytes, str] = {}
        for one in self.markers:
            for how, spelling in (each for word in one.words for text in _cases(word) for each in _as_written(text)):
                if len(spelling) >= _LEAST:
                    # The plainest way of writing it, where several give the same.
                    found.setdefault(spelling.lower(), f"{one.name} {how}")
        return found

    @cached_property
    def _this_case(self) -> Mapping[bytes, str]:
        based = {
            spelling: f"{one.name} in base64"
            for one in self.markers
            for word in one.words
            for text in _cases(word)
            for spelling in _in_base64(text)
        }
        return based | {spelling: f"{one.name} {how}" for one in self.markers for how, spelling in _digests(one.value)}

    def find(self, content: bytes | str) -> list[str]:
        """Return which marked values stand in it, and how they are written; never the values themselves."""
        raw = content.encode(errors="surrogatepass") if isinstance(content, str) else content
        low = raw.lower()
        found = {told for spelling, told in self._any_case.items() if spelling in low}
        return sorted(found | {told for spelling, told in self._this_case.items() if spelling in raw})
