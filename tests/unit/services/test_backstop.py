"""The step that looks through a source's own list: what it takes in, from when on, and what it never passes over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Temporary
from connector.services.arrivals import Arrival, Stored, store_together
from connector.services.backstop import backstop
from connector.services.remote import Breakers, Pass
from connector.services.site import Site
from connector.store.tables import deliveries, requests
from tests.support.listings import Lister, Roll, asking, listing, looking
from tests.support.site import START, Bench


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    made.list_by(asking(Lister(listing())))
    yield made
    made.database.close()


def look(bench: Bench, *parts: list[str] | ConnectorError, **delta: float) -> Roll:
    roll = Roll(*parts)
    bench.look_through(looking(roll))
    bench.clock.advance(**delta)
    assert backstop(bench.site) is False
    return roll


def test_what_no_delivery_brought_is_taken_in_and_what_is_known_is_not(bench: Bench) -> None:
    bench.deliver("s1")
    look(bench, ["s1", "s2"], [], ["s3"])
    assert {one.request_key: str(one.state) for one in bench.rows(requests)} == dict.fromkeys(
        ("subtask:s1", "subtask:s2", "subtask:s3"), "unconfirmed"
    )
    assert bench.log.actions.count("delivery_missed") == 2
    assert sorted(one.principal for one in bench.rows(deliveries)) == ["backstop", "backstop", "stand-in"]
    bench.run_to_end()
    assert bench.state("s3") == "completed"


def test_a_delivery_that_comes_later_is_a_duplicate(bench: Bench) -> None:
    look(bench, ["s1"])
    bench.deliver("s1")
    assert len(bench.rows(requests)) == 1


def test_looking_twice_takes_in_once(bench: Bench) -> None:
    look(bench, ["s1"])
    look(bench, ["s1"], minutes=31)
    assert (len(bench.rows(requests)), len(bench.rows(deliveries))) == (1, 1)


def test_it_reaches_back_seven_days_at_first_and_then_to_the_last_look_and_two_hours_more(bench: Bench) -> None:
    overlap = timedelta(hours=2)
    assert look(bench, []).asked == [START - timedelta(days=7) - overlap]
    assert look(bench, [], minutes=10).asked == []
    assert look(bench, [], minutes=21).asked == [START - overlap]
    assert look(bench, [], minutes=31).asked == [START + timedelta(minutes=31) - overlap]


@pytest.mark.parametrize(
    "error",
    [
        Temporary(Code.REMOTE_FAULT),
        RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=60),
        Misconfigured(Code.PERMISSION_MISSING),
    ],
)
def test_a_look_that_broke_off_keeps_what_it_found_and_the_next_one_begins_where_it_began(
    bench: Bench, error: ConnectorError
) -> None:
    look(bench, [])
    roll = look(bench, ["s1"], error, hours=1)
    assert len(bench.rows(requests)) == 1
    assert dict(bench.log.records)["backstop_failed"]["code"] == error.code
    assert look(bench, ["s1", "s2"], hours=1).asked == roll.asked
    (row,) = [one for one in bench.rows(requests) if one.request_key == "subtask:s2"]
    assert row.state == "unconfirmed"


def test_the_first_look_reaches_back_as_far_however_late_it_goes_well(bench: Bench) -> None:
    first = look(bench, Temporary(Code.REMOTE_FAULT)).asked
    for _ in range(20):
        assert look(bench, Temporary(Code.REMOTE_FAULT), days=1).asked == first


class OneCall(Breakers):
    """Lets one call through, and then none: as if reports had found their source away."""

    def enter(self, key: str, now: datetime) -> Pass | None:
        self.enter = lambda *_: None  # type: ignore[method-assign]
        return super().enter(key, now)


def test_a_look_that_was_not_gone_on_with_begins_again(bench: Bench) -> None:
    look(bench, [])
    bench.site = replace(bench.site, breakers=OneCall())
    roll = look(bench, ["s1"], ["s2"], hours=1)
    assert [one.request_key for one in bench.rows(requests)] == ["subtask:s1"]
    bench.site = replace(bench.site, breakers=Breakers())
    assert look(bench, ["s1"], ["s2"], minutes=10).asked == roll.asked
    assert len(bench.rows(requests)) == 2


def test_one_that_cannot_be_stored_keeps_no_other_away_and_is_looked_for_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_s1(site: Site, arrived: Sequence[Arrival]) -> Sequence[Stored | ConnectorError]:
        told = [one for one in arrived if one.values["request_key"] != "subtask:s1"]
        stored = iter(store_together(site, told))
        return [next(stored) if one in told else Temporary(Code.STORE_UNAVAILABLE) for one in arrived]

    look(bench, [])
    with monkeypatch.context() as patched:
        patched.setattr("connector.services.backstop.store_together", without_s1)
        asked = look(bench, ["s1", "s2"], ["s3"], hours=1).asked
    assert sorted(one.request_key for one in bench.rows(requests)) == ["subtask:s2", "subtask:s3"]
    assert dict(bench.log.records)["backstop_failed"]["code"] == "store_unavailable"
    assert look(bench, ["s1", "s2"], ["s3"], hours=1).asked == asked
    assert len(bench.rows(requests)) == 3


def test_a_process_that_is_asked_to_stop_has_not_looked(bench: Bench) -> None:
    bench.site.stop.set()
    assert look(bench, ["s1"]).asked == []
    bench.site.stop.clear()
    assert len(look(bench, ["s1"]).asked) == 1
