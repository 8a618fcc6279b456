"""A permanent act is guarded: the fuse and the legal hold, from a callback to what OneTrust and Lytics see."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connector.private import Private
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_state import RESOLUTIONS
from connector.services import fuses, holds
from connector.services.map import map_requests
from connector.services.read_back import read_back
from connector.store.audit import Decision
from connector.store.fuses import Scope
from tests.acceptance.journey import Journey, journey
from tests.acceptance.test_many_workers import Cluster, actions, records
from tests.support.processes import connector, until

# One that the fake OneTrust has for subtasks.
REFUSED = next(one.id for one in RESOLUTIONS if one.type == 20)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Journey]:
    settings = (
        "sources.onetrust.fuse.max_values=4",
        "accounts.main.batch_max_values=3",
        f'sources.onetrust.report.resolutions.rejected="{REFUSED}"',
    )
    with journey(f"sqlite:///{tmp_path / 'store.db'}", *settings) as made:
        yield made


def decision(life: Journey) -> Decision:
    return Decision("operator", "case 17", life.clock.now())


def test_a_flood_of_callbacks_deletes_no_more_than_the_fuse_lets_pass_until_somebody_has_looked(life: Journey) -> None:
    asked = []
    for place in range(10):
        life.knows(f"person-{place}@example.com")
        asked.append(life.ask(f"person-{place}@example.com"))
    life.accept(*asked)
    life.run_for(12, seconds=60)
    assert len(life.submitted()) == 4
    assert len(life.lytics.profiles) == 6
    # Those that wait were told that they are in hand, and nothing else.
    waiting = [one for one in asked if life.status(one) == "IN_PROGRESS"]
    assert len(waiting) == 6
    assert {life.state(one) for one in waiting} == {"queued"}

    assert fuses.resume(life.site.database, Scope.SOURCE, "onetrust", 2, decision(life))
    life.run_until_told(*asked, seconds=60)
    assert {life.status(one) for one in asked} == {"COMPLETED"}
    assert set(life.submitted().values()) == {1}
    assert life.lytics.profiles == []


@pytest.mark.parametrize("when", ["before the callback", "after it was queued"])
def test_whoever_is_under_a_legal_hold_is_kept_and_onetrust_is_told_why_and_not_who(life: Journey, when: str) -> None:
    life.knows("ana@example.com", loyalty_id="00481516")
    life.knows("ben@example.com")
    asked = life.ask("ana@example.com", identifiers={"Loyalty ID": "00481516"})
    other = life.ask("ben@example.com")
    if when == "after it was queued":
        life.accept(asked, other)
        # Everything but the call itself.
        read_back(life.site)
        map_requests(life.site)
        assert life.state(asked) == "queued"
    holds.add(life.site, [Private(" ANA@Example.com")], decision(life))
    if when == "before the callback":
        life.accept(asked, other)
    life.run_until_told(asked, other, seconds=60)
    assert (life.status(asked), life.status(other)) == ("REJECTED", "COMPLETED")
    assert life.submitted() == {("email", "ben@example.com"): 1}
    assert [one.fields["email"] for one in life.lytics.profiles] == ["ana@example.com"]
    assert life.onetrust.history(asked.subtask_id)[-1]["resolutionId"] == REFUSED
    said = life.last_comment(asked)
    assert "At least one identifier is under a legal hold; nothing was deleted." in said
    assert "ana@" not in said.lower()


def command(cluster: Cluster, *arguments: str, given: str = "") -> Any:
    """Give a command as an operator does, and return what it printed."""
    done = subprocess.run(
        connector(*arguments, "--json", settings=cluster.settings),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "person-" not in done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def cluster(tmp_path: Path, postgres_url: str) -> Iterator[Cluster]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        made = Cluster(tmp_path, lytics, onetrust, postgres_url)
        made.settings += [
            "accounts.main.batch_max_values=2",
            "sources.onetrust.fuse.max_values=7",
            "accounts.main.confirm_first_s=0.1",
        ]
        with made.database:
            yield made


def sent(cluster: Cluster) -> Sequence[Any]:
    return list(cluster.lytics.snapshot()["times_submitted"])


@pytest.mark.process
@pytest.mark.postgres
@pytest.mark.soak
def test_several_workers_one_of_them_killed_let_no_more_pass_than_one_would(cluster: Cluster) -> None:
    subtasks = cluster.people(20)
    held = "person-0-0@example.com"
    assert command(cluster, "hold", "add", "--reason", "case 17", given=f"{held.upper()}\n")["added"] == 1
    with ExitStack() as stack:
        web = stack.enter_context(cluster.start("web"))
        workers = [stack.enter_context(cluster.worker()) for _ in range(3)]
        until(cluster.is_up, "the receiver is ready", web)
        assert {one.status for one in cluster.onetrust.fire(subtasks, threads=4)} == {202}
        until(lambda: actions(*workers)["fuse_blown"], "the fuse blows", *workers)
        workers.pop().popen.kill()
        fresh = stack.enter_context(cluster.worker())
        until(lambda: actions(fresh)["fuse_blown"], "a new worker says it too", fresh)
        assert len(sent(cluster)) == 7
        (fuse,) = command(cluster, "status")["fuses"]
        assert (fuse["scope"], fuse["name"], fuse["most"], fuse["counted"]) == ("source", "onetrust", 7, 7)
        (said,) = [one for one in records(fresh) if one["action"] == "fuse_blown"]
        assert (said["level"], said["source"], said["limit"], said["window_s"]) == ("error", "onetrust", 7, 86_400)
        command(cluster, "resume", "--source", "onetrust", "--allow", "20", "--reason", "a campaign")
        until(lambda: set(cluster.statuses()) == {"COMPLETED", "REJECTED"}, "everything is reported", fresh, *workers)
        everything = [web, fresh, *workers]
        assert not [one for one in everything if "person-" in one.text()]
    assert cluster.times_submitted() == {1: 19}
    assert cluster.statuses() == {"COMPLETED": 19, "REJECTED": 1}
    assert [one.fields["email"] for one in cluster.lytics.profiles] == [held]
    last, *_ = command(cluster, "audit")
    assert (last["action"], last["subject"]) == ("fuse_resumed", "source:onetrust +20")
