from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.policy.outcome import Counts, describe, outcome_of
from connector.states import FULFILLED_TARGETS, TERMINAL_TARGETS, RequestState, TargetState

T = TargetState

GOOD = Counts(
    identities_received=3,
    mapped=3,
    unmapped=0,
    rejected=0,
    targets=4,
    deleted=3,
    not_found=1,
    refused=0,
    failed=0,
    pending=0,
)


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([T.DELETED], RequestState.COMPLETED),
        ([T.NOT_FOUND], RequestState.COMPLETED),
        ([T.DELETED, T.NOT_FOUND, T.DELETED], RequestState.COMPLETED),
        ([T.DELETED, T.FAILED], RequestState.PARTIAL),
        ([T.NOT_FOUND, T.REFUSED], RequestState.PARTIAL),
        ([T.DELETED, T.REFUSED, T.FAILED], RequestState.PARTIAL),
        ([T.REFUSED], RequestState.FAILED),
        ([T.FAILED, T.REFUSED], RequestState.FAILED),
        ([], RequestState.FAILED),
    ],
)
def test_a_request_ends_as_its_targets_did(states: list[TargetState], outcome: RequestState) -> None:
    assert outcome_of(states) is outcome


@pytest.mark.parametrize("open_state", sorted(set(TargetState) - TERMINAL_TARGETS))
def test_a_request_with_an_open_target_has_no_outcome(open_state: TargetState) -> None:
    with pytest.raises(ValueError, match="not ended"):
        outcome_of([T.DELETED, open_state])


@settings(deadline=None, max_examples=100)
@given(states=st.lists(st.sampled_from(sorted(TERMINAL_TARGETS)), max_size=6))
def test_completed_means_every_target_fulfilled_and_nothing_else(states: list[TargetState]) -> None:
    completed = outcome_of(states) is RequestState.COMPLETED
    assert completed == (bool(states) and all(one in FULFILLED_TARGETS for one in states))


def test_counts_that_support_it_leave_the_outcome() -> None:
    assert outcome_of([T.DELETED, T.NOT_FOUND], GOOD) is RequestState.COMPLETED
    assert outcome_of([T.DELETED], replace(GOOD, identities_received=4, unmapped=1)) is RequestState.COMPLETED


@pytest.mark.parametrize(
    "counts",
    [
        replace(GOOD, identities_received=4),
        replace(GOOD, identities_received=4, rejected=1),
        replace(GOOD, targets=5),
        replace(GOOD, targets=5, pending=1),
    ],
)
def test_counts_that_do_not_support_it_prevent_completion(counts: Counts) -> None:
    assert outcome_of([T.DELETED, T.NOT_FOUND], counts) is RequestState.PARTIAL
    assert outcome_of([T.FAILED], counts) is RequestState.FAILED


@pytest.mark.parametrize(
    "name",
    [
        "identities_received",
        "mapped",
        "unmapped",
        "rejected",
        "targets",
        "deleted",
        "not_found",
        "refused",
        "failed",
        "pending",
    ],
)
def test_counts_stop_adding_up_when_any_one_of_them_is_wrong(name: str) -> None:
    assert GOOD.adds_up()
    assert not replace(GOOD, **{name: getattr(GOOD, name) + 1}).adds_up()


def test_the_comment_says_the_counts_in_words() -> None:
    assert describe(GOOD, RequestState.COMPLETED) == (
        "Erasure finished. 3 identities received, 3 mapped to 4 Lytics fields: "
        "3 deleted, 1 not found, 0 refused, 0 failed."
    )


def test_the_comment_hides_nothing_that_was_left_out() -> None:
    counts = Counts(
        identities_received=3,
        mapped=1,
        unmapped=1,
        rejected=1,
        targets=1,
        deleted=0,
        not_found=0,
        refused=0,
        failed=0,
        pending=1,
    )
    assert describe(counts, RequestState.PARTIAL) == (
        "Erasure finished in part. 3 identities received, 1 mapped to 1 Lytics field, 1 not mapped, 1 rejected: "
        "0 deleted, 0 not found, 0 refused, 0 failed, 1 pending."
    )


def test_a_failure_is_called_one() -> None:
    counts = replace(GOOD, deleted=0, not_found=0, failed=4)
    assert describe(counts, RequestState.FAILED).startswith("Erasure failed. 3 identities received")
