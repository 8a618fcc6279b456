"""When somebody who was deleted is looked for again, for how long, and what follows if they are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

#: When nothing else is configured.
DEFAULT_LOOKS: Final = (timedelta(days=1), timedelta(days=7), timedelta(days=30), timedelta(days=90))
#: A last look-up that cannot be made is tried for so long; then the value goes all the same.
GRACE: Final = timedelta(days=7)
_FIRST_RETRY: Final = timedelta(minutes=10)
_LONGEST_RETRY: Final = timedelta(days=1)


class Reaction(StrEnum):
    """What follows when somebody was found again."""

    ALARM = "alarm"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class WatchRule:
    """How one source's deletions are watched.

    Attributes:
        looks: how long after the deletion each look-up is made, growing.
        most_again: so often one value is deleted again; after that it is only said.
    """

    reaction: Reaction = Reaction.ALARM
    looks: tuple[timedelta, ...] = DEFAULT_LOOKS
    most_again: int = 3

    def next_look(self, began_at: datetime, now: datetime) -> datetime | None:
        """Return when to look next; None if the last look was due by now. What was missed is made up for once."""
        return next((began_at + after for after in self.looks if began_at + after > now), None)

    def ends_at(self, began_at: datetime) -> datetime:
        """Return when the value goes, whatever happens."""
        return began_at + self.looks[-1] + GRACE

    def reacts(self, again: int) -> Reaction:
        """Return what follows for a value that was deleted again so often before."""
        return self.reaction if again < self.most_again else Reaction.ALARM


def try_again(failures: int, now: datetime) -> datetime:
    """Return when a look-up that told nothing is made again."""
    wait: timedelta = _FIRST_RETRY * 2 ** min(failures, 10)
    return now + min(wait, _LONGEST_RETRY)
