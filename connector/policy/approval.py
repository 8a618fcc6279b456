"""When a person has to approve what is handed to Lytics, before it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ApprovalMode(StrEnum):
    """What has to be approved of an account, or of a source."""

    NEVER = "never"
    # Everything, until Lytics has accepted a first call; of a source, until a first request of it was completed.
    FIRST_RUN = "first-run"
    ALWAYS = "always"
    ABOVE = "above"  # everything that waits, once more waits than a number


@dataclass(frozen=True, slots=True)
class Approval:
    """The rule of one account, or of one source.

    Attributes:
        above: with `ABOVE`: so many values may go without anybody being asked.
    """

    mode: ApprovalMode = ApprovalMode.NEVER
    above: int = 0

    def most(self, limit: int) -> int:
        """Return how many values may be read at a time, so that those that came meanwhile do not slip through."""
        return min(limit, self.above) if self.mode is ApprovalMode.ABOVE else limit

    def is_needed(self, *, ever_accepted: bool, waiting: int) -> bool:
        """Say whether what was not approved has to wait.

        Args:
            ever_accepted: whether Lytics has accepted a call of the account before.
            waiting: how many values wait that were not approved.
        """
        match self.mode:
            case ApprovalMode.NEVER:
                return False
            case ApprovalMode.FIRST_RUN:
                return not ever_accepted
            case ApprovalMode.ALWAYS:
                return True
            case ApprovalMode.ABOVE:
                return waiting > self.above or self.above == 0


@dataclass(frozen=True, slots=True)
class Approvals:
    """The rules that hold in one account: its own, and those of its sources. The stricter one counts."""

    account: Approval = field(default_factory=Approval)
    sources: Mapping[str, Approval] = field(default_factory=dict)

    def most(self, limit: int) -> int:
        """Return how many values may be read at a time, as `Approval.most` does."""
        return min(one.most(limit) for one in (self.account, *self.sources.values()))


@dataclass(frozen=True, slots=True)
class Needed:
    """What has to wait for a person: everything that nobody approved, or that of some sources."""

    everything: bool = False
    sources: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.sources)
