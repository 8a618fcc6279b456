"""Why was this refused, and who has to change what? Hints for one check, found with the configured secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.ports import Verifier
from connector.private import Secret
from connector.verify.explain.attempts import search
from connector.verify.explain.frames import near_names
from connector.verify.explain.misplaced import search_shared
from connector.verify.explain.mistakes import Hint, Mistake, Search, Side, fits
from connector.verify.presets import PRESETS
from connector.verify.shared import Basic, Bearer, QueryParameter, StaticHeader
from connector.verify.signed import Signed
from connector.verify.stamp import TimeUnit, Tolerance

_OUTSIDE: Final = frozenset({Code.TIMESTAMP_TOO_OLD, Code.TIMESTAMP_IN_FUTURE})
_LONGEST_ZONE: Final = timedelta(hours=14)
_HALF_AN_HOUR: Final = timedelta(minutes=30)


def hints_for(check: Verifier, error: Rejected, inbound: Inbound, now: datetime, target: str = "") -> Search:
    """Return hints at why a check refused a call.

    Args:
        check: the check itself, with its secrets.
        error: how it refused.
        target: path and query as the request line has them; empty if unknown.
    """
    found = Search()
    if error.code is Code.CREDENTIAL_EXPIRED:
        return Search(tuple(_out_of_time(check, error, now)))
    if isinstance(check, Signed):
        if error.code in _OUTSIDE:
            return Search(tuple(_outside(check, inbound, now)))
        found = search(check, inbound, now, target)
        known = [*_known_layouts(check, inbound, now)]
        found = replace(found, hints=(*(_fixed(check, one) for one in found.hints), *known))
    elif isinstance(check, StaticHeader | Bearer | Basic | QueryParameter):
        found = search_shared(check, inbound)
    if found.has_match:
        return found
    return replace(found, hints=(*found.hints, *_standing_out(check, inbound)))


def _out_of_time(check: Verifier, error: Rejected, now: datetime) -> Iterator[Hint]:
    for secret in _secrets(check):
        if not secret.is_live(now) and error.secret_id == secret.id:
            early = secret.not_before is not None and now < secret.not_before
            until = f"it counts from {secret.not_before} on" if early else f"it counted until {secret.not_after}"
            name = "not_before" if early else "not_after"
            change = f"Let the sender use a secret that counts now; or move `{name}` of {secret.id} for a while."
            mistake = Mistake(f"the secret at another time: {until}", Side.SENDER, change)
            yield Hint((mistake,), matches=True, secret_id=secret.id)


def _outside(check: Signed, inbound: Inbound, now: datetime) -> Iterator[Hint]:
    """Explain a time that is signed, but does not lie near now."""
    window, reading = check.scheme.window, check.reading(inbound)
    assert window is not None
    assert reading.sent_at is not None
    for unit in TimeUnit:
        if unit is not window.unit and _is_inside(replace(window, unit=unit), reading.timestamp or "", now):
            change = f'Set `timestamp_unit = "{unit}"`, or let the sender write {window.unit}.'
            yield Hint((Mistake(f"the time in {unit}", Side.CONNECTOR, change),), matches=True)
            return
    ahead = reading.sent_at > now
    distance = abs(now - reading.sent_at)
    limit = window.future_s if ahead else window.past_s
    where = "after" if ahead else "before"
    far = f"the one that is signed lies {spoken(distance)} {where} it, and {limit:g} s are allowed"
    tried = f"a time nearer to that of judging: {far}"
    change = (
        "A saved call is judged by the time at which it came: give that time. If that is how it came, one of the two "
        "clocks is wrong, or the call waited on the way and was not signed anew."
    )
    if zone := _zone(distance, limit):
        change += f" A distance of about {spoken(zone)} suggests a local time taken for UTC."
    yield Hint((Mistake(tried, Side.SENDER, change),), matches=True)


def _is_inside(window: Tolerance, text: str, now: datetime) -> bool:
    try:
        window.require_inside(window.read(text), now)
    except Rejected:
        return False
    return True


def _zone(distance: timedelta, limit: float) -> timedelta | None:
    nearest = round(distance / _HALF_AN_HOUR) * _HALF_AN_HOUR
    close = abs(distance - nearest) <= timedelta(seconds=min(limit, 300))
    return nearest if close and _HALF_AN_HOUR <= nearest <= _LONGEST_ZONE else None


def spoken(distance: timedelta) -> str:
    """Return a distance in time in its two largest units."""
    seconds = int(distance.total_seconds())
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        number, seconds = divmod(seconds, size)
        if number or (parts and len(parts) < 2):  # noqa: PLR2004 - two units
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _known_layouts(check: Signed, inbound: Inbound, now: datetime) -> Iterator[Hint]:
    """Try the layouts of all known senders whose signature header came."""
    alike = []
    for name, scheme in PRESETS.items():
        if name == check.scheme.name or not any(inbound.has(one.signature) for one in scheme.names):
            continue
        fitting = [secret for secret in check.secrets if _fits(scheme.name, secret, inbound, now)]
        change = f'Use `check = "scheme"`, `scheme = "{name}"` with the same secret.'
        for secret in fitting[:1]:
            mistake = Mistake(f"the layout of the known sender {name}", Side.CONNECTOR, change)
            yield Hint((mistake,), matches=True, secret_id=secret.id)
        if not fitting and not inbound.has(check.scheme.names[0].signature):
            alike.append(name)
    if alike:
        change = f'If it is that sender, use `check = "scheme"` with {" or ".join(alike)}, and its secret.'
        yield Hint((Mistake(f"its headers, which are those of {', '.join(alike)}", Side.CONNECTOR, change),))


def _fits(name: str, secret: Secret, inbound: Inbound, now: datetime) -> bool:
    try:
        Signed(PRESETS[name], (secret,)).verify(inbound, now)
    except Misconfigured:
        return False
    except Rejected as error:
        return fits(error)
    return True


def _fixed(check: Signed, hint: Hint) -> Hint:
    """Say of a known layout, whose settings cannot be changed one by one, what to do instead."""
    if check.scheme.name not in PRESETS:
        return hint
    more = f' The layout {check.scheme.name} is fixed: for that, spell it out with `check = "signature"`.'
    told = [
        replace(one, change=one.change + more) if one.side is Side.CONNECTOR and ' = "' in one.change else one
        for one in hint.mistakes
    ]
    return replace(hint, mistakes=tuple(told))


def _standing_out(check: Verifier, inbound: Inbound) -> Iterator[Hint]:
    """Name what stands out, though nothing was found that fits."""
    names = _read_headers(check, inbound)
    came = Counter(name.lower() for name, _ in inbound.headers)
    for name in names:
        if came[name.lower()] > 1:
            change = "Send it once; a gateway that copies or signs adds it again."
            yield Hint((Mistake(f"the header {name}, which came {came[name.lower()]} times", Side.BETWEEN, change),))
        elif not came[name.lower()]:
            near = near_names(name, inbound)
            beside = f"; {', '.join(near)} came" if near else ""
            change = "Let the sender send it, or name the header that it sends; a proxy may also drop unknown headers."
            yield Hint((Mistake(f"the header {name}, which is missing{beside}", Side.SENDER, change),))
    encodings = {value.strip().lower() for value in inbound.values("Content-Encoding")} - {"identity", ""}
    if encodings:
        change = "Switch compression of requests off, at the sender or in the gateway that adds it."
        yield Hint((Mistake("the body, which came compressed (Content-Encoding)", Side.BETWEEN, change),))


def _read_headers(check: Verifier, inbound: Inbound) -> tuple[str, ...]:
    if isinstance(check, Signed):
        sets = check.scheme.names
        names = next((one for one in sets if inbound.has(one.signature)), sets[0])
        return tuple(name for name in (names.signature, names.timestamp, names.id) if name)
    if isinstance(check, StaticHeader):
        return (check.name,)
    return ("Authorization",) if isinstance(check, Bearer | Basic) else ()


def _secrets(check: Verifier) -> tuple[Secret, ...]:
    if isinstance(check, Basic):
        return check.passwords
    return check.secrets if isinstance(check, Signed | StaticHeader | Bearer | QueryParameter) else ()
