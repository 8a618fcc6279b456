"""What goes on beside deletions: each number is that of the rows, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import update

from connector.crypto.keyring import Keyring
from connector.policy.watching import Reaction, WatchRule
from connector.private import Secret
from connector.services import rewrap
from connector.services.ledger import keep_ledger
from connector.services.map import map_requests
from connector.services.own_keys import in_use, note_own_keys
from connector.services.proofs import Proofs
from connector.states import WatchState
from connector.store import ledger_tables, upkeep
from connector.store.database import Database
from connector.store.own_keys import Purpose
from connector.store.pulse import Crowd
from connector.store.upkeep import Upkeep
from connector.store.watch_tables import watched
from tests.support.proofs import KEY, ORIGIN
from tests.support.sealing import SEALING
from tests.support.site import Bench
from tests.support.stand_ins import StandInReader

ALARM, DELETE = (WatchRule(one) for one in (Reaction.ALARM, Reaction.DELETE))


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    yield made
    made.database.close()


def take(bench: Bench) -> Upkeep:
    with bench.database.read() as connection:
        return upkeep.take(connection, bench.clock.now(), ["main", "spare"], in_use(bench.site))


def watching(bench: Bench, rule: WatchRule) -> None:
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})


def gone(bench: Bench, *names: str) -> None:
    for name in names:
        bench.knows(f"{name}@example.com")
        bench.deliver(name)
    bench.run_to_end()


def test_nothing_is_there_at_first(bench: Bench) -> None:
    nobody = {"main": Crowd(), "spare": Crowd()}
    assert take(bench) == Upkeep(nobody, nobody, {}, Crowd(), 0, None, 0, {})


def test_profiles_that_access_requests_wait_for(bench: Bench) -> None:
    scope = replace(bench.source.scope, access_types=frozenset({"data access"}))
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, scope=scope)})
    bench.deliver("s1", types=("Data Access",))
    map_requests(bench.site)
    began = bench.clock.now()
    bench.run_to_end()
    # No account has a reader, so nobody reads.
    assert take(bench).fetches == {"main": Crowd(1, began), "spare": Crowd()}
    bench.with_account(reader=StandInReader({}))
    bench.run_to_end()
    assert take(bench).fetches["main"] == Crowd()


def test_who_is_due_to_be_looked_for_and_who_is_there_again(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench, "s1", "s2")
    assert take(bench).looks["main"] == Crowd()
    bench.clock.advance(days=2)
    assert take(bench).looks["main"].number == 2
    (first, _) = sorted(one.next_at for one in bench.rows(watched))
    assert take(bench).looks["main"].since == first
    bench.knows("s1@example.com")
    bench.pass_time(seconds=1)
    seen = take(bench)
    assert (seen.looks["main"], seen.there_again) == (Crowd(), {("onetrust", WatchState.RETURNED): 1})
    watching(bench, DELETE)
    bench.knows("s2@example.com")
    bench.lytics.finish_at_once = False
    bench.pass_time(days=7)
    # Whom nobody deletes is not counted as being looked for, nor is their look due.
    assert take(bench).there_again == {("onetrust", WatchState.DELETING): 2}
    assert take(bench).looks["main"] == Crowd()


def test_no_more_than_so_many_are_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    watching(bench, ALARM)
    gone(bench, "s1", "s2", "s3")
    for name in ("s1", "s2", "s3"):
        bench.knows(f"{name}@example.com")
    bench.pass_time(days=2)
    monkeypatch.setattr(upkeep.pulse, "MOST", 2)
    assert take(bench).there_again == {("onetrust", WatchState.RETURNED): 2}


def test_what_the_log_does_not_have_yet_and_receipts_that_are_owed(bench: Bench) -> None:
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY))
    gone(bench, "s1")
    keep_ledger(bench.site)
    before = take(bench)
    assert (before.receipts, before.not_logged_since) == (Crowd(), None)
    assert before.entries > 0
    bench.clock.advance(seconds=9)
    bench.deliver("s2")
    assert take(bench).not_logged_since == bench.clock.now()
    with bench.database.write() as connection:
        connection.execute(update(ledger_tables.receipts).values(issued_at=None))
    assert take(bench).receipts.number == 1


def test_a_key_is_as_old_as_its_first_use_whoever_starts_again(bench: Bench) -> None:
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY))
    assert take(bench).own_keys == {}
    first = bench.clock.now()
    note_own_keys(bench.site)
    bench.clock.advance(days=3)
    note_own_keys(bench.site)
    assert take(bench).own_keys == {Purpose.SEALING: first, Purpose.SIGNING: first}
    bench.site = replace(bench.site, proofs=Proofs())
    assert take(bench).own_keys == {Purpose.SEALING: first}


def test_data_keys_under_a_former_key_are_counted_until_they_are_brought_over(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench, "s1")
    assert take(bench).former_data_keys == 0
    other = Keyring([Secret("another-sealing-key-of-good-length-000", "test:other"), SEALING])
    with Database(bench.store_url, pool_size=2, keyring=other) as database:
        former, bench.site = bench.site, replace(bench.site, database=database)
        bench.database, before = database, bench.database
        # That of the request, and that of the watch.
        assert take(bench).former_data_keys == 2
        rewrap.rewrap_all(database, lambda _done, _total: None)
        assert take(bench).former_data_keys == 0
        bench.site, bench.database = former, before
    assert take(bench).former_data_keys == 2
