"""Telling operators: each trouble once, whatever dies or fails meanwhile, and never about a person."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import update

from connector.alerting import Alert, Kind, Phase, Scope
from connector.codes import Code
from connector.errors import Misconfigured, Refused, Temporary
from connector.model import Presence
from connector.policy.fuse import FuseLimit, FusePolicy, FuseRule
from connector.policy.watching import Reaction, WatchRule
from connector.services.alarms import Alarms
from connector.services.alerts import alert
from connector.services.map import map_requests
from connector.store import alert_tables as a
from connector.store import fuses, keys
from connector.store import tables as t
from tests.support.site import Bench
from tests.support.stand_ins import Killed, StandInChannel


@pytest.fixture
def channel() -> StandInChannel:
    return StandInChannel()


@pytest.fixture
def bench(store_url: str, channel: StandInChannel) -> Iterator[Bench]:
    made = Bench(store_url)
    listening(made, channel)
    yield made
    # Not the one that it began with, after a restart.
    made.database.close()


def listening(bench: Bench, *channels: StandInChannel, **changes: Any) -> None:
    bench.site = replace(bench.site, alarms=Alarms(channels=channels, **changes))


def holds(bench: Bench, *names: str) -> None:
    """Let requests be held because nothing names their kind of identity."""
    for name in names:
        bench.deliver(name, ("shoe size", name))
    map_requests(bench.site)


def tell(bench: Bench, **later: float) -> None:
    bench.clock.advance(**(later or {"seconds": 30}))
    alert(bench.site)


def drop(bench: Bench) -> None:
    with bench.database.write() as connection:
        connection.execute(update(t.requests).values(state="rejected"))


def test_a_trouble_is_told_once_then_what_was_added_then_its_end(bench: Bench, channel: StandInChannel) -> None:
    holds(bench, "s1", "s2")
    tell(bench)
    tell(bench)
    assert channel.said == [(Kind.HELD, Phase.FIRING, 2)]
    holds(bench, "s3")
    tell(bench)
    assert len(channel.said) == 1
    tell(bench, hours=1)
    assert channel.said[1:] == [(Kind.HELD, Phase.FIRING, 3)]
    tell(bench, hours=9)
    assert len(channel.said) == 2
    drop(bench)
    tell(bench)
    tell(bench, hours=2)
    assert channel.said[2:] == [(Kind.HELD, Phase.RESOLVED, 3)]
    assert bench.rows(a.alerts) == bench.rows(a.alert_messages) == []
    assert len({one.id for one in channel.sent}) == 3


def test_a_restart_neither_repeats_nor_loses_a_message(bench: Bench, channel: StandInChannel) -> None:
    channel.answers = [Temporary(Code.REMOTE_UNREACHABLE)]
    holds(bench, "s1")
    tell(bench)
    assert channel.said == []
    bench.starts_again()
    tell(bench, minutes=5)
    bench.starts_again()
    tell(bench, minutes=5)
    assert channel.said == [(Kind.HELD, Phase.FIRING, 1)]


def test_one_that_died_after_sending_sends_the_same_message_again(bench: Bench, channel: StandInChannel) -> None:
    channel.after = Killed()
    with bench.database.write() as connection:
        keys.note_use(connection, "onetrust", "env:A", bench.clock.now())
    listening(bench, channel, silent_after=timedelta(hours=1))
    with pytest.raises(Killed):
        tell(bench, hours=2)
    bench.starts_again()
    tell(bench)
    tell(bench)
    first, second = channel.sent
    assert first == second
    assert first.kind is Kind.SOURCE_SILENT


def test_a_channel_that_fails_is_tried_ever_more_rarely_and_keeps_no_other_waiting(
    bench: Bench, channel: StandInChannel
) -> None:
    deaf = StandInChannel("deaf", answers=[Temporary(Code.REMOTE_FAULT)] * 4)
    listening(bench, deaf, channel)
    holds(bench, "s1")
    for _ in range(40):
        tell(bench)
    assert len(channel.sent) == len(deaf.sent) == 1
    failed = [fields for action, fields in bench.log.records if action == "alert_failed"]
    waits = [later["next_at"] - one["next_at"] for one, later in pairwise(failed)]
    assert len(failed) == 4
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert {one["channel"] for one in failed} == {"deaf"}


@pytest.mark.parametrize("error", [Refused(Code.REMOTE_REFUSED), Misconfigured(Code.TOKEN_REFUSED), ValueError("s1@x")])
def test_whatever_a_channel_answers_it_is_tried_again(
    bench: Bench, channel: StandInChannel, error: BaseException
) -> None:
    channel.answers = [error]
    holds(bench, "s1")
    tell(bench)
    assert channel.sent == []
    tell(bench, hours=2)
    assert len(channel.sent) == 1
    assert "s1@x" not in str(bench.log.records)


def test_what_a_deaf_channel_missed_is_one_message_the_latest(bench: Bench, channel: StandInChannel) -> None:
    channel.answers = [Temporary(Code.REMOTE_FAULT, retry_after_s=5 * 3600)]
    holds(bench, "s1")
    tell(bench)
    holds(bench, "s2")
    tell(bench, hours=2)
    assert len(bench.rows(a.alert_messages)) == 1
    tell(bench, hours=4)
    assert channel.said == [(Kind.HELD, Phase.FIRING, 2)]


def test_a_channel_is_told_what_it_asked_for(bench: Bench, channel: StandInChannel) -> None:
    picky = StandInChannel("picky", kinds=(Kind.FUSE_BLOWN,))
    listening(bench, picky, channel)
    holds(bench, "s1")
    tell(bench)
    assert (len(picky.sent), len(channel.sent)) == (0, 1)


def test_what_waits_for_a_channel_that_is_gone_is_forgotten(bench: Bench, channel: StandInChannel) -> None:
    gone = StandInChannel("gone", answers=[Temporary(Code.REMOTE_FAULT)])
    listening(bench, gone, channel)
    holds(bench, "s1")
    tell(bench)
    assert len(bench.rows(a.alert_messages)) == 1
    listening(bench, channel)
    tell(bench, hours=1)
    assert bench.rows(a.alert_messages) == []


def test_two_workers_at_the_same_moment_tell_once(bench: Bench, channel: StandInChannel) -> None:
    holds(bench, "s1")
    begin = threading.Barrier(2)

    def one() -> None:
        begin.wait()
        # Where both believe it to be new, the store refuses the second one, whose next tick finds it told.
        with suppress(Temporary):
            alert(bench.site)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(one) for _ in range(2)]:
            done.result()
    tell(bench)
    assert len({message.id for message in channel.sent}) == 1
    assert len(bench.rows(a.alerts)) == 1


def test_without_a_channel_nothing_is_looked_at(bench: Bench) -> None:
    listening(bench)
    holds(bench, "s1")
    tell(bench)
    assert bench.rows(a.alerts) == []


def only(channel: StandInChannel) -> Alert:
    (one,) = channel.sent
    assert one.phase is Phase.FIRING
    return one


def test_a_late_deadline(bench: Bench, channel: StandInChannel) -> None:
    bench.deliver("s1")
    bench.deliver("s2")
    tell(bench, days=28)
    assert (only(channel).kind, only(channel).count) == (Kind.DEADLINE_AT_RISK, 2)
    tell(bench, days=20)
    assert sorted(channel.said[1:]) == [
        (Kind.DEADLINE_AT_RISK, Phase.RESOLVED, 2),
        (Kind.DEADLINE_LATE, Phase.FIRING, 2),
    ]


def test_a_dead_letter(bench: Bench, channel: StandInChannel) -> None:
    bench.lytics.refuses = {"no@example.com"}
    bench.deliver("s1", ("email", "no@example.com"))
    bench.run_to_end()
    tell(bench)
    assert (only(channel).kind, only(channel).scope, only(channel).name) == (Kind.DEAD_LETTER, Scope.SOURCE, "onetrust")


def test_a_report_that_was_given_up(bench: Bench, channel: StandInChannel) -> None:
    bench.reporter.answers = [Refused(Code.REMOTE_REFUSED)] * 2
    bench.lytics.look_up = lambda *_: Presence.ABSENT  # type: ignore[method-assign]
    bench.deliver("s1")
    bench.run_to_end()
    tell(bench)
    assert only(channel).kind is Kind.DEAD_LETTER


def test_a_source_that_fell_silent(bench: Bench, channel: StandInChannel) -> None:
    listening(bench, channel, silent_after=timedelta(hours=72))
    bench.deliver("s1")
    bench.run_to_end()
    tell(bench, hours=71)
    assert channel.sent == []
    tell(bench, hours=2)
    assert only(channel).kind is Kind.SOURCE_SILENT
    bench.deliver("s2")
    tell(bench)
    assert channel.said[1:] == [(Kind.SOURCE_SILENT, Phase.RESOLVED, 1)]


def test_a_key_near_its_end(bench: Bench, channel: StandInChannel) -> None:
    end = bench.clock.now() + timedelta(days=20)
    listening(bench, channel, key_ends={("onetrust", "1"): end})
    tell(bench)
    assert channel.sent == []
    tell(bench, days=7)
    assert (only(channel).kind, only(channel).count) == (Kind.KEY_ENDING, 1)


def test_a_blown_fuse(bench: Bench, channel: StandInChannel) -> None:
    policy = FusePolicy(timedelta(days=1), 1, 0, 1)
    now = bench.clock.now()
    with bench.database.write() as connection:
        fuses.lock(connection, fuses.Scope.ACCOUNT, "main", policy, now)
        limit = FuseLimit(1, FuseRule.ABSOLUTE, None)
        fuses.blow(connection, fuses.Scope.ACCOUNT, "main", limit=limit, window=policy.window, counted=1, now=now)
    tell(bench)
    assert (only(channel).kind, only(channel).scope, only(channel).since) == (Kind.FUSE_BLOWN, Scope.ACCOUNT, now)


def test_somebody_who_is_there_again_until_they_are_gone(bench: Bench, channel: StandInChannel) -> None:
    rule = WatchRule(Reaction.ALARM)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end()
    tell(bench)
    assert channel.sent == []
    bench.knows("s1@example.com")
    bench.pass_time(days=2)
    tell(bench)
    assert (only(channel).kind, only(channel).count, only(channel).name) == (Kind.WATCH_FIND, 1, "onetrust")
    assert "s1" not in f"{only(channel).text} {only(channel).title}"
    bench.lytics.people.clear()
    bench.pass_time(days=7)
    tell(bench)
    assert channel.said[1:] == [(Kind.WATCH_FIND, Phase.RESOLVED, 1)]


def test_somebody_who_is_being_deleted_again_is_told_too(bench: Bench, channel: StandInChannel) -> None:
    rule = WatchRule(Reaction.DELETE)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end()
    bench.knows("s1@example.com")
    bench.lytics.finish_at_once = False
    bench.pass_time(days=2)
    tell(bench)
    assert only(channel).kind is Kind.WATCH_FIND


def refusing(bench: Bench) -> None:
    def look_up(*_: object) -> Presence:
        raise Misconfigured(Code.TOKEN_REFUSED)

    bench.lytics.look_up = look_up  # type: ignore[method-assign]


def test_a_refused_token_is_told_whichever_worker_met_it_until_it_is_taken_for_a_while(
    bench: Bench, channel: StandInChannel
) -> None:
    refusing(bench)
    bench.deliver("s1")
    bench.pass_time(seconds=5)
    # Another worker, or this one after a restart: the memory of who is left alone is gone.
    bench.starts_again()
    tell(bench)
    assert (only(channel).kind, only(channel).scope, only(channel).name) == (
        *(Kind.CREDENTIAL_REFUSED, Scope.ACCOUNT),
        "main",
    )
    bench.lytics.look_up = lambda *_: Presence.ABSENT  # type: ignore[method-assign]
    bench.deliver("s2")
    bench.pass_time(minutes=6)
    tell(bench)
    # One call that goes well while another one may be refused says nothing yet.
    assert len(channel.sent) == 1
    bench.deliver("s3")
    bench.pass_time(minutes=16)
    tell(bench)
    assert channel.said[1:] == [(Kind.CREDENTIAL_REFUSED, Phase.RESOLVED, 1)]


def test_a_refused_report(bench: Bench, channel: StandInChannel) -> None:
    bench.reporter.answers = [Misconfigured(Code.PERMISSION_MISSING)] * 3
    bench.deliver("s1")
    bench.pass_time(seconds=5)
    tell(bench)
    assert (only(channel).kind, only(channel).scope, only(channel).name) == (
        *(Kind.CREDENTIAL_REFUSED, Scope.SOURCE),
        "onetrust",
    )


def test_no_message_names_a_person(bench: Bench, channel: StandInChannel) -> None:
    bench.deliver("canary-subtask", ("email", "canary@example.com"), ("shoe size", "canary-44"))
    map_requests(bench.site)
    tell(bench)
    assert only(channel).kind is Kind.HELD
    assert "canary" not in f"{channel.sent} {only(channel).text} {only(channel).title} {bench.log.records}"
    assert "canary" not in str(bench.rows(a.alerts))
