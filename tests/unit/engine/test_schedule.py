"""The steps as data, and one step or one pass of them run by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.engine import schedule
from connector.engine.schedule import STEPS, Step, run_pass, run_step
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
