"""Two workers, or a web process and a worker, get into each other's way: whoever is late changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.codes import Code
from connector.engine.schedule import run_pass
from connector.errors import Refused, Rejected, Temporary
from connector.model import Identity, Presence, RemoteStatus, SubmitAnswer
from connector.private import Private
from connector.services.confirm import confirm
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.services.poll import poll
from connector.services.reconcile import reconcile
from connector.services.submit import submit
from connector.states import TargetState
from connector.store import requests, submissions, targets
from connector.store import tables as t
from tests.support.intents import intend
from tests.support.listings import Lister, asking, listing
from tests.support.site import Bench


def meanwhile(bench: Bench, name: str, what: Callable[[], Any]) -> None:
    """Let something happen while the next remote call of this name is under way."""
    call = getattr(bench.lytics, name)

    def slow(*args: Any) -> Any:
        setattr(bench.lytics, name, call)
        result = call(*args)
        what()
        return result

    setattr(bench.lytics, name, slow)


def to_submit(bench: Bench) -> Sequence[Any]:
    with bench.database.read() as connection:
        return targets.to_submit(connection, "main", bench.clock.now(), 100, looked_up=False)


def intended(bench: Bench, members: Sequence[Any]) -> list[Any]:
    with bench.database.write() as connection:
        return intend(connection, members, bench.clock.now())


class TestIntent:
    def test_targets_that_were_mapped_anew_meanwhile_leave_no_intent_behind(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        map_requests(bench.site)
        read = to_submit(bench)
        bench.deliver("s1", ("loyalty id", "77"), event="e2")
        map_requests(bench.site)
        assert intended(bench, read) == []
        assert bench.rows(t.submissions) == []

    def test_the_intent_says_the_size_of_what_is_really_sent(self, bench: Bench) -> None:
        bench.deliver("s1", event="e1")
        bench.deliver("s2")
        map_requests(bench.site)
        read = to_submit(bench)
        bench.deliver("s1", ("loyalty id", "77"), event="e2")
        map_requests(bench.site)
        (mine,) = intended(bench, read)
        (row,) = bench.rows(t.submissions)
        assert (row.size, mine.value.reveal()) == (1, "s2@example.com")

    def test_a_second_worker_gets_nothing_that_the_first_has_taken(self, bench: Bench) -> None:
        bench.deliver("s1")
        bench.deliver("s2")
        map_requests(bench.site)
        read = to_submit(bench)
        assert len(intended(bench, read[:1])) == 1
        assert [one.id for one in intended(bench, read)] == [read[1].id]
        assert intended(bench, read) == []

    def test_a_request_that_was_held_meanwhile_is_left_alone(self, bench: Bench) -> None:
        bench.lytics.errors = [Temporary(Code.REMOTE_UNREACHABLE)]
        bench.deliver("s1", event="e1")
        bench.pass_time(seconds=1)
        bench.clock.advance(minutes=1)
        read = to_submit(bench)
        assert bench.state() == "working"
        bench.deliver("s1", ("shoe size", "44"), event="e2")
        map_requests(bench.site)
        assert bench.state() == "held"
        assert intended(bench, read) == []


class TestSubmit:
    @pytest.fixture
    def store_url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_an_answer_that_comes_after_its_caller_was_given_up_still_counts(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        bench.deliver()

        def given_up() -> None:
            bench.clock.advance(minutes=5)
            bench.lytics.unlisted = {"op-1"}
            reconcile(bench.site)
            assert [str(one.state) for one in bench.rows(t.submissions)] == ["unknown"]

        meanwhile(bench, "submit", given_up)
        bench.run_to_end()
        assert bench.state() == "completed"
        assert bench.lytics.submitted() == {"s1@example.com": 1}

    def test_an_answer_that_comes_after_the_repeat_changes_nothing(self, bench: Bench) -> None:
        bench.deliver()

        def repeated() -> None:
            bench.lytics.unlisted = {"op-1"}
            bench.clock.advance(minutes=20)
            reconcile(bench.site)
            submit(bench.site)

        meanwhile(bench, "submit", repeated)
        bench.run_to_end()
        assert bench.state() == "completed"
        assert [str(one.state) for one in bench.rows(t.submissions)] == ["abandoned", "accepted"]
        assert bench.target().remote_id == "op-2"

    @pytest.mark.parametrize("error", [Refused(Code.REMOTE_REFUSED), Temporary(Code.REMOTE_UNREACHABLE)])
    def test_a_late_no_still_counts(self, bench: Bench, error: Exception) -> None:
        bench.deliver()

        def late(values: Sequence[Private]) -> SubmitAnswer:
            bench.clock.advance(minutes=5)
            reconcile(bench.site)
            bench.lytics.answer = None
            raise error

        bench.lytics.answer = late
        bench.pass_time(seconds=1)
        wanted = ("refused", "refused") if isinstance(error, Refused) else ("abandoned", "queued")
        assert (str(bench.rows(t.submissions)[0].state), bench.target_states()[0]) == wanted


class TestPoll:
    def test_the_second_of_two_polls_changes_nothing(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.clock.advance(minutes=2)
        meanwhile(bench, "status", lambda: poll(bench.site))
        poll(bench.site)
        assert bench.target_states() == ["confirming"]
        assert bench.log.actions.count("operation_ended") == 1

    def test_a_value_answered_with_an_id_that_ends_at_that_moment_is_not_stranded(self, queue_bench: Bench) -> None:
        bench = queue_bench
        bench.lytics.finish_at_once = False
        bench.deliver("s1", ("email", "same@example.com"))
        bench.pass_time(seconds=1)
        bench.deliver("s2", ("email", "same@example.com"))

        def ends() -> None:
            bench.clock.advance(minutes=2)
            bench.lytics.finish("op-1")
            poll(bench.site)

        meanwhile(bench, "submit", ends)
        bench.run_to_end()
        assert [bench.state("s1"), bench.state("s2")] == ["completed", "completed"]


class TestLookUps:
    @pytest.fixture
    def store_url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_an_answer_from_before_the_deletion_does_not_overwrite_a_later_one(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        bench.deliver()
        map_requests(bench.site)

        def others() -> None:
            look_up_before(bench.site)
            bench.lytics.people.clear()

        meanwhile(bench, "look_up", others)
        bench.lytics.people.clear()
        look_up_before(bench.site)
        bench.knows("s1@example.com")
        assert bench.target().known_before is Presence.ABSENT
        bench.run_to_end()
        assert bench.state() == "completed"

    def test_a_late_look_does_not_count_twice(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        bench.lytics.stays = {"s1@example.com"}
        bench.deliver()
        bench.run_to_end(2)
        bench.clock.advance(minutes=2)
        meanwhile(bench, "look_up", lambda: confirm(bench.site))
        confirm(bench.site)
        assert [one.looks for one in bench.rows(t.targets)] == [1]

    def test_a_look_from_the_former_attempt_says_nothing_about_this_one(self, bench: Bench) -> None:
        """A worker stalls in a look-up; meanwhile the target fails, and the source asks for another attempt."""
        bench.knows("s1@example.com")
        bench.lytics.stays = {"s1@example.com"}
        bench.deliver()
        bench.run_to_end(2)
        bench.clock.advance(minutes=2)

        def another_attempt() -> None:
            bench.run_to_end(12, minutes=10)
            assert bench.state() == "failed"
            bench.deliver()
            while bench.target_states() != ["confirming"]:
                bench.pass_time(seconds=61)

        look_up = bench.lytics.look_up

        def stalled(*_: Any) -> Presence:
            bench.lytics.look_up = look_up  # type: ignore[method-assign]
            another_attempt()
            return Presence.ABSENT

        bench.lytics.look_up = stalled  # type: ignore[method-assign]
        confirm(bench.site)
        assert bench.target_states() == ["confirming"]
        bench.run_to_end(12, minutes=10)
        assert bench.state() == "failed"
        assert "COMPLETED" not in bench.reporter.statuses


class TestGuards:
    def test_a_move_from_a_state_that_was_left_changes_nothing(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        ids = [one.id for one in bench.dossier().targets]
        with bench.database.write() as connection:
            assert targets.end(connection, ids, TargetState.SUBMITTING, TargetState.REFUSED, bench.clock.now()) == 0
        assert bench.target_states() == ["submitted"]

    def test_a_request_that_was_settled_meanwhile_is_not_moved(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        old = bench.dossier().request
        bench.run_to_end()
        from connector.states import RequestState

        with bench.database.write() as connection:
            assert not requests.move_request(connection, old, RequestState.FAILED, bench.clock.now())
        assert bench.state() == "completed"

    def test_a_step_that_runs_twice_at_once_does_no_harm(self, bench: Bench) -> None:
        names = [f"s{number}" for number in range(12)]
        bench.with_account(batch_max_values=3, unknown_wait_s=0.0)
        for name in names:
            bench.knows(f"{name}@example.com")
            bench.deliver(name)
        for _ in range(8):
            bench.clock.advance(seconds=61)
            with ThreadPoolExecutor(3) as pool:
                for done in [pool.submit(run_pass, bench.site) for _ in range(3)]:
                    done.result()
        bench.run_to_end(6)
        assert {bench.state(name) for name in names} == {"completed"}
        assert set(bench.lytics.submitted().values()) == {1}
        assert all(bench.reporter.of(name)[-1] == "COMPLETED" for name in names)

    def test_deliveries_that_come_while_workers_run_disturb_nobody(self, bench: Bench) -> None:
        """Also a test of the order of locks: a circle among them would show as a store that is not available."""
        names = [f"s{number}" for number in range(10)]
        bench.with_account(batch_max_values=4, unknown_wait_s=0.0)
        for name in names:
            bench.deliver(name, ("email", f"{name}@example.com"), event=f"{name}-1")
        for turn in range(2, 6):
            bench.clock.advance(seconds=61)
            with ThreadPoolExecutor(5) as pool:
                passes = [pool.submit(run_pass, bench.site) for _ in range(2)]
                late = [
                    pool.submit(bench.deliver, name, ("loyalty id", f"{name}-{turn}"), event=f"{name}-{turn}")
                    for name in names
                ]
                for done in passes:
                    done.result()
                # A request may be finished by then, and says so.
                assert all(isinstance(one.exception(), Rejected | None) for one in late)
        bench.run_to_end(6)
        assert {bench.state(name) for name in names} == {"completed"}
        assert set(bench.lytics.submitted().values()) == {1}
        for name in names:
            assert len(bench.dossier(name).targets) == len(bench.dossier(name).identities)

    def test_questions_to_the_source_while_it_calls_again_disturb_nobody(self, bench: Bench) -> None:
        """The order of locks once more: what is asked anew, called again and mapped are the same rows."""
        names = [f"s{number}" for number in range(12)]
        bench.with_account(observes=True)
        answers = tuple(Identity("email", Private(f"{name}@example.com")) for name in names)
        bench.list_by(replace(asking(Lister(listing(answers=answers))), every=timedelta(seconds=30)))
        for name in names:
            bench.deliver(name, event=f"{name}-1")
        for turn in range(2, 8):
            bench.clock.advance(seconds=61)
            with ThreadPoolExecutor(6) as pool:
                passes = [pool.submit(run_pass, bench.site) for _ in range(3)]
                late = [pool.submit(bench.deliver, name, event=f"{name}-{turn}") for name in reversed(names)]
                for done in (*passes, *late):
                    done.result()
        # An answer to a question from before the last call counts for nothing.
        bench.run_to_end(2)
        assert {bench.state(name) for name in names} == {"queued"}


class TestHistory:
    @pytest.fixture
    def store_url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_moves_at_the_same_moment_keep_their_order(self, bench: Bench) -> None:
        bench.deliver("s1", ("email", "a@example.com"), event="e1")
        bench.pass_time(seconds=1)
        bench.deliver("s1", ("shoe size", "44"), event="e2")
        bench.run_to_end()
        from connector.mapping.rules import compile_rules

        bench.with_rules(compile_rules(bench.source.rules.rules, ignore_kinds=("shoe size",)))
        bench.pass_time(seconds=1)
        moves = [str(one.state) for one in bench.dossier().history]
        assert moves == ["received", "queued", "working", "held", "working", "completed"]


def test_a_status_of_an_operation_whose_targets_are_gone_ends_quietly(bench: Bench) -> None:
    bench.deliver()
    bench.pass_time(seconds=1)
    with bench.database.write() as connection:
        follow = submissions.follow(
            connection,
            account="main",
            submission_id=bench.rows(t.submissions)[0].id,
            remote_ids={"op-empty"},
            now=bench.clock.now(),
            first_look_at=bench.clock.now() + timedelta(seconds=1),
        )
    assert follow["op-empty"].remote_id == "op-empty"
    bench.lytics.statuses["op-empty"] = RemoteStatus(bench.lytics.statuses["op-1"].state, "completed", 0, 0)
    bench.run_to_end()
    assert bench.state() == "completed"
