"""Whatever is dropped, edited, reordered or cut off the audit log is found, and the first bad entry is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, text, update

from connector.proof import note, tree
from connector.proof.note import Checkpoint
from connector.services.audit_check import Checked, check
from connector.services.ledger import keep_ledger
from connector.services.proofs import Proofs
from connector.store import audit, ledger, shredding
from connector.store.audit import Decision
from connector.store.guard_tables import audit as decisions
from connector.store.ledger_tables import checkpoints, ledger_head, receipts
from connector.store.ledger_tables import ledger as entries
from connector.store.tables import history, replays
from tests.support.proofs import KEY, ORIGIN, OTHER_KEY
from tests.support.site import Bench

PROOFS = Proofs(ORIGIN, KEY)


def lived(store_url: str) -> Bench:
    """Return a site with a few ended requests, a decision, and a log about them."""
    bench = Bench(store_url)
    bench.site = replace(bench.site, proofs=PROOFS)
    with bench.database.write() as connection:
        audit.note(connection, Decision("operator", "a reason", bench.clock.now()), "fuse_resumed", "account main")
    for name in ("s1", "s2", "s3"):
        bench.deliver(name)
        bench.run_to_end(4)
    return bench


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = lived(store_url)
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def kept_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = lived(f"sqlite:///{tmp_path_factory.mktemp('log') / 'store.db'}")
    yield made
    made.database.close()


def checked(bench: Bench, *kept: Checkpoint, proofs: Proofs = PROOFS) -> Checked:
    with bench.database.read() as connection:
        return check(connection, proofs, kept)


def first(bench: Bench, *kept: Checkpoint) -> str:
    return (checked(bench, *kept).findings or [""])[0]


def size(bench: Bench) -> int:
    with bench.database.read() as connection:
        return ledger.size_of(connection)


def latest(bench: Bench) -> Checkpoint:
    row = bench.rows(checkpoints)[-1]
    return note.read_checkpoint(row.note, ORIGIN, [KEY.public])


def test_a_log_that_was_left_alone_holds(bench: Bench) -> None:
    found = checked(bench, latest(bench))
    assert found.findings == []
    assert found.size == found.signed == size(bench) > 15
    assert found.checkpoints == len(bench.rows(checkpoints)) > 3
    assert (found.gone, found.waiting) == (0, 0)
    assert found.root == latest(bench).root


def test_a_log_whose_requests_are_gone_holds_all_the_same(bench: Bench) -> None:
    request = bench.dossier("s2").request.id
    with bench.database.write() as connection:
        for name in ("data_keys", "targets", "reports", "history", "deliveries", "replays", "identities"):
            connection.execute(text(f"DELETE FROM {name} WHERE request_id = :id"), {"id": request})
        connection.execute(text("DELETE FROM receipts WHERE request_id = :id"), {"id": request})
        connection.execute(text("DELETE FROM requests WHERE id = :id"), {"id": request})
    found = checked(bench)
    assert found.findings == []
    assert found.gone == 5


def test_records_that_were_removed_in_time_are_no_damage(bench: Bench) -> None:
    """What keeps a recorded call out outlives the record; then the request's own row is still there."""
    ids = [bench.dossier(name).request.id for name in ("s1", "s2")]
    before = len(bench.rows(receipts))
    with bench.database.write() as connection:
        claim = {"source": "onetrust", "replay_hash": "r", "body_digest": "b", "request_id": ids[0]}
        connection.execute(insert(replays).values(**claim, expires_at=None))
        shredding.purge(connection, ids, bench.clock.now())
    found = checked(bench)
    assert found.findings == []
    assert found.gone > 5
    assert len(bench.rows(receipts)) == before - 2


def test_what_the_worker_did_not_log_yet_is_counted(bench: Bench) -> None:
    bench.deliver("s4")
    assert checked(bench).waiting == 1


def edit(place: int) -> Callable[[Connection], object]:
    return lambda c: c.execute(
        text("UPDATE ledger SET entry = replace(entry, 'move', 'mole') WHERE place = :p"), {"p": place}
    )


def drop(place: int) -> Callable[[Connection], object]:
    return lambda c: c.execute(delete(entries).where(entries.c.place == place))


def swap(one: int, other: int) -> Callable[[Connection], object]:
    def swapped(connection: Connection) -> None:
        for old, new in ((one, -1), (other, one), (-1, other)):
            connection.execute(update(entries).where(entries.c.place == old).values(place=new))

    return swapped


def rehash(connection: Connection, rows: list[Any]) -> None:
    """Write the log anew as somebody would who knows how it is made."""
    connection.execute(delete(entries))
    connection.execute(update(ledger_head).values(size=0))
    ledger.append(connection, 0, [one.encode() for one in rows])


@pytest.mark.parametrize("place", [0, 1, 7, -1])
def test_an_edited_entry_is_named(bench: Bench, place: int) -> None:
    place %= size(bench)
    with bench.database.write() as connection:
        connection.execute(update(entries).where(entries.c.place == place).values(entry='{"kind":"other"}'))
    assert first(bench) == f"entry {place}: changed, it does not fit its hashes"


@pytest.mark.parametrize("place", [0, 1, 7])
def test_a_dropped_entry_is_named(bench: Bench, place: int) -> None:
    with bench.database.write() as connection:
        drop(place)(connection)
    assert first(bench) == f"entry {place}: missing"


def test_swapped_entries_are_named(bench: Bench) -> None:
    with bench.database.write() as connection:
        swap(3, 4)(connection)
    assert first(bench).startswith("entry 3: changed")


def test_entries_cut_off_at_the_end_are_named_with_and_without_the_head(bench: Bench) -> None:
    whole = size(bench)
    with bench.database.write() as connection:
        connection.execute(delete(entries).where(entries.c.place >= whole - 2))
    assert first(bench) == f"entry {whole - 2}: the log ends before it, and its head says that it has {whole}"
    with bench.database.write() as connection:
        connection.execute(update(ledger_head).values(size=whole - 2))
    assert first(bench).startswith(f"entry {whole - 2}: missing, a checkpoint was signed over ")
    kept = latest(bench)
    with bench.database.write() as connection:
        connection.execute(delete(checkpoints).where(checkpoints.c.size > whole - 2))
    # Nothing in the store tells any more, except what the cut entries were about.
    assert "claim a place" in first(bench)
    assert first(bench, kept) == f"entry {whole - 2}: missing, a kept checkpoint is over {whole} entries"


def test_a_log_that_was_written_anew_contradicts_its_checkpoints(bench: Bench) -> None:
    rows = [one.entry for one in bench.rows(entries)]
    rows[5] = '{"kind":"other"}'
    with bench.database.write() as connection:
        rehash(connection, rows)
    sizes = [one.size for one in bench.rows(checkpoints)]
    good, bad = max(one for one in sizes if one <= 5), min(one for one in sizes if one > 5)
    assert first(bench) == (
        f"entry {good} or one up to {bad - 1}: changed, the checkpoint over {bad} entries has another root"
    )


def test_a_log_and_checkpoints_written_anew_contradict_a_kept_checkpoint(bench: Bench) -> None:
    kept = latest(bench)
    rows = [one.entry for one in bench.rows(entries)]
    with bench.database.write() as connection:
        rehash(connection, [*rows[:5], *rows[6:], rows[5]])
        connection.execute(delete(checkpoints))
    assert first(bench, kept).endswith(f"a kept checkpoint over {kept.size} entries has another root")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"note": "nothing"}, "note_malformed"),
        ({"note": note.sign(Checkpoint(ORIGIN, 5, bytes(32)).text(), ORIGIN, KEY)}, "it is of another size"),
        ({"note": note.sign(Checkpoint(ORIGIN, 5, bytes(32)).text(), ORIGIN, OTHER_KEY)}, "checkpoint_unsigned"),
    ],
)
def test_a_changed_checkpoint_is_named(bench: Bench, change: dict[str, str], what: str) -> None:
    number = latest(bench).size
    with bench.database.write() as connection:
        connection.execute(update(checkpoints).where(checkpoints.c.size == number).values(**change))
    assert first(bench).startswith(f"checkpoint {number}: ")
    assert what in first(bench)


def test_changed_and_missing_rows_are_named_with_their_entries(bench: Bench) -> None:
    one, other = bench.rows(history)[1:3]
    (issued, *_) = bench.rows(receipts)
    with bench.database.write() as connection:
        connection.execute(update(history).where(history.c.id == one.id).values(reason="another"))
        connection.execute(delete(history).where(history.c.id == other.id))
        connection.execute(update(decisions).values(actor="somebody else"))
        connection.execute(
            update(receipts).where(receipts.c.request_id == issued.request_id).values(jws=f"{issued.jws}A")
        )
    found = checked(bench).findings
    assert f"move {one.id} of request {one.request_id}: changed, entry {one.log_index} says otherwise" in found
    assert f"move {other.id} of request {other.request_id}: missing, entry {other.log_index} holds it" in found
    assert [line for line in found if line.startswith("decision ") and line.endswith("says otherwise")]
    assert [
        line
        for line in found
        if line.startswith(f"receipt of attempt 1 of request {issued.request_id}: signature_wrong")
    ]


def test_missing_decisions_and_receipts_and_swapped_receipts_are_named(bench: Bench) -> None:
    one, other, third = bench.rows(receipts)
    with bench.database.write() as connection:
        connection.execute(delete(decisions))
        connection.execute(delete(receipts).where(receipts.c.request_id == third.request_id))
        connection.execute(update(receipts).where(receipts.c.request_id == one.request_id).values(jws=other.jws))
    found = checked(bench).findings
    assert [line for line in found if line.startswith("decision 1: missing")]
    assert [line for line in found if third.request_id in line and "missing" in line]
    assert [line for line in found if one.request_id in line and "says otherwise" in line]


def test_a_row_that_only_claims_to_be_logged_is_found(bench: Bench) -> None:
    row = bench.rows(history)[0]
    with bench.database.write() as connection:
        forged = {"request_id": row.request_id, "at": row.at, "state": row.state, "attempt": 1, "log_index": 3}
        connection.execute(insert(history), [forged | {"reason": ""}])
    assert "table history" in first(bench)


def test_a_longer_log_is_no_beginning_of_what_the_head_says(bench: Bench) -> None:
    with bench.database.write() as connection:
        connection.execute(update(ledger_head).values(size=4))
    assert first(bench) == f"entry {len(bench.rows(entries))}: the log ends before it, and its head says that it has 4"


def test_without_keys_no_checkpoint_counts(bench: Bench) -> None:
    found = checked(bench, proofs=Proofs(ORIGIN))
    assert len(found.findings) == len(bench.rows(checkpoints)) + len(bench.rows(receipts))
    assert found.signed == 0


def test_a_long_log_is_read_in_parts(bench: Bench) -> None:
    with bench.database.write() as connection:
        ledger.append(connection, ledger.lock(connection), [b'{"kind":"other"}'] * 1200)
    keep_ledger(bench.site)
    told: list[tuple[int, int]] = []
    with bench.database.read() as connection:
        found = check(connection, PROOFS, [], lambda done, of: told.append((done, of)))
    assert found.findings == []
    assert [done for done, _ in told] == [500, 1000, size(bench)]


COLUMNS = st.sampled_from(["entry", "hashes", "note", "jws", "reason", "state", "actor", "size"])
TABLES = {
    "entry": "ledger",
    "hashes": "ledger",
    "note": "checkpoints",
    "jws": "receipts",
    "reason": "history",
    "state": "history",
    "actor": "audit",
    "size": "ledger_head",
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=COLUMNS, data=st.data())
def test_every_changed_character_is_found_and_raises_nothing(kept_bench: Bench, column: str, data: Any) -> None:
    table = TABLES[column]

    class Undone(Exception):
        pass

    with suppress(Undone), kept_bench.database.write() as connection:
        rows = connection.exec_driver_sql(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").all()
        number, value = data.draw(st.sampled_from(list(rows)))
        if column == "state":
            changed = data.draw(st.sampled_from([one for one in ("held", "queued") if one != value]))
        elif column == "size":
            changed = data.draw(st.integers(0, 99).filter(lambda one: one != value))
        else:
            place = data.draw(st.integers(0, len(value)))
            put = data.draw(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=3))
            changed = value[:place] + put + value[place + data.draw(st.integers(0, 3)) :]
        connection.exec_driver_sql(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, number))
        findings = check(connection, PROOFS).findings
        assert bool(findings) == (changed != value)
        raise Undone


def test_the_frontier_of_the_check_is_that_of_the_store(bench: Bench) -> None:
    with bench.database.read() as connection:
        whole = ledger.size_of(connection)
        assert checked(bench).root == ledger.root_at(connection, whole) != tree.EMPTY_ROOT
