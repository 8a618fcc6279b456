"""What the source is told in words: counts and times, never personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from connector.mapping.reasons import HoldReason
from connector.model import MappingResult
from connector.policy.outcome import Counts, describe, numbers
from connector.states import IdentityState, RequestState

REFUSALS: Final = {
    "test_request": "This is a test request; nothing was deleted.",
    "legal_hold": "At least one identifier is under a legal hold; nothing was deleted.",
    "access_and_erasure": "The request names access and erasure in one, and neither was begun; ask for each by a "
    "request of its own.",
    "not_an_erasure": "None of the request types is one of the configured deletion types; nothing was deleted.",
}

HOLDS: Final = {
    HoldReason.UNMAPPED_IDENTITY: "no rule names the kind of at least one identifier",
    HoldReason.REJECTED_IDENTITY: "the value of at least one identifier is not usable",
    HoldReason.REQUIRED_IDENTITY_MISSING: "an identifier that the rules require is missing",
    HoldReason.NOTHING_MAPPED: "no identifier could be mapped",
}


OBSERVED: Final = "Observed only: nothing is deleted for now."


def in_progress(result: MappingResult, *, observed: bool) -> str:
    """Return the comment for a request that was accepted; it says so if the request is held.

    Args:
        observed: whether its account only observes.
    """
    mapped = result.count(IdentityState.MAPPED)
    received = len(result.mapped)
    noun = "identity" if received == 1 else "identities"
    opening = f"Erasure accepted: {received} {noun} received, {mapped} mapped to Lytics."
    if not result.hold_reason:
        return f"{opening} {OBSERVED}" if observed else opening
    return f"{opening} Held for review before anything is deleted: {HOLDS[HoldReason(result.hold_reason)]}."


def stopped() -> str:
    """Return the comment for a request that a legal hold met when something had been handed to Lytics before."""
    return (
        "Erasure stopped: at least one identifier is under a legal hold. Deletions begun before that cannot be taken "
        "back; nothing further is deleted until a person has decided."
    )


def rejected(reason: str) -> str:
    """Return the comment for a request that was refused before anything was deleted."""
    return f"Erasure not carried out. {REFUSALS[reason]}"


def finished(state: RequestState, counts: Counts, received_at: datetime, now: datetime, *, looked_up: bool) -> str:
    """Return the comment for a request at its end.

    Args:
        looked_up: whether a look-up confirmed everything that is called deleted or not found.
    """
    nobody = " Lytics held no profile for this person." if 0 < counts.targets == counts.not_found else ""
    unseen = "" if looked_up else " By Lytics' own count, not confirmed by a look-up."
    return f"{describe(counts, state)}{nobody}{unseen} Received {_at(received_at)}, finished {_at(now)}."


def under_way(counts: Counts, received_at: datetime, due_at: datetime, *, observed: bool) -> str:
    """Return the comment for a request that takes its time.

    Args:
        observed: whether its account only observes.
    """
    opening = OBSERVED if observed else "Erasure still under way."
    return f"{opening} {numbers(counts)} Received {_at(received_at)}, due {_at(due_at)}."


def due_soon(counts: Counts, received_at: datetime, due_at: datetime, *, held: bool, observed: bool) -> str:
    """Return the comment that warns of a due date, for a request that is not over."""
    why = OBSERVED if observed else "Lytics has not confirmed it yet."
    why = "It is held here until a person has looked at it." if held else why
    return f"Warning: this erasure is due {_at(due_at)}. {why} {numbers(counts)} Received {_at(received_at)}."


def filed(name: str, digest: str) -> str:
    """Return the sentence about a file that holds the evidence."""
    return f"Evidence: {name}, SHA-256 {digest}."


NOT_FILED: Final = "Without an evidence file, because it was not taken."


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
