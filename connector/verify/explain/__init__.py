"""Takes a refusal apart: which check said what about a call, what it should have been signed over, and what helps.

For the person who sets a sender up, with the call and the secrets at hand; never for an answer to the caller. Nothing
here shows a header's value, the body or a secret: of contents there are only length and digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from connector.errors import ConnectorError, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import Verified
from connector.ports import Condition, Verifier
from connector.verify.explain.hints import hints_for
from connector.verify.explain.mistakes import Search
from connector.verify.scheme import UrlForm
from connector.verify.signed import Signed

#: What the part of a replay key before its colon says; anything else is not shown.
_REPLAY_KINDS: Final = {
    "id": "the sender's signed id",
    "jti": "the token's id",
    "nonce": "the sender's nonce",
    "sha256": "digest of the signed content",
}
_URL_WORDS: Final = {
    UrlForm.AS_SENT: "",
    UrlForm.EITHER_PORT: "the port added or left out",
    UrlForm.DECODED_ESCAPES: "some escapes decoded",
}


@runtime_checkable
class _ShowsContents(Protocol):
    def contents(self, inbound: Inbound) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A check or condition as the file names it, with what it was made into.

    Attributes:
        parts: the checks inside one that joins others.
    """

    name: str
    verifier: Verifier | None = None
    condition: Condition | None = None
    parts: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What should have been signed, without showing it."""

    length: int
    sha256: str
    spelling: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check said.

    Attributes:
        place: where it stands, such as `2.1`; empty for all of them together.
        verified: what it established; None for a condition, or where it did not pass.
        error: why it did not pass: refused, or not decided for want of published keys.
    """

    place: str
    name: str
    verified: Verified | None = None
    error: ConnectorError | None = None
    contents: tuple[Content, ...] = ()
    search: Search = field(default_factory=Search)
    parts: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        return self.error is None

    @property
    def is_undecided(self) -> bool:
        return isinstance(self.error, Temporary)


def explain(asked: Asked, inbound: Inbound, now: datetime, target: str = "") -> Finding:
    """Return what a check and all checks inside it say about a call; hints only where it did not pass as a whole.

    Args:
        target: path and query as the request line has them; empty if unknown.
    """
    return _look(asked, inbound, now, target, place="", wants_hints=True)


def _look(asked: Asked, inbound: Inbound, now: datetime, target: str, *, place: str, wants_hints: bool) -> Finding:
    verified, error = _ask(asked, inbound, now)
    wants_hints = wants_hints and error is not None
    parts = tuple(
        _look(part, inbound, now, target, place=f"{place}.{number}".lstrip("."), wants_hints=wants_hints)
        for number, part in enumerate(asked.parts, 1)
    )
    found = Search()
    if wants_hints and asked.verifier is not None and not parts and isinstance(error, Rejected):
        found = hints_for(asked.verifier, error, inbound, now, target)
    return Finding(place, asked.name, verified, error, _contents(asked.verifier, inbound), found, parts)


def _ask(asked: Asked, inbound: Inbound, now: datetime) -> tuple[Verified | None, ConnectorError | None]:
    try:
        if asked.condition is not None:
            asked.condition.require(inbound)
        return (asked.verifier.verify(inbound, now) if asked.verifier is not None else None), None
    except (Rejected, Temporary) as error:
        return None, error


def _contents(check: object, inbound: Inbound) -> tuple[Content, ...]:
    if not isinstance(check, _ShowsContents):
        return ()
    try:
        found = check.contents(inbound)
    except (Rejected, Temporary):
        return ()
    spelling = _URL_WORDS[check.scheme.url] if isinstance(check, Signed) else ""
    return tuple(
        Content(len(one), hashlib.sha256(one).hexdigest(), spelling if number else "")
        for number, one in enumerate(found)
    )


def replay_kind(verified: Verified) -> str:
    """Say what tells a delivery from every other, without showing it."""
    if not verified.replay_key:
        return "none: only the body tells it from others"
    return _REPLAY_KINDS.get(verified.replay_key.partition(":")[0], "a value of its own")


def notes(inbound: Inbound, media_types: Collection[str]) -> list[str]:
    """Return what the receiver would refuse before any check is asked."""
    if inbound.method != "POST":
        return []
    found = []
    kinds = inbound.values("Content-Type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() not in media_types:
        expected = ", ".join(sorted(media_types))
        found.append(f"the receiver answers 415 before it checks anything: Content-Type has to be {expected}")
    if any(value.strip().lower() not in {"", "identity"} for value in inbound.values("Content-Encoding")):
        found.append("the receiver answers 415 before it checks anything: the body must not be compressed")
    return found
