"""Until when a former pseudonym key is needed. A pure function of what was counted under it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is hashed is kept, None for ever: entries of the suppression list, and records of requests."""

    entries: timedelta | None
    records: timedelta | None


def needed_until(last_used_at: datetime | None, *, entries: bool, repeats: bool, keeping: Keeping) -> datetime | None:
    """Return before when a key is surely needed; None if no end is known.

    Args:
        last_used_at: when something was hashed under it last.
        entries: whether somebody is on the suppression list under it,
        repeats: whether calls are on record that it tells from others. A record is kept from the end of its request,
            which is later than this.
    """
    if last_used_at is None:
        return None
    kept = [keep for wanted, keep in ((entries, keeping.entries), (repeats, keeping.records)) if wanted]
    known = [one for one in kept if one is not None]
    return last_used_at + max(known) if known and len(known) == len(kept) else None
