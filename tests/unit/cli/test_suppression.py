"""`suppression`: ask, hand out, list, end. Nobody is named, nothing is half done."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from connector.crypto.pseudonym import Pseudonymiser
from connector.crypto.share import ShareKey
from connector.policy import bloom
from connector.policy.watching import Reaction, WatchRule
from connector.private import Secret
from connector.services.watch_rules import Suppression
from connector.store import guard_tables as g
from connector.store import watch_tables as w
from tests.acceptance.journey import ROOT
from tests.support.site import Bench
from tests.unit.cli.conftest import Ended, Run

WHY = ("--reason", "ticket 4711", "--by", "operator")
EMAIL = ("--kind", "email")
Type = Callable[[str | bytes], None]


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    """One person was deleted and is watched. The key is that of the configuration which we ship."""
    made = Bench(store_url)
    key = (ROOT / "config/sandbox/pseudonym.secret").read_text().strip()
    made.site = replace(
        made.site,
        pseudonymiser=Pseudonymiser(Secret(key, "file:sandbox/pseudonym.secret")),
        sources={"onetrust": replace(made.source, watch=WatchRule())},
    )
    made.deliver("s1", ("email", "canary-1@example.com"))
    made.run_to_end()
    yield made
    made.database.close()


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Type:
    def typed(text: str | bytes) -> None:
        raw = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))

    return typed


def said(done: Ended) -> Any:
    assert "canary" not in done.out + done.err
    return json.loads(done.out)


def test_check_answers_line_by_line(bench: Bench, run: Run, types: Type) -> None:
    types("other@example.com\nCanary-1@example.com\nother@example.com\n")
    assert run("suppression", "check", *EMAIL).out == "no\nyes\nno\n"
    types("canary-1@example.com\n")
    assert said(run("suppression", "check", *EMAIL, "--json")) == {"suppressed": [True]}


@pytest.mark.parametrize("given", ["", b"\xff\xfe\x00"])
def test_what_is_no_identity_is_refused(bench: Bench, run: Run, types: Type, given: str | bytes) -> None:
    types(given)
    assert run("suppression", "check", *EMAIL).status == 2
    assert run("suppression", "check").status == 2


def test_export_writes_a_filter_and_says_what_is_not_in_it(bench: Bench, run: Run, tmp_path: Path) -> None:
    output = tmp_path / "filter"
    key = tmp_path / "share.key"
    key.write_text("s" * 40)
    done = run("suppression", "export", "--output", str(output), settings=(f'suppression.share_key="file:{key}"',))
    assert (done.status, "1 entries are not in it" in done.out) == (0, True)
    head, made = bloom.decode(output.read_bytes())
    assert (head["account"], made.entries) == ("main", 0)
    assert run("suppression", "export", "--output", str(output)).status == 2


def test_export_holds_who_was_deleted_since_there_was_a_key(bench: Bench, run: Run, tmp_path: Path) -> None:
    key = Secret("s" * 40, "test:share")
    (tmp_path / "share.key").write_text(key.reveal())
    bench.site = replace(bench.site, suppression=Suppression(share=ShareKey(key)))
    bench.deliver("s2", ("email", "canary-2@example.com"))
    bench.run_to_end()
    output, share = tmp_path / "filter", f'suppression.share_key="file:{tmp_path / "share.key"}"'
    done = said(run("suppression", "export", "--output", str(output), "--json", settings=(share,)))
    assert done == {"bytes": output.stat().st_size, "entries": 1, "left_out": 1}


def test_list_shows_the_entries_and_who_is_there_again(bench: Bench, run: Run) -> None:
    bench.knows("canary-1@example.com")
    bench.pass_time(days=1, hours=1)
    shown = said(run("suppression", "list", "--json"))
    (entry,) = shown["entries"]
    assert (entry["field"], entry["watch"], entry["recognises"]) == ("user.email", "returned", True)
    assert (shown["there_again"], shown["returns"]) == (1, {"not_deleted": 1})
    text = run("suppression", "list").out
    assert entry["id"] in text
    assert "1 are there again, and were not deleted again" in text


def test_list_goes_page_by_page(bench: Bench, run: Run) -> None:
    bench.deliver("s2")
    bench.run_to_end()
    first = said(run("suppression", "list", "--limit", "1", "--json"))
    second = said(run("suppression", "list", "--limit", "1", "--after", first["next"], "--json"))
    assert second["next"] is None
    assert first["entries"][0]["id"] < second["entries"][0]["id"]
    assert f"--after {first['next']}" in run("suppression", "list", "--limit", "1").out


@pytest.mark.parametrize("by", ["identity", "id", "key"])
def test_end_removes_the_entry_the_watch_and_the_value_and_is_on_record(
    bench: Bench, run: Run, types: Type, by: str
) -> None:
    (entry,) = bench.rows(w.suppressions)
    if by == "key":
        with bench.database.write() as connection:
            connection.execute(update(w.suppressions).values(key_check="f" * 64))
    types("canary-1@example.com\n")
    how = {"identity": EMAIL, "id": ("--id", entry.id.upper()), "key": ("--former-key",)}[by]
    assert said(run("suppression", "end", *how, *WHY, "--json")) == {"ended": 1, "not_listed": 0}
    assert bench.rows(w.suppressions) == bench.rows(w.watched) == []
    decided = [(one.action, one.subject, one.actor, one.reason) for one in bench.rows(g.audit)]
    assert decided == [("suppression_ended", entry.id, "operator", "ticket 4711")]


def test_end_says_who_is_not_on_the_list(bench: Bench, run: Run, types: Type) -> None:
    types("other@example.com\n")
    done = run("suppression", "end", *EMAIL, *WHY)
    assert (done.status, done.out) == (1, "0 ended, 1 were not on the list\n")
    assert run("suppression", "end", "--id", "f" * 32, *WHY).status == 1
    assert run("suppression", "end", "--id", "f" * 32, "--former-key", *WHY).status == 2
    assert len(bench.rows(w.suppressions)) == 1


def test_status_counts_who_is_there_again_and_show_says_what_a_follow_on_is_for(bench: Bench, run: Run) -> None:
    bench.knows("canary-1@example.com")
    bench.pass_time(days=1, hours=1)
    assert "1 deleted values are in Lytics again" in run("status").out
    again = WatchRule(Reaction.DELETE)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=again)})
    bench.pass_time(days=7)
    (ours,) = bench.rows(w.follow_ons)
    shown = run("show", ours.request_id)
    assert f"deletes again what came back of request {ours.follows}" in shown.out
    assert "canary" not in shown.out
