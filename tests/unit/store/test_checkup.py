"""What the doctor reads of the store: deadlines of open requests, and calls whose every value was refused alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from connector.codes import Code
from connector.errors import Misconfigured
from connector.model import SubmitAnswer
from connector.states import RequestState
from connector.store import checkup
from connector.store.checkup import Deadlines
from connector.store.tables import requests
from tests.support.site import START, Bench


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url, per_value=True)
    yield made
    made.database.close()


def due(bench: Bench, name: str, days: float) -> None:
    moment = START + timedelta(days=days)
    with bench.database.write() as connection:
        row = bench.dossier(name).request
        connection.execute(update(requests).where(requests.c.id == row.id).values(due_at=moment))


def deadlines(bench: Bench) -> Deadlines:
    with bench.database.read() as connection:
        return checkup.deadlines(connection, START)


def alike(bench: Bench) -> list[tuple[str, int]]:
    with bench.database.read() as connection:
        return [*checkup.refused_alike(connection, bench.clock.now())]


def test_an_empty_store_has_no_deadlines(bench: Bench) -> None:
    assert deadlines(bench) == Deadlines(0, 0, None, None)
    assert alike(bench) == []


def test_deadlines_are_counted_on_the_edge_and_of_open_requests_alone(bench: Bench) -> None:
    for name, days in (("s1", -2.0), ("s2", -1.0), ("s3", 0.0), ("s4", 6.9), ("s5", 7.0), ("s6", -3.0)):
        bench.deliver(name)
        due(bench, name, days)
    with bench.database.write() as connection:
        done = bench.dossier("s6").request.id
        connection.execute(update(requests).where(requests.c.id == done).values(state=RequestState.COMPLETED))
    assert deadlines(bench) == Deadlines(2, 2, START - timedelta(days=2), START)


@pytest.mark.parametrize(
    ("number", "reasons", "found"),
    [(3, {"no such field"}, [("main", 3)]), (2, {"no such field"}, []), (3, {"no such field", "too long"}, [])],
)
def test_values_that_are_all_refused_for_one_reason_are_told(
    bench: Bench, number: int, reasons: set[str], found: list[tuple[str, int]]
) -> None:
    told = sorted(reasons)
    bench.lytics.answer = lambda values: SubmitAnswer(
        accepted={}, refused={one: told[place % len(told)] for place, one in enumerate(values)}
    )
    for place in range(number):
        bench.deliver(f"s{place}")
    bench.run_to_end(2)
    assert alike(bench) == found
    bench.clock.advance(days=8)
    assert alike(bench) == []


def test_the_latest_call_counts(bench: Bench) -> None:
    bench.lytics.answer = lambda values: SubmitAnswer(accepted={}, refused=dict.fromkeys(values, "no such field"))
    for place in range(3):
        bench.deliver(f"s{place}")
    bench.run_to_end(2)
    assert alike(bench) == [("main", 3)]
    bench.lytics.answer = None
    bench.deliver("s9")
    bench.run_to_end(2)
    assert alike(bench) == []


def test_a_call_that_was_given_back_for_its_permission_is_told(bench: Bench) -> None:
    bench.lytics.errors = [Misconfigured(Code.PERMISSION_MISSING)]
    bench.deliver("s1")
    bench.pass_time(seconds=1)
    bench.pass_time(seconds=1)
    assert alike(bench) == [("main", 1)]


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    assert not checkup.is_there(f"sqlite:///{path}")
    path.touch()
    assert checkup.is_there(f"sqlite:///{path}")
    assert checkup.is_there("postgresql://db.example.com/x")
