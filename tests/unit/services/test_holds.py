"""The legal hold list: who is recognised, what is refused, what is stopped, and that nothing gets past it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from connector.crypto.pseudonym import Pseudonymiser
from connector.mapping.rules import compile_rules
from connector.private import Private, Secret
from connector.services import holds
from connector.services.holds import Listed
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.services.submit import submit
from connector.states import RequestState
from connector.store import guard_tables as g
from connector.store.audit import Decision
from connector.store.database import Database
from tests.support.site import RULES, Bench
from tests.support.stand_ins import Killed

ANNA = "anna@example.com"
TWO = (("email", ANNA), ("loyalty id", "L-1"))
OTHER_KEY = Pseudonymiser(Secret("o" * 32, "test:other"))


def decision(bench: Bench) -> Decision:
    return Decision("operator", "case 17", bench.clock.now())


def hold(bench: Bench, *values: str) -> Listed:
    return holds.add(bench.site, [Private(one) for one in values], decision(bench))


def release(bench: Bench, *values: str) -> Listed:
    return holds.remove(bench.site, [Private(one) for one in values], [], decision(bench))


def queue(bench: Bench, name: str, *identities: tuple[str, str]) -> None:
    """Bring a request to where only the call is missing."""
    bench.deliver(name, *identities)
    map_requests(bench.site)
    look_up_before(bench.site)
    assert bench.state(name) == "queued"


def final(bench: Bench, name: str = "s1") -> list[tuple[str, str]]:
    return [(str(one.status), one.comment) for one in bench.dossier(name).reports if one.final]


REFUSAL = [
    ("REJECTED", "Erasure not carried out. At least one identifier is under a legal hold; nothing was deleted."),
]


@pytest.mark.parametrize("written", [ANNA, "ANNA@Example.com", "  anna@example.com ", "anna @example.com"])
def test_a_request_that_names_somebody_on_the_list_is_refused(bench: Bench, written: str) -> None:
    hold(bench, written)
    bench.deliver("s1", ("email", " Anna@example.com"))
    bench.run_to_end()
    assert bench.state() == "rejected"
    assert bench.dossier().request.reason == "legal_hold"
    assert final(bench) == REFUSAL
    assert bench.lytics.calls == []
    assert bench.log.actions.count("hold_applied") == 1


def test_it_is_refused_when_it_is_mapped_and_not_only_before_the_call(bench: Bench) -> None:
    hold(bench, ANNA)
    bench.deliver("s1", ("email", ANNA))
    map_requests(bench.site)
    assert bench.state() == "rejected"
    assert bench.dossier().targets == []


def test_a_new_attempt_that_was_queued_already_is_stopped_and_not_called_undone(bench: Bench) -> None:
    bench.lytics.refuses = {"L-1"}
    bench.deliver("s1", *TWO)
    bench.run_to_end()
    bench.lytics.refuses = set()
    bench.deliver("s1", *TWO, event="again")
    map_requests(bench.site)
    assert bench.state() == "queued"
    hold(bench, ANNA)
    bench.run_to_end()
    assert bench.state() == "held"
    assert len([one for one in bench.lytics.calls if "L-1" in one[2]]) == 1


def test_one_listed_identity_refuses_the_whole_request_and_nobody_else_s(bench: Bench) -> None:
    hold(bench, "l-1")
    bench.deliver("s1", *TWO)
    bench.deliver("s2", ("email", "ben@example.com"), ("loyalty id", "L-2"))
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("rejected", "completed")
    assert {value for _, _, values in bench.lytics.calls for value in values} == {"ben@example.com", "L-2"}
    assert bench.dossier("s1").targets == []


def test_it_counts_even_if_no_rule_names_the_identity_s_kind(bench: Bench) -> None:
    hold(bench, "shoe-44")
    bench.deliver("s1", ("email", ANNA), ("shoe size", "Shoe-44"))
    bench.run_to_end()
    assert bench.state() == "rejected"


def test_a_hold_that_comes_after_the_request_was_queued_stops_it_before_the_call(bench: Bench) -> None:
    queue(bench, "s1", *TWO)
    queue(bench, "s2", ("email", "ben@example.com"))
    hold(bench, ANNA)
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("rejected", "completed")
    assert final(bench) == REFUSAL
    assert {value for _, _, values in bench.lytics.calls for value in values} == {"ben@example.com"}
    (said,) = [fields for action, fields in bench.log.records if action == "hold_applied"]
    assert said["state"] is RequestState.REJECTED


def test_a_hold_that_comes_when_a_part_was_submitted_stops_the_rest_for_a_person(bench: Bench) -> None:
    queue(bench, "s1", *TWO)
    bench.lytics.errors = [None, Killed()]
    bench.lytics.finish_at_once = False
    with pytest.raises(Killed):
        bench.pass_time(seconds=1)
    bench.starts_again()
    # The second call is given up for lost, found absent, and its value queued again.
    hold(bench, ANNA)
    bench.run_to_end(30, seconds=301)
    assert bench.state() == "held"
    assert bench.dossier().request.reason == "legal_hold"
    assert final(bench) == []
    assert len(bench.lytics.calls) == 1
    for one in list(bench.lytics.operations):
        bench.lytics.finish(one)
    bench.run_to_end()
    assert bench.state() == "held"
    bench.lytics.finish_at_once = True
    assert release(bench, ANNA) == Listed(1, 0)
    bench.run_to_end(10, seconds=301)
    assert bench.state() == "completed"


def test_a_new_attempt_of_what_failed_is_stopped_and_not_called_undone(bench: Bench) -> None:
    bench.lytics.refuses = {"L-1"}
    bench.deliver("s1", *TWO)
    bench.run_to_end()
    assert bench.state() == "partial"
    hold(bench, ANNA)
    bench.lytics.refuses = set()
    bench.deliver("s1", *TWO, event="again")
    bench.run_to_end()
    assert bench.state() == "held"
    assert [one.comment for one in bench.dossier().reports][-1].startswith("Erasure stopped: at least one identifier")
    release(bench, ANNA)
    bench.run_to_end()
    assert bench.state() == "completed"


def test_whoever_is_off_the_list_is_deleted_when_the_source_asks_anew(bench: Bench) -> None:
    hold(bench, ANNA)
    bench.deliver("s1", ("email", ANNA))
    bench.run_to_end()
    assert release(bench, "Anna@Example.com") == Listed(1, 0)
    bench.deliver("s2", ("email", ANNA))
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("rejected", "completed")
    assert bench.rows(g.hold_forms) == []
    assert [(one.actor, one.action, one.reason) for one in bench.rows(g.audit)] == [
        ("operator", "hold_added", "case 17"),
        ("operator", "hold_removed", "case 17"),
    ]


def test_a_request_that_is_held_for_its_mapping_is_refused_once_its_rules_are_mended(bench: Bench) -> None:
    bench.deliver("s1", ("email", ANNA), ("shoe size", "44"))
    bench.run_to_end()
    assert bench.state() == "held"
    hold(bench, ANNA)
    bench.with_rules(compile_rules(RULES.rules, ignore_kinds=("first name", "shoe size")))
    bench.run_to_end()
    assert bench.state() == "rejected"


def test_the_same_identity_is_listed_once_and_keeps_its_first_reason(bench: Bench) -> None:
    assert hold(bench, ANNA, "L-1") == Listed(2, 0)
    later = Decision("other", "case 18", bench.clock.now())
    assert holds.add(bench.site, [Private("Anna@example.com")], later) == Listed(0, 1)
    assert {one.reason for one in bench.rows(g.holds)} == {"case 17"}
    assert len(bench.rows(g.audit)) == 2


def test_a_long_list_is_committed_in_parts_and_can_be_given_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "_TOGETHER", 2)
    hold(bench, "a-1@example.com", "a-3@example.com")
    assert hold(bench, *(f"a-{place}@example.com" for place in range(5))) == Listed(3, 2)
    assert len(bench.rows(g.holds)) == 5


def test_whoever_is_not_on_the_list_cannot_be_taken_off_it(bench: Bench) -> None:
    assert release(bench, ANNA) == Listed(0, 1)
    assert holds.remove(bench.site, [], ["0" * 32], decision(bench)) == Listed(0, 1)
    assert bench.rows(g.audit) == []


def test_a_hold_can_be_removed_by_its_id(bench: Bench) -> None:
    hold(bench, ANNA)
    (row,) = bench.rows(g.holds)
    assert holds.remove(bench.site, [], [row.id], decision(bench)) == Listed(1, 0)
    assert bench.rows(g.holds)[0].removed_at is not None


def test_only_keyed_hashes_are_stored(bench: Bench) -> None:
    hold(bench, ANNA, "L-7712")
    for table in (g.holds, g.hold_forms, g.audit):
        assert all(
            "anna" not in repr(tuple(row)).lower() and "7712" not in repr(tuple(row)) for row in bench.rows(table)
        )


def test_with_another_key_nothing_is_submitted_until_the_list_was_made_anew(bench: Bench) -> None:
    hold(bench, ANNA)
    bench.site = replace(bench.site, pseudonymiser=OTHER_KEY)
    bench.deliver("s1", ("email", ANNA))
    bench.deliver("s2", ("email", "ben@example.com"))
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("queued", "queued")
    assert bench.lytics.calls == []
    assert bench.log.actions.count("holds_illegible") == 1
    bench.pass_time(hours=1)
    assert bench.log.actions.count("holds_illegible") == 2
    assert hold(bench, ANNA) == Listed(1, 0)
    bench.run_to_end()
    assert bench.state("s2") == "queued"
    assert holds.remove_illegible(bench.site, decision(bench)) == Listed(1, 0)
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("rejected", "completed")


def test_the_key_is_looked_at_in_the_transaction_of_the_intent_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(bench, ANNA)
    bench.site = replace(bench.site, pseudonymiser=OTHER_KEY)
    monkeypatch.setattr(holds, "may_be_read", lambda _: True)
    bench.deliver("s1", ("email", "ben@example.com"))
    bench.run_to_end()
    assert bench.state() == "queued"
    assert bench.lytics.calls == []


def test_an_operator_is_told_which_requests_were_begun(bench: Bench) -> None:
    bench.lytics.finish_at_once = False
    bench.deliver("s1", *TWO)
    bench.deliver("s2", ("email", "ben@example.com"))
    bench.run_to_end()
    bench.deliver("s3", ("email", ANNA))
    hold(bench, ANNA)
    assert holds.begun(bench.site, [Private("Anna@example.com")]) == [bench.dossier("s1").request.id]
    assert holds.begun(bench.site, [Private("nobody@example.com")]) == []


@pytest.mark.parametrize(("value", "fault"), [("unknown", "names nobody"), ("N/A", "names nobody"), ("ab", "shorter")])
def test_what_names_nobody_is_not_listed(value: str, fault: str) -> None:
    assert fault in holds.fault_in(Private(value))


def test_killed_before_the_commit_of_a_refusal_it_is_refused_afterwards(bench: Bench) -> None:
    queue(bench, "s1", *TWO)
    hold(bench, ANNA)
    alive = bench.site.reached

    def dies(point: str) -> None:
        if point == "counted":
            raise Killed

    bench.site = replace(bench.site, reached=dies)
    with pytest.raises(Killed):
        submit(bench.site)
    assert bench.state() == "queued"
    assert len(bench.target_states()) == 2
    bench.starts_again()
    bench.site = replace(bench.site, reached=alive)
    bench.run_to_end()
    assert bench.state() == "rejected"
    assert final(bench) == REFUSAL


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Bench]:
    made = Bench(postgres_url)
    with closing(made.database):
        yield made


@pytest.mark.postgres
def test_a_hold_waits_for_an_intent_that_was_begun_before_it_so_that_none_slips_through_later(postgres: Bench) -> None:
    bench = postgres
    queue(bench, "s1", *TWO)
    order: list[str] = []
    added = threading.Event()
    with Database(bench.store_url, pool_size=2) as another:
        elsewhere = replace(bench.site, database=another)

        def add() -> None:
            holds.add(elsewhere, [Private(ANNA)], decision(bench))
            order.append("added")
            added.set()

        adding = threading.Thread(target=add)

        def meet(point: str) -> None:
            if point == "counted" and "intended" not in order:
                adding.start()
                # It cannot be there before this commit.
                assert not added.wait(0.3)
                order.append("intended")

        bench.site = replace(bench.site, reached=meet)
        submit(bench.site)
        adding.join(10)
    # The first call went out with what was known; the second was stopped, or went before the hold was there.
    assert order == ["intended", "added"]
    assert bench.state() in {"held", "working"}
