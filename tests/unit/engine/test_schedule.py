"""The steps as data, and one step or one pass of them run by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.engine import schedule
from connector.engine.schedule import MAP, READ_BACK, STEPS, Per, Step, run_parts, run_pass, run_step
from connector.services.site import Site
from tests.unit.web.receiver import receiving


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with receiving(f"sqlite:///{tmp_path / 'store.db'}") as made:
        yield made.site


def test_the_steps_follow_the_life_of_a_request() -> None:
    names = [one.name for one in STEPS]
    assert len(set(names)) == len(names)
    assert [one for one in names if one in {"map", "submit", "poll", "confirm", "report"}] == [
        "map",
        "submit",
        "poll",
        "confirm",
        "report",
    ]


def test_a_step_is_repeated_while_there_is_more(site: Site) -> None:
    answers = [True, True, False, True]
    run_step(site, Step("one", lambda _: answers.pop(0)))
    assert answers == [True]


def test_a_step_is_not_repeated_once_the_process_is_asked_to_stop(site: Site) -> None:
    calls = []

    def step(given: Site) -> bool:
        calls.append(1)
        if len(calls) == 2:
            given.stop.set()
        return True

    run_step(site, Step("endless", step))
    assert len(calls) == 2


def test_a_pass_runs_every_step_once_in_order(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def noting(name: str) -> Step:
        def note(_: Site) -> bool:
            seen.append(name)
            return False

        return Step(name, note)

    monkeypatch.setattr(schedule, "STEPS", tuple(noting(name) for name in "abc"))
    run_pass(site)
    assert seen == ["a", "b", "c"]


def test_every_real_step_runs_on_an_empty_store(site: Site) -> None:
    run_pass(site)
    assert [one.run(site) for one in STEPS] == [False] * len(STEPS)


def test_a_part_sees_one_account_or_source_and_shares_all_else(site: Site) -> None:
    assert [Step("s", run_nothing, per=per).names(site) for per in Per] == [[""], ["main"], ["onetrust", "asleep"]]
    of_account = Step("s", run_nothing, per=Per.ACCOUNT).part(site, "main")
    of_source = Step("s", run_nothing, per=Per.SOURCE).part(site, "asleep")
    assert of_account is not None
    assert of_source is not None
    assert (list(of_account.accounts), list(of_account.sources)) == (["main"], ["onetrust", "asleep"])
    assert (list(of_source.accounts), list(of_source.sources)) == (["main"], ["asleep"])
    assert of_account.stop is of_source.stop is site.stop
    assert Step("s", run_nothing).part(site, "") is site


@pytest.mark.parametrize("per", Per)
def test_there_is_no_part_of_what_is_not_configured(site: Site, per: Per) -> None:
    assert Step("s", run_nothing, per=per).part(site, "elsewhere") is None


def test_all_steps_of_an_account_share_one_lock_and_every_part_has_a_key_of_its_own(site: Site) -> None:
    parts = [(one, name) for one in STEPS for name in one.names(site)]
    assert len({one.key(name) for one, name in parts}) == len(parts)
    assert {one.lock("main") for one in STEPS if one.per is Per.ACCOUNT} == {"account:main"}
    assert {one.lock("main") for one in STEPS if one.per is Per.SOURCE} == {"source:main"}
    alone = [one.name for one in STEPS if one.per is Per.SITE]
    assert [one.lock("") for one in STEPS if one.per is Per.SITE] == alone


def test_what_is_done_first_stands_first() -> None:
    assert STEPS[1:3] == (READ_BACK, MAP)
    assert (READ_BACK.per, MAP.per) == (Per.SOURCE, Per.SITE)


def test_a_pass_in_parts_runs_each_part_once_in_order(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, list[str], list[str]]] = []

    def noting(per: Per) -> Step:
        def note(part: Site) -> bool:
            seen.append((per, list(part.accounts), list(part.sources)))
            return False

        return Step(per, note, per=per)

    monkeypatch.setattr(schedule, "STEPS", tuple(noting(per) for per in Per))
    run_parts(site)
    both = ["onetrust", "asleep"]
    assert seen == [
        ("site", ["main"], both),
        ("account", ["main"], both),
        ("source", ["main"], ["onetrust"]),
        ("source", ["main"], ["asleep"]),
    ]


def run_nothing(_: Site) -> bool:
    return False
