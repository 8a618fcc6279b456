"""Which pseudonym keys are configured or needed, for what and until when, and how one is given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser
from connector.errors import Misconfigured
from connector.policy.needed_keys import Keeping, needed_until
from connector.store import audit, pseudonym_keys
from connector.store.audit import Decision
from connector.store.database import Database
from connector.store.pseudonym_keys import Need


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A pseudonym key, and for what it is needed.

    Attributes:
        name: the reference under which it is configured; empty for one that is not.
        hashes: whether what comes in is hashed under it.
        until: before when it is surely needed, if it is; None if no end is known.
    """

    id: str
    name: str
    hashes: bool
    need: Need
    until: datetime | None

    @property
    def counted(self) -> str:
        """For what it is needed, in numbers; empty if for nothing."""
        need = self.need
        numbers = {"requests": need.requests, "holds": need.holds, "entries of the suppression list": need.entries}
        said = [f"{number} {what}" for what, number in numbers.items() if number]
        return ", ".join([*said, *(["calls of its time"] if need.repeats else [])])

    @property
    def advice(self) -> str:
        """What to do about it, in a few words."""
        if self.hashes:
            return "keep"
        if not self.need.is_needed:
            return "can be removed" if self.name else "not needed"
        if not self.name:
            return "put it back into store.other_pseudonym_keys"
        return self._how_long()

    def _how_long(self) -> str:
        need = self.need
        if need.requests:
            return "connector keys rotate pseudonym"
        if need.holds:
            return "needed until its holds are taken off, or added again"
        if need.kept_for_good:
            return "needed for good: calls without a time could come again"
        return f"needed, not before {self.until:%Y-%m-%d} can it be removed" if self.until else "needed for good"


def uses(database: Database, pseudonymiser: Pseudonymiser, keeping: Keeping) -> list[KeyUse]:
    """Return the configured keys, the present one first, and those that were used besides."""
    names = {one.id: one.name for one in pseudonymiser.all}
    with database.read() as connection:
        found = pseudonym_keys.needs(connection, list(names))
    return [
        KeyUse(one.id, names.get(one.id, ""), one.id == pseudonymiser.id, one, _until(one, keeping)) for one in found
    ]


def _until(need: Need, keeping: Keeping) -> datetime | None:
    if need.holds or need.kept_for_good:
        return None
    return needed_until(need.last_used_at, entries=need.entries > 0, repeats=need.repeats, keeping=keeping)


def give_up(database: Database, pseudonymiser: Pseudonymiser, key_id: str, decision: Decision) -> bool:
    """Do without a former key: calls from its time are not recognised any more. Say whether it was known.

    Raises:
        Misconfigured: `PSEUDONYM_KEY_NEEDED`: somebody is on a list under it, or a request can be hashed anew, or
            what comes in is hashed under it.
    """
    if key_id == pseudonymiser.id:
        raise Misconfigured(Code.PSEUDONYM_KEY_NEEDED, "it is store.pseudonym_key")
    with database.write() as connection:
        (need,) = pseudonym_keys.needs(connection, [key_id])[:1]
        if need.requests or need.holds or need.entries:
            raise Misconfigured(Code.PSEUDONYM_KEY_NEEDED, KeyUse(key_id, "", False, need, None).counted)
        known = pseudonym_keys.forget(connection, key_id)
        if known:
            audit.note(connection, decision, "pseudonym_key_dropped", key_id)
    return known
