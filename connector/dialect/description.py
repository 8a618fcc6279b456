"""A platform's dialect as data: where everything stands in the payload that its check verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from connector.codes import Code
from connector.dialect.place import Place
from connector.dialect.text import NAME
from connector.errors import Misconfigured

#: Names that replies and reports give a meaning of their own.
TAKEN: Final = frozenset({"request_id", "job_id", "duplicate", "status", "comment", "time"})


class PayloadKind(StrEnum):
    """How the payload is written."""

    JSON = "json"
    FORM = "form"


class DeadlineUnit(StrEnum):
    """How the deadline is written."""

    ISO8601 = "iso8601"
    UNIX_SECONDS = "unix_seconds"
    UNIX_MILLISECONDS = "unix_milliseconds"


@dataclass(frozen=True, slots=True)
class IdentityPlace:
    """Where identities of one kind stand."""

    kind: str
    at: Place


@dataclass(frozen=True, slots=True)
class Description:
    """What a source's deliveries say, and where.

    Attributes:
        request_id: what the platform calls the request; without it the payload's digest tells requests apart.
        event_id: what it calls the delivery.
        request_type: without it every request means erasure.
        test: whether it is only a test of the whole way.
        ping: whether it is only a test of the connection: answered, not stored.
        when: only deliveries for which this is true are requests; the others are answered, not stored.
        identities_by_label: an object whose members are identities, by their kind.
        kept: further ids by name, kept for replies and reports, where operators see them.
        require_identity: whether a request without identities is refused; else it is stored and held.

    Raises:
        Misconfigured: it could not work, or would write down who it is about.
    """

    identities: tuple[IdentityPlace, ...] = ()
    identities_by_label: Place | None = None
    payload: PayloadKind = PayloadKind.JSON
    request_id: Place | None = None
    event_id: Place | None = None
    request_type: Place | None = None
    deadline: Place | None = None
    deadline_unit: DeadlineUnit = DeadlineUnit.ISO8601
    country: Place | None = None
    test: Place | None = None
    ping: Place | None = None
    when: Place | None = None
    callback_url: Place | None = None
    kept: Mapping[str, Place] = field(default_factory=dict)
    require_identity: bool = True

    def __post_init__(self) -> None:
        if not self.identities and self.identities_by_label is None:
            raise _wrong("say where identities stand: identities, identities_by_label, or both")
        for name in self.kept:
            if NAME.fullmatch(name) is None or name in TAKEN:
                raise _wrong(
                    f"keep: a name has lower-case letters, digits and _, and is none of {', '.join(sorted(TAKEN))}"
                )
        for name, place in self._shown().items():
            self._require_impersonal(name, place)
        for name, place in self._read_from_payload().items():
            if place.header:
                raise _wrong(
                    f"{name}: only request_id and event_id may stand in a header, which no signature may cover"
                )
        for name, place in {**self._shown(), **self._identity_places()}.items():
            if place.is_constant:
                raise _wrong(f"{name} says the same of every delivery; name a place in the payload")
            if (place.has_fixed_value or place.speaks_of_nothing) and name not in self._kept_places():
                raise _wrong(
                    f"{name} has a fixed value for what says nothing; different requests would be taken for one, or "
                    "somebody deleted whom nobody named: leave that value out"
                )

        self._require_decisions()

    def _require_decisions(self) -> None:
        """Refuse what would decide about a delivery without having looked at it."""
        deciding = {"type": self.request_type, "when": self.when, "test": self.test, "ping": self.ping}
        for name, place in deciding.items():
            if place is not None and place.is_constant:
                raise _wrong(f"{name} says the same of every delivery; name a place in the payload, or leave it out")
        if self.request_type is not None and self.request_type.speaks_of_nothing:
            raise _wrong(
                "type has a fixed value for what says nothing; it would delete whom nobody asked to delete: give a "
                "type only where the payload says it, such as event == 'forget' && 'erasure'"
            )

    @property
    def names(self) -> frozenset[str]:
        """The source's own ids that replies and reports may name."""
        own = {"request_id"} if self.request_id is not None else set()
        return frozenset({*own, *self.kept})

    def _shown(self) -> dict[str, Place]:
        """Return what ends where operators see it."""
        ids = {"request_id": self.request_id, "event_id": self.event_id}
        return {**{name: one for name, one in ids.items() if one is not None}, **self._kept_places()}

    def _kept_places(self) -> dict[str, Place]:
        return {f"keep.{name}": place for name, place in self.kept.items()}

    def _identity_places(self) -> dict[str, Place]:
        places = {f"identities[{number}].at": one.at for number, one in enumerate(self.identities)}
        return {**places, **({"identities_by_label": self.identities_by_label} if self.identities_by_label else {})}

    def _read_from_payload(self) -> dict[str, Place]:
        names = ("request_type", "deadline", "country", "test", "ping", "when", "callback_url")
        found = {name: getattr(self, name) for name in names}
        given = {name.removeprefix("request_"): place for name, place in found.items() if place is not None}
        return {**given, **self._identity_places(), **self._kept_places()}

    def _require_impersonal(self, name: str, place: Place) -> None:
        for other, identity in self._identity_places().items():
            if place.shares(identity):
                raise _wrong(
                    f"{name} reads what {other} reads, or an object around it; ids are shown to operators and kept, so "
                    "they must not name a person: choose an id of the request, or leave it out"
                )


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, why)
