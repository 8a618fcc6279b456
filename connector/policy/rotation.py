"""Where the change of each secret stands: which one counts, which one is used, which one can go.

Decided from the settings and from when each secret was last used; the values play no part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from connector.private import Secret

#: Within this a secret counts as used.
RECENT: Final = timedelta(days=30)
#: Senders repeat a call for days, signed as it was the first time: so long an old secret may still be needed.
QUIET: Final = timedelta(days=7)
#: So long before its end a secret is spoken of.
ENDS_SOON: Final = timedelta(days=30)


class Standing(StrEnum):
    """Whether a secret counts now."""

    LIVE = "live"
    NOT_YET = "not_yet"
    ENDED = "ended"
    PUBLISHED = "published"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class Held:
    """A secret or key as it is configured.

    Attributes:
        check: the kind of check that it belongs to.
        group: secrets of one group may take each other's place.
    """

    source: str
    check: str
    group: str
    secret_id: str
    not_before: datetime | None = None
    not_after: datetime | None = None

    def standing(self, now: datetime) -> Standing:
        if self.not_after is not None and self.not_after < now:
            return Standing.ENDED
        return Standing.NOT_YET if self.not_before is not None and now < self.not_before else Standing.LIVE


@dataclass(frozen=True, slots=True)
class Use:
    """When a secret was used first and last, to the minute."""

    source: str
    secret_id: str
    first_used_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One secret in the report.

    Attributes:
        ends_in_days: whole days until it no longer counts; None if it has no end or has ended.
        used_recently: within the last 30 days.
    """

    source: str
    check: str
    secret_id: str
    not_before: datetime | None
    not_after: datetime | None
    standing: Standing
    ends_in_days: int | None
    first_used_at: datetime | None
    last_used_at: datetime | None
    used_recently: bool
    advice: str


Pair = tuple[Held, Use | None]


def group_end(secrets: Sequence[Secret]) -> datetime | None:
    """Return when the last of secrets that may take each other's place ends; None if one has no end, or there is none.

    Until then something is left that counts, if each begins in time.
    """
    ends = [one.not_after for one in secrets if one.not_after is not None]
    return max(ends) if ends and len(ends) == len(secrets) else None


def key_report(held: Sequence[Held], uses: Iterable[Use], publishing: Collection[str], now: datetime) -> list[Line]:
    """Return a line for every secret that is configured or was ever used, by source.

    Args:
        held: in the order of the file.
        publishing: the sources with checks for which the sender publishes keys; ids that are not configured are theirs.
    """
    used = {(one.source, one.secret_id): one for one in uses}
    known: list[Pair] = [(one, used.get((one.source, one.secret_id))) for one in held]
    lines = [_line(one, use, known, now) for one, use in known]
    configured = {(one.source, one.secret_id) for one in held}
    lines += [_unconfigured(use, publishing, now) for key, use in used.items() if key not in configured]
    # Sorting keeps the order within a source: that of the file, then what is no longer there.
    return sorted(lines, key=lambda one: one.source)


def _line(one: Held, use: Use | None, known: Sequence[Pair], now: datetime) -> Line:
    standing = one.standing(now)
    ends = (one.not_after - now).days if one.not_after is not None and standing is not Standing.ENDED else None
    return Line(
        one.source,
        one.check,
        one.secret_id,
        one.not_before,
        one.not_after,
        standing,
        ends,
        use.first_used_at if use else None,
        use.last_used_at if use else None,
        _is_recent(use, now),
        _advice(one, use, _Siblings.of(one, known), now),
    )


@dataclass(frozen=True, slots=True)
class _Siblings:
    """The secrets that may take a secret's place or whose place it may take, before and behind it in the file."""

    before: tuple[Pair, ...]
    behind: tuple[Pair, ...]

    @classmethod
    def of(cls, one: Held, known: Sequence[Pair]) -> _Siblings:
        group = [pair for pair in known if (pair[0].source, pair[0].group) == (one.source, one.group)]
        place = next(number for number, (other, _) in enumerate(group) if other is one)
        before, behind = (
            tuple(pair for pair in part if pair[0].secret_id != one.secret_id)
            for part in (group[:place], group[place + 1 :])
        )
        return cls(before, behind)

    def used_since(self, use: Use | None) -> list[Pair]:
        """Return those that were used first after this one was, or at all if it never was."""
        pairs = (*self.before, *self.behind)
        return [(other, its) for other, its in pairs if its and (not use or its.first_used_at > use.first_used_at)]


def _unconfigured(use: Use, publishing: Collection[str], now: datetime) -> Line:
    published = use.source in publishing and not use.secret_id.startswith(("env:", "file:"))
    recent = _is_recent(use, now)
    if published:
        advice = "in use" if recent else f"not used since {use.last_used_at:%Y-%m-%d}"
    else:
        advice = "no longer configured: deliveries made with it are refused"
    return Line(
        use.source,
        "",
        use.secret_id,
        None,
        None,
        Standing.PUBLISHED if published else Standing.NOT_CONFIGURED,
        None,
        use.first_used_at,
        use.last_used_at,
        recent,
        advice,
    )


def _advice(one: Held, use: Use | None, siblings: _Siblings, now: datetime) -> str:
    standing = one.standing(now)
    if standing is Standing.ENDED:
        return _after_its_end(one, use, siblings)
    if standing is Standing.NOT_YET and one.not_before is not None:
        return f"counts from {one.not_before.astimezone(UTC):%Y-%m-%d %H:%M}Z on"
    newer = siblings.used_since(use)
    if one.not_after is not None and one.not_after - now <= ENDS_SOON and not newer:
        days = (one.not_after - now).days
        return f"{days} {'day' if days == 1 else 'days'} until it ends and nothing newer has been used"
    if use is None:
        # The newest stands first in the file; where nothing was used, only that tells which one is meant to be next.
        is_next = any(its for _, its in siblings.behind)
        return "never used: the sender has not changed yet" if is_next else "never used"
    return _while_it_is_used(use, newer, siblings, now)


def _while_it_is_used(use: Use, newer: Sequence[Pair], siblings: _Siblings, now: datetime) -> str:
    later = [(other, its) for other, its in newer if its and its.last_used_at > use.last_used_at]
    if later and now - use.last_used_at >= QUIET:
        return f"no longer used since {use.last_used_at:%Y-%m-%d}: can be removed"
    for other, its in later:
        if use.last_used_at <= its.first_used_at:
            until = use.last_used_at + QUIET
            return f"{other.secret_id} is used in its place: can be removed if it is not used until {until:%Y-%m-%d}"
    if newer:
        return f"still used beside {newer[0][0].secret_id}: the sender has not changed everywhere yet"
    if any(not its and other.standing(now) is not Standing.ENDED for other, its in siblings.before):
        return "still used: the sender has not changed yet"
    return "in use" if _is_recent(use, now) else f"not used since {use.last_used_at:%Y-%m-%d}"


def _after_its_end(one: Held, use: Use | None, siblings: _Siblings) -> str:
    assert one.not_after is not None
    if use is None or one.not_after - use.last_used_at >= QUIET or siblings.used_since(use):
        return "ended: can be removed"
    until = f"{use.last_used_at:%Y-%m-%d}"
    return f"ended, and was used until {until}: see whether the sender has changed, then remove it"


def _is_recent(use: Use | None, now: datetime) -> bool:
    return use is not None and now - use.last_used_at <= RECENT
