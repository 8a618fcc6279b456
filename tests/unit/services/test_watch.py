"""Whoever comes back after their deletion is found: said, or deleted again by the same guarded way, and never twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.codes import Code
from connector.crypto.keyring import Keyring
from connector.errors import Misconfigured, RateLimited, Temporary
from connector.mapping.rules import compile_rules
from connector.policy.fuse import FusePolicy
from connector.policy.retention import Retention
from connector.policy.tangle import TangleRule
from connector.policy.watching import DEFAULT_LOOKS, Reaction, WatchRule
from connector.private import Private, Secret
from connector.services import dead_letters, holds, rewrap, tangles, watch
from connector.services.dead_letters import Known
from connector.services.rules import LookUp
from connector.services.watch_rules import Suppression
from connector.store import data_keys, suppressions, watched
from connector.store import dead_letters as letters
from connector.store import tables as t
from connector.store import watch_tables as w
from connector.store.audit import Decision
from connector.store.database import Database
from connector.store.seal_tables import data_keys as keys_table
from tests.support.sealing import SEALING
from tests.support.site import RULES, Bench
from tests.support.stand_ins import Killed

ALARM = WatchRule(Reaction.ALARM)
DELETE = WatchRule(Reaction.DELETE)


def watching(bench: Bench, rule: WatchRule | None) -> None:
    """Start again with a source whose deletions are watched like this."""
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})


def gone(bench: Bench, name: str = "s1", *more: tuple[str, str]) -> None:
    """Let somebody be deleted."""
    bench.knows(f"{name}@example.com")
    bench.deliver(name, ("email", f"{name}@example.com"), *more)
    bench.run_to_end()
    assert bench.state(name) == "completed"


def reasons(bench: Bench, name: str = "s1") -> list[str]:
    return [one.reason for one in bench.dossier(name).history if one.reason]


def watches(bench: Bench) -> list[Any]:
    return bench.rows(w.watched)


def follow_on(bench: Bench) -> Any:
    (row,) = [one for one in bench.rows(t.requests) if one.request_key.startswith("follow-on:")]
    return row


def test_whoever_was_deleted_is_on_the_list_by_keyed_hash_and_watched_under_a_key_of_their_own(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench, "s1", ("loyalty id", "L-1"))
    entries = bench.rows(w.suppressions)
    assert sorted((one.account, one.lytics_table, one.field) for one in entries) == [
        ("main", "user", "email"),
        ("main", "user", "loyalty_id"),
    ]
    assert {one.value_hash for one in entries} == {one.value_hash for one in bench.rows(t.targets)}
    assert sorted(one.value.reveal() for one in watches(bench)) == ["L-1", "s1@example.com"]
    assert len({one.wrapped for one in watches(bench)}) == 2


def test_without_a_watch_nothing_but_the_hash_stays(bench: Bench) -> None:
    gone(bench)
    assert len(bench.rows(w.suppressions)) == 1
    assert watches(bench) == []


def test_nobody_is_listed_before_their_request_is_over_and_nobody_who_was_not_deleted(bench: Bench) -> None:
    watching(bench, ALARM)
    bench.lytics.refuses = {"no@example.com"}
    bench.deliver("s1", ("email", "no@example.com"))
    bench.run_to_end()
    assert bench.state() == "failed"
    assert bench.rows(w.suppressions) == []


def test_a_profile_that_is_there_again_is_said_once(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench)
    bench.knows("s1@example.com")
    bench.pass_time(hours=12)
    assert "profile_returned" not in bench.log.actions
    bench.pass_time(hours=13)
    assert bench.log.actions.count("profile_returned") == 1
    assert reasons(bench)[-1] == "profile_returned: alarm"
    assert bench.state() == "completed"
    assert [(one.state, one.reason) for one in bench.rows(w.returns)] == [("not_deleted", "alarm")]
    bench.pass_time(days=7)
    assert bench.log.actions.count("profile_returned") == 1
    assert bench.lytics.submitted() == {"s1@example.com": 1}


def test_it_is_said_again_if_it_went_and_came_back_once_more(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench)
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    bench.lytics.people.clear()
    bench.pass_time(days=6)
    assert [one.state for one in watches(bench)] == ["watching"]
    bench.knows("s1@example.com")
    bench.pass_time(days=23)
    assert bench.log.actions.count("profile_returned") == 2


def test_it_is_deleted_again_and_the_request_stays_as_it_ended(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    ended = bench.dossier().request
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    ours = follow_on(bench)
    assert reasons(bench)[-1] == f"profile_returned: {ours.id}"
    assert [one.state for one in watches(bench)] == ["deleting"]
    bench.run_to_end(8)
    assert bench.lytics.submitted() == {"s1@example.com": 2}
    assert bench.lytics.people == set()
    assert follow_on(bench).state == "completed"
    now = bench.dossier().request
    assert (now.state, now.attempt, now.finished_at) == ("completed", 1, ended.finished_at)
    assert reasons(bench)[-1] == f"deleted_again: {ours.id}"
    assert [(one.state, one.follow_on_id) for one in bench.rows(w.returns)] == [("deleted", ours.id)]
    (watched_row,) = watches(bench)
    (entry,) = bench.rows(w.suppressions)
    assert (watched_row.state, watched_row.again) == ("watching", 1)
    assert {watched_row.request_id, entry.request_id} == {ended.id}


def test_its_source_is_told_nothing_of_it(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    before = len(bench.rows(t.reports))
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(8)
    assert follow_on(bench).state == "completed"
    assert len(bench.rows(t.reports)) == before
    assert bench.reporter.statuses == ["IN_PROGRESS", "COMPLETED"]


def test_old_events_that_make_it_anew_meanwhile_do_not_delete_it_twice(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.lytics.finish_at_once = False
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    for _ in range(5):
        bench.knows("s1@example.com")
        bench.pass_time(seconds=61)
    bench.lytics.finish("op-2")
    bench.run_to_end(8)
    assert bench.lytics.submitted() == {"s1@example.com": 2}
    assert len(bench.rows(w.returns)) == 1


def test_whom_another_request_deletes_just_now_is_left_to_it(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.with_account(observes=True)
    bench.knows("s1@example.com")
    bench.deliver("s2", ("email", "s1@example.com"))
    bench.pass_time(days=1, hours=1)
    assert bench.rows(w.returns) == []
    bench.with_account(observes=False)
    bench.run_to_end(8)
    assert bench.state("s2") == "completed"
    (watch,) = watches(bench)
    assert watch.request_id == bench.dossier("s2").request.id
    assert watch.next_at > bench.clock.now() + timedelta(hours=20)


def test_values_of_one_request_that_come_back_together_go_together(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench, "s1", ("loyalty id", "L-1"))
    bench.knows("s1@example.com")
    bench.knows("L-1", field="loyalty_id")
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(8)
    assert follow_on(bench).state == "completed"
    assert bench.lytics.people == set()


def test_after_so_many_times_it_is_only_said(bench: Bench) -> None:
    watching(bench, replace(DELETE, most_again=1))
    gone(bench)
    for _ in range(2):
        bench.knows("s1@example.com")
        bench.pass_time(days=1, hours=1)
        bench.run_to_end(8)
    assert bench.lytics.submitted() == {"s1@example.com": 2}
    assert [one.state for one in bench.rows(w.returns)] == ["deleted", "not_deleted"]
    assert reasons(bench)[-1] == "profile_returned: too_often"


def test_a_repeated_deletion_that_does_not_work_is_never_called_one(queue_bench: Bench) -> None:
    # Here the call is answered with the operation of the first deletion, and deletes nothing.
    watching(queue_bench, DELETE)
    gone(queue_bench)
    queue_bench.knows("s1@example.com")
    queue_bench.pass_time(days=1, hours=1)
    queue_bench.run_to_end(12, seconds=700)
    assert follow_on(queue_bench).state == "failed"
    assert reasons(queue_bench)[-1] == f"not_deleted_again: {follow_on(queue_bench).id}"
    assert [one.state for one in queue_bench.rows(w.returns)] == ["not_deleted"]
    assert [one.state for one in watches(queue_bench)] == ["returned"]
    assert queue_bench.state() == "completed"


def test_a_legal_hold_keeps_it_from_being_deleted_again(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    holds.add(bench.site, [Private("s1@example.com")], Decision("operator", "a reason", bench.clock.now()))
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(8)
    assert bench.lytics.submitted() == {"s1@example.com": 1}
    assert follow_on(bench).state == "rejected"
    assert [(one.state, one.reason) for one in bench.rows(w.returns)] == [("not_deleted", "legal_hold")]


def test_a_hold_that_stops_it_in_the_middle_is_lifted_without_mapping_it_anew(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench, "s1", ("loyalty id", "L-1"))
    bench.lytics.refuses = {"s1@example.com"}
    bench.knows("s1@example.com")
    bench.knows("L-1", field="loyalty_id")
    bench.lytics.errors = [None, Temporary(Code.REMOTE_FAULT)]
    bench.pass_time(days=1, hours=1)
    bench.pass_time(seconds=1)
    decision = Decision("operator", "a reason", bench.clock.now())
    holds.add(bench.site, [Private("s1@example.com")], decision)
    bench.run_to_end(3, seconds=301)
    assert (follow_on(bench).state, follow_on(bench).reason) == ("held", "legal_hold")
    holds.remove(bench.site, [Private("s1@example.com")], [], decision)
    bench.run_to_end(8, seconds=301)
    assert follow_on(bench).state == "partial"
    assert sorted(one.state for one in bench.rows(w.returns)) == ["deleted", "not_deleted"]


def test_a_fuse_and_an_account_that_only_observes_keep_it_back(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.knows("s1@example.com")
    bench.with_account(observes=True)
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(4)
    assert bench.lytics.submitted() == {"s1@example.com": 1}
    bench.with_account(observes=False, fuse=FusePolicy(timedelta(days=1), 0, 0, 0))
    bench.run_to_end(4)
    assert bench.lytics.submitted() == {"s1@example.com": 1}
    assert follow_on(bench).state == "queued"
    bench.with_account(fuse=None)
    bench.run_to_end(8)
    assert bench.lytics.submitted() == {"s1@example.com": 2}


def test_a_tangled_profile_is_held_and_stays_so_under_other_rules(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.with_account(tangle=TangleRule(0))
    bench.knows("s1@example.com")
    bench.lytics.others["s1@example.com"] = [("email", "other@example.com")]
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(3)
    assert (follow_on(bench).state, follow_on(bench).reason) == ("held", "tangled_profile")
    bench.with_rules(compile_rules(RULES.rules, ignore_kinds=("first name", "shoe size")))
    bench.run_to_end(3)
    assert (follow_on(bench).state, follow_on(bench).reason) == ("held", "tangled_profile")
    assert follow_on(bench).mapping_digest == bench.source.rules.digest
    # It was never let go meanwhile.
    assert [one.state for one in bench.dossier(follow_on(bench).id).history] == ["queued", "held"]
    assert bench.lytics.submitted() == {"s1@example.com": 1}


def test_it_is_looked_for_at_growing_intervals_and_its_value_goes_with_the_last_look(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench)
    ended = bench.dossier().request.finished_at
    looked = []
    for _ in range(95):
        bench.lytics.look_ups.clear()
        bench.pass_time(days=1)
        if bench.lytics.look_ups:
            looked.append((bench.clock.now() - ended).days)
    assert looked == [1, 7, 30, 90]
    assert watches(bench) == []
    assert len(bench.rows(w.suppressions)) == 1


def test_looks_that_were_missed_are_made_up_for_once(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench)
    bench.lytics.look_ups.clear()
    bench.pass_time(days=31)
    assert bench.lytics.look_ups == ["s1@example.com"]
    bench.pass_time(days=1)
    assert bench.lytics.look_ups == ["s1@example.com"]


@pytest.mark.parametrize("error", [Temporary(Code.REMOTE_FAULT), RateLimited(Code.REMOTE_RATE_LIMITED)])
def test_a_look_that_tells_nothing_is_made_again_and_says_nothing(bench: Bench, error: Exception) -> None:
    watching(bench, ALARM)
    gone(bench)
    bench.knows("s1@example.com")
    bench.lytics.look_up_errors = [error]
    bench.pass_time(days=1, hours=1)
    assert bench.rows(w.returns) == []
    bench.pass_time(minutes=11)
    assert [(one.state, one.reason) for one in bench.rows(w.returns)] == [("not_deleted", "alarm")]


def test_a_value_goes_even_if_its_last_look_can_never_be_made(bench: Bench) -> None:
    watching(bench, WatchRule(looks=(timedelta(days=1),)))
    gone(bench)
    bench.lytics.look_up_errors = [Temporary(Code.REMOTE_FAULT)] * 10_000
    for _ in range(8):
        assert watches(bench) != []
        bench.pass_time(days=1)
    assert watches(bench) == []


@pytest.mark.parametrize("off", ["watch", "look_up", "source", "account"])
def test_whatever_is_not_watched_any_more_loses_its_value_at_once(bench: Bench, off: str) -> None:
    watching(bench, ALARM)
    gone(bench)
    bench.knows("s1@example.com")
    if off == "watch":
        watching(bench, None)
    elif off == "look_up":
        bench.with_account(look_up=LookUp.OFF)
    else:
        bench.site = replace(bench.site, **{f"{off}s": {}})
    bench.clock.advance(days=2)
    bench.pass_time(seconds=1)
    assert watches(bench) == []
    assert bench.rows(w.returns) == []
    assert len(bench.rows(w.suppressions)) == 1


def test_it_outlives_the_values_of_its_request_and_their_record(bench: Bench) -> None:
    watching(bench, DELETE)
    retention = Retention(fulfilled=timedelta(days=1), records=timedelta(days=10))
    bench.site = replace(bench.site, retention=retention)
    gone(bench)
    bench.pass_time(days=2)
    bench.pass_time(days=12)
    assert bench.rows(t.requests) == []
    assert [one.value.reveal() for one in watches(bench)] == ["s1@example.com"]
    bench.knows("s1@example.com")
    bench.pass_time(days=17)
    bench.run_to_end(8)
    assert bench.lytics.submitted() == {"s1@example.com": 2}
    assert [one.state for one in bench.rows(w.returns)] == ["deleted"]


def test_an_entry_ends_when_the_configuration_says_so_and_a_new_deletion_renews_it(bench: Bench) -> None:
    watching(bench, ALARM)
    bench.site = replace(bench.site, suppression=Suppression(keep=timedelta(days=10)))
    gone(bench)
    bench.pass_time(days=9)
    gone(bench, "s2")
    bench.deliver("s3", ("email", "s1@example.com"))
    bench.run_to_end()
    bench.pass_time(days=9)
    assert len(bench.rows(w.suppressions)) == 2
    bench.pass_time(days=2)
    assert bench.rows(w.suppressions) == []
    assert watches(bench) == []


def test_a_deletion_for_another_request_begins_the_watch_anew(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench)
    bench.pass_time(days=5)
    bench.deliver("s2", ("email", "s1@example.com"))
    bench.run_to_end()
    (watch,) = watches(bench)
    assert watch.request_id == bench.dossier("s2").request.id
    assert watch.next_at == watch.began_at + DEFAULT_LOOKS[0]


def test_the_log_names_nobody(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(8)
    assert {"deletion_repeated", "return_ended"} <= set(bench.log.actions)
    assert "s1@" not in repr(bench.log.records)


def dies_at(bench: Bench, point: str, **after: float) -> None:
    """Let time pass until the process is killed at a point, and another one take over."""

    def reached(name: str) -> None:
        if name == point:
            raise Killed

    bench.site = replace(bench.site, reached=reached)
    with pytest.raises(Killed):
        bench.pass_time(**after)
    bench.site = replace(bench.site, reached=lambda _: None)
    bench.starts_again()


@pytest.mark.parametrize("point", ["seen", "watched"])
def test_killed_after_the_look_or_after_what_follows_is_written_nobody_is_lost_or_deleted_twice(
    bench: Bench, point: str
) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.knows("s1@example.com")
    dies_at(bench, point, days=1, hours=1)
    assert len(bench.rows(w.returns)) == (point == "watched")
    bench.run_to_end(8)
    assert bench.lytics.submitted() == {"s1@example.com": 2}
    assert [one.state for one in bench.rows(w.returns)] == ["deleted"]


def test_killed_between_the_end_of_a_request_and_its_entry_there_is_neither(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching(bench, ALARM)
    bench.knows("s1@example.com")
    bench.deliver("s1")
    with monkeypatch.context() as patched:
        patched.setattr(suppressions, "put", _killed)
        with pytest.raises(Killed):
            bench.run_to_end()
    bench.starts_again()
    assert bench.state() == "working"
    assert bench.rows(w.suppressions) == []
    bench.run_to_end()
    assert bench.state() == "completed"
    assert len(bench.rows(w.suppressions)) == len(watches(bench)) == 1


def _killed(*_arguments: object) -> None:
    raise Killed


def look_while(bench: Bench, meanwhile: Callable[[], object]) -> None:
    """Look, and let something else happen before what was seen is written down."""
    once = []

    def reached(name: str) -> None:
        if name == "seen" and not once:
            once.append(name)
            meanwhile()

    bench.site = replace(bench.site, reached=reached)
    watch.watch(bench.site)
    assert once


def test_two_workers_that_look_at_the_same_time_react_once(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.knows("s1@example.com")
    bench.clock.advance(days=1, hours=1)
    # The other one looks, and writes down what it saw, before this one does.
    look_while(bench, lambda: watch.watch(bench.site))
    assert len(bench.rows(w.returns)) == 1
    assert len([one for one in bench.rows(t.requests) if one.request_key.startswith("follow-on:")]) == 1


def test_a_follow_on_that_failed_is_taken_up_again_by_an_operator_without_asking_the_source(
    queue_bench: Bench,
) -> None:
    bench = queue_bench
    watching(bench, DELETE)
    gone(bench)
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(12, seconds=700)
    assert follow_on(bench).state == "failed"
    with bench.database.read() as connection:
        (letter,) = letters.find(connection, follow_on(bench).id)
    known = Known({"onetrust": "main"}, ["main"], asked=["onetrust"])
    assert dead_letters.replay(bench.database, letter, "a reason", bench.clock.now(), known) == ""
    bench.lytics.ids_by_value.clear()
    bench.run_to_end(8)
    assert follow_on(bench).state == "completed"
    assert bench.lytics.people == set()
    assert "unconfirmed" not in [one.state for one in bench.dossier(follow_on(bench).id).history]


def test_its_key_is_brought_under_another_sealing_key_like_all_others(bench: Bench) -> None:
    watching(bench, ALARM)
    gone(bench)
    other = Keyring([Secret("another-sealing-key-of-good-length-000", "test:other"), SEALING])
    with Database(bench.store_url, pool_size=2, keyring=other) as database:
        assert rewrap.rewrap_all(database, lambda _done, _total: None) == 2
        with database.read() as connection:
            (row,) = connection.execute(w.watched.select()).all()
            assert row.kek_id == other.current.id
            assert watched.opened(connection, row).reveal() == "s1@example.com"
            assert data_keys.count(connection, other.current.id) == 2
            assert list(data_keys.kek_ids(connection)) == [other.current.id]
    with pytest.raises(Misconfigured):
        data_keys.require_known(bench.database)


def test_a_look_that_is_older_than_what_was_done_meanwhile_says_nothing(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.knows("s1@example.com")
    bench.clock.advance(days=1, hours=1)
    look_while(bench, lambda: bench.run_to_end(8))
    assert [one.state for one in bench.rows(w.returns)] == ["deleted"]
    assert [one.state for one in watches(bench)] == ["watching"]


def test_another_deletion_meanwhile_leaves_the_one_that_is_under_way_its_end(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.knows("s1@example.com")
    bench.with_account(observes=True)
    bench.pass_time(days=1, hours=1)
    held = t.requests.c.id == follow_on(bench).id
    with bench.database.write() as connection:
        connection.execute(t.requests.update().where(held).values(state="held", reason="tangled_profile"))
    bench.with_account(observes=False)
    bench.deliver("s2", ("email", "s1@example.com"))
    bench.run_to_end(8)
    assert bench.state("s2") == "completed"
    assert [one.state for one in watches(bench)] == ["deleting"]
    with bench.database.write() as connection:
        connection.execute(t.requests.update().where(held).values(state="queued", reason=""))
    bench.run_to_end(8)
    assert [one.state for one in watches(bench)] == ["watching"]
    assert [one.state for one in bench.rows(w.returns)] == ["deleted"]


def test_switched_off_while_somebody_is_deleted_again_their_value_goes_at_once_and_the_end_is_told(
    bench: Bench,
) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.lytics.finish_at_once = False
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    watching(bench, None)
    bench.pass_time(seconds=61)
    assert watches(bench) == []
    assert [one.state for one in bench.rows(w.returns)] == ["pending"]
    bench.lytics.finish("op-2")
    bench.run_to_end(8)
    assert reasons(bench)[-1] == f"deleted_again: {follow_on(bench).id}"


def test_one_whose_record_is_gone_is_not_called_deleted(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.with_account(observes=True)
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    ours = follow_on(bench).id
    with bench.database.write() as connection:
        for table in (w.follow_ons, t.history, t.targets, t.identities, keys_table):
            connection.execute(table.delete().where(table.c.request_id == ours))
        connection.execute(t.requests.delete().where(t.requests.c.id == ours))
    bench.pass_time(seconds=61)
    assert [(one.state, one.reason) for one in bench.rows(w.returns)] == [("not_deleted", "record_gone")]
    assert [one.state for one in watches(bench)] == ["returned"]


def test_a_hold_on_somebody_whose_follow_on_waits_for_a_person_refuses_it_when_it_is_looked_at(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.with_account(tangle=TangleRule(0))
    bench.knows("s1@example.com")
    bench.lytics.others["s1@example.com"] = [("email", "other@example.com")]
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(3)
    assert follow_on(bench).state == "held"
    holds.add(bench.site, [Private("s1@example.com")], Decision("operator", "a reason", bench.clock.now()))
    bench.with_rules(compile_rules(RULES.rules, ignore_kinds=("first name", "shoe size")))
    bench.run_to_end(3)
    assert (follow_on(bench).state, follow_on(bench).reason) == ("rejected", "legal_hold")
    assert [(one.state, one.reason) for one in bench.rows(w.returns)] == [("not_deleted", "legal_hold")]


def test_an_operator_lets_a_tangled_one_go_like_any_other(bench: Bench) -> None:
    watching(bench, DELETE)
    gone(bench)
    bench.with_account(tangle=TangleRule(0))
    bench.knows("s1@example.com")
    bench.lytics.others["s1@example.com"] = [("email", "other@example.com")]
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(3)
    decision = Decision("operator", "a reason", bench.clock.now())
    assert tangles.release(bench.site, follow_on(bench).id, decision) == ""
    bench.run_to_end(8)
    assert [one.state for one in bench.rows(w.returns)] == ["deleted"]
