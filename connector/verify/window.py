"""The sender's timestamp: read strictly, limited in the past and in the future."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from connector.clock import require_aware
from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.verify.base import require_header_name

#: This product's own name, not OneTrust's: OneTrust publishes neither a signature nor a timestamp header.
DEFAULT_TIMESTAMP_HEADER: Final = "X-OneTrust-Timestamp"
MAX_TOLERANCE_S: Final = 86_400

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Unit(StrEnum):
    """What a timestamp counts."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


# Enough digits until the year 5138, and few enough that the other unit's numbers stand out.
_DIGITS: Final = {Unit.SECONDS: re.compile(r"[0-9]{1,11}"), Unit.MILLISECONDS: re.compile(r"[0-9]{1,14}")}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A timestamp as text, which is what was signed, and as a time."""

    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Where the timestamp stands, what it counts, and how far it may lie from now on either side (both inclusive).

    Raises:
        Misconfigured: no header name, or a tolerance outside 0 to 86400 seconds.
    """

    header: str = DEFAULT_TIMESTAMP_HEADER
    unit: Unit = Unit.SECONDS
    tolerance_s: float = 300

    def __post_init__(self) -> None:
        require_header_name(self.header, "hmac")
        if not 0 < self.tolerance_s <= MAX_TOLERANCE_S:
            raise Misconfigured(Code.CONFIG_INVALID, f"hmac: the tolerance must be 1 to {MAX_TOLERANCE_S} seconds")

    def read(self, headers: Mapping[str, str]) -> Stamp:
        """Return the timestamp, or raise `Rejected` with `timestamp_missing` or `timestamp_malformed`."""
        text = headers.get(self.header.lower(), "")
        if not text.strip():
            raise Rejected(Code.TIMESTAMP_MISSING, f"header {self.header}")
        if _DIGITS[self.unit].fullmatch(text) is None:
            raise Rejected(Code.TIMESTAMP_MALFORMED, f"header {self.header} must be Unix time in {self.unit}")
        return Stamp(text, _EPOCH + timedelta(**{str(self.unit): int(text)}))

    def require_inside(self, stamp: Stamp, now: datetime) -> None:
        """Raise `Rejected` with `timestamp_too_old` or `timestamp_in_future` for a stamp outside the window."""
        age = require_aware(now) - stamp.sent_at
        tolerance = timedelta(seconds=self.tolerance_s)
        if age > tolerance:
            raise Rejected(Code.TIMESTAMP_TOO_OLD, f"more than {self.tolerance_s:g} s")
        if age < -tolerance:
            raise Rejected(Code.TIMESTAMP_IN_FUTURE, f"more than {self.tolerance_s:g} s")
