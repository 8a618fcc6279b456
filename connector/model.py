"""The values that travel between the parts: frozen, typed, without behaviour beyond saying what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connector.private import Private
from connector.states import IdentityState


@dataclass(frozen=True, slots=True)
class Identity:
    """One (kind, value) of the person as the source names it. `kind` is the source's own label, e.g. `Loyalty ID`."""

    kind: str
    value: Private


@dataclass(frozen=True, slots=True)
class Call:
    """What a source said in one verified delivery, in our words.

    Attributes:
        request_key: what the source calls the request; unique per source; decides what a duplicate is.
        event_id: the id of this one delivery, if the sender gives one; detects replays, nothing else.
        external: the source's own ids by name (`subtask_id`, `request_ref`, `request_id`), for reporting back.
        request_types: as the source words them; empty means that it did not say.
        due_at: the platform's own deadline.
        country: ISO 3166-1 alpha-2, upper case.
    """

    request_key: str
    event_id: str | None
    external: Mapping[str, str]
    request_types: tuple[str, ...]
    identities: tuple[Identity, ...]
    due_at: datetime | None = None
    country: str | None = None
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """What verification established about a delivery.

    Attributes:
        payload: the verified bytes, to be parsed; not always the whole body.
        principal: which check accepted it (`header`, `hmac`, …), for the record.
        secret_id: the id of the secret that matched, never the secret.
        sender_time: the sender's own timestamp if it was part of what was verified.
    """

    payload: bytes
    principal: str
    secret_id: str
    sender_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What Lytics is asked to delete: one value of one identity field of one table."""

    table: str
    field: str
    value: Private


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of one identity under the mapping rules.

    Attributes:
        state: mapped, unmapped or rejected.
        reason: a lower_snake word when not mapped, or `ignored` when a setting lets this kind pass unmapped.
        targets: at least one if and only if mapped.
        holds: whether this identity keeps the whole request back.
    """

    state: IdentityState
    targets: tuple[Target, ...] = ()
    reason: str = ""
    holds: bool = False


@dataclass(frozen=True, slots=True)
class MappingResult:
    """One `Mapped` per identity, in order, and whether the request as a whole may go on.

    Attributes:
        hold_reason: empty if the request may be queued; else the first reason why a person has to look.
    """

    mapped: tuple[Mapped, ...]
    hold_reason: str = ""

    def count(self, state: IdentityState) -> int:
        return sum(1 for one in self.mapped if one.state is state)


class Presence(StrEnum):
    """What a look-up says about one (table, field, value)."""

    ABSENT = "absent"
    PRESENT = "present"
    UNKNOWN = "unknown"


class RemoteState(StrEnum):
    """What Lytics says of one deletion operation, reduced to what decides. Unknown words count as running."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """One operation as Lytics tells it.

    Attributes:
        word: the vendor's own state word, cut to 40 characters, kept for the record.
        requested: number of identities asked for, if told.
        deleted: number of profiles deleted, if told.
    """

    state: RemoteState
    word: str
    requested: int | None = None
    deleted: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteOperation:
    """One line of Lytics' list of recent operations."""

    remote_id: str
    status: RemoteStatus
    submitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubmitAnswer:
    """A bulk call's answer, reconciled value by value. Every value sent is in exactly one of the three groups.

    Attributes:
        accepted: value → id of the operation that deletes it (the same id for all values with `identity-delete`).
        refused: value → the vendor's reason, with the value itself taken out, cut to 200 characters.
        unconfirmed: in neither map of the answer; to be submitted again.
        contradictory: how many of `refused` the answer also listed as accepted.
        foreign: how many keys of the answer were never sent.
        correlation_id: the HTTP call's id for the vendor's support.
    """

    accepted: Mapping[Private, str]
    refused: Mapping[Private, str] = field(default_factory=dict)
    unconfirmed: frozenset[Private] = frozenset()
    contradictory: int = 0
    foreign: int = 0
    correlation_id: str = ""


class SourceStatus(StrEnum):
    """What we tell the source; the four words that OneTrust lets an outside system write."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Report:
    """One message that we owe a source. The comment holds counts and times, never personal data."""

    external: Mapping[str, str]
    status: SourceStatus
    comment: str


class Delivered(StrEnum):
    """What became of a report that reached the source."""

    SENT = "sent"
    ALREADY = "already"  # the source was in the wanted state before
    CONFLICT = "conflict"  # a person decided otherwise; nothing was written


@dataclass(frozen=True, slots=True)
class Batch:
    """The values of one bulk call: distinct, in the order given."""

    table: str
    field: str
    values: Sequence[Private]
