"""The sender's time of sending: read strictly, limited in the past and in the future."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from connector.clock import require_aware
from connector.codes import Code
from connector.errors import Misconfigured, Rejected

MAX_TOLERANCE_S: Final = 86_400

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TimeUnit(StrEnum):
    """How a timestamp is written."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    ISO8601 = "iso8601"


# Enough digits until the year 5138, and few enough that the other unit's numbers stand out.
_FORM: Final = {
    TimeUnit.SECONDS: re.compile(r"[0-9]{1,11}"),
    TimeUnit.MILLISECONDS: re.compile(r"[0-9]{1,14}"),
    # The profile of RFC 3339; a time without an offset could mean anything.
    TimeUnit.ISO8601: re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
    ),
}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How a timestamp is written and how far, in seconds, it may lie from now on either side (both inclusive).

    Raises:
        Misconfigured: an unknown unit, or a side outside 1 to 86400 seconds.
    """

    unit: TimeUnit = TimeUnit.SECONDS
    past_s: float = 300
    future_s: float = 300

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "unit", TimeUnit(self.unit))
        except ValueError:
            raise Misconfigured(
                Code.CONFIG_INVALID, f"the timestamp's unit must be one of {', '.join(TimeUnit)}"
            ) from None
        if not all(1 <= side <= MAX_TOLERANCE_S for side in (self.past_s, self.future_s)):
            raise Misconfigured(Code.CONFIG_INVALID, f"the tolerance must be 1 to {MAX_TOLERANCE_S} seconds")

    def read(self, text: str) -> datetime:
        """Return the time that `text` names; `Rejected` with `timestamp_malformed` for anything else."""
        if _FORM[self.unit].fullmatch(text) is None:
            raise Rejected(Code.TIMESTAMP_MALFORMED, f"it is not {self._form()}")
        if self.unit is not TimeUnit.ISO8601:
            return _EPOCH + timedelta(**{str(self.unit): int(text)})
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Rejected(Code.TIMESTAMP_MALFORMED, f"it is not {self._form()}") from None

    def require_inside(self, sent_at: datetime, now: datetime) -> None:
        """Raise `Rejected` with `timestamp_too_old` or `timestamp_in_future` for a time outside the window."""
        age = require_aware(now) - sent_at
        if age > timedelta(seconds=self.past_s):
            raise Rejected(Code.TIMESTAMP_TOO_OLD, f"more than {self.past_s:g} s")
        if -age > timedelta(seconds=self.future_s):
            raise Rejected(Code.TIMESTAMP_IN_FUTURE, f"more than {self.future_s:g} s")

    def end_of(self, sent_at: datetime) -> datetime:
        """Return until when a delivery of this time is accepted."""
        return sent_at + timedelta(seconds=self.past_s)

    def _form(self) -> str:
        return "ISO 8601 with an offset" if self.unit is TimeUnit.ISO8601 else f"Unix time in {self.unit}"
