"""How long what is personal can be read, and how long the record of a request is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector.states import RequestState

# An average month: nobody's deadline hangs on the day.
MONTH: Final = timedelta(days=30.4375)


@dataclass(frozen=True, slots=True)
class Retention:
    """Times since the end of a request.

    Attributes:
        fulfilled: how long values can be read of what was completed or refused;
        unfulfilled: of what failed or was done in part, which may be taken up again.
        records: how long the record is kept, without values; None for ever.
    """

    fulfilled: timedelta = timedelta(days=30)
    unfulfilled: timedelta = timedelta(days=180)
    records: timedelta | None = 24 * MONTH

    def of(self, state: RequestState) -> timedelta:
        """Return how long the values of a request that ended so can be read."""
        return self.unfulfilled if state in (RequestState.PARTIAL, RequestState.FAILED) else self.fulfilled
