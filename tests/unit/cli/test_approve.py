"""`preview` and `approve`: what is shown names nobody, and what is approved is what was shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.site import Bench
from tests.unit.cli.conftest import Ended, Run

WHY = ("--reason", "ticket 4711", "--by", "operator")
ALWAYS = ('accounts.main.approval="always"',)


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    made.with_account(observes=True)
    made.deliver("s1", ("email", "canary-7f3a@example.com"), ("loyalty id", "00481516"))
    made.run_to_end(passes=2)
    yield made
    made.database.close()


def said(done: Ended) -> Any:
    assert "canary" not in done.out + done.err
    return json.loads(done.out)


def test_people_see_numbers_masked_values_and_the_command_to_approve(run: Run, bench: Bench) -> None:
    done = run("preview", settings=ALWAYS)
    for words in ("c***@e***.com", "***16", "1 absent", "waits for: connector approve "):
        assert words in done.out
    assert "canary" not in done.out
    assert "goes without anybody's word" in run("preview").out
    assert "c***" not in run("preview", "--examples", "0").out


def test_a_digest_is_approved_once_and_recorded(run: Run, bench: Bench) -> None:
    (seen,) = said(run("preview", "--account", "main", "--json", settings=ALWAYS))
    assert seen["waits"]
    assert {one["field"]: one["values"] for one in seen["parts"]} == {"email": 1, "loyalty_id": 1}
    done = run("approve", seen["digest"], *WHY, settings=ALWAYS)
    assert (done.status, done.out) == (0, "2 approved\n")
    assert "approved" in run("audit").out
    again = run("approve", seen["digest"], *WHY, "--json", settings=ALWAYS)
    assert (again.status, said(again)) == (1, {"account": "main", "approved": 0})
    assert "nothing waits" in run("preview", settings=ALWAYS).out


def test_status_says_what_waits_for_a_person(run: Run, bench: Bench) -> None:
    line = "2 values wait for approval in account main; look, then approve: `connector preview --account main`"
    assert line in run("status", settings=ALWAYS).out
    assert said(run("status", "--json", settings=ALWAYS))["unapproved"] == {"main": 2}
    assert "wait for approval" not in run("status").out


def test_a_source_s_own_rule_is_seen_by_the_commands(run: Run, bench: Bench) -> None:
    of_source = ('sources.onetrust.approval="above"', "sources.onetrust.approval_above=1")
    assert "waits for: connector approve " in run("preview", settings=of_source).out
    assert said(run("status", "--json", settings=of_source))["unapproved"] == {"main": 2}
    enough = ('sources.onetrust.approval="above"', "sources.onetrust.approval_above=2")
    assert "goes without anybody's word" in run("preview", settings=enough).out
    assert said(run("status", "--json", settings=enough))["unapproved"] == {}


def test_another_set_is_refused_and_told(run: Run, bench: Bench) -> None:
    done = run("approve", "0" * 32 + "-" + "0" * 16, *WHY)
    assert done.status == 1
    assert "look again with `connector preview`" in done.out


@pytest.mark.parametrize(
    "arguments",
    [("approve", "x", *WHY, "--account", "nobody"), ("preview", "--account", "nobody"), ("approve", "x")],
)
def test_wrong_usage_is_told(run: Run, bench: Bench, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2
