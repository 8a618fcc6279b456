"""How everything stands: each number is that of the rows, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.codes import Code
from connector.errors import Refused
from connector.mapping.reasons import HoldReason
from connector.model import Delivered
from connector.services.map import map_requests
from connector.states import RequestKind, RequestState, SubmissionState, TargetState
from connector.store import dead_letters, pulse
from connector.store.pulse import Crowd, Due, Pulse
from tests.support.site import Bench
from tests.support.stand_ins import Killed

WEEK = timedelta(days=7)


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    yield made
    made.database.close()


def take(bench: Bench) -> Pulse:
    with bench.database.read() as connection:
        return pulse.take(connection, bench.clock.now(), ["main", "spare"], ["onetrust"], WEEK)


def test_nothing_is_there_at_first(bench: Bench) -> None:
    seen = take(bench)
    assert (seen.requests, seen.held, seen.due, seen.dead_reports, seen.unfulfilled, seen.fuses, seen.keys) == ({},) * 7
    assert set(seen.targets.values()) == set(seen.operations.values()) == set(seen.reports.values()) == {Crowd()}
    assert {account for account, _ in seen.targets} == {"main", "spare"}


def test_open_requests_by_state_with_their_age_and_their_due_dates(bench: Bench) -> None:
    begun = bench.clock.now()
    bench.deliver("s1", ("shoe size", "44"))
    map_requests(bench.site)
    bench.clock.advance(days=25)
    bench.deliver("s2")
    bench.deliver("s3")
    seen = take(bench)
    assert seen.requests == {
        ("onetrust", RequestKind.ERASURE, RequestState.HELD): Crowd(1, begun),
        ("onetrust", None, RequestState.RECEIVED): Crowd(2, bench.clock.now()),
    }
    assert seen.held == {("onetrust", HoldReason.UNMAPPED_IDENTITY): 1}
    assert seen.due == {"onetrust": Due(0, 1, begun + timedelta(days=30))}
    bench.clock.advance(days=6)
    assert take(bench).due["onetrust"] == Due(1, 0, begun + timedelta(days=30))
    assert seen.keys["onetrust"].first == begun
    assert seen.keys["onetrust"].last == begun + timedelta(days=25)


def test_what_an_older_version_began_without_a_kind_is_an_erasure(bench: Bench) -> None:
    bench.deliver("s1")
    map_requests(bench.site)
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE requests SET kind = NULL")
    assert set(take(bench).requests) == {("onetrust", RequestKind.ERASURE, RequestState.QUEUED)}


def test_each_source_has_its_own(bench: Bench) -> None:
    bench.deliver("s1")
    bench.site = replace(bench.site, sources={"other": replace(bench.source, name="other")})
    other = bench.site.sources["other"]
    bench.site = replace(bench.site, sources={"onetrust": other})
    bench.deliver("s1")
    bench.deliver("s2")
    seen = take(bench)
    assert {name: one.number for (name, _, _), one in seen.requests.items()} == {"onetrust": 1, "other": 2}


def test_values_on_their_way_looked_up_or_not(bench: Bench) -> None:
    bench.deliver("s1")
    map_requests(bench.site)
    since = bench.clock.now()
    assert take(bench).targets["main", TargetState.QUEUED] == Crowd(1, since)
    bench.lytics.finish_at_once = False
    bench.knows("s1@example.com")
    bench.pass_time(seconds=1)
    bench.deliver("s2")
    map_requests(bench.site)
    seen = take(bench)
    assert seen.targets["main", TargetState.SUBMITTED].number == 1
    assert seen.targets["main", TargetState.QUEUED].number == 1
    assert seen.operations == {"main": Crowd(1, bench.clock.now()), "spare": Crowd()}
    # Of the first request, that the work goes on; both are queued until the source took them.
    assert seen.reports["onetrust"].number >= 1


def test_a_call_whose_outcome_is_not_known(bench: Bench) -> None:
    bench.lytics.after = Killed()
    bench.deliver("s1")
    with pytest.raises(Killed):
        bench.pass_time(seconds=1)
    assert take(bench).submissions["main", SubmissionState.INTENDED].number == 1


def test_what_was_given_up_until_an_operator_lets_it_rest(bench: Bench) -> None:
    bench.lytics.refuses = {"no@example.com"}
    bench.deliver("s1", ("email", "no@example.com"))
    bench.run_to_end()
    bench.reporter.answers = [Delivered.SENT, Refused(Code.REMOTE_REFUSED)]
    bench.deliver("s2")
    bench.run_to_end()
    seen = take(bench)
    assert (seen.unfulfilled, seen.dead_reports) == ({"onetrust": 1}, {"onetrust": 1})
    with bench.database.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE requests SET reason = '{dead_letters.DROPPED_REQUEST}done by hand' WHERE state = 'failed'"
        )
    assert take(bench).unfulfilled == {}


def test_no_more_than_so_many_are_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        bench.deliver(f"s{number}")
    monkeypatch.setattr(pulse, "MOST", 3)
    assert take(bench).requests["onetrust", None, RequestState.RECEIVED].number == 3


def test_who_refuses_us(bench: Bench) -> None:
    first = bench.clock.now()
    bench.site.refusals.note(bench.database, "main", Code.TOKEN_REFUSED, first)
    bench.site.refusals.note(bench.database, "main", Code.PERMISSION_MISSING, first + timedelta(minutes=5))
    bench.site.refusals.note(bench.database, "report:onetrust", Code.TOKEN_REFUSED, first)
    assert take(bench).refusals == {"main": first, "report:onetrust": first}
