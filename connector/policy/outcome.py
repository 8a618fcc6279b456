"""How a request ended, in a state, in numbers and in words. Completed means that nothing asked for is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connector.states import FULFILLED_TARGETS, TERMINAL_TARGETS, RequestState, TargetState

_OPENINGS: Final = {
    RequestState.COMPLETED: "Erasure finished.",
    RequestState.PARTIAL: "Erasure finished in part.",
    RequestState.FAILED: "Erasure failed.",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """One request in numbers: what became of its identities, and what became of its targets."""

    identities_received: int
    mapped: int
    unmapped: int
    rejected: int
    targets: int
    deleted: int
    not_found: int
    refused: int
    failed: int
    pending: int

    def adds_up(self) -> bool:
        """Say whether every identity and every target is counted exactly once."""
        ended = self.deleted + self.not_found + self.refused + self.failed
        return (
            self.mapped + self.unmapped + self.rejected == self.identities_received
            and ended + self.pending == self.targets
        )


def outcome_of(states: Iterable[TargetState], counts: Counts | None = None) -> RequestState:
    """Return how a request ended, from the states of its targets; repeats among them do not matter.

    Completed only if every target is fulfilled, and there is one. If counts are given, they have to support it as well:
    with a rejected identity, something still pending or numbers that do not add up, it is at most partial.

    Raises:
        ValueError: a target has not ended, so neither has the request.
    """
    seen = set(states)
    if not seen <= TERMINAL_TARGETS:
        raise ValueError("a target has not ended yet")
    if seen.isdisjoint(FULFILLED_TARGETS):
        return RequestState.FAILED
    in_doubt = counts is not None and (not counts.adds_up() or counts.rejected > 0 or counts.pending > 0)
    return RequestState.PARTIAL if in_doubt or not seen <= FULFILLED_TARGETS else RequestState.COMPLETED


def describe(counts: Counts, state: RequestState) -> str:
    """Return one plain sentence or two for a report: numbers only, nothing of the person.

    Args:
        state: completed, partial or failed.
    """
    return f"{_OPENINGS[state]} {numbers(counts)}"


def nothing_held(counts: Mapping[str, int]) -> bool:
    """Say whether Lytics knew nothing of a person: there was something to look for, and none of it was found.

    Args:
        counts: by the names of `Counts`; empty for a request that is not over.
    """
    return 0 < counts.get("targets", 0) == counts.get("not_found", 0)


def numbers(counts: Counts) -> str:
    """Return the counts as one sentence."""
    left_out = "".join(
        f", {number} {word}"
        for number, word in ((counts.unmapped, "not mapped"), (counts.rejected, "rejected"))
        if number
    )
    pending = f", {counts.pending} pending" if counts.pending else ""
    return (
        f"{_many(counts.identities_received, 'identity', 'identities')} received, "
        f"{counts.mapped} mapped to {_many(counts.targets, 'Lytics field', 'Lytics fields')}{left_out}: "
        f"{counts.deleted} deleted, {counts.not_found} not found, "
        f"{counts.refused} refused, {counts.failed} failed{pending}."
    )


def _many(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
