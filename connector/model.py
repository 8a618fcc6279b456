"""The values that travel between the parts: frozen, typed, without behaviour beyond saying what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connector.private import Private, Secret
from connector.states import IdentityState, RequestKind


@dataclass(frozen=True, slots=True)
class Identity:
    """One (kind, value) of the person as the source names it. `kind` is the source's own label, e.g. `Loyalty ID`."""

    kind: str
    value: Private


class Purpose(StrEnum):
    """What a verified delivery is for. Only a request is stored."""

    REQUEST = "request"
    PING = "ping"  # a test of the connection
    OTHER = "other"  # an event that asks for nothing


@dataclass(frozen=True, slots=True)
class Call:
    """What a source said in one verified delivery, in our words.

    Attributes:
        request_key: what the source calls the request; unique per source; decides what a duplicate is. Empty if it
            gives the request no name: then the payload's digest tells requests apart.
        event_id: the id of this one delivery, if the sender gives one; detects replays, nothing else.
        external: the source's own ids by name (`subtask_id`, `request_ref`, `request_id`), for reporting back.
        request_types: as the source words them; empty means that it did not say.
        due_at: the platform's own deadline.
        country: ISO 3166-1 alpha-2, upper case.
        callback_url: where the source asks to be told; checked only when it is called.
        purpose: whether it asks for anything at all.
    """

    request_key: str
    event_id: str | None
    external: Mapping[str, str]
    request_types: tuple[str, ...]
    identities: tuple[Identity, ...]
    due_at: datetime | None = None
    country: str | None = None
    is_test: bool = False
    callback_url: Private | None = None
    purpose: Purpose = Purpose.REQUEST


@dataclass(frozen=True, slots=True)
class Listing:
    """What a platform itself lists for a request, read with our own credential.

    Attributes:
        external: all its ids, by the names of `Call.external`.
        identities: what is an identity by its place, such as the person's address.
        answers: what stands in the platform's form, by its labels: identities only where a rule names the label.
        unreadable: the labels of what stands there and is no plain value.
        stage: where the request is in the platform's own course of things, in capitals with underscores.
        is_open: whether the task that is ours has not been ended by anybody.
        due_at: the platform's own deadline; None also while it is paused.
        request_keys: every `Call.request_key` under which a delivery about it may come; the first names our task alone.
    """

    external: Mapping[str, str]
    request_types: tuple[str, ...]
    identities: tuple[Identity, ...]
    answers: tuple[Identity, ...]
    stage: str
    is_open: bool
    due_at: datetime | None = None
    country: str | None = None
    is_test: bool = False
    unreadable: tuple[str, ...] = ()
    request_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """An open task that a platform lists as ours.

    Attributes:
        request_keys: every `Call.request_key` that a delivery about it may have; the first names this task alone.
        external: its ids, by the names of `Call.external`.
        failed: whether it stands as failed, as we may have left it.
    """

    request_keys: tuple[str, ...]
    external: Mapping[str, str]
    failed: bool = False

    @property
    def request_key(self) -> str:
        return self.request_keys[0]


@dataclass(frozen=True, slots=True)
class Verified:
    """What verification established about a delivery.

    Attributes:
        payload: the verified bytes, to be parsed; not always the whole body.
        principal: which check accepted it (`header`, `standard-webhooks`, …), for the record; cut to 40 characters.
        secret_ids: the ids of the secrets or keys that matched, one for each check; never a secret.
        sender_time: the sender's own timestamp if it was part of what was verified.
        replay_key: what tells this delivery from every other of the sender and cannot be altered: its signed id, a
            token's `jti`, a nonce, else a digest of a signed content that holds the time. Empty if nothing but the
            body tells.
        replay_until: after this time the check itself refuses the same delivery; None if it never does.
        confirm_url: an address that the sender asks us to call once before it delivers anything, allowed by the check.
    """

    payload: bytes = field(repr=False)
    principal: str
    secret_ids: tuple[str, ...]
    sender_time: datetime | None = None
    replay_key: str = field(default="", repr=False)
    replay_until: datetime | None = None
    confirm_url: Private | None = None

    @property
    def secret_id(self) -> str:
        """All ids in one text, as the record of a delivery holds them; cut to 200 characters."""
        return " + ".join(self.secret_ids)[:200]


@dataclass(frozen=True, slots=True)
class KeyAddress:
    """Where keys are published, and the headers that the publisher wants, such as an API key."""

    url: str
    headers: tuple[tuple[str, Secret], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What was published at an address when it was last asked."""

    address: KeyAddress
    body: bytes = field(repr=False)
    fetched_at: datetime


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
class Filed:
    """A file that a source has taken: the source's own id of it, and the name under which it lies there."""

    file_id: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Report:
    """One message that we owe a source. The comment holds counts and times, never personal data.

    Attributes:
        job_id: our id of the request, as the source was answered it.
        report_id: our id of this message, the same in every try.
        counts: the request in numbers, by the names of `policy.outcome.Counts`; empty for one that is not over.
        attachment: the file that goes with it, where the source has taken it.
    """

    external: Mapping[str, str]
    status: SourceStatus
    comment: str
    callback_url: Private | None = None
    job_id: str = ""
    report_id: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    attachment: Filed | None = None
    kind: RequestKind = RequestKind.ERASURE


class Delivered(StrEnum):
    """What became of a report that was not refused."""

    SENT = "sent"
    ALREADY = "already"  # the source was in the wanted state before
    CONFLICT = "conflict"  # a person decided otherwise; nothing was written
    NOT_WANTED = "not_wanted"  # the source takes no report of this kind; it was told nothing
