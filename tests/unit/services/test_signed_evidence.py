"""Evidence that is the receipt, or the page that restates it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import delete

from connector.proof import receipt
from connector.services.extras import Evidence
from connector.services.proofs import Proofs
from connector.store.ledger_tables import ledger
from tests.support.proofs import KEY, ORIGIN, OTHER_KEY
from tests.support.site import Bench
from tests.support.stand_ins import StandInFiling


@pytest.fixture
def filing(bench: Bench) -> StandInFiling:
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY))
    made = StandInFiling()
    bench.beside(filing=made, evidence=Evidence.RECEIPT)
    return made


def finished(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end()


def test_the_file_is_the_receipt_and_is_named_with_its_digest(bench: Bench, filing: StandInFiling) -> None:
    finished(bench)
    ((_, content),) = filing.files
    assert receipt.verify(content, [KEY.public]).statement["job"] == bench.dossier().request.id
    assert hashlib.sha256(content).hexdigest() in bench.reporter.sent[-1].comment


def test_a_report_that_comes_before_its_receipt_has_it_issued(bench: Bench, filing: StandInFiling) -> None:
    from connector.engine import schedule

    bench.knows("s1@example.com")
    bench.deliver("s1")
    for _ in range(6):
        bench.clock.advance(seconds=61)
        for step in schedule.STEPS:
            if step.name != "ledger":
                step.run(bench.site)
    ((_, content),) = filing.files
    assert receipt.verify(content, [KEY.public]).statement["outcome"] == "completed"


def test_the_file_may_be_the_certificate_for_people(bench: Bench, filing: StandInFiling) -> None:
    bench.beside(filing=filing, evidence=Evidence.CERTIFICATE)
    finished(bench)
    ((_, content),) = filing.files
    assert content.startswith(b"Erasure completed\n")
    assert bench.dossier().request.id.encode() in content
    assert b"s1@example.com" not in content


@pytest.mark.parametrize("cause", ["damaged", "key gone", "no key"])
def test_a_completion_does_not_fail_for_want_of_a_receipt(bench: Bench, filing: StandInFiling, cause: str) -> None:
    bench.reporter.answers = []
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end(1)
    if cause == "damaged":
        with bench.database.write() as connection:
            connection.execute(delete(ledger))
    elif cause == "no key":
        bench.site = replace(bench.site, proofs=Proofs(ORIGIN))
    steps = 12
    for _ in range(steps):
        bench.clock.advance(seconds=601)
        from connector.engine import schedule

        for step in schedule.STEPS:
            if step.name != "ledger":
                step.run(bench.site)
        if cause == "key gone" and bench.dossier().request.finished_at is None:
            continue
    assert bench.state() == "completed"
    if cause == "key gone":
        return
    assert filing.files == []
    assert "evidence_refused" in bench.log.actions
    assert bench.reporter.sent[-1].attachment is None


def test_a_key_that_is_no_longer_known_costs_the_file_and_not_the_report(bench: Bench, filing: StandInFiling) -> None:
    bench.beside()
    finished(bench)
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, OTHER_KEY))
    from connector.errors import Refused
    from connector.services import evidence

    (report,) = [one for one in bench.dossier().reports if one.final]
    with pytest.raises(Refused) as caught:
        evidence._content(bench.site, Evidence.RECEIPT, report, bench.reporter.sent[-1])
    assert caught.value.code == "log_damaged"
