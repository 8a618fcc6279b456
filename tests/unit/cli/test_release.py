"""`release`: what a person sees of a tangled profile, and lets pass; nobody is named."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from connector.policy.tangle import TangleRule
from tests.support.site import Bench
from tests.unit.cli.conftest import Run

WHY = ("--reason", "ticket 4711", "--by", "operator")


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    made.with_account(observes=True, tangle=TangleRule(1))
    made.knows("canary-7f3a@example.com", "s2@example.com")
    made.lytics.others = {
        "canary-7f3a@example.com": [("email", "canary-a@example.com"), ("email", "canary-b@example.com")],
        "s2@example.com": [("loyalty_id", "canary")],
    }
    made.deliver("s1", ("email", "canary-7f3a@example.com"))
    made.deliver("s2")
    made.run_to_end(passes=2)
    yield made
    made.database.close()


def test_a_person_sees_why_it_is_held_and_how_to_let_it_go(run: Run, bench: Bench) -> None:
    request = bench.dossier("s1").request
    shown = run("show", "s1").out
    assert "tangled_profile" in shown
    assert "2 email" in shown
    assert f"connector release {request.id} --reason WHY" in shown
    assert "connector release" not in run("show", "s2").out
    assert "1 requests are held: tangled_profile" in run("status").out
    assert request.id in run("status", "--list", "9").out
    seen = run("preview").out
    assert "account main: 1 requests are held and not shown here" in seen
    assert "1 profiles with up to 1 loyalty_id" in seen
    (told,) = json.loads(run("preview", "--json").out)
    assert (told["held"], told["parts"][0]["strangers"], told["parts"][0]["tangled"]) == (1, {"loyalty_id": 1}, 1)
    (target,) = json.loads(run("show", "s1", "--json").out)["targets"]
    assert (target["strangers"], target["strangers_in"]) == (2, {"email": 2})
    assert "canary" not in shown + seen


def test_it_is_released_once_and_recorded(run: Run, bench: Bench) -> None:
    request = bench.dossier("s1").request
    done = run("release", "s1", *WHY)
    assert (done.status, done.out) == (0, f"{request.id}: released\n")
    assert bench.state("s1") == "queued"
    audit = run("audit").out
    assert "tangle_released" in audit
    assert f"request:{request.id}" in audit
    again = run("release", "s1", "s2", *WHY)
    assert again.status == 1
    assert f"{request.id}: not released: it is not held" in again.out
    told = json.loads(run("release", "s1", *WHY, "--json").out)
    assert told == {"results": [{"id": request.id, "done": False, "why": "it is not held"}]}


def test_profiles_that_show_nothing_are_counted_in_the_preview(run: Run, bench: Bench) -> None:
    bench.lytics.shows = False
    bench.deliver("s2", ("email", "canary-7f3a@example.com"))
    bench.run_to_end(passes=2)
    assert "2 profiles show no identifier" in run("preview").out


@pytest.mark.parametrize("arguments", [("release",), ("release", "s1"), ("release", "nobody", *WHY)])
def test_wrong_usage_is_told_and_releases_nothing(run: Run, bench: Bench, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2
    assert bench.state("s1") == "held"


def test_an_unknown_one_among_others_releases_none(run: Run, bench: Bench) -> None:
    assert run("release", "s1", "nobody", *WHY).status == 2
    assert bench.state("s1") == "held"
