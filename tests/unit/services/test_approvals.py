"""Nothing that has to be approved goes to Lytics before it was, and what was approved is exactly what was shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from connector.policy.approval import Approval, ApprovalMode
from connector.services import approvals, intake
from connector.services.approvals import Preview
from connector.store.audit import Decision, latest
from tests.support.site import Bench, inbound

ALWAYS = Approval(ApprovalMode.ALWAYS)


@pytest.fixture
def asked(bench: Bench) -> Iterator[Bench]:
    bench.with_account(approval=ALWAYS)
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.deliver("s2", ("email", "s2@example.com"), ("loyalty id", "00481516"))
    bench.run_to_end(passes=3)
    return bench


def seen(bench: Bench, examples: int = 9) -> Preview:
    with bench.database.read() as connection:
        return approvals.preview(connection, bench.site.accounts["main"], examples)


def approve(bench: Bench, digest: str) -> int:
    return approvals.approve(bench.database, "main", digest, Decision("operator", "ticket 4711", bench.clock.now()))


def test_it_is_shown_by_field_masked_and_in_numbers(asked: Bench) -> None:
    told = seen(asked)
    email, loyalty = told.parts
    assert (email.table, email.field, email.values, email.requests) == ("user", "email", 2, 2)
    assert email.known == {"present": 1, "absent": 1}
    assert email.examples == ["s***@e***.com", "s***@e***.com"]
    assert (loyalty.field, loyalty.values, loyalty.examples) == ("loyalty_id", 1, ["***16"])
    assert told.waits
    assert told.next_due is not None
    assert seen(asked, 0).parts[0].examples == []


def test_nothing_goes_before_it_is_approved_and_then_exactly_that(asked: Bench) -> None:
    assert asked.lytics.calls == []
    assert "approval_awaited" in asked.log.actions
    digest = seen(asked).digest
    asked.deliver("s3")
    asked.run_to_end(passes=2)
    assert approve(asked, digest) == 3
    asked.run_to_end()
    assert (asked.state("s1"), asked.state("s2"), asked.state("s3")) == ("completed", "completed", "queued")
    assert set(asked.lytics.submitted()) == {"s1@example.com", "s2@example.com", "00481516"}
    with asked.database.read() as connection:
        (note,) = latest(connection, 9)
    assert (note.action, note.subject, note.actor, note.reason) == (
        "approved",
        "account:main",
        "operator",
        "ticket 4711",
    )


def test_a_set_of_which_anything_changed_is_refused(asked: Bench) -> None:
    digest = seen(asked).digest
    asked.deliver("s1", ("loyalty id", "4711"))
    asked.run_to_end(passes=2)
    assert approve(asked, digest) == 0
    asked.run_to_end(passes=2)
    assert asked.lytics.calls == []
    assert approve(asked, seen(asked).digest) == 4


@pytest.mark.parametrize("digest", ["", "nonsense", "00000000000000000000000000000000-0123456789abcdef"])
def test_what_is_no_digest_approves_nothing(asked: Bench, digest: str) -> None:
    assert approve(asked, digest) == 0
    assert approve(asked, seen(asked).digest.replace("-", "-0")) == 0


def test_a_digest_counts_once(asked: Bench) -> None:
    digest = seen(asked).digest
    assert approve(asked, digest) == 3
    assert approve(asked, digest) == 0
    assert seen(asked) == Preview("main", "", waits=True, next_due=None, parts=[])


def test_a_new_attempt_is_approved_anew_and_a_retry_is_not(asked: Bench) -> None:
    asked.lytics.refuses = {"s1@example.com"}
    asked.with_account(batch_max_values=1)
    approve(asked, seen(asked).digest)
    asked.run_to_end()
    assert asked.state("s1") == "failed"
    asked.lytics.refuses = set()
    asked.deliver("s1")
    asked.run_to_end(passes=3)
    assert asked.state("s1") == "queued"
    assert approve(asked, seen(asked).digest) == 1
    asked.run_to_end()
    assert asked.state("s1") == "completed"


def test_the_first_run_is_approved_and_what_follows_is_not_asked_about(bench: Bench) -> None:
    bench.with_account(approval=Approval(ApprovalMode.FIRST_RUN))
    bench.deliver("s1")
    bench.run_to_end(passes=3)
    assert bench.lytics.calls == []
    approve(bench, seen(bench).digest)
    bench.run_to_end()
    bench.deliver("s2")
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("completed", "completed")


def test_a_few_go_by_themselves_and_a_crowd_waits(bench: Bench) -> None:
    bench.with_account(approval=Approval(ApprovalMode.ABOVE, 2))
    for name in ("s1", "s2"):
        bench.deliver(name)
    bench.run_to_end()
    assert bench.state("s2") == "completed"
    for name in ("s3", "s4", "s5"):
        bench.deliver(name)
    bench.run_to_end()
    assert {bench.state(name) for name in ("s3", "s4", "s5")} == {"queued"}
    assert seen(bench).waits
    assert approve(bench, seen(bench).digest) == 3
    bench.run_to_end()
    assert bench.state("s5") == "completed"


def test_nobody_is_named_in_the_log(asked: Bench) -> None:
    approve(asked, seen(asked).digest)
    asked.run_to_end()
    assert "example.com" not in str(asked.log.records)


def asking(bench: Bench, rule: Approval, other: Approval | None = None) -> None:
    """Let the source ask for a person's word; a second one, of the same account, may have a rule of its own."""
    sources = {"onetrust": replace(bench.source, approval=rule)}
    if other is not None:
        sources["other"] = replace(bench.source, name="other", approval=other)
    bench.site = replace(bench.site, sources=sources)


def deliver_to(bench: Bench, source: str, subtask: str) -> None:
    body = json.dumps({"subtask": subtask, "identities": [["email", f"{subtask}@example.com"]]}).encode()
    intake.receive(bench.site, bench.site.sources[source], inbound(body))


def seen_by_source(bench: Bench) -> Preview:
    account = bench.site.accounts["main"]
    with bench.database.read() as connection:
        return approvals.preview(connection, account, 9, approvals.rules_of(bench.site, account).sources)


def test_a_source_may_ask_for_more_than_its_account_and_others_go_on(bench: Bench) -> None:
    asking(bench, ALWAYS, Approval())
    deliver_to(bench, "onetrust", "s1")
    deliver_to(bench, "other", "s2")
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("queued", "completed")
    assert "approval_awaited" in bench.log.actions
    rules = {"main": approvals.rules_of(bench.site, bench.site.accounts["main"])}
    with bench.database.read() as connection:
        assert approvals.awaited(connection, rules) == {"main": 1}
    assert seen_by_source(bench).waits
    assert approve(bench, seen_by_source(bench).digest) == 1
    bench.run_to_end()
    assert bench.state("s1") == "completed"


def test_the_stricter_of_the_two_counts(bench: Bench) -> None:
    bench.with_account(approval=ALWAYS)
    asking(bench, Approval(), Approval(ApprovalMode.ABOVE, 9))
    deliver_to(bench, "onetrust", "s1")
    deliver_to(bench, "other", "s2")
    bench.run_to_end()
    assert (bench.state("s1"), bench.state("s2")) == ("queued", "queued")


def test_a_preview_of_what_goes_by_itself_waits_for_nobody(bench: Bench) -> None:
    bench.with_account(observes=True)
    asking(bench, ALWAYS, Approval())
    deliver_to(bench, "other", "s2")
    bench.run_to_end(2)
    assert seen_by_source(bench).parts
    assert not seen_by_source(bench).waits


def test_the_first_run_of_a_source_is_over_when_a_request_of_it_was_completed(bench: Bench) -> None:
    first = Approval(ApprovalMode.FIRST_RUN)
    asking(bench, first, first)
    deliver_to(bench, "other", "s1")
    bench.run_to_end(3)
    assert bench.lytics.calls == []
    assert approve(bench, seen_by_source(bench).digest) == 1
    bench.run_to_end()
    deliver_to(bench, "other", "s2")
    deliver_to(bench, "onetrust", "s3")
    bench.run_to_end()
    assert (bench.state("s2"), bench.state("s3")) == ("completed", "queued")


def test_a_crowd_of_one_source_waits_and_a_few_of_another_do_not(bench: Bench) -> None:
    asking(bench, Approval(ApprovalMode.ABOVE, 2), Approval(ApprovalMode.ABOVE, 2))
    for name in ("s1", "s2", "s3"):
        deliver_to(bench, "onetrust", name)
    deliver_to(bench, "other", "s4")
    bench.run_to_end()
    assert {bench.state(name) for name in ("s1", "s2", "s3")} == {"queued"}
    assert bench.state("s4") == "completed"
    assert approve(bench, seen_by_source(bench).digest) == 3
    bench.run_to_end()
    assert bench.state("s3") == "completed"
