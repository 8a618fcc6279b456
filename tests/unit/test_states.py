"""The table of moves: whole, closed, and the only way from one state to another."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import IllegalMove
from connector.states import (
    FINISHED_REQUESTS,
    FULFILLED_TARGETS,
    MOVES,
    OPEN_REQUESTS,
    TERMINAL_TARGETS,
    OperationState,
    ReportState,
    RequestState,
    TargetState,
    check_move,
)

EVERY = [state for machine in MOVES for state in machine]
START: dict[type[StrEnum], str] = {
    RequestState: "received",
    TargetState: "queued",
    OperationState: "running",
    ReportState: "queued",
}


@pytest.mark.parametrize("machine", MOVES, ids=lambda one: one.__name__)
class TestTable:
    def test_every_state_has_its_row_and_leads_only_to_states_of_its_machine(self, machine: type[StrEnum]) -> None:
        assert set(MOVES[machine]) == set(machine)
        assert all(new in set(machine) for moves in MOVES[machine].values() for new in moves)

    def test_no_state_leads_to_itself(self, machine: type[StrEnum]) -> None:
        assert [old for old, moves in MOVES[machine].items() if old in moves] == []

    def test_every_state_can_be_reached_from_the_first(self, machine: type[StrEnum]) -> None:
        first = machine(START.get(machine, next(iter(machine)).value))
        reached, waiting = {first}, [first]
        while waiting:
            new = set(MOVES[machine][waiting.pop()]) - reached
            reached |= new
            waiting += new
        assert reached == set(machine)


@given(old=st.sampled_from(EVERY), new=st.sampled_from(EVERY))
def test_a_move_is_legal_if_and_only_if_the_table_holds_it(old: StrEnum, new: StrEnum) -> None:
    legal = type(old) is type(new) and new in MOVES[type(old)][old]
    if legal:
        check_move(old, new)
    else:
        with pytest.raises(IllegalMove):
            check_move(old, new)


def test_states_of_two_machines_never_mix_even_under_one_word() -> None:
    # Both are the word `queued`, and as texts they are equal.
    with pytest.raises(IllegalMove):
        check_move(RequestState.RECEIVED, TargetState.QUEUED)


def test_what_is_completed_stays_completed() -> None:
    for old, new in product((RequestState.COMPLETED, RequestState.REJECTED), RequestState):
        with pytest.raises(IllegalMove):
            check_move(old, new)
    for old, new in product(FULFILLED_TARGETS, TargetState):
        with pytest.raises(IllegalMove):
            check_move(old, new)


def test_nothing_is_completed_without_having_been_worked_on() -> None:
    ways = {old for old, moves in MOVES[RequestState].items() if RequestState.COMPLETED in moves}
    assert ways == {RequestState.WORKING}


def test_nothing_counts_as_deleted_that_was_never_accepted() -> None:
    for done in FULFILLED_TARGETS:
        ways = {old for old, moves in MOVES[TargetState].items() if done in moves}
        assert ways <= {TargetState.SUBMITTED, TargetState.CONFIRMING}


def test_open_and_finished_are_everything() -> None:
    assert set(RequestState) == OPEN_REQUESTS | FINISHED_REQUESTS
    assert not OPEN_REQUESTS & FINISHED_REQUESTS
    assert FULFILLED_TARGETS < TERMINAL_TARGETS < set(TargetState)
