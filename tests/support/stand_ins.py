"""Stand-ins for the two remote systems, in a few lines each, that can be told to fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.alerting import Alert, Kind, Phase
from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import ConnectorError, NotFound, Refused
from connector.model import (
    Delivered,
    Filed,
    Presence,
    RemoteOperation,
    RemoteState,
    RemoteStatus,
    Report,
    SourceStatus,
    SubmitAnswer,
)
from connector.private import Private
from connector.profile import Profile
from connector.sighting import Sighting


class Killed(BaseException):
    """The process dies at this instruction. No code under test may catch it."""


class StandInLytics:
    """Lytics in a few lines: it knows people by (table, field, value), deletes them when told to finish, and can be
    told to fail. `per_value` gives each value an operation of its own, as identity-queue does: a value that is sent
    again is answered with its original id, and nothing more is deleted.

    Attributes:
        errors: what the next submissions raise instead of being carried out; None lets one pass.
        after: what the next submission raises although it was carried out.
        answer: takes the place of the whole submission.
        refuses: a call that holds one of these values is refused as a whole.
        stays: values whose people are still there although their deletion is called finished.
        others: (field, value) of what else is on the profile of a value.
        shows: whether a closer look-up shows any identifier at all.
        unlisted: operations missing from the list of recent ones.
    """

    def __init__(self, clock: FixedClock, *, per_value: bool = False) -> None:
        self.clock = clock
        self.per_value = per_value
        self.repeat_is_safe = per_value
        self.people: set[tuple[str, str, str]] = set()
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []
        self.operations: dict[str, list[tuple[str, str, str]]] = {}
        self.statuses: dict[str, RemoteStatus] = {}
        self.times: dict[str, datetime] = {}
        self.errors: list[BaseException | None] = []
        self.answer: Callable[[Sequence[Private]], SubmitAnswer] | None = None
        self.after: BaseException | None = None
        self.look_up_errors: list[BaseException] = []
        self.look_ups: list[str] = []
        self.status_errors: list[BaseException] = []
        self.asked: list[str] = []
        self.list_error: ConnectorError | None = None
        self.refuses: set[str] = set()
        self.stays: set[str] = set()
        self.unlisted: set[str] = set()
        self.others: dict[str, list[tuple[str, str]]] = {}
        self.shows = True
        self.deletions: Counter[str] = Counter()
        self.finish_at_once = True
        self.ids_by_value: dict[str, str] = {}

    def submit(self, table: str, field: str, values: Sequence[Private]) -> SubmitAnswer:
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        shown = [one.reveal() for one in values]
        self.calls.append((table, field, tuple(shown)))
        if not self.refuses.isdisjoint(shown):
            raise Refused(Code.REMOTE_REFUSED)
        if self.answer is not None:
            return self.answer(values)
        ids = {}
        for group in [[one] for one in shown] if self.per_value else [shown]:
            known = self.ids_by_value.get(group[0]) if self.per_value else None
            remote_id = known or f"op-{len(self.operations) + 1}"
            self.ids_by_value[group[0]] = remote_id
            if known is None or remote_id not in self.statuses:
                self.operations[remote_id] = [(table, field, one) for one in group]
                self.times[remote_id] = self.clock.now()
                self.statuses[remote_id] = RemoteStatus(RemoteState.RUNNING, "pending", len(group), None)
            ids |= dict.fromkeys(group, remote_id)
        if self.finish_at_once:
            for remote_id in sorted(set(ids.values())):
                if self.statuses[remote_id].state is RemoteState.RUNNING:
                    self.finish(remote_id)
        if self.after is not None:
            error, self.after = self.after, None
            raise error
        return SubmitAnswer(accepted={one: ids[one.reveal()] for one in values}, correlation_id="corr-1")

    def finish(self, remote_id: str) -> None:
        people = self.operations[remote_id]
        there = [one for one in people if one in self.people]
        self.deletions.update(one[2] for one in people)
        self.people -= {one for one in there if one[2] not in self.stays}
        self.statuses[remote_id] = RemoteStatus(RemoteState.FINISHED, "completed", len(people), len(there))

    def status(self, remote_id: str) -> RemoteStatus:
        self.asked.append(remote_id)
        if self.status_errors:
            raise self.status_errors.pop(0)
        if remote_id not in self.statuses:
            raise NotFound(Code.REMOTE_NOT_FOUND)
        return self.statuses[remote_id]

    def recent(self) -> Sequence[RemoteOperation]:
        if self.list_error is not None:
            raise self.list_error
        return [
            RemoteOperation(one, self.statuses[one], self.times.get(one))
            for one in self.statuses
            if one not in self.unlisted
        ]

    def runs_elsewhere(self, remote_id: str, requested: int | None, at: datetime | None) -> None:
        """List an operation that is none of ours."""
        self.statuses[remote_id] = RemoteStatus(RemoteState.RUNNING, "pending", requested)
        if at is not None:
            self.times[remote_id] = at

    def encoded_bytes(self, table: str, field: str, value: Private) -> int:
        return len(value.reveal()) + 4

    def look_up(self, table: str, field: str, value: Private) -> Presence:
        self.look_ups.append(value.reveal())
        if self.look_up_errors:
            raise self.look_up_errors.pop(0)
        return Presence.PRESENT if (table, field, value.reveal()) in self.people else Presence.ABSENT

    def look_closely(self, table: str, field: str, value: Private, fields: Collection[str]) -> Sighting:
        presence = self.look_up(table, field, value)
        if presence is not Presence.PRESENT or not self.shows:
            return Sighting(presence)
        others = {(name, Private(one)) for name, one in self.others.get(value.reveal(), ()) if name in fields}
        return Sighting(presence, frozenset({(field, value), *others}))

    def submitted(self) -> Counter[str]:
        """How often each value was part of a call."""
        return Counter(value for _, _, values in self.calls for value in values)


@dataclass
class StandInReporter:
    """Takes reports as a source does, which keeps one state per subtask; may be told to answer otherwise first.

    Attributes:
        tried: every report that reached it, also those that it answered otherwise.
        after: what the next call raises although the report was taken.
    """

    reads_first = True

    sent: list[Report] = field(default_factory=list)
    tried: list[Report] = field(default_factory=list)
    answers: list[Delivered | BaseException | None] = field(default_factory=list)
    after: BaseException | None = None
    states: dict[str, SourceStatus] = field(default_factory=dict)

    def deliver(self, report: Report) -> Delivered:
        self.tried.append(report)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None and answer is not Delivered.SENT:
            return answer
        subtask = report.external["subtask_id"]
        if self.states.get(subtask) is report.status:
            return Delivered.ALREADY
        self.states[subtask] = report.status
        self.sent.append(report)
        if self.after is not None:
            error, self.after = self.after, None
            raise error
        return Delivered.SENT

    def of(self, subtask: str) -> list[str]:
        return [one.status.value for one in self.sent if one.external["subtask_id"] == subtask]

    @property
    def statuses(self) -> list[str]:
        return [one.status.value for one in self.sent]


@dataclass
class StandInFiling:
    """Takes evidence files.

    Attributes:
        answers: what the next calls raise instead.
        ended: whether nobody waits for a file any more.
    """

    files: list[tuple[str, bytes]] = field(default_factory=list)
    answers: list[BaseException] = field(default_factory=list)
    ended: bool = False

    def file(self, external: Mapping[str, str], stem: str, content: bytes) -> Filed | None:
        if self.answers:
            raise self.answers.pop(0)
        if self.ended:
            return None
        self.files.append((stem, content))
        return Filed(f"file-{len(self.files)}", f"{stem}.csv")


@dataclass
class StandInFollowUp:
    """Follows each report, or raises what it is told to."""

    name: str = "custom_fields"
    done: list[tuple[Report, Delivered]] = field(default_factory=list)
    answers: list[BaseException] = field(default_factory=list)

    def after(self, report: Report, delivered: Delivered) -> str | None:
        if self.answers:
            raise self.answers.pop(0)
        self.done.append((report, delivered))
        return "their-id"


@dataclass
class StandInCommenter:
    """Takes comments, or raises what it is told to."""

    said: list[tuple[str, str]] = field(default_factory=list)
    answers: list[BaseException | bool] = field(default_factory=list)

    def comment(self, external: Mapping[str, str], text: str) -> bool:
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, BaseException):
            raise answer
        self.said.append((external["subtask_id"], text))
        return answer


@dataclass
class StandInReader:
    """Knows profiles by (field, value).

    Attributes:
        answers: what the next look-ups do instead.
        redacts: whether personal fields are left out.
    """

    people: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    answers: list[ConnectorError] = field(default_factory=list)
    redacts: bool = False
    read_by: list[str] = field(default_factory=list)

    def read(self, table: str, field: str, value: Private) -> Profile | None:
        self.read_by.append(value.reveal())
        if self.answers:
            raise self.answers.pop(0)
        known = self.people.get((field, value.reveal()))
        return None if known is None else Profile(Private(json.dumps({"entity": known})), self.redacts)


@dataclass
class StandInChannel:
    """Takes messages, unless it is told to answer otherwise first."""

    name: str = "ops"
    kinds: tuple[Kind, ...] = tuple(Kind)
    sent: list[Alert] = field(default_factory=list)
    answers: list[BaseException] = field(default_factory=list)
    after: BaseException | None = None

    def send(self, alert: Alert) -> None:
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(alert)
        if self.after is not None:
            after, self.after = self.after, None
            raise after

    @property
    def said(self) -> list[tuple[Kind, Phase, int]]:
        return [(one.kind, one.phase, one.count) for one in self.sent]
