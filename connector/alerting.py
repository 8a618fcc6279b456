"""Alerts: what operators are told by message. An alert names a source or account and a number, never a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol


class Kind(StrEnum):
    """What is wrong. Each has a heading in docs/runbooks.md."""

    DEADLINE_LATE = "deadline_late"
    DEADLINE_AT_RISK = "deadline_at_risk"
    DEAD_LETTER = "dead_letter"
    HELD = "held"
    SOURCE_SILENT = "source_silent"
    KEY_ENDING = "key_ending"
    CREDENTIAL_REFUSED = "credential_refused"
    FUSE_BLOWN = "fuse_blown"
    WATCH_FIND = "watch_find"


class Phase(StrEnum):
    """Whether it began, or grew; is over; or is only tried out."""

    FIRING = "firing"
    RESOLVED = "resolved"
    TEST = "test"


class Scope(StrEnum):
    """Whose it is."""

    SOURCE = "source"
    ACCOUNT = "account"


# What is counted, and what to do next.
WORDS: Final[dict[Kind, tuple[str, str]]] = {
    Kind.DEADLINE_LATE: ("open requests past their due date", "connector status --list 20"),
    Kind.DEADLINE_AT_RISK: ("open requests due soon", "connector status --list 20"),
    Kind.DEAD_LETTER: ("reports or requests that were given up", "connector dlq list"),
    Kind.HELD: ("requests that wait for a person", "connector status --list 20"),
    Kind.SOURCE_SILENT: ("sources that nothing came from for a long time", "connector doctor"),
    Kind.KEY_ENDING: ("checks whose last secret ends soon or has ended", "connector keys report"),
    Kind.CREDENTIAL_REFUSED: ("remote systems that refuse our credential or a permission", "connector doctor"),
    Kind.FUSE_BLOWN: ("blown fuses, behind which all deletions wait", "connector status"),
    Kind.WATCH_FIND: ("values of deleted people that Lytics shows again", "connector suppression list"),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One message.

    Attributes:
        id: the same for every try to send it, and no other's.
        scope, name: of the source or account.
        count: how many there are now; how many there were, once it is over.
        since: when it began, as far as is known.
        at: when it was made.
    """

    id: str
    kind: Kind
    phase: Phase
    scope: Scope
    name: str
    count: int
    since: datetime
    at: datetime

    @property
    def title(self) -> str:
        """Return it in one line."""
        what = f"{self.kind.replace('_', ' ')}, {self.scope} {self.name}"
        return {Phase.FIRING: what, Phase.RESOLVED: f"over: {what}", Phase.TEST: "test of an alert"}[self.phase]

    @property
    def text(self) -> str:
        """Return what it says, and the command that tells more."""
        what, command = WORDS[self.kind]
        since = f"{self.since:%Y-%m-%d %H:%M}Z"
        if self.phase is Phase.TEST:
            return "This is a test. Alerts reach you here, and nothing is wrong."
        if self.phase is Phase.RESOLVED:
            return f"{self.scope} {self.name}: no more {what}. It had begun {since}."
        return f"{self.scope} {self.name}: {self.count} {what}, since {since}. See `{command}`, and the runbook."


class Channel(Protocol):
    """A way to tell operators."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def kinds(self) -> Collection[Kind]:
        """What it is told."""
        ...

    def send(self, alert: Alert) -> None:
        """Send a message, or raise one of `connector.errors`."""
        ...
