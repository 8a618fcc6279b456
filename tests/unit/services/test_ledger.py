"""What happens is in the audit log once, in order, under one lock; what ended has its receipt, and that holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, update

from connector.errors import Misconfigured
from connector.policy.watching import Reaction, WatchRule
from connector.proof import certificate, note, receipt, tree
from connector.proof.keys import SigningKey
from connector.services import audit_check, receipts
from connector.services.extras import AccessRules, Extras
from connector.services.ledger import keep_ledger
from connector.services.proofs import Proofs
from connector.services.rules import Scope
from connector.store import dead_letters, ledger
from connector.store import receipts as store_receipts
from connector.store.ledger_tables import checkpoints, ledger_head
from connector.store.ledger_tables import ledger as ledger_table
from connector.store.ledger_tables import receipts as receipts_table
from connector.store.tables import deliveries, history, requests
from tests.support.proofs import KEY, ORIGIN, OTHER_KEY, consistency, mth
from tests.support.site import Bench
from tests.support.stand_ins import StandInFiling, StandInReader

CONFIGURATION = "c" * 64


def signing(bench: Bench, key: SigningKey | None = KEY, former: tuple[SigningKey, ...] = ()) -> Bench:
    bench.site = replace(
        bench.site, proofs=Proofs(ORIGIN, key, [one.public for one in former], configuration=CONFIGURATION)
    )
    return bench


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = signing(Bench(store_url))
    yield made
    made.database.close()


def entries(bench: Bench) -> list[bytes]:
    return [one.entry.encode() for one in bench.rows(ledger_table)]


def said(bench: Bench) -> list[dict[str, Any]]:
    return [json.loads(one) for one in entries(bench)]


def receipt_of(bench: Bench, name: str = "s1", attempt: int = 1) -> bytes:
    with bench.database.read() as connection:
        found = receipts.of_attempt(connection, bench.dossier(name).request.id, attempt)
    assert found is not None
    return found


def proven(bench: Bench, name: str = "s1", attempt: int = 1) -> receipt.Proven:
    return receipt.verify(receipt_of(bench, name, attempt), bench.site.proofs.keys)


def test_every_move_is_in_the_log_once_and_in_its_order(bench: Bench) -> None:
    for name in ("s1", "s2"):
        bench.deliver(name)
    bench.run_to_end()
    moves = [one for one in said(bench) if one["kind"] == "move"]
    rows = bench.rows(history)
    assert [one["row"] for one in moves] == [one.id for one in rows]
    assert [(one["request"], one["state"]) for one in moves] == [(one.request_id, str(one.state)) for one in rows]
    places = {one["row"]: place for place, one in enumerate(said(bench)) if one["kind"] == "move"}
    assert {one.id: one.log_index for one in rows} == places


def test_the_stored_hashes_are_those_of_the_definition_at_every_size(bench: Bench) -> None:
    for number in range(7):
        bench.deliver(f"s{number}")
    bench.run_to_end()
    whole = entries(bench)
    assert len(whole) > 20
    with bench.database.read() as connection:
        for size in range(1, len(whole) + 1):
            assert ledger.root_at(connection, size) == mth(whole[:size])
            assert ledger.consistency(connection, size, len(whole)) == consistency(size, whole)
            steps = ledger.inclusion(connection, size - 1, len(whole))
            tree.check_inclusion(tree.leaf_hash(whole[size - 1]), size - 1, len(whole), steps, mth(whole))


def test_nothing_personal_is_in_the_log_or_in_a_receipt(bench: Bench) -> None:
    bench.knows("marker-person@example.com")
    bench.deliver("s1", ("email", "Marker-Person@example.com"), ("loyalty id", "MARKER-77"))
    bench.run_to_end()
    whole = b"\n".join([*entries(bench), receipt_of(bench), str(proven(bench).statement).encode()]).lower()
    assert b"marker" not in whole


def test_a_finished_request_has_one_receipt_that_holds(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.deliver("s1", ("email", "s1@example.com"), ("first name", "Ada"), event="e1")
    bench.run_to_end()
    stated = proven(bench).statement
    dossier = bench.dossier()
    assert (stated["job"], stated["outcome"], stated["attempt"]) == (dossier.request.id, "completed", 1)
    assert stated["counts"] == {
        "identities": {"mapped": 1, "unmapped": 1, "total": 2},
        "targets": {"deleted": 1, "total": 1},
    }
    ((target,),) = [one["targets"] for one in stated["identities"] if one["targets"]]
    assert (target["field"], target["known_before"], target["look_up_after"]) == ("user.email", "present", "absent")
    assert [one["state"] for one in stated["history"]] == ["received", "queued", "working", "completed"]
    ((operation,), (submission,)) = stated["operations"], stated["submissions"]
    assert (operation["remote"], operation["id"]) == (dossier.targets[0].remote_id, target["operation"])
    assert (submission["id"], submission["size"]) == (target["submission"], 1)
    (delivery,) = bench.rows(deliveries)
    assert [(one["check"], one["secret"], one["body"]) for one in stated["verified"]] == [
        ("stand-in", "test:secret", delivery.body_digest)
    ]
    assert (stated["configuration"], stated["mapping"]) == (CONFIGURATION, bench.source.rules.digest)
    assert len([one for one in said(bench) if one["kind"] == "receipt"]) == len(bench.rows(receipts_table)) == 1


def test_a_rejected_request_has_one_too_whose_numbers_add_up(bench: Bench) -> None:
    bench.deliver("s1", test=True)
    bench.run_to_end()
    stated = proven(bench).statement
    assert stated["outcome"] == "rejected"
    assert stated["counts"]["identities"]["total"] == 1


def test_each_attempt_of_a_request_has_its_own(bench: Bench) -> None:
    bench.lytics.refuses = {"s1@example.com"}
    bench.deliver("s1")
    bench.run_to_end()
    bench.lytics.refuses = set()
    first = receipt_of(bench)
    bench.deliver("s1", event="again")
    bench.run_to_end()
    assert proven(bench).statement["outcome"] == "failed"
    assert proven(bench, attempt=2).statement["outcome"] == "completed"
    assert receipt_of(bench) == first
    assert len(bench.rows(receipts_table)) == 2


def test_a_receipt_that_is_late_says_that_the_request_was_begun_again(bench: Bench) -> None:
    signing(bench, None)
    bench.lytics.refuses = {"s1@example.com"}
    bench.deliver("s1")
    bench.run_to_end()
    bench.deliver("s1", event="again")
    signing(bench)
    keep_ledger(bench.site)
    stated = proven(bench).statement
    assert (stated["attempt"], stated["attempt_now"], stated["outcome"]) == (1, 2, "failed")


def test_a_receipt_has_the_same_bytes_however_far_the_log_has_grown(bench: Bench) -> None:
    bench.deliver("s1")
    bench.run_to_end()
    before = receipt_of(bench)
    for number in range(5):
        bench.deliver(f"more-{number}")
        bench.run_to_end(2)
    assert receipt_of(bench) == before


def test_without_a_key_the_log_is_kept_and_receipts_are_owed_until_there_is_one(bench: Bench) -> None:
    signing(bench, None)
    bench.deliver("s1")
    bench.run_to_end()
    assert bench.state() == "completed"
    assert len(entries(bench)) == len(bench.rows(history))
    assert bench.rows(checkpoints) == []
    with bench.database.read() as connection:
        assert receipts.of_attempt(connection, bench.dossier().request.id, 1) is None
    signing(bench)
    keep_ledger(bench.site)
    assert proven(bench).statement["outcome"] == "completed"


def test_a_new_key_signs_from_then_on_and_the_old_one_still_counts(bench: Bench) -> None:
    bench.deliver("s1")
    bench.run_to_end()
    signing(bench, OTHER_KEY, former=(KEY,))
    bench.deliver("s2")
    bench.run_to_end()
    assert proven(bench, "s1").key == KEY.public
    assert proven(bench, "s2").key == OTHER_KEY.public
    assert {one.kid for one in bench.rows(checkpoints)} == {KEY.public.kid, OTHER_KEY.public.kid}


@pytest.mark.parametrize("point", ["sequenced", "logged", "issued"])
def test_whoever_goes_on_after_a_crash_logs_and_issues_nothing_twice(bench: Bench, point: str) -> None:
    class Died(Exception):
        pass

    def dies(reached: str) -> None:
        if reached == point:
            raise Died

    alive = bench.site
    for number in range(3):
        bench.deliver(f"s{number}")
        bench.run_to_end(2)
        bench.site = replace(alive, reached=dies)
        bench.deliver(f"another-{number}")
        with pytest.raises(Died):
            keep_ledger(bench.site)
        bench.starts_again()
        bench.site = replace(bench.site, reached=alive.reached)
        alive = bench.site
    bench.run_to_end()
    rows = [one["row"] for one in said(bench) if one["kind"] == "move"]
    assert sorted(rows) == [one.id for one in bench.rows(history)]
    assert len(rows) == len(set(rows))
    assert all(one.issued_at is not None for one in bench.rows(receipts_table))
    for number in range(3):
        assert proven(bench, f"s{number}").statement["outcome"] == "completed"


def test_many_that_append_at_once_never_fork_the_log(bench: Bench) -> None:
    for number in range(30):
        bench.deliver(f"s{number}")
    with ThreadPoolExecutor(4) as pool:

        def appends(number: int) -> None:
            for part in range(8):
                with bench.database.write() as connection:
                    size = ledger.lock(connection)
                    ledger.append(connection, size, [b'"%d-%d-%d"' % (number, part, one) for one in range(3)])

        done = [pool.submit(appends, number) for number in range(3)]
        done.append(pool.submit(keep_ledger, bench.site))
        for one in done:
            one.result()
    whole = entries(bench)
    assert len(whole) == len(set(whole)) == 3 * 8 * 3 + 30
    assert [one.place for one in bench.rows(ledger_table)] == list(range(len(whole)))
    with bench.database.read() as connection:
        assert ledger.size_of(connection) == len(whole)
        assert ledger.root_at(connection, len(whole)) == mth(whole)


def test_a_checkpoint_is_signed_for_each_run_that_appended_and_is_of_this_log(bench: Bench) -> None:
    bench.deliver("s1")
    bench.run_to_end()
    whole = entries(bench)
    rows = bench.rows(checkpoints)
    assert rows[-1].size == len(whole)
    for one in rows:
        signed = note.read_checkpoint(one.note, ORIGIN, [KEY.public], alone=True)
        assert (signed.size, signed.root) == (one.size, mth(whole[: one.size]))
    keep_ledger(bench.site)
    assert len(bench.rows(checkpoints)) == len(rows)


@pytest.mark.parametrize("change", ["cut", "edited", "unreadable"])
def test_a_log_that_was_changed_is_signed_no_more(bench: Bench, change: str) -> None:
    bench.deliver("s1")
    bench.run_to_end()
    size = len(entries(bench))
    with bench.database.write() as connection:
        if change == "cut":
            connection.execute(delete(ledger_table).where(ledger_table.c.place >= size - 2))
            connection.execute(update(ledger_head).values(size=size - 2))
        elif change == "edited":
            connection.execute(update(ledger_table).where(ledger_table.c.place == 0).values(hashes="0" * 64))
            connection.execute(update(ledger_table).where(ledger_table.c.place == size - 1).values(hashes="0" * 64 * 8))
        else:
            connection.execute(update(checkpoints).values(note="nothing"))
    bench.deliver("s2")
    with pytest.raises(Misconfigured) as caught:
        keep_ledger(bench.site)
    assert caught.value.code == "log_damaged"
    assert len([one for one in bench.rows(checkpoints) if one.size > size]) == 0


def test_an_entry_that_is_missing_keeps_the_log_from_growing(bench: Bench) -> None:
    bench.deliver("s1")
    bench.run_to_end()
    with bench.database.write() as connection:
        connection.execute(delete(ledger_table))
    bench.deliver("s2")
    with pytest.raises(Misconfigured):
        keep_ledger(bench.site)


def test_a_receipt_of_a_request_that_is_gone_is_owed_no_longer(bench: Bench) -> None:
    signing(bench, None)
    bench.deliver("s1", test=True)
    bench.run_to_end()
    with bench.database.write() as connection:
        connection.execute(update(receipts_table).values(request_id="0" * 32))
    signing(bench)
    keep_ledger(bench.site)
    assert bench.rows(receipts_table) == []
    assert "receipt_impossible" in bench.log.actions
    assert len(bench.rows(requests)) == 1


def test_what_is_noted_after_the_end_owes_no_second_receipt(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end()
    request = bench.dossier().request
    for _ in range(2):
        with bench.database.write() as connection:
            dead_letters.note(connection, request, bench.clock.now(), "report_dead: remote_refused")
            dead_letters.note(connection, request, bench.clock.now(), "report_dropped: ticket 4711")
        keep_ledger(bench.site)
    assert len(bench.rows(receipts_table)) == 1
    assert len([one for one in said(bench) if one.get("reason", "").startswith("report_")]) == 4


def test_a_record_that_was_removed_before_its_receipt_has_none(bench: Bench) -> None:
    signing(bench, None)
    bench.deliver("s1")
    bench.run_to_end()
    request_id = bench.dossier().request.id
    with bench.database.write() as connection:
        connection.execute(update(requests).where(requests.c.id == request_id).values(purged_at=bench.clock.now()))
    signing(bench)
    keep_ledger(bench.site)
    assert bench.rows(receipts_table) == []
    assert "receipt_impossible" in bench.log.actions


def test_the_receipt_of_an_access_request_tells_what_was_handed_over_and_not_its_content(bench: Bench) -> None:
    bench.with_account(reader=StandInReader({("email", "s1@example.com"): {"email": "s1@example.com"}}))
    scope = Scope(frozenset({"data deletion"}), access_types=frozenset({"data access"}))
    extras = Extras(access=AccessRules(filing=(filing := StandInFiling())))
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, scope=scope, extras=extras)})
    bench.knows("s1@example.com")
    bench.deliver("s1", types=("Data Access",))
    bench.run_to_end()
    found = proven(bench)
    stated = found.statement
    ((_, content),) = filing.files
    (answer,) = stated["access"]
    assert (stated["outcome"], stated["request"]["kind"], stated["absence"]) == ("answered", "access", None)
    assert (answer["sha256"], answer["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (answer["delivered"], answer["destroyed_at"] is not None) == ("attached", True)
    page = certificate.as_html(found)
    assert "<h1>Access request answered</h1>" in page
    assert "Erasure" not in page
    assert "s1@example.com" not in page + json.dumps(dict(stated))


@pytest.mark.parametrize("reaction", list(Reaction))
def test_an_addendum_says_that_somebody_came_back_and_what_became_of_that(bench: Bench, reaction: Reaction) -> None:
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=WatchRule(reaction))})
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end()
    first = receipt_of(bench)
    bench.knows("s1@example.com")
    bench.pass_time(days=1, hours=1)
    bench.run_to_end(8)
    assert receipt_of(bench) == first
    request_id = bench.dossier().request.id
    with bench.database.read() as connection:
        rows = store_receipts.of_request(connection, request_id)
        assert [(one.attempt, one.number) for one in rows] == [(1, 0), (1, 1)]
        data = receipts.assemble(connection, rows[-1])
    assert data is not None
    stated = receipt.verify(data, bench.site.proofs.keys).statement
    (back,) = stated["returns"]
    assert (stated["number"], stated["outcome"], back["field"]) == (1, "completed", "user.email")
    if reaction is Reaction.ALARM:
        assert (back["state"], back["reason"], back["deleted_by"]) == ("not_deleted", "alarm", None)
    else:
        assert (back["state"], back["reason"]) == ("deleted", "")
        own = {one["request"]: one for one in said(bench) if one["kind"] == "receipt"}
        assert back["deleted_by"] in own
        with bench.database.read() as connection:
            (theirs,) = store_receipts.of_request(connection, back["deleted_by"])
            data = receipts.assemble(connection, theirs)
        assert data is not None
        assert receipt.verify(data, bench.site.proofs.keys).statement["follows"] == request_id
    with bench.database.read() as connection:
        assert audit_check.check(connection, bench.site.proofs).holds


def test_without_a_return_there_is_nothing_to_add(bench: Bench) -> None:
    bench.deliver("s1")
    bench.run_to_end()
    assert proven(bench).statement["returns"] == []
    assert proven(bench).statement["follows"] is None
