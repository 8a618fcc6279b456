"""What every tick asks is answered by an index: a step must not get slower with everything that was ever done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from connector.states import OperationState, SubmissionState, TargetState
from connector.store import identities, reports, requests, submissions, targets
from connector.store import tables as t
from connector.store.columns import AnyRow
from tests.support.site import START, Bench

NAMES = frozenset(t.metadata.tables)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'store.db'}")
    yield made
    made.database.close()


def row(**values: Any) -> Any:
    return type("Row", (), values)()


SOME = ["a" * 32, "b" * 32]
# As `to_confirm` returns it.
LOOKED_UP: list[AnyRow] = [row(id=one, entered_at=START, looks=0) for one in SOME]

QUERIES: Mapping[str, Callable[[Connection], object]] = {
    "to_map": lambda c: requests.to_map(c, {"onetrust": "d1", "other": "d2"}, 500),
    "to_look_up_before": lambda c: targets.to_look_up_before(c, "main", START, 500),
    "to_submit": lambda c: targets.to_submit(c, "main", START, 500, looked_up=False),
    "to_submit after a look-up": lambda c: targets.to_submit(c, "main", START, 500, looked_up=True),
    "to_confirm": lambda c: targets.to_confirm(c, "main", START, 500),
    "to_poll": lambda c: submissions.to_poll(c, "main", START, 500),
    "to_send": lambda c: reports.to_send(c, "onetrust", START, 500),
    "any_open": lambda c: submissions.any_open(c, "main", START),
    "in_state": lambda c: submissions.in_state(c, "main", SubmissionState.UNKNOWN),
    "of_operation": lambda c: targets.of_operation(c, SOME[0], TargetState.SUBMITTED),
    "of_submission": lambda c: targets.of_submission(c, SOME[0], TargetState.SUBMITTING),
    "values_of_operation": lambda c: targets.values_of_operation(c, SOME[0]),
    "unchanged": lambda c: targets.unchanged(c, LOOKED_UP, TargetState.CONFIRMING),
    "requests_with_reason": lambda c: targets.requests_with_reason(c, SOME, ["r"]),
    "lock_all": lambda c: requests.lock_all(c, SOME),
    "count_states": lambda c: identities.count_states(c, SOME),
    "of_request": lambda c: identities.of_request(c, SOME[0]),
    "forget_unsubmitted": lambda c: identities.forget_unsubmitted(c, SOME[0]),
    "has_progress": lambda c: reports.has_progress(c, SOME[0], 1),
    "supersede": lambda c: reports.supersede(c, SOME, START),
    "revive": lambda c: reports.revive(c, SOME[0], 1, START),
    "still_queued": lambda c: reports.still_queued(c, [row(id=one) for one in SOME]),
    "known_remote_ids": lambda c: submissions.known_remote_ids(c, "main", SOME),
    "end_operation": lambda c: submissions.end_operation(c, SOME[0], OperationState.LOST, START),
    "still_running": lambda c: submissions.still_running(c, SOME[0], START + timedelta(minutes=1)),
    "look_again": lambda c: targets.look_again(c, SOME, TargetState.CONFIRMING, START),
    "end": lambda c: targets.end(c, SOME, TargetState.CONFIRMING, TargetState.DELETED, START),
}


def plans(bench: Bench, ask: Callable[[Connection], object]) -> list[str]:
    """Return how SQLite goes about every statement that a query makes."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        statements.append((statement, parameters))

    with bench.database.write() as connection:
        event.listen(connection, "before_cursor_execute", note)
        ask(connection)
        event.remove(connection, "before_cursor_execute", note)
        assert statements
        return [
            line.detail
            for statement, parameters in statements
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def scans(lines: list[str]) -> list[str]:
    """Return the steps that walk through a whole table. Walking through an index of what is asked for is no scan."""
    return [line for line in lines if line.startswith("SCAN") and line.split()[1] in NAMES]


@pytest.mark.parametrize("name", QUERIES)
def test_no_recurring_query_walks_through_a_table(bench: Bench, name: str) -> None:
    lines = plans(bench, QUERIES[name])
    assert any(line.startswith("SEARCH") for line in lines), lines
    assert scans(lines) == [], lines


def test_a_walk_through_a_table_would_be_seen(bench: Bench) -> None:
    lines = plans(bench, lambda c: c.execute(t.targets.select().where(t.targets.c.reason == "x")).all())
    assert scans(lines) != []


def test_a_duplicate_is_found_by_its_unique_index(bench: Bench) -> None:
    statement = t.deliveries.select().where(t.deliveries.c.source == "s", t.deliveries.c.claim_key == "k")
    (line,) = plans(bench, lambda c: c.execute(statement).all())
    assert "INDEX" in line
    assert "claim_key=?" in line
