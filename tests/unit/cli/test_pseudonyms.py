"""`keys pseudonyms`, `keys rotate` and `keys drop-pseudonym`: from the old key of the hashes to the new one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.crypto.pseudonym import Pseudonymiser
from connector.store import guard_tables as g
from connector.store import tables as t
from tests.support.site import KEY, Bench
from tests.unit.cli.conftest import Run

OLD = '"file:sandbox/pseudonym.secret"'
WHY = ("--reason", "ticket 4711")


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    for number in range(3):
        made.deliver(f"s{number}")
    yield made
    made.database.close()


@pytest.fixture
def new(tmp_path: Path) -> str:
    (tmp_path / "new.secret").write_text("canary-new-pseudonym-key-0123456789abcdef", encoding="utf-8")
    return f'"file:{tmp_path}/new.secret"'


def changed(new: str) -> tuple[str, ...]:
    return (f"store.pseudonym_key={new}", f"store.other_pseudonym_keys=[{OLD}]")


def used(run: Run, settings: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    done = run("keys", "pseudonyms", "--json", settings=settings)
    assert "canary" not in done.out
    return {Path(one["name"]).name or one["id"]: one for one in json.loads(done.out)}


def test_what_can_be_read_comes_under_the_new_key_and_what_is_left_is_said(run: Run, bench: Bench, new: str) -> None:
    assert used(run, ())["pseudonym.secret"]["advice"] == "keep"
    assert used(run, changed(new))["pseudonym.secret"]["need"]["requests"] == 3
    shown = run("keys", "pseudonyms", settings=changed(new)).out
    assert "connector keys rotate pseudonym" in shown
    done = run("keys", "rotate", "pseudonym", settings=changed(new))
    assert (done.status, done.err) == (0, "")
    assert "3 requests and entries were hashed under file:" in done.out
    assert "file:sandbox/pseudonym.secret: needed, not before 2028-" in done.out
    assert "data keys" not in done.out
    former = used(run, changed(new))["pseudonym.secret"]["need"]
    assert (former["requests"], former["repeats"]) == (0, True)


def test_one_command_does_both_kinds_of_keys(run: Run, bench: Bench, new: str) -> None:
    done = run("keys", "rotate", settings=changed(new))
    assert "0 data keys were brought" in done.out
    assert "3 requests and entries were hashed" in done.out
    assert "hashed" not in run("keys", "rotate", "sealing", settings=changed(new)).out


def test_a_missing_key_keeps_everything_from_starting_but_what_shows_it(run: Run, bench: Bench, new: str) -> None:
    settings = (f"store.pseudonym_key={new}",)
    for command in (("status",), ("dlq", "list"), ("hold", "remove", "--id", "0" * 32, *WHY)):
        done = run(*command, settings=settings)
        assert done.status == 2, command
        assert done.err.startswith("pseudonym_key_missing: ")
    shown = run("keys", "pseudonyms", settings=settings).out
    assert "put it back into store.other_pseudonym_keys" in shown
    assert run("hold", "list", settings=settings).status == 0
    assert run("suppression", "list", settings=settings).status == 0
    assert run("status", settings=changed(new)).status == 0
    assert len(bench.rows(t.identities)) == 3


def test_a_key_is_dropped_with_a_reason_once_nobody_is_forgotten_by_it(run: Run, bench: Bench, new: str) -> None:
    old = Pseudonymiser(KEY).id
    refused = run("keys", "drop-pseudonym", old, *WHY, settings=changed(new))
    assert refused.status == 2
    assert refused.err.startswith("pseudonym_key_needed: ")
    run("keys", "rotate", settings=changed(new))
    done = run("keys", "drop-pseudonym", old.upper(), *WHY, settings=changed(new))
    assert (done.status, done.out.split()[0]) == (0, old)
    assert run("keys", "drop-pseudonym", old, *WHY, settings=changed(new)).status == 1
    assert [(one.action, one.subject) for one in bench.rows(g.audit)] == [("pseudonym_key_dropped", old)]
    assert run("status", settings=(f"store.pseudonym_key={new}",)).status == 0
    assert used(run, changed(new))["pseudonym.secret"]["advice"] == "can be removed"


def test_with_a_lost_key_there_is_a_way_on_that_forgets_nobody_unsaid(run: Run, bench: Bench, new: str) -> None:
    bench.run_to_end()
    settings = (f"store.pseudonym_key={new}",)
    old = Pseudonymiser(KEY).id
    # What can be read is hashed from itself; who was deleted is known by nothing but the hash.
    assert "3 requests and entries" in run("keys", "rotate", settings=settings).out
    refused = run("keys", "drop-pseudonym", old, *WHY, settings=settings)
    assert "3 entries of the suppression list" in refused.err
    assert run("suppression", "end", "--former-key", *WHY, settings=settings).out.startswith("3 ended")
    assert run("keys", "drop-pseudonym", old, *WHY, settings=settings).status == 0
    assert run("status", settings=settings).status == 0
    assert [one["advice"] for one in used(run, settings).values()] == ["keep"]


def test_uses_of_these_keys_are_none_of_a_sources(run: Run, bench: Bench) -> None:
    assert "pseudonyms" not in run("keys", "report", "--json").out


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((f"store.other_pseudonym_keys=[{OLD}]",), "one of other_pseudonym_keys is pseudonym_key itself"),
        (('store.other_pseudonym_keys=["file:{short}"]',), "store.other_pseudonym_keys"),
        (
            ('store.other_pseudonym_keys=["file:{other}"]', 'suppression.share_key="file:{other}"'),
            "suppression.share_key is a pseudonym key of the store",
        ),
    ],
)
def test_keys_that_cannot_be_are_refused(run: Run, tmp_path: Path, settings: tuple[str, ...], said: str) -> None:
    for name, text in (("short", "x" * 31), ("other", "canary-other-0123456789abcdef-0123456789")):
        (tmp_path / name).write_text(text)
    written = (one.replace("{short}", f"{tmp_path}/short").replace("{other}", f"{tmp_path}/other") for one in settings)
    done = run("config", "check", settings=tuple(written))
    assert done.status == 2
    assert said in done.err
    assert "canary" not in done.err
