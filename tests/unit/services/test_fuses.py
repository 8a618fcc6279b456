"""Fuses: how much passes, what blows, what waits, what goes on, and that two workers cannot both slip through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from connector.codes import Code
from connector.errors import Temporary
from connector.policy.fuse import FusePolicy
from connector.services import fuses, guards
from connector.services.guards import Guard
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.store import fuses as store
from connector.store import guard_tables as g
from connector.store import tables as t
from connector.store import targets
from connector.store.audit import Decision
from connector.store.fuses import Scope
from tests.support.intents import intend
from tests.support.site import Bench
from tests.support.stand_ins import Killed

DAY = timedelta(days=1)


def fuse(most: int, **changes: Any) -> FusePolicy:
    return replace(FusePolicy(window=DAY, most=most, times_normal=10, least=1), **changes)


def with_fuses(bench: Bench, *, source: FusePolicy | None = None, account: FusePolicy | None = None) -> None:
    """Start again with other fuses."""
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, fuse=source)})
    bench.with_account(fuse=account)


def others(bench: Bench) -> None:
    """Let a second source share the account."""
    other = replace(bench.source, name="other", fuse=None)
    bench.site = replace(bench.site, sources={**bench.site.sources, "other": other})


def states(bench: Bench) -> dict[str, int]:
    rows = bench.rows(t.requests)
    return {one: sum(row.state == one for row in rows) for one in {str(row.state) for row in rows}}


def values_sent(bench: Bench) -> list[str]:
    return [value for _, _, values in bench.lytics.calls for value in values]


def alarms(bench: Bench, action: str = "fuse_blown") -> list[dict[str, Any]]:
    # What is None is not written.
    return [
        {name: value for name, value in said.items() if value is not None}
        for what, said in bench.log.records
        if what == action
    ]


def resume(bench: Bench, scope: Scope = Scope.SOURCE, name: str = "onetrust", allow: int = 0) -> bool:
    decision = Decision("operator", "looked at it", bench.clock.now())
    return fuses.resume(bench.database, scope, name, allow, decision)


def people(bench: Bench, number: int, first: int = 0) -> None:
    for place in range(first, first + number):
        bench.deliver(f"s{place}")


def test_exactly_so_many_values_pass_the_most_urgent_first_and_the_rest_stays_queued(bench: Bench) -> None:
    with_fuses(bench, source=fuse(3))
    for place in range(5):
        bench.deliver(f"s{place}")
        bench.clock.advance(seconds=1)
    bench.run_to_end()
    assert values_sent(bench) == ["s0@example.com", "s1@example.com", "s2@example.com"]
    assert states(bench) == {"completed": 3, "queued": 2}
    (row,) = bench.rows(g.fuses)
    assert (row.scope, row.name, row.rule, row.most, row.counted) == ("source", "onetrust", "absolute", 3, 3)
    assert (row.window_s, row.normal, row.blown_at is None) == (86_400, None, False)


def test_as_many_as_the_limit_do_not_blow_it(bench: Bench) -> None:
    with_fuses(bench, source=fuse(3), account=fuse(3))
    people(bench, 3)
    bench.run_to_end()
    assert states(bench) == {"completed": 3}
    assert alarms(bench) == []


def test_the_alarm_says_which_fuse_which_window_which_numbers_and_what_waits(bench: Bench) -> None:
    with_fuses(bench, account=fuse(2))
    people(bench, 5)
    bench.run_to_end(3)
    (said,) = alarms(bench)
    assert said == {
        "account": "main",
        "reason": "absolute",
        "limit": 2,
        "count": 2,
        "window_s": 86_400,
        "waiting": 3,
    }


def test_the_alarm_comes_again_every_hour_and_names_what_is_due_soon(bench: Bench) -> None:
    with_fuses(bench, source=fuse(1))
    people(bench, 3)
    bench.run_to_end(3)
    assert alarms(bench, "fuse_endangers") == []
    with bench.database.write() as connection:
        soon = bench.clock.now() + timedelta(days=6)
        connection.execute(update(t.targets).where(t.targets.c.state == "queued").values(due_at=soon))
    bench.pass_time(minutes=50)
    assert len(alarms(bench)) == 1
    bench.pass_time(minutes=11)
    assert len(alarms(bench)) == 2
    assert alarms(bench, "fuse_endangers") == [{"source": "onetrust", "count": 2, "due_at": soon}]


def test_what_is_resumed_goes_on_with_a_whole_new_limit_and_is_written_down(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 5)
    bench.run_to_end()
    assert resume(bench)
    bench.run_to_end()
    assert states(bench) == {"completed": 4, "queued": 1}
    assert len(alarms(bench)) == 2
    assert resume(bench)
    bench.run_to_end()
    assert states(bench) == {"completed": 5}
    assert [(one.actor, one.action, one.subject, one.reason) for one in bench.rows(g.audit)] == [
        ("operator", "fuse_resumed", "source:onetrust", "looked at it")
    ] * 2


def test_more_may_be_let_through_once(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 9)
    bench.run_to_end()
    assert resume(bench, allow=3)
    bench.run_to_end()
    assert states(bench) == {"completed": 7, "queued": 2}
    assert bench.rows(g.audit)[0].subject == "source:onetrust +3"
    resume(bench)
    bench.run_to_end()
    assert states(bench) == {"completed": 9}


def test_what_was_allowed_is_for_one_window_and_lapses(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 3)
    bench.run_to_end()
    assert resume(bench, allow=3)
    bench.run_to_end()
    assert bench.rows(g.fuses)[0].allowance == 2
    bench.pass_time(hours=26)
    people(bench, 4, 3)
    bench.run_to_end()
    assert states(bench) == {"completed": 5, "queued": 2}


def test_what_was_allowed_is_no_part_of_what_is_normal(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 6)
    bench.run_to_end()
    assert resume(bench, allow=3)
    bench.run_to_end()
    assert sum(one.number for one in bench.rows(g.fuse_counts)) == 3


def test_a_whole_fuse_is_not_resumed_and_nothing_is_written_down(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 1)
    bench.run_to_end()
    assert not resume(bench)
    assert not resume(bench, Scope.ACCOUNT, "unknown")
    assert bench.rows(g.audit) == []


def test_what_left_the_window_is_not_counted_any_more_and_a_blown_fuse_stays_blown(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 2)
    bench.run_to_end()
    bench.pass_time(hours=26)
    people(bench, 3, 2)
    bench.run_to_end()
    assert states(bench) == {"completed": 4, "queued": 1}
    bench.pass_time(hours=72)
    bench.run_to_end()
    assert states(bench) == {"completed": 4, "queued": 1}


def test_what_is_still_in_the_window_counts(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 1)
    bench.run_to_end()
    bench.pass_time(hours=23)
    people(bench, 2, 1)
    bench.run_to_end()
    assert states(bench) == {"completed": 2, "queued": 1}


def test_once_there_is_a_normal_a_multiple_of_it_is_the_limit(bench: Bench) -> None:
    with_fuses(bench, source=fuse(1000, times_normal=3))
    for day in range(10):
        people(bench, 1, day)
        bench.run_to_end(6)
        bench.pass_time(days=1)
    people(bench, 9, 10)
    bench.run_to_end()
    (said,) = alarms(bench)
    # A little more than one a day, because the first day is not whole; rounded up.
    assert (said["reason"], said["normal"], said["limit"], said["waiting"]) == ("relative", 2, 6, 3)


def test_a_repeat_of_a_call_that_failed_is_not_counted_twice(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    bench.lytics.errors = [Temporary(Code.REMOTE_UNREACHABLE)]
    people(bench, 2)
    bench.run_to_end()
    assert states(bench) == {"completed": 2}
    assert alarms(bench) == []
    assert [one.number for one in bench.rows(g.fuse_counts)] == [2]


def test_a_source_whose_fuse_blew_stops_itself_and_no_other(bench: Bench) -> None:
    with_fuses(bench, source=fuse(1), account=fuse(100))
    others(bench)
    people(bench, 4)
    with bench.database.write() as connection:
        connection.execute(update(t.requests).where(t.requests.c.request_key > "subtask:s1").values(source="other"))
    bench.run_to_end()
    assert {str(row.state) for row in bench.rows(t.requests) if row.source == "other"} == {"completed"}
    assert states(bench) == {"completed": 3, "queued": 1}
    assert [(one.scope, one.blown_at is None) for one in bench.rows(g.fuses)] == [("account", True), ("source", False)]


def test_what_a_source_s_fuse_keeps_back_is_not_counted_for_its_account(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2), account=fuse(5))
    people(bench, 9)
    bench.run_to_end()
    counted = {one.scope: one.number for one in bench.rows(g.fuse_counts)}
    assert counted == {"source": 2, "account": 2}
    resume(bench)
    bench.run_to_end()
    resume(bench)
    bench.run_to_end()
    assert states(bench) == {"completed": 5, "queued": 4}
    # The account had room for one of the two that the source's fuse let pass the third time.
    assert {one.scope for one in bench.rows(g.fuses) if one.blown_at} == {"account", "source"}


def test_a_fuse_that_is_switched_off_holds_nothing_back(bench: Bench) -> None:
    with_fuses(bench, source=fuse(1))
    people(bench, 3)
    bench.run_to_end()
    assert states(bench) == {"completed": 1, "queued": 2}
    with_fuses(bench)
    bench.run_to_end()
    assert states(bench) == {"completed": 3}


def test_it_holds_across_a_restart(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 4)
    bench.run_to_end()
    bench.starts_again()
    people(bench, 1, 4)
    bench.run_to_end()
    assert states(bench) == {"completed": 2, "queued": 3}
    # The new process says it too.
    assert len(alarms(bench)) == 2


def test_killed_before_the_commit_neither_the_intent_nor_the_count_nor_the_blown_fuse_is_left(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2), account=fuse(9))
    people(bench, 3)

    def dies(point: str) -> None:
        if point == "counted":
            raise Killed

    alive = bench.site.reached
    bench.site = replace(bench.site, reached=dies)
    with pytest.raises(Killed):
        bench.run_to_end()
    assert [bench.rows(one) for one in (t.submissions, g.fuses, g.fuse_counts)] == [[], [], []]
    bench.starts_again()
    bench.site = replace(bench.site, reached=alive)
    bench.run_to_end()
    assert states(bench) == {"completed": 2, "queued": 1}


def test_old_counts_are_forgotten(bench: Bench) -> None:
    with_fuses(bench, source=fuse(100))
    people(bench, 1)
    bench.run_to_end()
    bench.pass_time(days=33)
    people(bench, 1, 1)
    bench.run_to_end()
    assert [one.number for one in bench.rows(g.fuse_counts)] == [1]


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Bench]:
    made = Bench(postgres_url, batch_max_values=1)
    with closing(made.database):
        yield made


@pytest.mark.postgres
def test_of_two_workers_at_the_same_moment_only_as_many_slip_through_as_there_is_room_for(postgres: Bench) -> None:
    bench = postgres
    with_fuses(bench, source=fuse(6), account=fuse(6))
    people(bench, 1, 100)
    bench.run_to_end()
    people(bench, 8)
    map_requests(bench.site)
    look_up_before(bench.site)
    account = bench.site.accounts["main"]
    with bench.database.read() as connection:
        rows = list(targets.to_submit(connection, "main", bench.clock.now(), 100, looked_up=True))
    meeting = threading.Barrier(2)

    def intends(members: list[Any]) -> int:
        """Write the intent of one call, and commit only when the other could have counted too."""
        guard = Guard(bench.site, account, bench.clock.now())
        with bench.database.write() as connection:
            mine = intend(connection, members, guard.now, guard.admit)
            with suppress(threading.BrokenBarrierError):
                # Whoever is alone here, because the other waits for the lock, goes on after a moment.
                meeting.wait(0.3)
        return len(mine)

    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(intends, (rows[:4], rows[4:])))
    assert sum(passed) == 5
    assert {one.number for one in bench.rows(g.fuse_counts)} <= {1, 5, 6}
    assert {one.scope for one in bench.rows(g.fuses) if one.blown_at is not None} == {"source"}


def test_a_fuse_that_blew_meanwhile_is_seen_when_the_intent_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 3)
    bench.run_to_end()
    bench.pass_time(hours=26)
    monkeypatch.setattr(guards, "who_waits", lambda *_: frozenset())
    bench.run_to_end()
    assert states(bench) == {"completed": 2, "queued": 1}


def test_what_comes_one_by_one_after_a_resumption_is_counted_together(bench: Bench) -> None:
    with_fuses(bench, source=fuse(2))
    people(bench, 3)
    bench.run_to_end()
    resume(bench)
    bench.run_to_end(3)
    for place in (3, 4):
        people(bench, 1, place)
        bench.run_to_end(3)
    assert states(bench) == {"completed": 4, "queued": 1}


def test_a_long_queue_behind_a_blown_fuse_keeps_no_other_source_waiting(store_url: str) -> None:
    bench = Bench(store_url, batch_max_values=1)
    with closing(bench.database):
        with_fuses(bench, source=fuse(1))
        others(bench)
        people(bench, 1)
        bench.clock.advance(seconds=1)
        people(bench, 13, 1)
        bench.run_to_end(3)
        with bench.database.write() as connection:
            last = t.requests.c.request_key == "subtask:s13"
            connection.execute(update(t.requests).where(last).values(source="other"))
            # Everything else is more urgent.
            later = bench.clock.now() + timedelta(days=300)
            ids = select(t.requests.c.id).where(last)
            connection.execute(update(t.targets).where(t.targets.c.request_id.in_(ids)).values(due_at=later))
        bench.run_to_end()
        assert states(bench) == {"completed": 2, "queued": 12}


def test_what_waits_is_counted_once_for_each_request(bench: Bench) -> None:
    with_fuses(bench, source=fuse(1))
    for place in range(3):
        bench.deliver(f"s{place}", ("email", f"s{place}@example.com"), ("loyalty id", f"L-{place}"))
    bench.run_to_end()
    with bench.database.read() as connection:
        (row,) = store.blown(connection)
        now = bench.clock.now()
        found = store.behind(connection, row, ["main"], now)
        assert (found.requests, found.pressing) == (3, 0)
        assert store.behind(connection, row, ["main"], now + timedelta(days=400)).pressing == 3
        assert store.behind(connection, row, [], now).requests == 0
