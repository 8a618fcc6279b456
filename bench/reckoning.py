"""What has to be true after a soak, read from the fakes' own records, from the store, and from every log."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, func, select

from bench.callers import MARK, Caller
from bench.fleet import Fleet
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.states import ReportState, RequestState, SubmissionState
from connector.store import dead_letters, vault
from connector.store.database import Database
from connector.store.tables import operations, reports, requests, submissions, targets

# Records that speak of a defect.
_DEFECTS: Final = ("uncaught", "delivery_failed", "unlisted")
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that knows what happened."""

    api: str
    lytics: FakeLytics
    onetrust: FakeOneTrust
    caller: Caller
    fleet: Fleet
    database: Database

    def accepted(self) -> set[str]:
        """Return the subtasks whose callback ever had a 2xx."""
        return {one.subtask_id for one in self.caller.deliveries if one.is_accepted}

    def is_done(self) -> bool:
        """Say whether every request has come to its end on both sides."""
        if {one.status for one in list(self.onetrust.desk.subtasks.values())} != {"COMPLETED"}:
            return False
        waiting = select(func.count()).select_from(reports).where(reports.c.state == ReportState.QUEUED)
        with self.database.read() as connection:
            return connection.scalar(waiting) == 0

    def taken_over(self) -> int:
        return sum(one["count"] for one in self.fleet.records() if one["action"] == "jobs_taken_over")

    def submitted_again(self) -> int:
        """Return how many identities were in more than one call that Lytics accepted."""
        return sum(one["times"] > 1 for one in self.lytics.snapshot()["times_submitted"])

    def broken_promises(self) -> list[str]:
        """Return what is not as it was promised; nothing in it names a person."""
        return [*self._at_onetrust(), *self._at_lytics(), *self._in_the_store(), *self._in_the_logs()]

    def _at_onetrust(self) -> Iterator[str]:
        subtasks, accepted = self.onetrust.desk.subtasks, self.accepted()
        yield from _told("callbacks never had a 2xx", subtasks.keys() - accepted)
        yield from _told("accepted and lost", (one for one in accepted if subtasks[one].status != "COMPLETED"))
        written = {one: Counter(entry["status"] for entry in self.onetrust.history(one)) for one in subtasks}
        finals = {one: statuses.total() - statuses["IN_PROGRESS"] for one, statuses in written.items()}
        yield from _told("subtasks without a last status", (one for one in finals if finals[one] == 0))
        yield from _told("subtasks with several last statuses", (one for one in finals if finals[one] > 1))
        repeated = (one for one, statuses in written.items() if max(statuses.values(), default=0) > 1)
        yield from _told("subtasks that were told the same twice", repeated)

    def _at_lytics(self) -> Iterator[str]:
        if self.lytics.profiles:
            yield f"{len(self.lytics.profiles)} people are still there at Lytics"
        again = {one["value"] for one in self.lytics.snapshot()["times_submitted"] if one["times"] > 1}
        if self.api == "identity-delete":
            # Only calls that Lytics took are counted: of none of them can absence have been shown.
            if again:
                yield f"{len(again)} identities were submitted twice"
            return
        given_up, hashes = self._given_up(), self._hashes()
        unexplained = 0
        for value in again:
            calls = [call["values"] for call in self.lytics.world.submissions if value in call["values"]]
            # The last one is followed to its end. Of each before it the store has to say why it was made again.
            unexplained += any(_fingerprint(hashes[one] for one in call) not in given_up for call in calls[:-1])
        if unexplained:
            yield f"{unexplained} identities were submitted again, and the store does not say why"

    def _given_up(self) -> set[str]:
        """Return the fingerprints of the calls that the store holds for lost, or for answered without an id."""
        followed = exists().where(operations.c.submission_id == submissions.c.id)
        lost = submissions.c.state == SubmissionState.ABANDONED
        query = select(submissions.c.fingerprint).where(lost | ~followed)
        with self.database.read() as connection:
            return set(connection.scalars(query))

    def _hashes(self) -> dict[str, str]:
        """Return under which hash the store knows each value."""
        with self.database.read() as connection:
            wanted = select(targets.c.id, targets.c.request_id, targets.c.value, targets.c.value_hash)
            rows = vault.opened(connection, connection.execute(wanted).all(), targets.c.value)
        return {row.value.reveal(): row.value_hash for row in rows}

    def _in_the_store(self) -> Iterator[str]:
        with self.database.read() as connection:
            states = Counter(connection.scalars(select(requests.c.state)))
            letters = dead_letters.listed(connection, limit=_SHOWN)
        if states != {RequestState.COMPLETED: len(self.accepted())}:
            found = {one.value: number for one, number in states.items()}
            yield f"the store holds {found} and not {len(self.accepted())} completed requests"
        for one in letters:
            yield f"dead letter: {one.kind.value} {one.id}: {one.reason}"

    def _in_the_logs(self) -> Iterator[str]:
        for one in self.fleet.members:
            if MARK in one.log.read_text(encoding="utf-8", errors="replace"):
                yield f"{one.log.stem} has written identities to its log"
        actions = Counter(one["action"] for one in self.fleet.records())
        for action in _DEFECTS:
            if actions[action]:
                yield f"{actions[action]} records of a defect in the logs: {action}"


def _told(what: str, ids: Iterable[str]) -> Iterator[str]:
    found = sorted(ids)
    if found:
        yield f"{len(found)} {what}: {', '.join(found[:_SHOWN])}{' …' * (len(found) > _SHOWN)}"


def _fingerprint(hashes: Iterable[str]) -> str:
    """Return what a submission of these values is known by in the store."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()
