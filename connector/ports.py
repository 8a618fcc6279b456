"""The protocols between the life cycle and the outside: what a service needs, and nothing more.

Services take these as arguments; `lytics`, `sources` and `verify` fulfil them; `wiring` joins them. All methods may
raise the errors of `connector.errors` and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from connector.inbound import Inbound
from connector.model import (
    Call,
    Delivered,
    Document,
    Filed,
    KeyAddress,
    Listing,
    Presence,
    RemoteOperation,
    RemoteStatus,
    Report,
    SubmitAnswer,
    Task,
    Verified,
)
from connector.private import Private
from connector.sighting import Sighting


class Verifier(Protocol):
    """Decides whether a delivery is genuine. Pure: no store, no network of its own, the time passed in."""

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        """Return what was verified, or raise `Rejected` with a 401 code.

        One that needs published keys raises `Temporary` with `keys_unavailable` while they cannot be had.
        """
        ...


class Condition(Protocol):
    """A fact about a delivery that is asked for beside a check, and never instead of one."""

    def require(self, inbound: Inbound) -> None:
        """Raise `Rejected` with a 401 code unless it is so."""
        ...


class Documents(Protocol):
    """Published keys, kept for a while. Whoever asks often does not make us ask often."""

    def get(self, address: KeyAddress, now: datetime) -> Document:
        """Return what is published there, or raise `Temporary` with `keys_unavailable`."""
        ...

    def renew(self, seen: Document, now: datetime) -> Document | None:
        """Return what is published there by now, because `seen` does not hold the key that a delivery names.

        None if it was asked for too recently to be asked again; the caller then refuses.
        """
        ...


class Source(Protocol):
    """A platform's dialect: what did they say?"""

    def parse(self, payload: bytes, inbound: Inbound) -> Call:
        """Read a verified payload, or raise `Rejected` with a 400 or 422 code.

        Args:
            payload: the only thing that is verified.
            inbound: what it came in, for a platform whose delivery id stands in a header; nothing there is verified
                unless the source's check covers it.
        """
        ...


class Reporter(Protocol):
    """Tells the source what became of a request."""

    @property
    def reads_first(self) -> bool:
        """Whether a report that was delivered, and is delivered again, is not written a second time."""
        ...

    def deliver(self, report: Report) -> Delivered:
        """Read the source's own state first, then write unless that would overwrite a person's decision."""
        ...


class Filing(Protocol):
    """Puts evidence where the source keeps its files, before the report that names it."""

    def file(self, external: Mapping[str, str], stem: str, content: bytes) -> Filed | None:
        """Return what was filed; None if nobody waits for it, because the task has been ended.

        Args:
            stem: the name of the file without its extension.

        A file whose answer was lost may be there twice afterwards.
        """
        ...


class FollowUp(Protocol):
    """Something more that a source is told after a report, if it is configured; harmless when it is repeated."""

    @property
    def name(self) -> str:
        """What it is, as one word for the log."""
        ...

    def after(self, report: Report, delivered: Delivered) -> str | None:
        """Do it; return the other side's id of it, empty if it gave none, and None if nothing was to be done."""
        ...


class Commenter(Protocol):
    """Writes a comment that only the people at the source can see."""

    def comment(self, external: Mapping[str, str], text: str) -> bool:
        """Write it, unless the task was ended; say whether it was written. One whose answer was lost may be there."""
        ...


class ResolutionCheck(Protocol):
    """Looks whether the source knows the resolutions that are configured."""

    def faults(self) -> Mapping[str, str]:
        """Return the faulty ones: the name of the setting, and what is wrong in one word."""
        ...


class ReadBack(Protocol):
    """Asks the platform what it lists for a request that a delivery named."""

    def read(self, external: Mapping[str, str]) -> Listing:
        """Return what is listed; `NotFound` if nothing is, or not yet; `Refused` if the ids do not belong together."""
        ...


class Roll(Protocol):
    """Lists what a platform holds open for us, whether or not a delivery ever told us."""

    def open_tasks(self, since: datetime) -> Iterator[Sequence[Task]]:
        """Return the open tasks that changed since a moment, in parts."""
        ...


class DeletionApi(Protocol):
    """One of the two deletion APIs that a Lytics account may answer."""

    @property
    def repeat_is_safe(self) -> bool:
        """Whether submitting the same values again is documented to return the original ids."""
        ...

    def submit(self, table: str, field: str, values: Sequence[Private]) -> SubmitAnswer:
        """Ask for the deletion of distinct values; never called with none."""
        ...

    def status(self, remote_id: str) -> RemoteStatus:
        """Return the state of one operation; `NotFound` if Lytics does not know the id."""
        ...

    def recent(self) -> Sequence[RemoteOperation]:
        """Return the operations that Lytics lists, newest or oldest first; may be empty."""
        ...

    def encoded_bytes(self, table: str, field: str, value: Private) -> int:
        """Return how many bytes this value adds to a call's body."""
        ...


class Profiles(Protocol):
    """The look-up."""

    def look_up(self, table: str, field: str, value: Private) -> Presence:
        """Say whether a profile answers to the value; `UNKNOWN` if the answer does not tell."""
        ...

    def look_closely(self, table: str, field: str, value: Private, fields: Collection[str]) -> Sighting:
        """Say the same, and by which identifiers in these fields the profile is known, other people's included."""
        ...


class Schema(Protocol):
    """What an account's own schema says."""

    def identity_fields(self, table: str) -> Mapping[str, bool]:
        """Return the fields of a table, each with whether it is an identity."""
        ...


class Log(Protocol):
    """Structured records: one `action` word and fields from the allow-list of `connector.observe.log`."""

    def info(self, action: str, **fields: object) -> None: ...

    def warning(self, action: str, **fields: object) -> None: ...

    def error(self, action: str, **fields: object) -> None: ...


class TimeAuthority(Protocol):
    """A time-stamping authority."""

    def ask(self, question: bytes) -> bytes:
        """Return what it answers to a question of RFC 3161, whatever that says."""
        ...
