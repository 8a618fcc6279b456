"""What the source is told about an access request: counts and times, never personal data, and never of an erasure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connector.mapping.reasons import HoldReason
from connector.model import MappingResult
from connector.services.comments import HOLDS
from connector.states import IdentityState

REDACTED: Final = (
    "Warning: Lytics hid personal fields from the connector's token, so the data is incomplete. "
    "Give the token the right to view them, and ask anew."
)
#: The only reason for which one is refused.
TEST: Final = "Access request not carried out. This is a test request; nothing was read."


def in_progress(result: MappingResult) -> str:
    """Return the comment for a request that was accepted; it says so if the request is held."""
    received = len(result.mapped)
    noun = "identity" if received == 1 else "identities"
    mapped = result.count(IdentityState.MAPPED)
    opening = f"Access request accepted: {received} {noun} received, {mapped} mapped to Lytics."
    if not result.hold_reason:
        return opening
    return f"{opening} Held for review before anything is read: {HOLDS[HoldReason(result.hold_reason)]}."


def found(profiles: int, hits: int, look_ups: int, received_at: datetime, *, redacted: bool) -> str:
    """Return the comment for data that goes with it."""
    noun = "profile" if profiles == 1 else "profiles"
    said = f"Access request answered. {profiles} {noun} found by {hits} of {_look_ups(look_ups)}."
    return f"{said} Received {_at(received_at)}.{' ' + REDACTED if redacted else ''}"


def nothing_held(look_ups: int, received_at: datetime, now: datetime) -> str:
    """Return the comment for a person whom Lytics does not know."""
    said = f"Access request answered. Lytics holds no data of this person: nothing found by {_look_ups(look_ups)}."
    return f"{said} Received {_at(received_at)}, looked up {_at(now)}."


def unanswered(failed: int, look_ups: int) -> str:
    """Return the comment for a request whose data could not be read whole."""
    said = f"Access request not answered: {failed} of {_look_ups(look_ups)} gave no usable answer."
    return f"{said} Nothing was handed over. Ask anew to begin again."


def too_large(size: int, most: int) -> str:
    """Return the comment for data that is larger than is allowed."""
    return (
        f"Access request not answered: the data has {size} bytes, and {most} are allowed. Nothing was handed over, and "
        "nothing is kept here."
    )


def expired(kept: timedelta) -> str:
    """Return the comment for data that nobody took."""
    days = round(kept / timedelta(days=1), 1)
    return (
        f"Access request not answered: the data was not handed over within {days:g} days and was destroyed here. "
        "Ask anew to have it read again."
    )


def under_way(received_at: datetime, due_at: datetime) -> str:
    """Return the comment for a request that takes its time."""
    return f"Access request still under way. Received {_at(received_at)}, due {_at(due_at)}."


def due_soon(received_at: datetime, due_at: datetime, *, held: bool) -> str:
    """Return the comment that warns of a due date, for a request that is not over."""
    why = "It is held here until a person has looked at it." if held else "The data was not handed over yet."
    return f"Warning: this access request is due {_at(due_at)}. {why} Received {_at(received_at)}."


def filed(name: str, digest: str) -> str:
    """Return the sentence about the file that holds the data."""
    return f"The data: {name}, SHA-256 {digest}."


def exported(digest: str, now: datetime) -> str:
    """Return the sentence about data that an operator took."""
    return f"The data was handed to an operator {_at(now)}, SHA-256 {digest}."


def _look_ups(number: int) -> str:
    return f"{number} {'look-up' if number == 1 else 'look-ups'}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
