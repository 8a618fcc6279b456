"""What a sender may have signed other than the settings say: which parts, in which order, from which headers."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

from connector.errors import Rejected
from connector.inbound import Inbound
from connector.verify.explain.layouts import Reading
from connector.verify.explain.mistakes import Mistake, Side, header_names
from connector.verify.keys import Algorithm
from connector.verify.scheme import Names, Scheme
from connector.verify.stamp import TimeUnit, Tolerance
from connector.verify.template import Template

MAX_NEAR_NAMES: Final = 4
_MAX_OTHER_HEADERS: Final = 3
_ALIKE: Final = 0.75
_SEPARATED: Final = ("{body}", "{ts}.{body}", "{ts}:{body}", "{body}.{ts}", "v0:{ts}:{body}", "{id}.{ts}.{body}")
_TOUCHING: Final = ("{ts}{body}", "{body}{ts}", "{method}{url}{body}", "{method}{url}{body}{ts}")
_HASHED: Final = ("{secret}{body}", "{body}{secret}")


@dataclass(frozen=True, slots=True)
class Frame:
    """One idea of what was signed.

    Attributes:
        window: with the unit in which the time can be read; None if no time is signed.
    """

    mistakes: tuple[Mistake, ...]
    names: Names
    content: str
    algorithm: Algorithm
    window: Tolerance | None


def frames(scheme: Scheme, names: Names, reading: Reading, inbound: Inbound) -> Iterator[Frame]:
    """Give the ideas of what was signed that this delivery has the parts for, that of the settings first.

    Args:
        names: the headers that the settings mean; the signature's is one that is there.
    """
    contents = [scheme.content, *(one for one in (*_SEPARATED, *_TOUCHING) if scheme.algorithm.hash_name)]
    if reading.algorithm in {Algorithm.HMAC_SHA256, Algorithm.DIGEST_SHA256}:
        contents += _HASHED
    for content in dict.fromkeys(contents):
        template = Template(content, unseparated=True)
        hashed = template.uses("secret")
        if hashed != (scheme.algorithm is Algorithm.DIGEST_SHA256) and content not in _HASHED:
            continue
        times = _times(names, inbound) if template.uses("ts") and not reading.holds_time else [None]
        ids = _ids(names, inbound) if template.uses("id") else [None]
        for time, identity in product(times, ids):
            window = None
            if template.uses("ts"):
                window = _window(scheme, _time_text(reading, names.signature, time, inbound))
                if window is None:
                    continue
            algorithm = Algorithm.DIGEST_SHA256 if hashed else reading.algorithm
            chosen = Names(names.signature, time, identity)
            yield Frame(_mistakes(scheme, names, chosen, content, window), chosen, content, algorithm, window)


def near_names(wanted: str, inbound: Inbound) -> tuple[str, ...]:
    """Return headers that came and may be meant where `wanted` is missing, the likeliest first."""
    found = [name for name in header_names(inbound) if name.lower() != wanted.lower()]
    alike = difflib.get_close_matches(wanted.lower(), [name.lower() for name in found], MAX_NEAR_NAMES, _ALIKE)
    telling = [name for name in found if any(word in name.lower() for word in ("signature", "hmac", "digest"))]
    order = [name for one in alike for name in found if name.lower() == one]
    return tuple(dict.fromkeys((*order, *telling)))[:MAX_NEAR_NAMES]


def _times(names: Names, inbound: Inbound) -> list[str | None]:
    return _candidates(names.timestamp, ("timestamp", "time"), names, inbound)


def _ids(names: Names, inbound: Inbound) -> list[str | None]:
    return _candidates(names.id, ("-id", "delivery"), names, inbound)


def _candidates(configured: str | None, words: tuple[str, ...], names: Names, inbound: Inbound) -> list[str | None]:
    taken = {name.lower() for name in (names.signature, configured) if name}
    likely = [
        name
        for name in header_names(inbound)
        if name.lower() not in taken and any(word in name.lower() for word in words)
    ]
    own = [configured] if configured and inbound.has(configured) else []
    return [*own, *likely[:_MAX_OTHER_HEADERS]]


def _time_text(reading: Reading, signature: str, time: str | None, inbound: Inbound) -> str:
    try:
        if time is not None:
            return inbound.only(time)
        return reading.grammar.read(inbound.only(signature)).timestamp or ""
    except Rejected:
        return ""


def _window(scheme: Scheme, text: str) -> Tolerance | None:
    """Return a window whose unit can read the time; it need not lie inside."""
    own = scheme.window or Tolerance()
    for unit in (own.unit, *TimeUnit):
        window = Tolerance(unit, own.past_s, own.future_s)
        try:
            window.read(text)
        except Rejected:
            continue
        return window
    return None


def _mistakes(
    scheme: Scheme, names: Names, chosen: Names, content: str, window: Tolerance | None
) -> tuple[Mistake, ...]:
    words, settings = [], []
    if content != scheme.content:
        words.append(f"the content `{content}`")
        settings.append(f'`content = "{content}"`')
    if chosen.timestamp is not None and chosen.timestamp != names.timestamp:
        words.append(f"the time in the header {chosen.timestamp}")
        settings.append(f'`timestamp_header = "{chosen.timestamp}"`')
    if chosen.id is not None and chosen.id != names.id:
        words.append(f"the id in the header {chosen.id}")
        settings.append(f'`id_header = "{chosen.id}"`')
    if window is not None and window.unit is not (scheme.window or Tolerance()).unit:
        words.append(f"the time in {window.unit}")
        settings.append(f'`timestamp_unit = "{window.unit}"`')
    if not words:
        return ()
    side, change = Side.CONNECTOR, f"Set {', '.join(settings)}."
    if content in _HASHED:
        side, change = Side.SENDER, "Make an HMAC with the secret as its key; a plain hash over both is weaker."
    elif content in _TOUCHING and content != scheme.content:
        side, change = Side.SENDER, "Sign the parts with a separator between them, as the settings say."
    elif window is None and scheme.window is not None:
        side = Side.SENDER
        change = "Sign the time too: without it, a recorded call can be sent again at any time."
    return (Mistake(", ".join(words), side, change),)
