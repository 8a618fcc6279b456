"""A profile that may be several people's: nothing of its request goes before a person has looked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from connector.codes import Code
from connector.errors import Temporary
from connector.mapping.rules import Rule, TargetRule, compile_rules
from connector.policy.approval import Approval, ApprovalMode
from connector.policy.tangle import TangleRule
from connector.services import approvals, guards, tangles
from connector.services.approvals import Preview
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.services.submit import submit
from connector.store import submissions, targets, vault
from connector.store.audit import Decision, latest
from connector.store.tables import history
from connector.store.tables import requests as requests_table
from connector.store.tables import targets as targets_table
from connector.store.tangle_tables import tangle_releases
from tests.support.site import RULES, Bench
from tests.support.stand_ins import Killed

FAMILY = [("email", f"relative-{number}@example.com") for number in range(3)]


@pytest.fixture
def guarded(bench: Bench) -> Iterator[Bench]:
    bench.with_account(tangle=TangleRule(2))
    bench.knows("s1@example.com", "s2@example.com")
    return bench


def decision(bench: Bench, reason: str = "one person, see ticket 12") -> Decision:
    return Decision("operator", reason, bench.clock.now())


def release(bench: Bench, name: str = "s1") -> str:
    return tangles.release(bench.site, bench.dossier(name).request.id, decision(bench))


def seen(bench: Bench) -> Preview:
    with bench.database.read() as connection:
        return approvals.preview(connection, bench.site.accounts["main"], 3)


def test_a_request_for_a_tangled_profile_is_held_before_anything_of_it_goes(guarded: Bench) -> None:
    guarded.lytics.others = {"s1@example.com": FAMILY}
    # The other identity's profile is nobody else's, and may not go ahead.
    guarded.deliver("s1", ("loyalty id", "00481516"), ("email", "s1@example.com"))
    guarded.deliver("s2")
    guarded.run_to_end()
    assert guarded.lytics.submitted() == {"s2@example.com": 1}
    held = guarded.dossier("s1").request
    assert (held.state, held.reason) == ("held", "tangled_profile")
    assert {one.field: (one.strangers, one.strangers_in) for one in guarded.dossier("s1").targets} == {
        "email": (3, {"email": 3}),
        "loyalty_id": (0, None),
    }
    assert ("request_tangled", {"account": "main", "request_id": held.id, "count": 3}) in guarded.log.records
    assert guarded.reporter.of("s1") == ["IN_PROGRESS"]


def test_as_many_as_are_let_pass_hold_nothing(guarded: Bench) -> None:
    guarded.lytics.others = {"s1@example.com": [*FAMILY[:2], ("loyalty_id", "1"), ("loyalty_id", "2")]}
    guarded.deliver("s1")
    guarded.run_to_end()
    assert guarded.state() == "completed"
    assert guarded.target().strangers_in == {"email": 2, "loyalty_id": 2}


def test_what_the_request_names_itself_is_nobody_else_however_it_is_written(guarded: Bench) -> None:
    guarded.with_account(tangle=TangleRule(0))
    guarded.lytics.others = {"s1@example.com": [("email", " S1@Example.COM"), ("loyalty_id", "00481516")]}
    guarded.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "00481516"))
    guarded.run_to_end()
    assert guarded.state() == "completed"
    assert {one.strangers for one in guarded.dossier().targets} == {0}


def test_another_field_s_equal_value_does_not_stand_for_this_one(guarded: Bench) -> None:
    guarded.with_account(tangle=TangleRule(0))
    guarded.lytics.others = {"s1@example.com": [("loyalty_id", "s1@example.com")]}
    guarded.deliver("s1")
    guarded.run_to_end(2)
    assert guarded.state() == "held"


def test_fields_that_no_rule_names_count_only_where_the_account_says_so(guarded: Bench) -> None:
    devices = [(name, str(number)) for name in ("user_id", "_uid") for number in range(9)]
    guarded.lytics.others = dict.fromkeys(("s1@example.com", "s2@example.com"), devices)
    guarded.deliver("s1")
    guarded.run_to_end()
    assert guarded.state("s1") == "completed"
    guarded.with_account(tangle=TangleRule(2, frozenset({"user_id"})))
    guarded.deliver("s2")
    guarded.run_to_end()
    assert guarded.state("s2") == "held"
    assert guarded.target("s2").strangers_in == {"user_id": 9}


def test_cookies_that_a_rule_names_do_not_count(guarded: Bench) -> None:
    rules = compile_rules([*RULES.rules, Rule(("cookie",), (TargetRule("user", "_uid", ()),))], ("first name",))
    guarded.with_rules(rules)
    guarded.lytics.others = {"s1@example.com": [("_uid", str(number)) for number in range(9)]}
    guarded.deliver("s1")
    guarded.run_to_end()
    assert guarded.state() == "completed"


def test_without_a_rule_nothing_is_counted(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.lytics.others = {"s1@example.com": FAMILY}
    bench.deliver("s1")
    bench.run_to_end()
    assert bench.state() == "completed"
    assert bench.target().strangers is None


def test_a_profile_that_shows_nothing_is_told_and_holds_nothing(guarded: Bench) -> None:
    guarded.lytics.shows = False
    guarded.with_account(approval=Approval(ApprovalMode.ALWAYS))
    guarded.deliver("s1")
    guarded.deliver("nobody")
    guarded.run_to_end()
    (part,) = seen(guarded).parts
    assert (part.not_shown, part.tangled, part.strangers) == (1, 0, {})
    assert (guarded.target("s1").strangers, guarded.target("nobody").strangers) == (None, 0)


def test_a_released_request_is_carried_out_and_the_record_says_who_and_why(guarded: Bench) -> None:
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    guarded.run_to_end()
    assert release(guarded) == ""
    assert release(guarded) == "it is not held"
    guarded.run_to_end()
    assert guarded.state() == "completed"
    request = guarded.dossier().request
    with guarded.database.read() as connection:
        (note,) = latest(connection, 9)
    told = (note.action, note.subject, note.actor, note.reason)
    assert told == ("tangle_released", f"request:{request.id}", "operator", "one person, see ticket 12")
    assert "released: one person, see ticket 12" in [one.reason for one in guarded.dossier().history]
    assert [one.accepted for one in guarded.rows(tangle_releases)] == [{"user.email": 3}]


def again(bench: Bench) -> None:
    """Let the request be mapped and looked up anew, as after a change of rules."""
    bench.with_rules(
        compile_rules([*RULES.rules, Rule(("other",), (TargetRule("user", "phone", ()),))], ("first name",))
    )
    with bench.database.write() as connection:
        connection.execute(requests_table.update().values(mapping_digest=""))
    map_requests(bench.site)
    look_up_before(bench.site)


@pytest.mark.parametrize(("more", "state"), [([], "queued"), ([("email", "new@example.com")], "held")])
def test_it_is_held_again_only_if_more_is_found(guarded: Bench, more: list[tuple[str, str]], state: str) -> None:
    guarded.with_account(observes=True)
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    guarded.run_to_end(2)
    assert release(guarded) == ""
    assert guarded.state() == "queued"
    guarded.lytics.others = {"s1@example.com": [*FAMILY, *more]}
    again(guarded)
    assert guarded.state() == state
    if more:
        assert release(guarded) == ""
        assert [one.accepted for one in guarded.rows(tangle_releases)] == [{"user.email": 4}]


def test_other_rules_are_no_way_around_a_person(guarded: Bench) -> None:
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    guarded.run_to_end(2)
    again(guarded)
    guarded.run_to_end(2)
    assert guarded.state() == "held"
    assert guarded.lytics.calls == []


def test_an_identifier_that_comes_later_clears_it_up(guarded: Bench) -> None:
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    guarded.run_to_end(2)
    assert guarded.state() == "held"
    guarded.deliver("s1", *FAMILY)
    guarded.run_to_end()
    assert guarded.state() == "completed"


def test_one_held_for_another_reason_or_not_at_all_is_not_released(guarded: Bench) -> None:
    guarded.deliver("s1", ("shoe size", "44"))
    guarded.run_to_end(2)
    assert release(guarded) == "it is held for another reason; `connector show` says which"
    assert guarded.state() == "held"
    assert guarded.rows(tangle_releases) == []


def test_a_limit_that_was_lowered_counts_for_what_was_looked_up_before(guarded: Bench) -> None:
    guarded.with_account(observes=True)
    guarded.lytics.others = {"s1@example.com": FAMILY[:2]}
    guarded.deliver("s1")
    guarded.run_to_end(2)
    assert guarded.state() == "queued"
    guarded.with_account(observes=False, tangle=TangleRule(1))
    guarded.run_to_end(1)
    assert guarded.state() == "held"
    assert guarded.lytics.calls == []
    assert "request_tangled" in guarded.log.actions


def test_nothing_goes_while_a_part_of_the_request_was_not_looked_up(guarded: Bench) -> None:
    guarded.lytics.others = {"00481516": [("loyalty_id", str(number)) for number in range(3)]}
    guarded.knows("00481516", field="loyalty_id")
    fails = Temporary(Code.REMOTE_FAULT)
    look = guarded.lytics.look_closely

    def first_fails(table: str, field: str, *rest: Any) -> Any:
        nonlocal fails
        if field == "loyalty_id" and fails is not None:
            error, fails = fails, None  # type: ignore[assignment]
            raise error
        return look(table, field, *rest)

    guarded.lytics.look_closely = first_fails  # type: ignore[method-assign]
    guarded.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "00481516"))
    map_requests(guarded.site)
    look_up_before(guarded.site)
    assert {one.field: one.known_before for one in guarded.dossier().targets} == {
        "email": "present",
        "loyalty_id": None,
    }
    with guarded.database.read() as connection:
        asked = partial(targets.to_submit, connection, "main", guarded.clock.now(), 9, looked_up=True)
        assert (len(asked()), len(asked(whole=True)), len(asked(approved=True, whole=True))) == (1, 0, 0)
    submit(guarded.site)
    assert guarded.lytics.calls == []
    guarded.run_to_end(2)
    assert guarded.state() == "held"
    assert guarded.lytics.calls == []


def test_what_came_between_the_reading_and_the_intent_keeps_its_request_back(guarded: Bench) -> None:
    """A late identity is added after the targets of a call were chosen."""
    guarded.deliver("s1")
    map_requests(guarded.site)
    look_up_before(guarded.site)
    account = guarded.site.accounts["main"]
    with guarded.database.read() as connection:
        chosen = targets.to_submit(connection, "main", guarded.clock.now(), 9, looked_up=True, whole=True)
    assert len(chosen) == 1
    with guarded.database.write() as connection:
        row = guarded.rows(targets_table)[0]._asdict() | {"id": "f" * 32, "field": "loyalty_id"}
        key = vault.keys_of(connection, [row["request_id"]])[row["request_id"]]
        row["value"] = vault.seal(key, row["value"], targets_table.c.value, row["id"])
        connection.execute(targets_table.insert().values(row | {"known_before": None}))
    guard = guards.Guard(guarded.site, account, guarded.clock.now())
    with guarded.database.write() as connection:
        _, mine = submissions.intend(
            connection,
            account="main",
            deletion_api="identity-delete",
            lytics_table="user",
            field="email",
            members=chosen,
            now=guarded.clock.now(),
            admit=guard.admit,
        )
    assert mine == []


def test_a_request_of_which_something_went_before_is_held_and_goes_on_where_it_was(guarded: Bench) -> None:
    guarded.lytics.finish_at_once = False
    guarded.deliver("s1")
    guarded.run_to_end(2)
    assert guarded.state() == "working"
    guarded.knows("00481516", field="loyalty_id")
    guarded.lytics.others = {"00481516": [("loyalty_id", str(number)) for number in range(3)]}
    guarded.deliver("s1", ("loyalty id", "00481516"))
    guarded.run_to_end(2)
    assert guarded.state() == "held"
    for one in list(guarded.lytics.operations):
        guarded.lytics.finish(one)
    guarded.run_to_end()
    # What was handed over before is followed to its end all the same.
    assert guarded.target_states() == ["deleted", "queued"]
    assert guarded.state() == "held"
    assert release(guarded) == ""
    assert guarded.state() == "working"
    guarded.lytics.finish_at_once = True
    guarded.run_to_end()
    assert guarded.state() == "completed"


def test_a_new_attempt_is_counted_anew(guarded: Bench) -> None:
    guarded.lytics.refuses = {"s1@example.com"}
    guarded.lytics.others = {"s1@example.com": FAMILY[:2]}
    guarded.deliver("s1")
    guarded.run_to_end()
    assert (guarded.state(), guarded.target().strangers) == ("failed", 2)
    guarded.lytics.refuses = set()
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    assert (guarded.target().strangers, guarded.target().strangers_in) == (None, None)
    guarded.run_to_end()
    assert guarded.state() == "held"


def test_an_account_that_only_observes_shows_what_would_be_held(guarded: Bench) -> None:
    guarded.with_account(observes=True)
    guarded.lytics.others = {"s1@example.com": FAMILY, "s2@example.com": FAMILY[:1]}
    guarded.deliver("s1")
    guarded.deliver("s2")
    guarded.run_to_end(2)
    told = seen(guarded)
    (part,) = told.parts
    assert told.held == 1
    assert (part.values, part.tangled, part.strangers, part.not_shown) == (1, 1, {"email": 1}, 0)


def test_what_is_approved_is_approved_with_what_goes_along(guarded: Bench) -> None:
    guarded.with_account(approval=Approval(ApprovalMode.ALWAYS), tangle=TangleRule(9))
    guarded.deliver("s1")
    map_requests(guarded.site)
    before = seen(guarded).digest
    guarded.lytics.others = {"s1@example.com": FAMILY}
    look_up_before(guarded.site)
    assert approvals.approve(guarded.database, "main", before, decision(guarded)) == 0
    assert approvals.approve(guarded.database, "main", seen(guarded).digest, decision(guarded)) == 1
    guarded.run_to_end()
    assert guarded.state() == "completed"


def test_the_same_value_of_two_requests_is_counted_for_each(guarded: Bench) -> None:
    guarded.with_account(observes=True)
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    guarded.deliver("s3", ("email", "s1@example.com"), *FAMILY[:2])
    guarded.run_to_end(2)
    assert guarded.lytics.look_ups.count("s1@example.com") == 1
    assert (guarded.state("s1"), guarded.state("s3")) == ("held", "queued")


def test_two_accounts_count_by_their_own_rules(guarded: Bench) -> None:
    """The rules of a source of another account name no field here."""
    other = replace(guarded.source, name="other", account="other")
    guarded.site = replace(guarded.site, sources={"onetrust": guarded.source, "other": other})
    guarded.with_rules(compile_rules([Rule(("email",), (TargetRule("user", "email", ()),))]))
    guarded.site = replace(guarded.site, sources={**guarded.site.sources, "other": other})
    guarded.lytics.others = {"s1@example.com": [("loyalty_id", str(number)) for number in range(5)]}
    guarded.deliver("s1")
    guarded.run_to_end()
    assert guarded.state() == "completed"


def test_nobody_is_named_in_what_is_stored_or_said(guarded: Bench) -> None:
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    guarded.run_to_end(2)
    release(guarded)
    assert "relative-" not in str([guarded.rows(one) for one in (targets_table, tangle_releases, history)])
    assert "relative-" not in str(guarded.log.records)
    assert not [one for one in guarded.rows(targets_table) if "relative" in one.value.reveal()]


def dying(bench: Bench, at: str) -> None:
    """Let the process die at a point."""

    def dies(point: str) -> None:
        if point == at:
            raise Killed

    bench.site = replace(bench.site, reached=dies)


def test_killed_before_the_hold_is_committed_it_is_held_afterwards_and_nothing_went(guarded: Bench) -> None:
    guarded.with_account(tangle=TangleRule(9))
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.deliver("s1")
    map_requests(guarded.site)
    look_up_before(guarded.site)
    guarded.with_account(tangle=TangleRule(2))
    alive = guarded.site.reached
    dying(guarded, "counted")
    with pytest.raises(Killed):
        submit(guarded.site)
    assert guarded.state() == "queued"
    guarded.starts_again()
    guarded.site = replace(guarded.site, reached=alive)
    guarded.run_to_end()
    assert guarded.state() == "held"
    assert guarded.lytics.calls == []


def test_a_worker_that_chose_before_another_held_the_request_submits_nothing_of_it(guarded: Bench) -> None:
    """One worker has read what is due; meanwhile another one writes down what it found on the profile."""
    guarded.lytics.others = {"s1@example.com": FAMILY}
    guarded.knows("00481516", field="loyalty_id")
    guarded.deliver("s1", ("loyalty id", "00481516"), ("email", "s1@example.com"))
    map_requests(guarded.site)
    with guarded.database.read() as connection:
        chosen = targets.to_submit(connection, "main", guarded.clock.now(), 9, looked_up=False)
    look_up_before(guarded.site)
    assert len(chosen) == 2
    guard = guards.Guard(guarded.site, guarded.site.accounts["main"], guarded.clock.now())
    with guarded.database.write() as connection:
        _, mine = submissions.intend(
            connection,
            account="main",
            deletion_api="identity-delete",
            lytics_table="user",
            field="loyalty_id",
            members=[one for one in chosen if one.field == "loyalty_id"],
            now=guarded.clock.now(),
            admit=guard.admit,
        )
    assert mine == []
