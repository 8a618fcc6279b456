"""`resume`, `hold`, `audit`, and what `status` and `show` say of blown fuses: nobody is named, nothing is half done."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connector.cli import guards
from connector.policy.fuse import FusePolicy
from connector.store import guard_tables as g
from tests.support.site import Bench
from tests.unit.cli.conftest import Ended, Run

WHY = ("--reason", "ticket 4711", "--by", "operator")
CANARY = "canary-7f3a@example.com"
Type = Callable[[str | bytes], None]


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    yield made
    made.database.close()


@pytest.fixture
def blown(bench: Bench) -> Bench:
    """One was deleted, two wait behind the account's fuse."""
    bench.with_account(fuse=FusePolicy(timedelta(days=1), 1, 0, 1))
    for place in range(3):
        bench.deliver(f"p{place}", ("email", f"{place}-{CANARY}"))
        bench.clock.advance(seconds=1)
    bench.run_to_end()
    return bench


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Give what stands on standard input."""

    def typed(text: str | bytes) -> None:
        raw = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))

    return typed


def said(done: Ended) -> Any:
    assert "canary" not in done.out + done.err
    return json.loads(done.out)


class TestStatus:
    def test_people_are_told_which_fuse_which_window_which_numbers_and_what_to_do(
        self, run: Run, blown: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connector.cli.context.SystemClock", lambda: blown.clock)
        done = run("status")
        assert (
            "the fuse of account main blew at 2026-11-02 09:01:04Z: 1 values within 24 hours, and more were to follow; "
            "1 is the most that is set. 2 requests wait, 0 of them due within 7 days; "
            "look, then `connector resume --account main`"
        ) in done.out
        assert "canary" not in done.out

    def test_a_machine_gets_the_numbers(self, run: Run, blown: Bench) -> None:
        (fuse,) = said(run("status", "--json"))["fuses"]
        numbers = {"scope": "account", "name": "main", "rule": "absolute", "most": 1, "counted": 1, "normal": None}
        assert fuse.items() >= (numbers | {"window_s": 86_400, "requests": 2}).items()

    def test_a_relative_limit_is_said_to_be_one(self, run: Run, blown: Bench) -> None:
        with blown.database.write() as connection:
            connection.execute(g.fuses.update().values(rule="relative", normal=3, most=30))
        assert "30 is the limit because 3 are normal" in run("status").out

    def test_a_fuse_that_is_switched_off_is_not_mentioned(self, run: Run, blown: Bench) -> None:
        done = run("status", "--json", settings=("accounts.main.fuse.enabled=false",))
        assert said(done)["fuses"] == []

    def test_a_request_says_behind_which_it_waits(self, run: Run, blown: Bench) -> None:
        assert "waits: the fuse of account main blew" in run("show", "p2").out
        assert "waits:" not in run("show", "p0").out
        assert [one["name"] for one in said(run("show", "p1", "--json"))["behind_fuses"]] == ["main"]
        assert said(run("show", "p0", "--json"))["behind_fuses"] == []

    def test_it_waits_behind_its_source_s_too(self, run: Run, blown: Bench) -> None:
        with blown.database.write() as connection:
            connection.execute(g.fuses.update().values(scope="source", name="onetrust"))
        assert "waits: the fuse of source onetrust blew" in run("show", "p2").out
        assert "waits:" not in run("show", "p0").out


class TestResume:
    def test_it_goes_on_and_who_when_and_why_are_recorded(self, run: Run, blown: Bench) -> None:
        done = run("resume", "--account", "main", *WHY)
        assert (done.status, done.out) == (0, "account main: goes on\n")
        (row,) = blown.rows(g.audit)
        assert (row.actor, row.action, row.subject, row.reason) == (
            "operator",
            "fuse_resumed",
            "account:main",
            "ticket 4711",
        )
        assert said(run("status", "--json"))["fuses"] == []
        (row,) = said(run("audit", "--json"))
        assert row["subject"] == "account:main"
        assert "account:main" in run("audit").out

    def test_all_that_are_blown_can_be_meant(self, run: Run, blown: Bench) -> None:
        assert said(run("resume", "--all", "--allow", "7", *WHY, "--json"))["results"] == [
            {"scope": "account", "name": "main", "done": True}
        ]
        assert blown.rows(g.fuses)[0].allowance == 7
        assert run("resume", "--all", *WHY).out == "no fuse is blown\n"

    def test_one_that_is_not_blown_is_told_with_status_1(self, run: Run, blown: Bench) -> None:
        done = run("resume", "--source", "onetrust", *WHY)
        assert (done.status, done.out) == (1, "source onetrust: its fuse is not blown\n")

    @pytest.mark.parametrize(
        "wrong",
        [
            (*WHY,),
            ("--all", "--account", "main", *WHY),
            ("--all",),
            ("--all", "--reason", CANARY),
            ("--all", "--reason", "fine", "--by", CANARY),
            ("--all", "--allow", "-1", *WHY),
        ],
    )
    def test_wrong_usage_changes_nothing(self, run: Run, blown: Bench, wrong: tuple[str, ...]) -> None:
        assert run("resume", *wrong).status == 2
        assert blown.rows(g.audit) == []

    def test_who_it_is_is_asked_for_where_the_system_has_no_name(
        self, run: Run, blown: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nobody() -> str:
            raise KeyError

        monkeypatch.setattr(guards.getpass, "getuser", nobody)
        done = run("resume", "--all", "--reason", "fine")
        assert done.status == 2
        assert "name who decides" in done.err

    def test_the_login_name_stands_for_who_it_is(self, run: Run, blown: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guards.getpass, "getuser", lambda: "login")
        assert run("resume", "--all", "--reason", "fine").status == 0
        assert [one.actor for one in blown.rows(g.audit)] == ["login"]


class TestHold:
    def test_identities_come_from_standard_input(self, run: Run, bench: Bench, types: Type) -> None:
        types(f"\ufeff{CANARY}\r\n\r\n  other-{CANARY} \n{CANARY}\n")
        assert run("hold", "add", *WHY).out == "2 added, 0 on the list already\n"
        types(CANARY.upper())
        assert said(run("hold", "add", *WHY, "--json")) == {"added": 0, "already": 1, "begun": []}

    def test_or_from_a_file(self, run: Run, bench: Bench, tmp_path: Path) -> None:
        (tmp_path / "list").write_text(f"{CANARY}\n")
        assert run("hold", "add", "--file", str(tmp_path / "list"), *WHY).status == 0
        done = run("hold", "remove", "--file", str(tmp_path / "list"), *WHY)
        assert (done.status, done.out) == (0, "1 removed, 0 were not on the list\n")
        done = run("hold", "remove", "--file", str(tmp_path / "list"), *WHY)
        assert (done.status, done.out) == (1, "0 removed, 1 were not on the list\n")

    def test_never_from_the_command_line(self, run: Run, bench: Bench) -> None:
        assert run("hold", "add", CANARY, *WHY).status == 2

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (f"{CANARY}\nunknown\n", "line 2: it names nobody; nothing was changed"),
            (f"{CANARY}\n\nab\n", "line 3: it is shorter than 3 characters; nothing was changed"),
            ("\n \n", "no identity was given; nothing was changed"),
            (b"canary-\xff", "the identities are not UTF-8"),
        ],
    )
    def test_a_line_that_cannot_be_used_is_named_by_its_number(
        self, run: Run, bench: Bench, types: Type, given: str | bytes, words: str
    ) -> None:
        types(given)
        done = run("hold", "add", *WHY)
        assert done.status == 2
        assert words in done.err
        assert "canary" not in done.err
        assert bench.rows(g.holds) == []

    def test_whom_it_comes_too_late_for_is_said_by_the_request_s_id(self, run: Run, bench: Bench, types: Type) -> None:
        bench.lytics.finish_at_once = False
        bench.deliver("0a", ("email", CANARY))
        bench.run_to_end()
        types(CANARY)
        done = run("hold", "add", *WHY)
        assert f"request {bench.dossier('0a').request.id} names one of them" in done.out
        assert "canary" not in done.out

    def test_the_list_names_reasons_and_nobody(self, run: Run, bench: Bench, types: Type) -> None:
        types(f"{CANARY}\nother-{CANARY}")
        run("hold", "add", *WHY)
        first = said(run("hold", "list", "--limit", "1", "--json"))
        second = said(run("hold", "list", "--limit", "1", "--after", first["next"], "--json"))
        ids = [one["id"] for one in first["holds"] + second["holds"]]
        assert ids == [one.id for one in bench.rows(g.holds)]
        assert (
            first["holds"][0].items() >= {"placed_by": "operator", "reason": "ticket 4711", "recognises": True}.items()
        )
        done = run("hold", "list", "--limit", "1")
        assert "ticket 4711" in done.out
        assert f"There are more: --after {ids[0]}" in done.out
        assert "canary" not in done.out

    def test_a_hold_is_removed_by_its_id(self, run: Run, bench: Bench, types: Type) -> None:
        types(CANARY)
        run("hold", "add", *WHY)
        (row,) = bench.rows(g.holds)
        assert said(run("hold", "remove", "--id", row.id, *WHY, "--json")) == {"removed": 1, "not_listed": 0}

    def test_what_was_listed_under_a_lost_key_is_shown_and_removed(self, run: Run, bench: Bench, types: Type) -> None:
        types(CANARY)
        run("hold", "add", *WHY)
        with bench.database.write() as connection:
            connection.execute(g.holds.update().values(key_check="0" * 64))
        assert "no: former key" in run("hold", "list").out
        assert run("hold", "remove", "--former-key", *WHY).out == "1 removed, 0 were not on the list\n"

    def test_one_way_of_naming_at_a_time(self, run: Run, bench: Bench) -> None:
        assert run("hold", "remove", "--former-key", "--id", "0" * 32, *WHY).status == 2

    def test_a_reason_is_needed(self, run: Run, bench: Bench, types: Type) -> None:
        types(CANARY)
        assert run("hold", "add").status == 2
        assert bench.rows(g.holds) == []
