"""Once nobody needs it, a request's data key is destroyed; much later its record goes. Never too early."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from connector.codes import Code
from connector.errors import Misconfigured, Refused, Rejected, Temporary
from connector.policy.retention import MONTH, Retention
from connector.private import Private
from connector.services import dead_letters, shred
from connector.services.dead_letters import Known
from connector.store import dead_letters as letters
from connector.store import identities, shredding, vault
from connector.store import tables as t
from connector.store.columns import Personal
from connector.store.seal_tables import data_keys
from connector.store.watch_tables import watched
from tests.support.site import Bench

A_DAY = timedelta(days=1)


def shredded(bench: Bench, **after: float) -> set[str]:
    """Let time pass, run the step to its end, and return the keys of the requests without anything personal."""
    bench.clock.advance(**after)
    while shred.shred(bench.site):
        continue
    with bench.database.read() as connection:
        found = connection.scalars(select(t.requests.c.request_key).where(t.requests.c.shredded_at.is_not(None)))
        return {one.removeprefix("subtask:") for one in found}


def with_key(bench: Bench) -> int:
    return len(bench.rows(data_keys))


def done(bench: Bench, name: str = "s1", *more: tuple[str, str]) -> None:
    bench.knows(f"{name}@example.com")
    bench.deliver(name, ("email", f"{name}@example.com"), *more, event=f"e-{name}")
    bench.run_to_end()


def failed(bench: Bench) -> None:
    bench.lytics.refuses = {"s1@example.com"}
    bench.deliver("s1", ("email", "s1@example.com"), event="e1")
    bench.run_to_end()
    assert bench.state("s1") == "failed"
    bench.lytics.refuses = set()


def test_a_completed_request_is_shredded_when_its_time_has_come_and_not_before(bench: Bench) -> None:
    done(bench)
    assert shredded(bench, days=29, hours=23) == set()
    assert with_key(bench) == 1
    assert shredded(bench, hours=2) == {"s1"}
    assert with_key(bench) == 0
    assert [one.value for one in (*bench.rows(t.identities), *bench.rows(t.targets))] == [None, None]
    assert ("requests_shredded", {"count": 1}) in bench.log.records


def test_what_remains_are_hashes_and_the_story_of_the_request(bench: Bench) -> None:
    done(bench)
    before = [one.value_hash for one in bench.rows(t.identities)], len(bench.rows(t.history))
    shredded(bench, days=31)
    assert ([one.value_hash for one in bench.rows(t.identities)], len(bench.rows(t.history))) == before
    with bench.database.read() as connection, pytest.raises(Misconfigured) as gone:
        vault.keys_of(connection, [one.id for one in bench.rows(t.requests)])
    assert gone.value.code is Code.VALUE_UNREADABLE


def test_what_is_open_or_held_is_never_shredded(bench: Bench) -> None:
    bench.deliver("waits")
    bench.deliver("held", ("email", "held@example.com"), ("shoe size", "44"))
    bench.run_to_end(1)
    assert shredded(bench, days=4000) == set()
    assert with_key(bench) == 2


def test_what_the_source_was_not_told_is_kept_until_it_was_or_an_operator_lets_it_rest(bench: Bench) -> None:
    bench.reporter.answers = [Temporary(Code.REMOTE_FAULT)] * 100
    done(bench)
    assert shredded(bench, days=31) == set()
    bench.reporter.answers = [Refused(Code.REMOTE_REFUSED)] * 2
    bench.run_to_end()
    assert {one.state.value for one in bench.rows(t.reports)} & {"dead", "queued"}
    assert shredded(bench, days=31) == set()
    with bench.database.write() as connection:
        connection.execute(t.reports.update().values(state="sent"))
    assert shredded(bench, days=1) == {"s1"}


def test_a_failed_request_is_kept_for_longer(bench: Bench) -> None:
    failed(bench)
    assert shredded(bench, days=179) == set()
    assert shredded(bench, days=2) == {"s1"}


def test_one_that_began_again_meanwhile_is_left_alone(bench: Bench) -> None:
    failed(bench)
    row = bench.rows(t.requests)[0]
    bench.clock.advance(days=200)
    now = bench.clock.now()
    bench.deliver("s1", ("email", "s1@example.com"), event="e2")
    with bench.database.write() as connection:
        assert shredding.shred(connection, [row.id], row.state, now, now) == 0
    assert with_key(bench) == 1


def test_many_go_in_small_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shred, "_AT_ONCE", 2)
    for number in range(5):
        done(bench, f"s{number}")
    assert len(shredded(bench, days=31)) == 5
    assert [fields["count"] for action, fields in bench.log.records if action == "requests_shredded"] == [2, 2, 1]


class TestCalledAgain:
    def test_a_repeat_is_known_by_its_hashes(self, bench: Bench) -> None:
        done(bench)
        shredded(bench, days=31)
        assert bench.deliver("s1", ("email", "s1@example.com"), event="e-s1").duplicate
        assert bench.deliver("s1", ("email", "s1@example.com"), event="another").duplicate
        assert len(bench.rows(t.identities)) == 1
        assert bench.state("s1") == "completed"

    def test_somebody_else_under_its_name_is_refused_as_before(self, bench: Bench) -> None:
        done(bench)
        shredded(bench, days=31)
        with pytest.raises(Rejected) as refused:
            bench.deliver("s1", ("email", "other@example.com"), event="another")
        assert refused.value.code is Code.REQUEST_FINISHED

    def test_one_that_failed_begins_as_on_its_first_day(self, bench: Bench) -> None:
        failed(bench)
        shredded(bench, days=181)
        bench.knows("s1@example.com")
        assert not bench.deliver("s1", ("email", "s1@example.com"), event="e2").duplicate
        bench.run_to_end()
        assert bench.state("s1") == "completed"
        assert [one.value.reveal() for one in bench.rows(t.identities)] == ["s1@example.com"]

    def test_an_operator_cannot_replay_it(self, bench: Bench) -> None:
        failed(bench)
        shredded(bench, days=181)
        row = bench.rows(t.requests)[0]
        with bench.database.read() as connection:
            letter = next(one for one in letters._requests(connection, 5, t.requests.c.id == row.id))
        known = Known({"onetrust": "main"}, {"main"})
        told = dead_letters.replay(bench.database, letter, "again", bench.clock.now(), known)
        assert "nothing personal" in told
        assert bench.state("s1") == "failed"


class TestRecords:
    def kept(self, bench: Bench) -> dict[str, int]:
        tables = (t.requests, t.deliveries, t.replays, t.identities, t.targets, t.reports, t.history)
        calls = (t.submissions, t.operations)
        return {one.name: len(bench.rows(one)) for one in (*tables, *calls) if bench.rows(one)}

    def test_they_are_kept_for_24_months_and_then_go_with_all_that_hung_on_them(self, bench: Bench) -> None:
        done(bench)
        shredded(bench, days=31)
        before = self.kept(bench)
        shredded(bench, days=(24 * MONTH).days - 33)
        assert self.kept(bench) == before
        shredded(bench, days=4)
        assert self.kept(bench) == {}
        assert ("records_purged", {"count": 1}) in bench.log.records

    def test_what_keeps_a_recorded_delivery_out_for_ever_stays(self, bench: Bench) -> None:
        bench.headers = {"x_replay": "nonce-1"}
        done(bench)
        shredded(bench, days=31)
        shredded(bench, days=900)
        assert self.kept(bench) == {"requests": 1, "deliveries": 1, "replays": 1}
        assert bench.deliver("s1", ("email", "s1@example.com"), event="e-s1").duplicate
        assert shredded(bench, days=1) == {"s1"}

    def test_a_call_that_others_were_part_of_stays_until_the_last_of_them_goes(self, bench: Bench) -> None:
        for name in ("s1", "s2"):
            bench.knows(f"{name}@example.com")
            bench.deliver(name, ("email", f"{name}@example.com"))
        bench.run_to_end()
        shredded(bench, days=31)
        first = bench.rows(t.requests)[0]
        with bench.database.write() as connection:
            shredding.purge(connection, [first.id], bench.clock.now())
        assert (len(bench.rows(t.submissions)), len(bench.rows(t.targets))) == (1, 1)
        shredded(bench, days=900)
        assert self.kept(bench) == {}

    def test_they_may_be_kept_for_ever(self, bench: Bench) -> None:
        bench.site = replace(bench.site, retention=Retention(records=None))
        done(bench)
        shredded(bench, days=31)
        shredded(bench, days=9000)
        assert len(bench.rows(t.requests)) == 1


def test_every_personal_column_belongs_to_a_request_and_is_shredded_with_it(bench: Bench) -> None:
    """A new personal column is found here by itself: it is sealed, belongs to a request, and is gone with its key."""
    # What is watched has a key of its own, which goes with its row.
    tables = [one for one in t.metadata.sorted_tables if one is not watched]
    personal = [one for table in tables for one in table.columns if isinstance(one.type, Personal)]
    assert [column for column, _ in shredding.personal_columns()] == personal
    done(bench)
    with bench.database.write() as connection:
        for column in personal:
            with pytest.raises(Exception, match="has to be sealed"):
                connection.execute(column.table.update().values({column.name: Private("x")}))
            connection.execute(text(f"UPDATE {column.table.name} SET {column.name} = 'sealed'"))
    shredded(bench, days=31)
    with bench.database.read() as connection:
        for column in personal:
            assert set(connection.scalars(text(f"SELECT {column.name} FROM {column.table.name}"))) <= {"", None}
        assert identities.of_requests(connection, [bench.rows(t.requests)[0].id])
