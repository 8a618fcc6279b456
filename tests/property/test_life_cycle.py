"""Any sequence of deliveries, faults, deaths and waiting: the promises hold after every step, and all work ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from connector.codes import Code
from connector.errors import IllegalMove, Misconfigured, RateLimited, Refused, Rejected, Temporary
from connector.mapping.rules import compile_rules
from connector.model import Delivered, RemoteState, RemoteStatus, SourceStatus
from connector.services.settle import count
from connector.states import (
    FINISHED_REQUESTS,
    FULFILLED_TARGETS,
    MOVES,
    OPEN_REQUESTS,
    TERMINAL_TARGETS,
    OperationState,
    ReportState,
    RequestState,
    SubmissionState,
    TargetState,
    check_move,
)
from connector.store import identities
from connector.store import tables as t
from tests.support.site import RULES, Bench
from tests.support.stand_ins import Killed

# --- the tables of moves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", MOVES, ids=lambda one: one.__name__)
def test_every_state_has_its_row_and_leads_only_to_states_of_its_machine(machine: type[StrEnum]) -> None:
    assert set(MOVES[machine]) == set(machine)
    assert set().union(*MOVES[machine].values()) <= set(machine)


@pytest.mark.parametrize("machine", MOVES, ids=lambda one: one.__name__)
def test_every_pair_of_states_is_either_in_the_table_or_raises(machine: type[StrEnum]) -> None:
    for old in machine:
        for new in machine:
            if new in MOVES[machine][old]:
                check_move(old, new)
            else:
                with pytest.raises(IllegalMove):
                    check_move(old, new)


def test_no_state_moves_to_itself_or_into_another_machine() -> None:
    for machine in MOVES:
        assert all(state not in MOVES[machine][state] for state in machine)
    with pytest.raises(IllegalMove):
        check_move(TargetState.SUBMITTING, SubmissionState.REFUSED)


@pytest.mark.parametrize("machine", MOVES, ids=lambda one: one.__name__)
def test_every_state_can_be_reached_and_every_state_can_come_to_an_end(machine: type[StrEnum]) -> None:
    def reached(start: StrEnum) -> set[StrEnum]:
        seen, waiting = {start}, [start]
        while waiting:
            new = MOVES[machine][waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen

    first = next(iter(machine))
    assert reached(first) == set(machine)
    ends = {state for state in machine if not MOVES[machine][state]}
    # An identity is mapped again as often as the rules change, so it has no end of its own.
    assert not ends or all(reached(state) & ends for state in machine)


def test_what_is_fulfilled_is_never_taken_back() -> None:
    assert all(not MOVES[TargetState][state] for state in FULFILLED_TARGETS)
    assert FULFILLED_TARGETS < TERMINAL_TARGETS
    assert not MOVES[RequestState][RequestState.COMPLETED]
    assert set(RequestState) == OPEN_REQUESTS | FINISHED_REQUESTS
    assert not OPEN_REQUESTS & FINISHED_REQUESTS


# --- any program ------------------------------------------------------------------------------------------------------

PEOPLE = [("email", f"p{number}@example.com") for number in range(4)] + [
    ("loyalty id", f"l{number}") for number in (1, 2)
]
ODD = ("shoe size", "44")
SUBTASKS = ["s1", "s2", "s3"]
FIELDS = {"email": "email", "loyalty id": "loyalty_id", "shoe size": "shoe"}

LOST = Temporary(Code.REMOTE_FAULT, outcome_unknown=True)
SUBMIT_FAULTS = [
    Temporary(Code.REMOTE_UNREACHABLE),
    LOST,
    RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=90),
    Misconfigured(Code.TOKEN_REFUSED),
    Refused(Code.REMOTE_REFUSED),
    Killed(),
]
CALL_FAULTS = [
    Temporary(Code.REMOTE_FAULT),
    RateLimited(Code.REMOTE_RATE_LIMITED),
    Misconfigured(Code.PERMISSION_MISSING),
    Refused(Code.REMOTE_REFUSED),
    ValueError("a defect in a client"),
    Killed(),
]

# Enough for the next look or try, for an unknown outcome, for a profile that is still there, for an id that is denied.
PAUSES = st.sampled_from([1, 31, 61, 61, 121, 301, 1000, 4000, 90_000])


class Reference:
    """The life cycle in a few lines: what each request was asked for, what may excuse a failure, how it may end.

    It knows nothing of targets, batches, operations, retries or crashes.
    """

    def __init__(self) -> None:
        self.asked: dict[str, set[tuple[str, str]]] = {}
        self.mended = False
        # Values whose deletion Lytics broke off or did not carry out, and faults that may have met anybody.
        self.unlucky: set[str] = set()
        self.refused = False
        self.untold = False

    def accepts(self, name: str, said: Iterable[tuple[str, str]]) -> None:
        self.asked.setdefault(name, set()).update(said)

    def ends(self, name: str) -> set[RequestState]:
        """Return the states in which a request may be once all work has ended."""
        if ODD in self.asked[name] and not self.mended:
            return {RequestState.HELD}
        if self.refused or self.unlucky & {value for _, value in self.asked[name]}:
            return {RequestState.COMPLETED, RequestState.PARTIAL, RequestState.FAILED}
        return {RequestState.COMPLETED}


class LifeCycle(RuleBasedStateMachine):
    """One site; whatever may happen to it."""

    stores: ClassVar[Callable[[], str]]

    @initialize(per_value=st.booleans(), known=st.sets(st.sampled_from(PEOPLE)), size=st.sampled_from([1, 2, 100]))
    def begin(self, per_value: bool, known: set[tuple[str, str]], size: int) -> None:
        self.bench = Bench(type(self).stores(), per_value=per_value, batch_max_values=size)
        self.lytics = self.bench.lytics
        self.lytics.finish_at_once = False
        for kind, value in known:
            self.bench.knows(value, field=FIELDS[kind])
        self.broken: Counter[str] = Counter()
        self.events = 0
        self.reference = Reference()

    # What the source does.

    @rule(
        name=st.sampled_from(SUBTASKS),
        said=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3),
        odd=st.sampled_from([False, False, False, True]),
        event=st.sampled_from(["new", "old", "none"]),
        then=PAUSES,
    )
    def deliver(self, name: str, said: list[tuple[str, str]], odd: bool, event: str, then: int) -> None:
        self.events += event == "new"
        named = {} if event == "none" else {"event": f"e{self.events}"}
        refused = None
        everything = [*said, *([ODD] if odd else [])]
        try:
            self.bench.deliver(name, *everything, **named)
        except Rejected as error:
            refused = error.code
        else:
            self.reference.accepts(name, everything)
        assert refused in (None, Code.EVENT_CONFLICT, Code.REQUEST_FINISHED)
        self.time_passes(then)

    @rule(answer=st.sampled_from([*CALL_FAULTS, Delivered.CONFLICT]), then=PAUSES)
    def source_fails(self, answer: Any, then: int) -> None:
        self.bench.reporter.answers.append(answer)
        self.reference.untold = True
        self.time_passes(then)

    @rule(then=PAUSES)
    def rules_are_mended(self, then: int) -> None:
        self.bench.with_rules(compile_rules(RULES.rules, ignore_kinds=("first name", "shoe size")))
        self.reference.mended = True
        self.time_passes(then)

    # What Lytics does.

    @rule(error=st.sampled_from(SUBMIT_FAULTS), after=st.booleans(), then=PAUSES)
    def submission_fails(self, error: BaseException, after: bool, then: int) -> None:
        if after and (error is LOST or isinstance(error, Killed)):
            self.lytics.after = error
        else:
            self.lytics.errors.append(error)
        self.reference.refused |= isinstance(error, Refused)
        self.time_passes(then)

    @rule(error=st.sampled_from(CALL_FAULTS), look_up=st.booleans(), then=PAUSES)
    def call_fails(self, error: BaseException, look_up: bool, then: int) -> None:
        (self.lytics.look_up_errors if look_up else self.lytics.status_errors).append(error)
        # A look-up that fails is no proof that somebody is gone.
        self.reference.refused |= look_up
        self.time_passes(then)

    @rule(error=st.sampled_from([None, LOST, Misconfigured(Code.TOKEN_REFUSED)]), then=PAUSES)
    def list_fails_or_works(self, error: Any, then: int) -> None:
        self.lytics.list_error = error
        self.time_passes(then)

    @rule(end=st.sampled_from(["finished", "finished", "finished", "failed", "lost"]), then=PAUSES)
    def operations_end(self, end: str, then: int) -> None:
        for remote_id, said in list(self.lytics.statuses.items()):
            if said.state is not RemoteState.RUNNING:
                continue
            if end == "finished":
                self.lytics.finish(remote_id)
                continue
            self.broken.update(value for _, _, value in self.lytics.operations[remote_id])
            self.reference.unlucky |= {value for _, _, value in self.lytics.operations[remote_id]}
            if end == "failed":
                self.lytics.statuses[remote_id] = RemoteStatus(RemoteState.FAILED, "failed", None, None)
            else:
                del self.lytics.statuses[remote_id]
        self.time_passes(then)

    @rule(who=st.sampled_from(PEOPLE), then=PAUSES)
    def person_will_stay(self, who: tuple[str, str], then: int) -> None:
        self.lytics.stays.add(who[1])
        self.reference.unlucky.add(who[1])
        self.time_passes(then)

    @rule(then=PAUSES)
    def everybody_goes_whose_deletion_is_finished(self, then: int) -> None:
        self.lytics.stays.clear()
        for remote_id, said in self.lytics.statuses.items():
            if said.state is RemoteState.FINISHED:
                self.lytics.people -= set(self.lytics.operations[remote_id])
        self.time_passes(then)

    # What time does.

    @rule(seconds=PAUSES)
    def time_passes(self, seconds: int) -> None:
        for _ in range(2):
            try:
                self.bench.pass_time(seconds=seconds)
            except Killed:
                self.bench.starts_again()

    # What has to hold after every step.

    @invariant()
    def counts_add_up(self) -> None:
        requests = self.bench.rows(t.requests)
        with self.bench.database.read() as connection:
            counted = identities.count_states(connection, [row.id for row in requests])
        for row in requests:
            counts = count(*counted[row.id])
            if row.state is not RequestState.RECEIVED and not counted[row.id][0]["received"]:
                assert counts.adds_up()
            if row.state in (RequestState.COMPLETED, RequestState.PARTIAL, RequestState.FAILED):
                assert counts.pending == 0
            if row.state is RequestState.COMPLETED:
                assert counts.deleted + counts.not_found == counts.targets > 0

    @invariant()
    def exactly_what_was_asked_for_is_stored(self) -> None:
        names = {row.id: row.external["subtask_id"] for row in self.bench.rows(t.requests)}
        stored: dict[str, set[tuple[str, str]]] = {name: set() for name in names.values()}
        for row in self.bench.rows(t.identities):
            stored[names[row.request_id]].add((row.kind, row.value.reveal()))
        assert stored == self.reference.asked

    @invariant()
    def nobody_is_submitted_who_was_not_asked_for(self) -> None:
        asked = {value for said in self.reference.asked.values() for _, value in said}
        assert {value for _, _, values in self.lytics.calls for value in values} <= asked - {ODD[1]}

    @invariant()
    def completed_means_that_nobody_is_left(self) -> None:
        targets = self.bench.rows(t.targets)
        operations = {row.id: row for row in self.bench.rows(t.operations)}
        for row in self.bench.rows(t.requests):
            said = self.bench.reporter.states.get(row.external["subtask_id"])
            if SourceStatus.COMPLETED not in (said, row.state.value.upper()):
                continue
            for target in [one for one in targets if one.request_id == row.id]:
                assert ("user", target.field, target.value.reveal()) not in self.lytics.people
                operation = operations[target.operation_id]
                assert operation.state is OperationState.FINISHED
                assert self.lytics.statuses[operation.remote_id].state is RemoteState.FINISHED

    @invariant()
    def nobody_is_submitted_more_often_than_allowed(self) -> None:
        attempts = {row.id: row.attempt for row in self.bench.rows(t.requests)}
        allowed: Counter[str] = Counter()
        for value, request_id in {(one.value.reveal(), one.request_id) for one in self.bench.rows(t.targets)}:
            allowed[value] += attempts[request_id]
        submitted = Counter(value for said in self.lytics.operations.values() for _, _, value in said)
        for value, times in submitted.items():
            assert times <= allowed[value] + self.broken[value]

    @invariant()
    def nothing_is_stuck_or_broken(self) -> None:
        ids = {one.id for one in self.bench.rows(t.requests) if one.state is RequestState.WORKING}
        moving = {one.request_id for one in self.bench.rows(t.targets) if one.state not in TERMINAL_TARGETS}
        late = {one.request_id for one in self.bench.rows(t.identities) if one.state == "received"}
        assert ids <= moving | late
        assert "step_failed" not in self.bench.log.actions

    @invariant()
    def each_attempt_ends_once(self) -> None:
        finals = Counter((one.request_id, one.attempt) for one in self.bench.rows(t.reports) if one.final)
        assert not [one for one, times in finals.items() if times > 1]

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            try:
                self.all_work_ends()
            finally:
                self.bench.database.close()

    def all_work_ends(self) -> None:
        """Once everything works again, every request comes to its end, or waits for a person."""
        for faults in (self.lytics.errors, self.lytics.look_up_errors, self.lytics.status_errors):
            faults.clear()
        self.lytics.after = self.lytics.list_error = None
        self.bench.reporter.answers.clear()
        self.lytics.stays.clear()
        for _ in range(60):
            for remote_id, said in list(self.lytics.statuses.items()):
                if said.state is RemoteState.RUNNING:
                    self.lytics.finish(remote_id)
            self.bench.pass_time(hours=1)
            if self.is_quiet():
                break
        assert self.is_quiet()
        self.counts_add_up()
        self.completed_means_that_nobody_is_left()
        self.exactly_what_was_asked_for_is_stored()
        for row in self.bench.rows(t.requests):
            assert row.state in self.reference.ends(row.external["subtask_id"])
            self.judge(row)

    def is_quiet(self) -> bool:
        unsent = [one for one in self.bench.rows(t.reports) if one.state is ReportState.QUEUED]
        ended = FINISHED_REQUESTS | {RequestState.HELD}
        return not unsent and all(row.state in ended for row in self.bench.rows(t.requests))

    def judge(self, row: Any) -> None:
        if row.state not in FINISHED_REQUESTS:
            assert row.reason
            return
        (final,) = [
            one
            for one in self.bench.rows(t.reports)
            if one.final and (one.request_id, one.attempt) == (row.id, row.attempt)
        ]
        assert (final.status is SourceStatus.COMPLETED) == (row.state is RequestState.COMPLETED)
        assert final.state is ReportState.SENT or self.reference.untold
        if final.state is ReportState.SENT:
            assert self.bench.reporter.states[row.external["subtask_id"]] is final.status


def explore(stores: Callable[[], str], examples: int) -> None:
    machine = type("LifeCycle", (LifeCycle,), {"stores": staticmethod(stores)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_program_keeps_every_promise_on_sqlite(tmp_path: Path) -> None:
    explore(lambda: f"sqlite:///{tmp_path / uuid4().hex}.db", 20)


@pytest.mark.postgres
def test_any_program_keeps_every_promise_on_postgresql(postgres_server: Any) -> None:
    made: list[str] = []

    def create() -> str:
        made.append(postgres_server.create())
        return made[-1]

    try:
        explore(create, 3)
    finally:
        for url in made:
            postgres_server.drop(url)
