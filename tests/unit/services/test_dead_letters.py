"""What was given up is listed with its reason, sent on its way again, or let rest; nothing of it goes silently."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest

from connector.codes import Code
from connector.errors import Refused, Temporary
from connector.model import Delivered, Report
from connector.services import dead_letters as service
from connector.services.dead_letters import MAX_REASON_CHARS, Known, fault_in
from connector.services.report import report
from connector.store import dead_letters
from connector.store import tables as t
from connector.store.dead_letters import Kind, Letter
from connector.store.overview import Overview, overview
from tests.support.site import Bench

KNOWN = Known({"onetrust": "main"}, frozenset({"main"}))
NO = Refused(Code.REMOTE_REFUSED)
WHY = "ticket 4711"


def listed(bench: Bench, *kinds: Kind, dropped: bool = False, after: str = "", limit: int = 99) -> list[Letter]:
    with bench.database.read() as connection:
        return dead_letters.listed(connection, kinds=kinds or tuple(Kind), dropped=dropped, after=after, limit=limit)


def find(bench: Bench, name: str) -> list[Letter]:
    with bench.database.read() as connection:
        return dead_letters.find(connection, name)


def replay(bench: Bench, letter: Letter, known: Known = KNOWN) -> str:
    return service.replay(bench.database, letter, WHY, bench.clock.now(), known)


def drop(bench: Bench, letter: Letter) -> str:
    return service.drop(bench.database, letter, WHY, bench.clock.now())


def why_not(bench: Bench, letter: Letter) -> str:
    with bench.database.read() as connection:
        return service.why_not(connection, letter, KNOWN)


def seen(bench: Bench) -> Overview:
    with bench.database.read() as connection:
        return overview(connection, bench.clock.now())


def history(bench: Bench, name: str = "s1") -> list[tuple[str, str]]:
    return [(str(one.state), one.reason) for one in bench.dossier(name).history]


def with_dead_report(bench: Bench, name: str = "s1") -> Letter:
    """Carry a request out whose last report is refused."""
    bench.deliver(name)
    bench.pass_time(seconds=1)
    bench.reporter.answers = [NO]
    bench.run_to_end()
    bench.reporter.answers = []
    (letter,) = [one for one in listed(bench, Kind.REPORT) if one.request_id == bench.dossier(name).request.id]
    return letter


def failed(bench: Bench, name: str = "s1") -> Letter:
    """Let a request fail: Lytics takes nothing of it."""
    bench.lytics.refuses.add(f"{name}@example.com")
    bench.deliver(name)
    bench.run_to_end()
    bench.lytics.refuses.clear()
    (letter,) = [one for one in listed(bench, Kind.REQUEST) if one.id == bench.dossier(name).request.id]
    return letter


class TestListed:
    def test_a_dead_report_with_what_it_was_to_say(self, bench: Bench) -> None:
        letter = with_dead_report(bench)
        assert (letter.kind, letter.state, letter.reason, letter.status) == (
            Kind.REPORT,
            "dead",
            "remote_refused",
            "COMPLETED",
        )
        assert (letter.tries, letter.dropped, letter.source) == (1, False, "onetrust")
        assert letter.ended_at is not None

    def test_a_failed_request_with_what_became_of_its_targets(self, bench: Bench) -> None:
        letter = failed(bench)
        assert (letter.kind, letter.state, letter.reason) == (Kind.REQUEST, "failed", "remote_refused")
        assert (letter.refused, letter.failed, letter.attempt) == (1, 0, 1)
        assert letter.id == letter.request_id

    def test_a_request_that_was_carried_out_in_part(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)
        bench.lytics.refuses = {"b@example.com"}
        bench.deliver("s1", ("email", "a@example.com"), ("email", "b@example.com"))
        bench.run_to_end()
        (letter,) = listed(bench)
        assert (letter.state, letter.refused, letter.failed) == ("partial", 1, 0)

    def test_what_was_lost_at_lytics_counts_as_failed_with_that_reason(self, bench: Bench) -> None:
        bench.lytics.finish_at_once = False
        bench.deliver()
        for _ in range(60):
            bench.lytics.statuses.clear()
            bench.pass_time(hours=2)
            if bench.state() == "failed":
                break
        (letter,) = listed(bench)
        assert (letter.reason, letter.failed) == ("lost_at_lytics", 1)

    def test_what_goes_well_is_none(self, bench: Bench) -> None:
        bench.deliver()
        bench.run_to_end()
        assert listed(bench) == []

    def test_page_by_page_in_the_order_of_their_ids_each_exactly_once(self, bench: Bench) -> None:
        for number in range(4):
            failed(bench, f"f{number}")
            with_dead_report(bench, f"d{number}")
        everything = [one.id for one in listed(bench)]
        assert (len(everything), everything) == (8, sorted(everything))
        for size in (1, 3, 8):
            seen: list[str] = []
            while page := listed(bench, after=seen[-1] if seen else "", limit=size):
                assert len(page) <= size
                seen += [one.id for one in page]
            assert seen == everything

    def test_by_kind_and_by_source(self, bench: Bench) -> None:
        failed(bench, "f1")
        with_dead_report(bench, "d1")
        assert [one.kind for one in listed(bench, Kind.REPORT)] == [Kind.REPORT]
        assert [one.kind for one in listed(bench, Kind.REQUEST)] == [Kind.REQUEST]
        with bench.database.read() as connection:
            assert len(dead_letters.listed(connection, source="onetrust", limit=9)) == 2
            assert dead_letters.listed(connection, source="another", limit=9) == []

    def test_nobody_is_named(self, bench: Bench) -> None:
        bench.lytics.refuses = {"canary@example.com"}
        bench.deliver("s1", ("email", "canary@example.com"))
        bench.run_to_end()
        assert "canary" not in json.dumps([asdict(one) for one in listed(bench)], default=str)


class TestAttention:
    def test_what_waits_for_an_operator_is_counted_and_what_was_dropped_is_not(self, bench: Bench) -> None:
        first, second = failed(bench, "f1"), failed(bench, "f2")
        assert seen(bench).unfulfilled == 2
        drop(bench, first)
        assert seen(bench).unfulfilled == 1
        replay(bench, second)
        assert seen(bench).unfulfilled == 0

    def test_a_last_report_that_fails_while_its_due_date_is_near_is_counted(self, bench: Bench) -> None:
        bench.deliver()
        bench.pass_time(seconds=1)
        bench.reporter.answers = [Temporary(Code.REMOTE_FAULT)] * 9
        bench.run_to_end(3)
        bench.reporter.answers = []
        assert (bench.state(), seen(bench).unreported_due) == ("completed", 0)
        bench.clock.advance(days=28, hours=23)
        assert seen(bench).unreported_due == 1
        bench.run_to_end(2, days=3)
        assert (bench.reporter.of("s1")[-1], seen(bench).unreported_due) == ("COMPLETED", 0)


class TestFound:
    @pytest.fixture
    def store_url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_by_its_id_or_a_beginning_that_only_it_has(self, bench: Bench) -> None:
        letter = failed(bench)
        assert find(bench, letter.id) == find(bench, letter.id[:9].upper()) == [letter]

    def test_a_beginning_that_several_have_is_not_guessed(self, bench: Bench) -> None:
        failed(bench, "f1")
        failed(bench, "f2")
        assert len(find(bench, "01")) == 2

    @pytest.mark.parametrize("name", ["", "%", "_", "zz", "'", "0" * 33, "ffff"])
    def test_what_is_no_id_finds_nothing(self, bench: Bench, name: str) -> None:
        failed(bench)
        assert find(bench, name) == []

    def test_a_whole_id_is_found_in_any_state(self, bench: Bench) -> None:
        bench.deliver()
        bench.run_to_end()
        (row,) = bench.rows(t.requests)
        assert [one.state for one in find(bench, row.id)] == ["completed"]
        assert find(bench, row.id[:9]) == []


class TestReplayOfAReport:
    def test_it_is_sent_as_if_it_had_never_been_tried(self, bench: Bench) -> None:
        letter = with_dead_report(bench)
        assert why_not(bench, letter) == ""
        assert replay(bench, letter) == ""
        (row,) = [one for one in bench.rows(t.reports) if one.id == letter.id]
        assert (str(row.state), row.tries, row.reason, row.ended_at) == ("queued", 0, "", None)
        bench.run_to_end(1)
        assert bench.reporter.of("s1") == ["IN_PROGRESS", "COMPLETED"]
        assert listed(bench) == []

    def test_it_is_written_down_with_its_reason(self, bench: Bench) -> None:
        replay(bench, with_dead_report(bench))
        assert history(bench)[-2:] == [
            ("completed", "report_dead: remote_refused"),
            ("completed", "report_replayed: ticket 4711"),
        ]

    def test_a_second_time_does_nothing_and_says_so(self, bench: Bench) -> None:
        letter = with_dead_report(bench)
        replay(bench, letter)
        assert replay(bench, letter) == "it is queued already"
        bench.run_to_end(1)
        assert replay(bench, letter) == why_not(bench, letter) == "the source took it already"
        assert [one for _, one in history(bench)].count("report_replayed: ticket 4711") == 1
        assert bench.reporter.of("s1").count("COMPLETED") == 1

    def test_progress_can_be_replayed_while_the_end_is_not_written(self, bench: Bench) -> None:
        bench.lytics.finish_at_once = False
        bench.reporter.answers = [NO]
        bench.deliver()
        bench.pass_time(seconds=1)
        (letter,) = listed(bench)
        assert replay(bench, letter) == ""
        bench.pass_time(seconds=1)
        assert bench.reporter.of("s1") == ["IN_PROGRESS"]

    def test_progress_that_was_overtaken_by_the_end_is_no_dead_letter_any_more(self, bench: Bench) -> None:
        bench.reporter.answers = [NO]
        bench.deliver()
        bench.pass_time(seconds=1)
        (letter,) = listed(bench)
        bench.run_to_end()
        assert listed(bench) == []
        assert replay(bench, letter) == "a later report has taken its place"
        assert bench.reporter.of("s1") == ["COMPLETED"]

    def test_dropped_progress_is_not_sent_after_the_end(self, bench: Bench) -> None:
        bench.reporter.answers = [NO]
        bench.deliver()
        bench.pass_time(seconds=1)
        (letter,) = listed(bench)
        drop(bench, letter)
        bench.run_to_end()
        assert replay(bench, letter) == "a later report or attempt of its request has taken its place"

    def test_a_report_of_a_former_attempt_is_not_sent_any_more(self, bench: Bench) -> None:
        request = failed(bench)
        with bench.database.write() as connection:
            connection.execute(t.reports.update().where(t.reports.c.final).values(state="dead"))
        (letter,) = listed(bench, Kind.REPORT)
        assert replay(bench, request) == ""
        assert replay(bench, letter) == "a later report has taken its place"
        bench.run_to_end()
        assert bench.reporter.of("s1")[-1] == "COMPLETED"
        assert listed(bench) == []

    @pytest.mark.parametrize(
        ("known", "why"),
        [
            (Known({}, frozenset({"main"})), "its source onetrust is not in the configuration"),
            (Known({"onetrust": "x"}, frozenset()), "the account of its source onetrust is not in the configuration"),
        ],
    )
    def test_what_no_step_would_touch_is_not_queued(self, bench: Bench, known: Known, why: str) -> None:
        letter = with_dead_report(bench)
        assert replay(bench, letter, known) == why
        assert replay(bench, failed(bench, "f1"), known) == why
        assert len(listed(bench)) == 2

    def test_a_report_that_is_given_up_again_is_a_dead_letter_again(self, bench: Bench) -> None:
        letter = with_dead_report(bench)
        replay(bench, letter)
        bench.reporter.answers = [Refused(Code.REMOTE_NOT_FOUND)]
        bench.run_to_end(1)
        assert [(one.id, one.reason) for one in listed(bench)] == [(letter.id, "remote_not_found")]


class TestReplayOfARequest:
    def test_its_source_is_asked_first_where_it_is_asked_what_it_lists(self, bench: Bench) -> None:
        letter = failed(bench)
        assert replay(bench, letter, replace(KNOWN, asked={"onetrust"})) == ""
        assert bench.state() == "unconfirmed"

    def test_what_failed_gets_a_new_attempt_and_the_source_is_told(self, bench: Bench) -> None:
        bench.knows("s1@example.com")
        letter = failed(bench)
        assert replay(bench, letter) == ""
        assert history(bench)[-1] == ("received", "replayed: ticket 4711")
        bench.run_to_end()
        assert bench.state() == "completed"
        assert bench.reporter.of("s1")[-1] == "COMPLETED"
        assert bench.dossier().request.reason == ""

    def test_what_was_deleted_is_not_submitted_again(self, bench: Bench) -> None:
        bench.with_account(batch_max_values=1)
        bench.lytics.refuses = {"b@example.com"}
        bench.deliver("s1", ("email", "a@example.com"), ("email", "b@example.com"))
        bench.run_to_end()
        bench.lytics.refuses = set()
        (letter,) = listed(bench)
        assert replay(bench, letter) == ""
        bench.run_to_end()
        assert bench.state() == "completed"
        assert bench.lytics.submitted() == {"a@example.com": 1, "b@example.com": 2}

    def test_a_second_time_does_nothing_and_says_so_in_every_state(self, bench: Bench) -> None:
        bench.lytics.finish_at_once = False
        letter = failed(bench)
        assert replay(bench, letter) == ""
        assert replay(bench, letter) == "a new attempt has begun already"
        bench.pass_time(seconds=1)
        assert replay(bench, letter) == "it is being carried out"
        bench.lytics.finish("op-1")
        bench.run_to_end()
        assert replay(bench, letter) == "everything asked for was deleted already"
        assert bench.dossier().request.attempt == 2

    def test_its_unsent_report_of_failure_is_not_sent_any_more(self, bench: Bench) -> None:
        bench.deliver()
        bench.lytics.refuses = {"s1@example.com"}
        bench.reporter.answers = [Temporary(Code.REMOTE_FAULT)]
        bench.pass_time(seconds=1)
        bench.lytics.refuses = set()
        (letter,) = listed(bench)
        assert replay(bench, letter) == ""
        bench.run_to_end()
        assert "FAILED" not in bench.reporter.statuses
        assert bench.reporter.statuses[-1] == "COMPLETED"

    def test_one_that_was_dropped_can_still_be_carried_out(self, bench: Bench) -> None:
        letter = failed(bench)
        drop(bench, letter)
        assert replay(bench, letter) == ""
        bench.run_to_end()
        assert bench.state() == "completed"
        assert listed(bench, dropped=True) == []


class TestDrop:
    def test_a_report_rests_with_the_reason_and_is_listed_as_dropped(self, bench: Bench) -> None:
        letter = with_dead_report(bench)
        bench.clock.advance(hours=1)
        assert drop(bench, letter) == ""
        assert listed(bench) == []
        (rests,) = listed(bench, dropped=True)
        assert (rests.id, rests.state, rests.reason) == (letter.id, "dropped", WHY)
        assert (rests.dropped, rests.ended_at) == (True, bench.clock.now())
        assert history(bench)[-2:] == [
            ("completed", "report_dead: remote_refused"),
            ("completed", "report_dropped: ticket 4711"),
        ]
        bench.run_to_end()
        assert bench.reporter.of("s1") == ["IN_PROGRESS"]

    def test_a_request_rests_with_the_reason_and_does_not_become_fulfilled(self, bench: Bench) -> None:
        letter = failed(bench)
        assert drop(bench, letter) == ""
        assert listed(bench) == []
        (rests,) = listed(bench, dropped=True)
        assert (rests.state, rests.dropped, rests.reason) == ("failed", True, WHY)
        assert history(bench)[-1] == ("failed", "dropped: ticket 4711")

    def test_a_second_time_does_nothing_and_says_so(self, bench: Bench) -> None:
        for letter in (with_dead_report(bench, "d1"), failed(bench, "f1")):
            assert drop(bench, letter) == ""
            assert drop(bench, letter) == "it was dropped before"
        assert len(listed(bench, dropped=True)) == 2

    def test_only_what_was_given_up_can_be_dropped(self, bench: Bench) -> None:
        bench.deliver()
        bench.run_to_end()
        (request,) = bench.rows(t.requests)
        for one in (request, *bench.rows(t.reports)):
            (letter,) = find(bench, one.id)
            assert drop(bench, letter) in ("everything asked for was deleted already", "the source took it already")
        assert listed(bench, dropped=True) == []

    def test_a_dropped_report_can_be_sent_after_all(self, bench: Bench) -> None:
        letter = with_dead_report(bench)
        drop(bench, letter)
        assert replay(bench, letter) == ""
        bench.run_to_end(1)
        assert bench.reporter.of("s1")[-1] == "COMPLETED"
        assert [one for _, one in history(bench)][-3:] == [
            "report_dead: remote_refused",
            "report_dropped: ticket 4711",
            "report_replayed: ticket 4711",
        ]

    def test_the_source_that_asks_again_is_told_after_all(self, bench: Bench) -> None:
        drop(bench, with_dead_report(bench))
        assert bench.deliver().duplicate
        bench.run_to_end(1)
        assert bench.reporter.of("s1")[-1] == "COMPLETED"

    def test_the_source_that_asks_again_starts_a_dropped_request_again(self, bench: Bench) -> None:
        drop(bench, failed(bench))
        bench.deliver()
        bench.run_to_end()
        assert bench.state() == "completed"
        assert listed(bench, dropped=True) == []


class TestAtTheSameTime:
    def test_many_replays_of_one_request_begin_one_attempt(self, bench: Bench) -> None:
        letter = failed(bench)
        with ThreadPoolExecutor(4) as pool:
            said = list(pool.map(lambda _: replay(bench, letter), range(4)))
        assert said.count("") == 1
        assert set(said) - {""} == {"a new attempt has begun already"}
        assert bench.dossier().request.attempt == 2

    def test_of_replay_and_drop_one_is_done_first_and_the_other_knows(self, bench: Bench) -> None:
        letter = with_dead_report(bench)
        with ThreadPoolExecutor(2) as pool:
            replayed, dropped = pool.submit(replay, bench, letter), pool.submit(drop, bench, letter)
        assert replayed.result() == ""
        assert dropped.result() in ("", "it is queued already")
        (row,) = [one for one in bench.rows(t.reports) if one.id == letter.id]
        assert str(row.state) == "queued"

    def test_a_report_that_arrives_late_is_not_overwritten(self, bench: Bench) -> None:
        """The worker sends a report of failure; in that moment an operator starts the request again."""
        bench.deliver()
        bench.lytics.refuses = {"s1@example.com"}
        bench.reporter.answers = [Temporary(Code.REMOTE_FAULT)]
        bench.pass_time(seconds=1)
        bench.lytics.refuses = set()
        (letter,) = listed(bench)
        deliver = bench.reporter.deliver

        def meanwhile(one: Report) -> Delivered:
            bench.reporter.deliver = deliver  # type: ignore[method-assign]
            assert replay(bench, letter) == ""
            return deliver(one)

        bench.reporter.deliver = meanwhile  # type: ignore[method-assign]
        bench.clock.advance(seconds=30)
        report(bench.site)
        assert [str(one.state) for one in bench.rows(t.reports) if one.final] == ["superseded"]
        bench.run_to_end()
        assert bench.reporter.of("s1")[-1] == "COMPLETED"


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        ("", "a reason is needed"),
        ("x" * (MAX_REASON_CHARS + 1), "at most 45 characters, not 46"),
        ("two\nlines", "no line breaks"),
        ("bell\x07", "no line breaks"),
        ("escape \x1b[2J", "no line breaks"),
        ("turned \u202e round", "no line breaks"),
        ("apart\u2028", "no line breaks"),
        ("half \ud800", "no line breaks"),
        ("asked by ana@example.com", "no address"),
        ("x" * MAX_REASON_CHARS, ""),
        ("erledigt, Mandant weiß Bescheid", ""),
    ],
)
def test_a_reason_is_short_visible_and_names_no_address(reason: str, fault: str) -> None:
    said = fault_in(reason)
    assert said.startswith(fault)
    assert bool(said) is bool(fault)


def test_the_longest_reason_is_recorded_whole(bench: Bench) -> None:
    """On PostgreSQL a column that is too short would refuse it."""
    longest = "ß" * MAX_REASON_CHARS
    request, dead = failed(bench, "f1"), with_dead_report(bench, "d1")
    for letter in (request, dead):
        assert service.drop(bench.database, letter, longest, bench.clock.now()) == ""
        assert service.replay(bench.database, letter, longest, bench.clock.now(), KNOWN) == ""
    assert history(bench, "f1")[-1][1].endswith(longest)
    assert history(bench, "d1")[-1][1].endswith(longest)


def test_without_a_reason_nothing_is_done(bench: Bench) -> None:
    letter = failed(bench)
    with pytest.raises(ValueError, match="a reason is needed"):
        service.drop(bench.database, letter, "", bench.clock.now())
    with pytest.raises(ValueError, match="a reason is needed"):
        service.replay(bench.database, letter, "", bench.clock.now(), KNOWN)
    assert listed(bench) == [letter]
