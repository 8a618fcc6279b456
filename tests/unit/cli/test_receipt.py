"""`receipt` and `audit`: a receipt is shown, handed out and verified offline; the log is verified and proved."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.proof import note, tree
from connector.proof.keys import SigningKey
from connector.services.proofs import Proofs
from tests.acceptance.journey import ROOT
from tests.support.site import Bench
from tests.unit.cli.conftest import Run

KEY = SigningKey.from_pem((ROOT / "config/sandbox/signing.secret").read_text())
ORIGIN = "consent-connector"


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    made.site = replace(made.site, proofs=Proofs(ORIGIN, KEY))
    made.knows("s1@example.com")
    made.deliver("s1")
    made.run_to_end()
    yield made
    made.database.close()


@pytest.fixture
def keys(run: Run, bench: Bench, tmp_path: Path) -> str:
    file = tmp_path / "jwks.json"
    file.write_text(run("keys", "public").out)
    return str(file)


@pytest.fixture
def file(run: Run, bench: Bench, tmp_path: Path) -> Path:
    out = tmp_path / "receipt.json"
    assert run("receipt", "export", "s1", "--output", str(out)).status == 0
    return out


def test_a_receipt_is_shown(run: Run, bench: Bench) -> None:
    done = run("receipt", "show", "s1")
    assert done.status == 0
    assert f"request   {bench.dossier().request.id}, attempt 1: completed" in done.out
    assert "targets   1: 1 deleted" in done.out
    assert json.loads(run("receipt", "show", "s1", "--json").out)["outcome"] == "completed"


def test_it_is_verified_from_the_file_and_the_keys_alone(run: Run, file: Path, keys: str, tmp_path: Path) -> None:
    nowhere = ("--config", str(tmp_path / "no-such.toml"))
    done = run(*nowhere, "receipt", "verify", str(file), "--keys", keys)
    assert (done.status, done.out.splitlines()[0][:5]) == (0, "holds")
    said = json.loads(run("receipt", "verify", str(file), "--keys", keys, "--json").out)
    assert (said["holds"], said["kid"]) == (True, KEY.public.kid)


@pytest.mark.parametrize("place", [0, 40, -3])
def test_a_flipped_byte_is_refused_by_name(run: Run, file: Path, keys: str, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(bytes(data))
    done = run("receipt", "verify", str(file), "--keys", keys)
    assert done.status == 1
    assert done.out.startswith("does not hold: ")
    said = json.loads(run("receipt", "verify", str(file), "--keys", keys, "--json").out)
    assert (said["holds"], bool(said["flaw"])) == (False, True)


def test_keys_that_are_none_are_named(run: Run, file: Path) -> None:
    done = run("receipt", "verify", str(file), "--keys", str(file))
    assert (done.status, "key_malformed" in done.out) == (1, True)


def test_the_page_for_people_is_written(run: Run, bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "certificate.html"
    assert run("receipt", "export", "s1", "--html", "--output", str(out)).status == 0
    assert out.read_text().startswith("<!DOCTYPE html>")


def test_where_there_is_no_receipt_it_is_said_why(run: Run, bench: Bench) -> None:
    bench.deliver("s2")
    assert "it has not ended" in run("receipt", "show", "s2").err
    assert "it has not ended" in run("receipt", "show", "s1", "--attempt", "2").err
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN))
    bench.run_to_end()
    assert "as soon as a worker runs with proof.signing_keys" in run("receipt", "show", "s2").err
    assert run("receipt", "show", "s3").status == 2


def test_a_kept_receipt_that_was_changed_is_not_shown(run: Run, bench: Bench) -> None:
    with bench.database.write() as connection:
        connection.execute(text("UPDATE receipts SET jws = jws || 'A'"))
    for command in (("show", "s1"), ("export", "s1", "--html")):
        done = run("receipt", *command)
        assert (done.status, "does not hold: signature_wrong" in done.err) == (1, True)


def test_the_log_is_verified_and_the_first_bad_entry_named(run: Run, bench: Bench, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_text(run("audit", "checkpoint").out)
    done = run("audit", "verify", "--checkpoint", str(kept))
    assert (done.status, "5 entries are what they were" in done.out) == (0, True)
    bench.deliver("s2")
    assert "1 moves and decisions wait" in run("audit", "verify").out
    with bench.database.write() as connection:
        connection.execute(text("UPDATE ledger SET entry = replace(entry, 'queued', 'held') WHERE place = 1"))
    done = run("audit", "verify")
    assert (done.status, done.out.splitlines()[0]) == (1, "BAD  entry 1: changed, it does not fit its hashes")
    said = json.loads(run("audit", "verify", "--json").out)
    assert (said["holds"], said["size"]) == (False, 1)


def test_a_checkpoint_that_is_none_of_ours_is_refused(run: Run, bench: Bench, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_bytes(b"\xffnothing")
    done = run("audit", "verify", "--checkpoint", str(kept))
    assert (done.status, "note_malformed" in done.err) == (1, True)


def test_checkpoints_and_proofs_are_printed_for_other_tools(run: Run, bench: Bench) -> None:
    signed = note.read_checkpoint(run("audit", "checkpoint").out, ORIGIN, [KEY.public])
    assert run("audit", "checkpoint", "--key").out.strip() == note.verifier_key(ORIGIN, KEY.public)
    said = json.loads(run("audit", "proof", "--entry", "2").out)
    steps = [note._base64(one, note.Flaw.NOTE_MALFORMED) for one in said["path"]]
    tree.check_inclusion(tree.leaf_hash(said["entry"].encode()), 2, said["size"], steps, signed.root)
    said = json.loads(run("audit", "proof", "--from", "3").out)
    steps = [note._base64(one, note.Flaw.NOTE_MALFORMED) for one in said["path"]]
    old = note._base64(said["from_root"], note.Flaw.NOTE_MALFORMED)
    tree.check_consistency(3, old, said["size"], signed.root, steps)


@pytest.mark.parametrize(
    "wrong", [(), ("--entry", "1", "--from", "1"), ("--entry", "99"), ("--from", "99"), ("--size", "99", "--from", "1")]
)
def test_a_proof_of_what_is_not_there_is_wrong_usage(run: Run, bench: Bench, wrong: tuple[str, ...]) -> None:
    assert run("audit", "proof", *wrong).status == 2


def test_without_a_checkpoint_it_is_said_what_it_needs(run: Run, store_url: str) -> None:
    made = Bench(store_url)
    made.database.close()
    done = run("audit", "checkpoint")
    assert (done.status, "proof.signing_keys" in done.err) == (1, True)


def test_entries_without_a_checkpoint_and_requests_that_are_gone_are_counted(run: Run, bench: Bench) -> None:
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN))
    bench.deliver("s2")
    bench.run_to_end(1)
    with bench.database.write() as connection:
        for name in ("data_keys", "targets", "reports", "history", "deliveries", "identities", "receipts"):
            connection.execute(text(f"DELETE FROM {name}"))
        connection.execute(text("DELETE FROM requests"))
    done = run("audit", "verify")
    assert done.status == 0
    assert "under no signed checkpoint yet" in done.out
    assert "are about requests that are no longer in the store" in done.out


def test_a_new_key_is_written_once_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    done = run("keys", "new-signing", str(path))
    assert done.status == 0
    assert SigningKey.from_pem(path.read_text()).public.kid in done.out
    assert "PRIVATE" not in done.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = run("keys", "new-signing", str(path))
    assert (again.status, "cannot be written" in again.err) == (1, True)
