"""A pseudonym key is changed while the site works: who and what came before is known under the former one."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser, identity_scope
from connector.errors import Misconfigured, Refused, Rejected
from connector.inbound import Inbound
from connector.model import Call, Identity
from connector.policy.needed_keys import Keeping
from connector.policy.retention import MONTH
from connector.policy.watching import Reaction, WatchRule
from connector.private import Private, Secret
from connector.services import holds, intake, pseudonyms, rehash, statement, suppression
from connector.services.intake import Accepted
from connector.services.key_uses import KeyUses
from connector.services.map import map_requests
from connector.services.proofs import Proofs
from connector.services.rules import LookUp
from connector.services.watch import watch
from connector.store import guard_tables as g
from connector.store import pseudonym_keys, receipts, schema
from connector.store import tables as t
from connector.store import watch_tables as w
from connector.store.access_tables import access_fetches
from connector.store.audit import Decision
from tests.support.listings import Lister, asking, listing
from tests.support.proofs import ORIGIN
from tests.support.site import KEY, Bench, StandInDialect
from tests.support.stand_ins import StandInReader

NEW = Secret("n" * 32, "test:new")
OLD_ONLY = Pseudonymiser(KEY)
KNOWING = Pseudonymiser(KEY, [NEW])
CHANGED = Pseudonymiser(NEW, [KEY])
NEW_ONLY = Pseudonymiser(NEW)
ANNA = "anna@example.com"
KEEPING = Keeping(24 * MONTH, 24 * MONTH)
WHY = "a reason"


def under(bench: Bench, pseudonymiser: Pseudonymiser) -> None:
    """Start again with other keys."""
    bench.site = replace(bench.site, pseudonymiser=pseudonymiser, key_uses=KeyUses())


def decision(bench: Bench) -> Decision:
    return Decision("operator", WHY, bench.clock.now())


def rotate(bench: Bench) -> int:
    return rehash.rehash_all(bench.database, bench.site.pseudonymiser, lambda _done, _total: None)


def kept_under(bench: Bench, pseudonymiser: Pseudonymiser) -> dict[str, pseudonyms.KeyUse]:
    """Return for what each key is needed, by its reference."""
    return {one.name or one.id: one for one in pseudonyms.uses(bench.database, pseudonymiser, KEEPING)}


def target_hash(pseudonymiser: Pseudonymiser, email: str) -> str:
    return pseudonymiser.of_target("main", "user", "email", Private(email))


def identity_hash(pseudonymiser: Pseudonymiser, email: str) -> str:
    return pseudonymiser.of(identity_scope("onetrust", "email"), Private(email))


def begins(bench: Bench, known: Pseudonymiser) -> None:
    """Ask what every process asks when it starts."""
    bench.database.pseudonym_keys = known.ids
    try:
        schema.require_current(bench.database)
    finally:
        bench.database.pseudonym_keys = None


def refused(bench: Bench, known: Pseudonymiser) -> str:
    with pytest.raises(Misconfigured) as caught:
        begins(bench, known)
    assert caught.value.code is Code.PSEUDONYM_KEY_MISSING
    return str(caught.value.detail)


class Unnamed(StandInDialect):
    """A platform that gives its requests no id: a body is its own request."""

    def parse(self, payload: bytes, inbound: Inbound) -> Call:
        return replace(super().parse(payload, inbound), request_key="")


class TestWhatComesAgain:
    def test_a_body_is_its_own_request_under_either_key(self, bench: Bench) -> None:
        bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, dialect=Unnamed())})
        first = bench.deliver("s1")
        for keys in (KNOWING, CHANGED):
            under(bench, keys)
            again = bench.deliver("s1")
            assert (again.request_id, again.duplicate) == (first.request_id, True)
        assert len(bench.rows(t.requests)) == len(bench.rows(t.deliveries)) == 1
        # What is new is made under the present key.
        assert not bench.deliver("s2").duplicate
        assert {one.hash_key for one in bench.rows(t.requests)} == {CHANGED.id}

    def test_a_recorded_call_is_known_and_with_other_content_refused(self, bench: Bench) -> None:
        bench.headers = {"x_replay": "nonce", "x_replay_for": "300"}
        bench.deliver("s1")
        under(bench, CHANGED)
        assert bench.deliver("s1").duplicate
        with pytest.raises(Rejected) as caught:
            bench.deliver("s2")
        assert caught.value.code is Code.DELIVERY_REPLAYED
        assert len(bench.rows(t.replays)) == len(bench.rows(t.deliveries)) == 1

    def test_a_recorded_call_starts_no_new_attempt_after_a_failure(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        bench.lytics.errors = [Refused(Code.REMOTE_REFUSED)]
        bench.headers = {"x_replay": "nonce"}
        bench.deliver("s1")
        bench.run_to_end()
        assert bench.state() == "failed"
        under(bench, CHANGED)
        assert bench.deliver("s1").duplicate
        assert bench.state() == "failed"

    def test_an_event_with_the_same_content_is_a_duplicate_and_with_another_a_conflict(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        under(bench, CHANGED)
        assert bench.deliver("s1", event="e1").duplicate
        with pytest.raises(Rejected) as caught:
            bench.deliver("s1", ("email", "other@example.com"), event="e1")
        assert caught.value.code is Code.EVENT_CONFLICT

    def test_who_is_named_again_is_not_added_a_second_time(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        under(bench, CHANGED)
        bench.deliver("s1", ("email", "s1@example.com"), ("loyalty id", "7"), event="e2")
        rows = {one.kind: one for one in bench.rows(t.identities)}
        assert sorted(rows) == ["email", "loyalty id"]
        # All hashes of one request are under one key.
        assert rows["email"].value_hash == identity_hash(NEW_ONLY, "s1@example.com")
        assert bench.dossier().request.hash_key == CHANGED.id

    def test_a_repeat_for_a_shredded_request_is_known_by_who_it_names(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        bench.run_to_end()
        bench.pass_time(days=31)
        assert bench.dossier().request.shredded_at is not None
        under(bench, CHANGED)
        assert bench.deliver("s1", event="e2").duplicate
        with pytest.raises(Rejected) as caught:
            bench.deliver("s1", ("email", "other@example.com"), event="e3")
        assert caught.value.code is Code.REQUEST_FINISHED

    def test_a_shredded_request_that_begins_anew_is_hashed_under_the_present_key(self, bench: Bench) -> None:
        bench.lytics.refuses = {"s1@example.com"}
        bench.deliver("s1", event="e1")
        bench.run_to_end()
        bench.pass_time(days=181)
        assert bench.dossier().request.shredded_at is not None
        under(bench, CHANGED)
        bench.deliver("s1", event="e2")
        assert bench.dossier().request.hash_key == CHANGED.id
        assert [one.value_hash for one in bench.rows(t.identities)] == [identity_hash(NEW_ONLY, "s1@example.com")]

    def test_what_its_source_lists_is_compared_under_one_key(self, bench: Bench) -> None:
        bench.list_by(asking(Lister(listing())))
        bench.deliver("s1")
        under(bench, CHANGED)
        bench.run_to_end()
        assert bench.state() == "completed"
        assert len({one.value_hash for one in bench.rows(t.identities)}) == len(bench.rows(t.identities))
        assert bench.dossier().request.hash_key == CHANGED.id

    def test_several_in_one_commit_are_told_apart_as_one_after_the_other(self, bench: Bench) -> None:
        bench.deliver("s1")
        under(bench, CHANGED)
        names = ("s1", "s2", "s2", "s3")
        threads = [threading.Thread(target=bench.deliver, args=(name,)) for name in names]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(bench.rows(t.requests)) == len(bench.rows(t.deliveries)) == 3

    def test_two_processes_with_different_present_keys_store_one_call_once(self, bench: Bench, store_url: str) -> None:
        other = Bench(store_url)
        for one, keys in ((bench, KNOWING), (other, CHANGED)):
            one.site = replace(one.site, sources={"onetrust": replace(one.source, dialect=Unnamed())})
            under(one, keys)
            intake.note_pseudonyms(one.site, one.clock.now())
        is_stored, may_commit = threading.Event(), threading.Event()

        def wait(point: str) -> None:
            if point == "claimed":
                is_stored.set()
                assert may_commit.wait(10)

        bench.site = replace(bench.site, reached=wait)
        told: list[Accepted] = []
        first, second = (
            threading.Thread(target=lambda one=one: told.append(one.deliver("s1"))) for one in (bench, other)
        )
        first.start()
        assert is_stored.wait(10)
        second.start()
        # Whoever does not wait for the first is done by then.
        second.join(0.5)
        may_commit.set()
        first.join()
        second.join()
        other.database.close()
        assert len({one.request_id for one in told}) == 1
        assert len(bench.rows(t.requests)) == len(bench.rows(t.deliveries)) == 1


class TestWhoIsOnAList:
    def test_a_hold_of_before_still_stops_and_is_brought_by_being_added_again(self, bench: Bench) -> None:
        holds.add(bench.site, [Private(ANNA)], decision(bench))
        under(bench, CHANGED)
        bench.deliver("s1", ("email", " Anna@example.com"))
        bench.run_to_end()
        assert bench.state() == "rejected"
        assert kept_under(bench, CHANGED)[KEY.id].advice.startswith("needed until its holds")
        assert holds.add(bench.site, [Private(ANNA)], decision(bench)) == holds.Listed(0, 1)
        assert [one.key_check for one in bench.rows(g.holds)] == [CHANGED.check]
        assert pseudonyms.give_up(bench.database, CHANGED, OLD_ONLY.id, decision(bench))
        under(bench, NEW_ONLY)
        bench.deliver("s2", ("email", ANNA))
        bench.run_to_end()
        assert bench.state("s2") == "rejected"
        assert "holds_illegible" not in bench.log.actions

    def test_a_hold_of_before_is_taken_off_by_its_name(self, bench: Bench) -> None:
        holds.add(bench.site, [Private(ANNA)], decision(bench))
        under(bench, CHANGED)
        assert holds.remove(bench.site, [Private(ANNA)], [], decision(bench)) == holds.Listed(1, 0)
        assert bench.rows(g.hold_forms) == []

    def test_only_what_nobody_knows_any_more_counts_as_illegible(self, bench: Bench) -> None:
        holds.add(bench.site, [Private(ANNA)], decision(bench))
        under(bench, CHANGED)
        assert holds.remove_illegible(bench.site, decision(bench)) == holds.Listed(0, 0)
        under(bench, NEW_ONLY)
        assert holds.remove_illegible(bench.site, decision(bench)) == holds.Listed(1, 0)

    def test_who_was_deleted_before_is_on_the_list_and_stays_one_entry(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", ANNA))
        bench.run_to_end()
        under(bench, CHANGED)
        asked = [Identity("email", Private(ANNA)), Identity("email", Private("ben@example.com"))]
        assert suppression.check(bench.site, "main", asked) == [True, False]
        bench.deliver("s2", ("email", ANNA))
        bench.run_to_end()
        (entry,) = bench.rows(w.suppressions)
        assert (entry.value_hash, entry.key_check) == (target_hash(NEW_ONLY, ANNA), CHANGED.check)
        assert suppression.end(bench.site, "main", asked, [], decision(bench)) == suppression.Ended(1, 1)

    def test_an_entry_of_before_is_ended_by_its_name(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", ANNA))
        bench.run_to_end()
        under(bench, CHANGED)
        asked = [Identity("email", Private(ANNA))]
        assert suppression.end_illegible(bench.site, decision(bench)) == suppression.Ended(0, 0)
        assert suppression.end(bench.site, "main", asked, [], decision(bench)) == suppression.Ended(1, 0)
        assert bench.rows(w.suppressions) == []

    def test_without_the_former_key_nobody_is_let_pass_in_silence(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", ANNA))
        bench.run_to_end()
        under(bench, NEW_ONLY)
        with pytest.raises(Misconfigured) as caught:
            suppression.check(bench.site, "main", [Identity("email", Private(ANNA))])
        assert caught.value.code is Code.SUPPRESSION_ILLEGIBLE
        assert suppression.end_illegible(bench.site, decision(bench)) == suppression.Ended(1, 0)


class TestWhoComesBack:
    @pytest.fixture
    def bench(self, bench: Bench) -> Bench:
        rule = WatchRule(Reaction.DELETE)
        bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})
        bench.knows(ANNA)
        bench.deliver("s1", ("email", ANNA))
        bench.run_to_end()
        return bench

    @pytest.mark.parametrize("rotated", ["never", "before", "meanwhile"])
    def test_is_deleted_again_once_whichever_key_knows_them(self, bench: Bench, rotated: str) -> None:
        under(bench, CHANGED if rotated != "meanwhile" else OLD_ONLY)
        if rotated == "before":
            assert rotate(bench) == 2
        bench.knows(ANNA)
        bench.clock.advance(days=1)
        watch(bench.site)
        assert [one.state for one in bench.rows(w.returns)] == ["pending"]
        if rotated == "meanwhile":
            under(bench, CHANGED)
            # The request, what deletes them again, and the entry.
            assert rotate(bench) == 3
        bench.run_to_end(10)
        assert [one.state for one in bench.rows(w.returns)] == ["deleted"]
        assert bench.lytics.submitted() == {ANNA: 2}

    def test_is_left_to_a_request_that_is_under_way_under_another_key(self, bench: Bench) -> None:
        bench.knows(ANNA)
        bench.lytics.finish_at_once = False
        under(bench, CHANGED)
        bench.deliver("s2", ("email", ANNA))
        bench.pass_time(seconds=61)
        bench.pass_time(seconds=1)
        bench.clock.advance(days=1)
        watch(bench.site)
        assert bench.rows(w.returns) == []

    def test_a_follow_on_keeps_its_own_names_when_it_is_hashed_anew(self, bench: Bench) -> None:
        bench.knows(ANNA)
        bench.pass_time(days=1)
        under(bench, CHANGED)
        rotate(bench)
        hashes = {one.value_hash for one in bench.rows(t.identities) if one.kind == "user.email"}
        assert hashes == {target_hash(NEW_ONLY, ANNA)}


class TestCounts:
    def test_one_person_of_two_requests_counts_once_under_two_keys(self, bench: Bench) -> None:
        bench.with_account(look_up=LookUp.OFF)
        bench.lytics.finish_at_once = False
        bench.knows(ANNA)
        bench.deliver("s1", ("email", ANNA))
        map_requests(bench.site)
        under(bench, CHANGED)
        bench.deliver("s2", ("email", ANNA))
        map_requests(bench.site)
        assert {one.hash_key for one in bench.rows(t.requests)} == {OLD_ONLY.id, CHANGED.id}
        bench.run_to_end(2)
        (call,) = bench.rows(t.submissions)
        assert (call.size, call.hash_key) == (1, CHANGED.id)
        for one in list(bench.lytics.operations):
            bench.lytics.finish(one)
        bench.run_to_end()
        assert (bench.state("s1"), bench.state("s2")) == ("completed", "completed")

    def test_after_the_look_up_was_switched_off_too(self, bench: Bench) -> None:
        bench.knows(ANNA)
        bench.lytics.finish_at_once = False
        bench.deliver("s1", ("email", ANNA))
        map_requests(bench.site)
        under(bench, CHANGED)
        bench.deliver("s2", ("email", ANNA))
        bench.run_to_end(3)
        assert bench.target_states("s1") == bench.target_states("s2") == ["submitted"]
        with bench.database.write() as connection:
            connection.execute(t.targets.update().values(state="confirming"))
            connection.execute(t.operations.update().values(state="finished", requested=1, deleted=1))
        bench.with_account(look_up=LookUp.OFF)
        bench.run_to_end()
        assert (bench.state("s1"), bench.state("s2")) == ("completed", "completed")


class TestRotation:
    def test_everything_that_can_be_read_comes_under_the_new_key(self, bench: Bench) -> None:
        rule = WatchRule(Reaction.ALARM)
        scope = replace(bench.source.scope, access_types=frozenset({"data access"}))
        bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule, scope=scope)})
        bench.deliver("gone", ("email", "gone@example.com"))
        bench.run_to_end()
        bench.pass_time(days=31)
        bench.deliver("done", ("email", ANNA))
        bench.run_to_end()
        bench.with_account(reader=StandInReader({}))
        bench.deliver("access", ("email", ANNA), types=("Data Access",))
        map_requests(bench.site)
        bench.deliver("open", ("email", ANNA), ("loyalty id", "7"))
        under(bench, CHANGED)
        told: list[tuple[int, int]] = []
        # Three requests can be read; two people are watched.
        assert rehash.to_do(bench.database, CHANGED) == 5
        assert rehash.rehash_all(bench.database, CHANGED, lambda *at: told.append(at)) == 5
        assert (told[0], told[-1]) == ((0, 5), (5, 5))
        assert rotate(bench) == 0
        by_state = {one.id: one for one in bench.rows(t.requests)}
        kinds = {one.id: (one.kind, one.request_id) for one in bench.rows(t.identities)}
        for one in bench.rows(t.identities):
            keys = OLD_ONLY if by_state[one.request_id].shredded_at else NEW_ONLY
            if one.value is not None and one.kind == "email":
                assert one.value_hash == identity_hash(keys, one.value.reveal()), kinds
        for table in (t.targets, access_fetches):
            rows = [one for one in bench.rows(table) if one.value is not None]
            assert rows
            assert all(one.value_hash == target_hash(NEW_ONLY, one.value.reveal()) for one in rows)
        assert {one.key_check for one in bench.rows(w.suppressions)} == {CHANGED.check}
        assert {one.value_hash for one in bench.rows(w.suppressions)} == {
            target_hash(NEW_ONLY, email) for email in (ANNA, "gone@example.com")
        }

    def test_what_was_hashed_before_keys_had_ids_is_brought_too(self, bench: Bench) -> None:
        bench.deliver("s1")
        with bench.database.write() as connection:
            connection.execute(t.requests.update().values(hash_key=""))
        assert kept_under(bench, OLD_ONLY)[KEY.id].need.requests == 1
        under(bench, CHANGED)
        assert rotate(bench) == 1
        assert bench.dossier().request.hash_key == CHANGED.id

    def test_an_entry_that_is_there_under_both_keys_stays_as_it_is(self, bench: Bench) -> None:
        rule = WatchRule(Reaction.ALARM)
        bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})
        bench.deliver("s1", ("email", ANNA))
        bench.run_to_end()
        under(bench, NEW_ONLY)
        bench.site.key_uses.is_due(":pseudonyms", NEW_ONLY.id, bench.clock.now())
        bench.deliver("s2", ("email", ANNA))
        bench.run_to_end()
        assert len(bench.rows(w.suppressions)) == 2
        under(bench, CHANGED)
        assert rotate(bench) == 1
        assert {one.key_check for one in bench.rows(w.suppressions)} == {OLD_ONLY.check, CHANGED.check}


class TestWhichKeysAreNeeded:
    def test_one_key_is_all_that_is_needed_as_ever(self, bench: Bench) -> None:
        begins(bench, OLD_ONLY)
        bench.deliver("s1")
        begins(bench, OLD_ONLY)
        assert [one.advice for one in kept_under(bench, OLD_ONLY).values()] == ["keep"]

    def test_nothing_starts_without_a_key_that_calls_came_under(self, bench: Bench) -> None:
        bench.deliver("s1")
        bench.pass_time(minutes=5)
        under(bench, CHANGED)
        rotate(bench)
        bench.deliver("s2")
        assert OLD_ONLY.id in refused(bench, NEW_ONLY)
        begins(bench, CHANGED)
        begins(bench, KNOWING)

    def test_nothing_starts_without_a_key_that_somebody_is_on_a_list_under(self, bench: Bench) -> None:
        holds.add(bench.site, [Private(ANNA)], decision(bench))
        assert OLD_ONLY.id in refused(bench, NEW_ONLY)
        holds.remove(bench.site, [Private(ANNA)], [], decision(bench))
        begins(bench, NEW_ONLY)

    def test_a_process_that_does_not_know_the_new_key_takes_nothing_in(self, bench: Bench) -> None:
        under(bench, CHANGED)
        bench.deliver("s1")
        under(bench, OLD_ONLY)
        for _ in range(2):
            with pytest.raises(Misconfigured) as caught:
                bench.deliver("s1")
            assert caught.value.code is Code.PSEUDONYM_KEY_MISSING
        under(bench, KNOWING)
        assert bench.deliver("s1").duplicate

    def test_it_can_go_when_its_records_and_entries_are_over(self, bench: Bench) -> None:
        bench.site = replace(bench.site, suppression=replace(bench.site.suppression, keep=timedelta(days=365)))
        bench.deliver("s1", ("email", ANNA))
        bench.run_to_end()
        used = bench.clock.now()
        bench.clock.advance(days=1)
        under(bench, CHANGED)
        bench.deliver("s2")
        bench.run_to_end()
        assert kept_under(bench, CHANGED)[KEY.id].advice == "connector keys rotate pseudonym"
        rotate(bench)
        former = kept_under(bench, CHANGED)[KEY.id]
        assert (former.need.requests, former.need.entries, former.need.repeats) == (0, 1, True)
        assert former.until is not None
        assert timedelta(0) < used + 24 * MONTH - former.until < timedelta(hours=1)
        assert "not before 2028-" in former.advice
        bench.pass_time(days=366)
        assert kept_under(bench, CHANGED)[KEY.id].need.entries == 0
        refused(bench, NEW_ONLY)
        bench.pass_time(days=366)
        bench.run_to_end()
        assert kept_under(bench, CHANGED)[KEY.id].advice == "can be removed"
        begins(bench, NEW_ONLY)

    def test_what_is_kept_for_good_keeps_its_key_for_good(self, bench: Bench) -> None:
        bench.headers = {"x_replay": "nonce"}
        bench.deliver("s1")
        bench.headers = {}
        bench.run_to_end()
        bench.clock.advance(days=1)
        under(bench, CHANGED)
        rotate(bench)
        former = kept_under(bench, CHANGED)[KEY.id]
        assert (former.until, former.advice) == (None, "needed for good: calls without a time could come again")

    def test_a_key_is_given_up_only_when_nobody_is_forgotten_by_it(self, bench: Bench) -> None:
        holds.add(bench.site, [Private(ANNA)], decision(bench))
        bench.deliver("s1")
        bench.clock.advance(hours=1)
        under(bench, CHANGED)
        bench.deliver("s2")

        def give_up(key_id: str) -> bool:
            return pseudonyms.give_up(bench.database, CHANGED, key_id, decision(bench))

        for said in ("1 requests, 1 holds, calls of its time", "1 holds, calls of its time"):
            with pytest.raises(Misconfigured) as caught:
                give_up(OLD_ONLY.id)
            assert (caught.value.code, caught.value.detail) == (Code.PSEUDONYM_KEY_NEEDED, said)
            rotate(bench)
        holds.remove(bench.site, [Private(ANNA)], [], decision(bench))
        assert give_up(OLD_ONLY.id)
        assert not give_up(OLD_ONLY.id)
        begins(bench, NEW_ONLY)
        assert bench.rows(g.audit)[-1].action == "pseudonym_key_dropped"
        with pytest.raises(Misconfigured):
            give_up(CHANGED.id)

    def test_a_key_that_was_never_configured_here_is_shown_by_its_id(self, bench: Bench) -> None:
        bench.deliver("s1")
        use = kept_under(bench, NEW_ONLY)[OLD_ONLY.id]
        assert (use.name, use.advice) == ("", "put it back into store.other_pseudonym_keys")

    def test_the_first_of_several_keys_ever_noted_is_the_last_of_them(self, bench: Bench) -> None:
        """An upgrade and a change of the key at once: what is there was hashed under the former one."""
        with bench.database.write() as connection:
            pseudonym_keys.note_use(connection, [one.id for one in CHANGED.all], bench.clock.now())
            needs = {one.id: one for one in pseudonym_keys.needs(connection, [one.id for one in CHANGED.all])}
        assert needs[OLD_ONLY.id].last_used_at == bench.clock.now()


class TestReceipts:
    def stated(self, bench: Bench, name: str) -> dict[str, Any]:
        with bench.database.read() as connection:
            found = receipts.find(connection, bench.dossier(name).request.id)
        assert found is not None
        return json.loads(json.dumps(statement.statement(found, 1, Proofs(ORIGIN), bench.clock.now())))  # type: ignore[no-any-return]

    def test_they_say_under_which_key_every_hash_was_made(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", ANNA))
        bench.run_to_end()
        before = self.stated(bench, "s1")
        under(bench, CHANGED)
        rotate(bench)
        after = self.stated(bench, "s1")
        assert (before["hash_key"], after["hash_key"]) == (OLD_ONLY.id, CHANGED.id)
        for said, keys in ((before, OLD_ONLY), (after, NEW_ONLY)):
            (one,) = said["identities"]
            assert one["hash"] == identity_hash(keys, ANNA)
            assert one["targets"][0]["hash"] == target_hash(keys, ANNA)
            # What cannot be made anew says so.
            assert said["verified"][0]["body_key"] == OLD_ONLY.id
            assert said["submissions"][0]["fingerprint_key"] == OLD_ONLY.id

    def test_what_was_made_before_keys_had_ids_names_none(self, bench: Bench) -> None:
        bench.deliver("s1")
        with bench.database.write() as connection:
            for table in (t.requests, t.deliveries):
                connection.execute(table.update().values(hash_key=""))
        said = self.stated(bench, "s1")
        assert (said["hash_key"], said["verified"][0]["body_key"]) == (None, None)


def test_deliveries_say_under_which_key_they_were_hashed(bench: Bench) -> None:
    bench.deliver("s1")
    bench.clock.advance(seconds=1)
    under(bench, CHANGED)
    bench.deliver("s2")
    with bench.database.read() as connection:
        found = connection.scalars(select(t.deliveries.c.hash_key).order_by(t.deliveries.c.id)).all()
    assert found == [OLD_ONLY.id, CHANGED.id]
