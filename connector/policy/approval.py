"""When a person has to approve what is handed to Lytics, before it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ApprovalMode(StrEnum):
    """What has to be approved in an account."""

    NEVER = "never"
    FIRST_RUN = "first-run"  # everything, until Lytics has accepted a first call
    ALWAYS = "always"
    ABOVE = "above"  # everything that waits, once more waits than a number


@dataclass(frozen=True, slots=True)
class Approval:
    """The rule of one account.

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
