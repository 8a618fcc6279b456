"""Looks for the mistake behind a signature that does not fit: the usual ones are tried with the configured secrets.

Everything is tried, whether or not something fits before, so that the effort depends on the delivery alone. Whatever
fits was verified by the very check that a corrected setting would build, so a hit is a proof and not a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.verify.explain.frames import Frame, frames, near_names
from connector.verify.explain.layouts import Reading, Writing, readings, writings
from connector.verify.explain.mistakes import Hint, Mistake, Search, Side, fits
from connector.verify.explain.spellings import addresses, bodies, methods
from connector.verify.grammar import Plain
from connector.verify.scheme import Names, Scheme
from connector.verify.signed import Signed

#: Larger bodies are not varied: each attempt hashes one anew.
MAX_BODY_BYTES: Final = 2_097_152
#: Up to this, other layouts are tried with other spellings too.
_SMALL_BYTES: Final = 65_536
MAX_HINTS: Final = 3
_MAX_REPEATED: Final = 4
#: Twenty bytes of SHA-1 in Base64; shorter parts of a header are no signatures of their own.
_SHORTEST_SIGNATURE: Final = 27


@dataclass(slots=True)
class _Numbers:
    """How many different things were tried."""

    seen: dict[str, set[object]] = field(default_factory=dict)
    attempts: int = 0

    def note(self, what: str, one: object) -> None:
        self.seen.setdefault(what, set()).add(one)

    def words(self) -> str:
        parts = [f"{len(found)} {what}" for what, found in self.seen.items()]
        return f"{self.attempts} combinations of {', '.join(parts)}" if self.attempts else ""


def search(check: Signed, inbound: Inbound, now: datetime, target: str = "") -> Search:
    """Return what would make the signature fit, the fewest differences first.

    Args:
        target: path and query as the request line has them; empty if unknown.
    """
    if len(inbound.body) > MAX_BODY_BYTES:
        return Search(tried=f"nothing: a body over {MAX_BODY_BYTES} bytes is not varied")
    numbers = _Numbers()
    hits = []
    for mistakes, signed, call in _attempts(check, inbound, target, numbers):
        numbers.attempts += 1
        if _passes(signed, call, now) and mistakes:
            hits.append(Hint(mistakes, matches=True, secret_id=signed.secrets[0].id))
    fewest = min((len(one.mistakes) for one in hits), default=0)
    best = dict.fromkeys(one for one in hits if len(one.mistakes) == fewest)
    return Search(tuple(best)[:MAX_HINTS], numbers.words())


Attempt = tuple[tuple[Mistake, ...], Signed, Inbound]


def _attempts(check: Signed, inbound: Inbound, target: str, numbers: _Numbers) -> Iterator[Attempt]:
    is_small = len(inbound.body) <= _SMALL_BYTES
    for names, value, misplaced, call in _signatures(check.scheme, inbound):
        calls = [((), call), *_other_calls(check.scheme, call, target, numbers)]
        for reading in readings(check.scheme, value):
            numbers.note("readings of the header", (names.signature, reading))
            for frame in frames(check.scheme, names, reading, call):
                numbers.note("layouts", (frame.content, frame.names))
                before = (*misplaced, *reading.mistakes, *frame.mistakes)
                for writing, signed in _checks(check, reading, frame):
                    numbers.note("ways to take the secret", (writing.form, writing.mistakes[:1]))
                    for mistakes, other in calls if is_small or not frame.mistakes else calls[:1]:
                        yield (*before, *writing.mistakes, *mistakes), signed, other


def _other_calls(
    scheme: Scheme, call: Inbound, target: str, numbers: _Numbers
) -> Iterator[tuple[tuple[Mistake, ...], Inbound]]:
    uses = scheme.template.uses
    for mistake, other in bodies(call):
        numbers.note("bodies", mistake.tried)
        yield (mistake,), other
    if uses("method"):
        for mistake, other in methods(call):
            numbers.note("methods", mistake.tried)
            yield (mistake,), other
    if any(uses(part) for part in ("url", "host", "path", "query", "form")):
        for mistake, other in addresses(call, target):
            numbers.note("addresses", mistake.tried)
            yield (mistake,), other


def _signatures(scheme: Scheme, inbound: Inbound) -> Iterator[tuple[Names, str, tuple[Mistake, ...], Inbound]]:
    """Give each value that may be meant as the signature, and the call as if it were the only one."""
    names = next((one for one in scheme.names if inbound.has(one.signature)), scheme.names[0])
    values = _values(scheme, inbound.values(names.signature))
    for value in values[:_MAX_REPEATED]:
        twice = Mistake(
            f"only one of the values of {names.signature}",
            Side.BETWEEN,
            "Send the header once; a gateway that signs as well, or copies headers, adds it again.",
        )
        yield names, value, (twice,) if len(values) > 1 else (), _with_only(inbound, names.signature, value)
    for near in near_names(names.signature, inbound) if not values else ():
        change = f'Set `header = "{near}"`, or let the sender use {names.signature}.'
        elsewhere = Mistake(f"the signature in the header {near}", Side.CONNECTOR, change)
        moved = {"timestamp": names.timestamp, "id": names.id}
        if near in moved.values():
            continue
        for value in inbound.values(near)[:1]:
            yield replace(names, signature=near), value, (elsewhere,), inbound


def _values(scheme: Scheme, values: tuple[str, ...]) -> tuple[str, ...]:
    # A server may have joined repeated headers with a comma, which no single signature holds.
    if isinstance(scheme.grammar, Plain) and len(values) == 1 and "," in values[0]:
        parts = tuple(part.strip() for part in values[0].split(","))
        return parts if all(len(part) >= _SHORTEST_SIGNATURE for part in parts) else values
    return values


def _with_only(inbound: Inbound, name: str, value: str) -> Inbound:
    rest = tuple(one for one in inbound.headers if one[0].lower() != name.lower())
    return replace(inbound, headers=(*rest, (name, value)))


def _checks(check: Signed, reading: Reading, frame: Frame) -> Iterator[tuple[Writing, Signed]]:
    for secret in check.secrets:
        for writing in writings(check.scheme, secret, frame.algorithm):
            try:
                scheme = replace(
                    check.scheme,
                    names=(frame.names,),
                    content=frame.content,
                    algorithm=frame.algorithm,
                    grammar=reading.grammar,
                    encoding=reading.encoding,
                    key=writing.form,
                    window=frame.window,
                    # What is tried out may be less than what would be accepted; the hint says so.
                    min_secret_bytes=1,
                    unseparated=True,
                    sha1=True,
                )
                signed = Signed(scheme, (writing.secret,))
            except Misconfigured:
                continue
            yield writing, signed


def _passes(check: Signed, call: Inbound, now: datetime) -> bool:
    try:
        check.verify(call, now)
    except Rejected as error:
        return fits(error)
    return True
