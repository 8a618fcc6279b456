"""A client that keeps what the doctor wants to see of answers, and the doctor's patience."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connector.clock import Clock
from connector.outbound import Answer, Client, Limits

#: Short: a doctor who waits is no help.
LIMITS: Final = Limits(connect_s=5.0, read_s=10.0, total_s=15.0)
#: A clock that is off by more makes signatures and tokens fail sooner or later.
MOST_SKEW: Final = timedelta(seconds=30)


class Watched(Client):
    """Keeps the last answer, and by how much its clock is ahead of ours."""

    def __init__(self, base_url: str, clock: Clock, *, limits: Limits = LIMITS) -> None:
        super().__init__(base_url, clock=clock, limits=limits)
        self._watch = clock
        self.last: Answer | None = None
        self.skew: timedelta | None = None

    def request(self, method: str, path: str, **given: Any) -> Answer:
        answer = super().request(method, path, **given)
        self.last = answer
        told = _moment(answer.headers.get("date", ""))
        if told is not None:
            self.skew = told - self._watch.now()
        return answer

    @property
    def is_off(self) -> bool:
        """Whether the two clocks differ by more than can be borne. A Date header has whole seconds."""
        return self.skew is not None and abs(self.skew) > MOST_SKEW


def _moment(text: str) -> datetime | None:
    try:
        told = parsedate_to_datetime(text)
    except ValueError:
        return None
    return told if told.tzinfo is not None else None
