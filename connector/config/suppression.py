"""What stays after a deletion: the suppression list, and the watch over people who come back."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from connector.config.secrets import KeyRef
from connector.config.section import Section
from connector.policy.watching import Reaction, WatchRule

WatchWord: TypeAlias = Literal["off", "alarm", "delete"]
_LONGEST_DAYS = 3_650.0
_Days = Annotated[float, Field(gt=0, le=_LONGEST_DAYS)]


def _growing(days: tuple[float, ...]) -> tuple[float, ...]:
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise ValueError("expected days since the deletion, each later than the one before")
    return days


class SuppressionSettings(Section):
    """The suppression list, and the watch over people who come back."""

    keep_months: int = Field(
        24,
        ge=0,
        description="Months after a deletion until its entry ends; 0 for never. An entry is a keyed hash.",
    )
    share_key: KeyRef | None = Field(
        None,
        description="The key of the hashes in filters for collectors, which they need too: a reference to at least 32 "
        "random bytes, other than the pseudonym key. Without it there are no filters. Only deletions from then on are "
        "in them.",
    )
    look_after_days: Annotated[tuple[_Days, ...], AfterValidator(_growing)] = Field(
        (1, 7, 30, 90),
        min_length=1,
        description="Days after a deletion at which the person is looked for again. The value is kept sealed until the "
        "last of them, and is destroyed then.",
    )
    delete_at_most: int = Field(
        3, ge=1, le=100, description='With watch = "delete": so often one value is deleted again; then it is only said.'
    )

    def rule(self, word: WatchWord) -> WatchRule | None:
        if word == "off":
            return None
        looks = tuple(timedelta(days=one) for one in self.look_after_days)
        return WatchRule(Reaction(word), looks, self.delete_at_most)
