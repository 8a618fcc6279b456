"""What the audit log says of each thing that happened: canonical JSON without any value of a person.

A request goes by our own id of it. What an entry is about can be read in the store as long as it is there; the entry
stays as it is when that is gone.
"""

from __future__ import annotations

from datetime import UTC, datetime

from connector.proof import canonical


def move(row: int, request: str, at: datetime, state: str, reason: str, attempt: int) -> bytes:
    """Return the entry of a request that came into a state; `row` is its place in the history."""
    return canonical.write(
        {
            "at": moment(at),
            "attempt": attempt,
            "kind": "move",
            "reason": plain(reason),
            "request": request,
            "row": row,
            "state": state,
        }
    )


def decision(row: int, at: datetime, actor: str, action: str, subject: str, reason: str) -> bytes:
    """Return the entry of what an operator decided; `row` is its place among the decisions."""
    return canonical.write(
        {
            "action": plain(action),
            "actor": plain(actor),
            "at": moment(at),
            "kind": "decision",
            "reason": plain(reason),
            "row": row,
            "subject": plain(subject),
        }
    )


def moment(at: datetime) -> str:
    """Write a time: UTC, to the microsecond, always in one form."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain(text: str) -> str:
    """Return a text that has a form in UTF-8: half of a character, which JSON can carry, is replaced."""
    return text.encode(errors="replace").decode()
