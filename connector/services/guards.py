"""What has to be true when a call's intent is written: nobody held, no tangled profile, and room behind every fuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.services import fuses, holds, tangles
from connector.services.site import AccountWork, Site
from connector.states import RequestState
from connector.store.columns import AnyRow, Connection
from connector.store.holds import keys_in_use, let_nobody_add
from connector.store.tangles import not_looked_up


def who_waits(site: Site, account: AccountWork) -> frozenset[str] | None:
    """Return the sources that may submit nothing to an account now; None if nobody may. Say so in the log."""
    closed = fuses.closed(site, account)
    return None if closed.account or not holds.may_be_read(site) else closed.sources


@dataclass(slots=True)
class Guard:
    """What guards one call. It decides within the transaction of the intent, and speaks after its commit."""

    site: Site
    account: AccountWork
    now: datetime
    _stopped: dict[str, RequestState] = field(default_factory=dict)
    _tangled: dict[str, int] = field(default_factory=dict)
    _blew: bool = False

    def admit(self, connection: Connection, members: Sequence[AnyRow], owners: Sequence[AnyRow]) -> list[AnyRow]:
        """Return the members that may be handed to Lytics, most urgent first; the others stay queued, or are ended.

        Args:
            members: targets, locked.
            owners: their requests, locked.
        """
        let_nobody_add(connection)
        keys = keys_in_use(connection)
        if not holds.are_legible(self.site, keys):
            return []
        concerned = {one.request_id for one in members}
        mine = [row for row in owners if row.id in concerned]
        self._stopped = holds.keep_back(self.site, connection, mine, self.now) if keys else {}
        free = [one for one in members if one.request_id not in self._stopped]
        free = self._untangled(connection, free)
        admitted, self._blew = fuses.room(self.site, connection, self.account, free, self.now)
        return admitted

    def _untangled(self, connection: Connection, members: Sequence[AnyRow]) -> list[AnyRow]:
        """Return the members of requests of which everything was looked up, and that delete nobody else."""
        if self.account.tangle is None:
            return list(members)
        ids = {one.request_id for one in members}
        self._tangled = tangles.keep_back(connection, self.account, ids, self.now)
        # An identity that came late is looked up before anything of its request goes.
        waiting = not_looked_up(connection, ids, self.account.name)
        return [one for one in members if one.request_id not in waiting and one.request_id not in self._tangled]

    def speak(self) -> None:
        """Say in the log what was stopped, and why."""
        holds.say(self.site, self._stopped)
        tangles.say(self.site, self.account, self._tangled)
        if self._blew:
            fuses.closed(self.site, self.account)
