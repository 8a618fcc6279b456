"""`keys sealing` and `keys rotate`: from the old key to the new one, and what is said when one is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.store import tables as t
from tests.support.site import Bench
from tests.unit.cli.conftest import Run

OLD = '"file:sandbox/sealing.secret"'


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    for number in range(3):
        made.deliver(f"s{number}")
    yield made
    made.database.close()


@pytest.fixture
def new(tmp_path: Path) -> str:
    (tmp_path / "new.secret").write_text("canary-new-sealing-key-0123456789abcdef", encoding="utf-8")
    return f'"file:{tmp_path}/new.secret"'


def used(run: Run, *keys: str) -> dict[str, int]:
    done = run("keys", "sealing", "--json", settings=(f"store.sealing_keys=[{', '.join(keys)}]",))
    assert "canary" not in done.out
    return {Path(one["name"]).name: one["data_keys"] for one in json.loads(done.out)}


def test_everything_comes_under_the_new_key_and_the_old_one_can_go(run: Run, bench: Bench, new: str) -> None:
    assert used(run, new, OLD) == {"new.secret": 0, "sealing.secret": 3}
    done = run("keys", "rotate", settings=(f"store.sealing_keys=[{new}, {OLD}]",))
    assert (done.status, done.err) == (0, "")
    assert "3 data keys were brought under file:" in done.out
    assert "file:sandbox/sealing.secret opens nothing any more" in done.out
    assert used(run, new, OLD) == {"new.secret": 3, "sealing.secret": 0}
    assert "0 data keys were brought" in run("keys", "rotate", settings=(f"store.sealing_keys=[{new}]",)).out
    assert run("status", settings=(f"store.sealing_keys=[{new}]",)).status == 0
    assert run("status").err.startswith("sealing_key_missing: ")


def test_a_missing_key_is_shown_and_keeps_everything_else_from_starting(run: Run, bench: Bench, new: str) -> None:
    settings = (f"store.sealing_keys=[{new}]",)
    for command in (("status",), ("keys", "rotate"), ("dlq", "list")):
        done = run(*command, settings=settings)
        assert done.status == 2
        assert done.err.startswith("sealing_key_missing: ")
    shown = run("keys", "sealing", settings=settings).out
    assert "not configured" in shown
    assert "put it back into store.sealing_keys" in shown
    assert "canary" not in shown
    assert len(bench.rows(t.identities)) == 3


def test_what_to_do_is_said_for_every_key(run: Run, bench: Bench, new: str) -> None:
    shown = run("keys", "sealing", settings=(f"store.sealing_keys=[{new}, {OLD}]",)).out
    assert "keep" in shown
    assert "connector keys rotate" in shown
    run("keys", "rotate", settings=(f"store.sealing_keys=[{new}, {OLD}]",))
    assert "can be removed" in run("keys", "sealing", settings=(f"store.sealing_keys=[{new}, {OLD}]",)).out
