"""What the commands that look say of blown fuses: which, since when, over what time, which numbers, what waits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from connector.config import Config
from connector.policy.fuse import FuseRule
from connector.services import fuses
from connector.states import TargetState
from connector.store import fuses as store
from connector.store.columns import Connection
from connector.store.fuses import Scope
from connector.store.overview import Dossier
from connector.store.targets import FREE_REQUESTS


@dataclass(frozen=True, slots=True)
class BlownFuse:
    """A blown fuse, and what waits behind it.

    Attributes:
        counted: values handed to Lytics within the window, up to when it blew.
        most: the limit, and by which `rule`; `normal` is what is normal within such a window, if that is known.
        requests: how many wait, and how many of them are due soon.
    """

    scope: str
    name: str
    blown_at: datetime
    rule: str
    window_s: int
    most: int
    counted: int
    normal: int | None
    requests: int
    pressing: int
    next_due: datetime | None

    def __str__(self) -> str:
        limit = "the most that is set"
        if self.rule == FuseRule.RELATIVE:
            limit = f"the limit because {self.normal} are normal"
        return (
            f"the fuse of {self.scope} {self.name} blew at {self.blown_at:%Y-%m-%d %H:%M:%S}Z: {self.counted} values "
            f"within {self.window_s / 3600:g} hours, and more were to follow; {self.most} is {limit}. "
            f"{self.requests} requests wait, {self.pressing} of them due within {fuses.DUE_SOON.days} days; "
            f"look, then `connector resume --{self.scope} {self.name}`"
        )

    def keeps(self, dossier: Dossier) -> bool:
        """Say whether a target of a request waits behind it."""
        if dossier.request.state not in FREE_REQUESTS:
            return False
        queued = [one for one in dossier.targets if one.state is TargetState.QUEUED]
        if self.scope == Scope.SOURCE:
            return bool(queued) and dossier.request.source == self.name
        return any(one.account == self.name for one in queued)


def blown(connection: Connection, config: Config, now: datetime) -> list[BlownFuse]:
    """Return the blown fuses that keep something back under this configuration."""
    found = []
    for row in store.blown(connection):
        tables = config.accounts if row.scope == Scope.ACCOUNT else config.sources
        if row.name not in tables or not tables[row.name].fuse.enabled:
            continue
        accounts: Collection[str] = {row.name} if row.scope == Scope.ACCOUNT else config.accounts
        behind = fuses.waiting_behind(connection, row, accounts, now)
        numbers = (row.rule, row.window_s, row.most, row.counted, row.normal)
        waiting = (behind.requests, behind.pressing, behind.next_due)
        found.append(BlownFuse(row.scope, row.name, row.blown_at, *numbers, *waiting))
    return found
