"""`access list` and `access export`: nobody is named on the terminal, and the data is taken once."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connector.cli import access
from connector.services.rules import Scope
from connector.store import access_tables as a
from tests.support.site import Bench
from tests.support.stand_ins import StandInReader
from tests.unit.cli.conftest import Run

WHY = ("--reason", "ticket 4711", "--by", "ada")
CANARY = "canary-7f3a@example.com"


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    scope = Scope(frozenset({"data deletion"}), access_types=frozenset({"data access"}))
    made.site = replace(made.site, sources={"onetrust": replace(made.source, scope=scope)})
    made.with_account(reader=StandInReader({("email", CANARY): {"email": CANARY}}))
    made.deliver("s1", ("email", CANARY), types=("Data Access",))
    made.run_to_end(2)
    yield made
    made.database.close()


def request_id(bench: Bench) -> str:
    return str(bench.dossier().request.id)


def test_what_waits_is_listed_without_anybody(bench: Bench, run: Run) -> None:
    done = run("access", "list")
    assert (done.status, "canary" in done.out) == (0, False)
    assert request_id(bench) in done.out
    assert "delivering" in done.out
    (row,) = json.loads(run("access", "list", "--json").out)
    assert (row["state"], row["profiles"], row["redacted"]) == ("delivering", 1, False)


def test_the_data_is_taken_once_into_a_file_for_its_maker_alone(bench: Bench, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ana.json"
    done = run("access", "export", request_id(bench), "--to", str(file), *WHY)
    assert (done.status, "canary" in done.out + done.err) == (0, False)
    content = file.read_bytes()
    assert json.loads(content)["profiles"][0]["content"]["entity"]["email"] == CANARY
    assert hashlib.sha256(content).hexdigest() in done.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bench.state() == "answered"
    assert [row.document for row in bench.rows(a.access_results)] == [None]
    (noted,) = json.loads(run("audit", "--json").out)
    assert (noted["actor"], noted["action"], noted["subject"]) == ("ada", "access_exported", request_id(bench))

    again = run("access", "export", request_id(bench), "--to", str(tmp_path / "again.json"), *WHY)
    assert again.status == 2
    assert "access_data_gone" in again.err or "no data" in again.err
    assert not (tmp_path / "again.json").exists()
    assert run("access", "list", "--json").out.strip() == "[]"


def test_what_became_of_it_is_shown_without_anybody(bench: Bench, run: Run, tmp_path: Path) -> None:
    run("access", "export", request_id(bench), "--to", str(tmp_path / "x"), *WHY)
    done = run("access", "show", request_id(bench))
    assert (done.status, "canary" in done.out) == (0, False)
    assert "exported" in done.out
    said = json.loads(run("access", "show", request_id(bench), "--json").out)
    (answer,), (look_up,) = said["answers"], said["look_ups"]
    assert answer["sha256"] == hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest()
    assert answer["shredded_at"] is not None
    assert "document" not in answer
    assert (look_up["field"], look_up["state"]) == ("email", "found")
    assert not {"value", "profile"} & set(look_up)
    assert run("access", "show", "nobody").status == 2


def test_what_a_payload_asks_for_is_said_before_it_is_sent(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "call.json"
    said = {"subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32", "requestTypes": ["Data Access"]}
    file.write_text(json.dumps(said | {"identifiers": {"email": CANARY}}))
    allowed = ('sources.onetrust.access.types=["Data Access"]', 'sources.onetrust.access.delivery="export"')
    assert "rejected: not_an_erasure" in run("map", str(file)).out
    assert "would be read and handed over" in run("map", str(file), settings=allowed).out
    assert json.loads(run("map", str(file), "--json", settings=allowed).out)["asked"] == "access"
    file.write_text(json.dumps(said | {"requestTypes": ["Data Access", "Data Deletion"]}))
    assert "rejected: access_and_erasure" in run("map", str(file), settings=allowed).out


def test_a_machine_is_told_the_digest(bench: Bench, run: Run, tmp_path: Path) -> None:
    said = json.loads(run("access", "export", request_id(bench), "--to", str(tmp_path / "x"), *WHY, "--json").out)
    assert said["sha256"] == hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest()
    assert said["bytes"] == (tmp_path / "x").stat().st_size


@pytest.mark.parametrize("there", ["file", "link", "no folder"])
def test_a_file_that_cannot_be_made_takes_nothing(bench: Bench, run: Run, tmp_path: Path, there: str) -> None:
    file = tmp_path / "folder" / "ana.json"
    if there != "no folder":
        file.parent.mkdir()
    if there == "file":
        file.write_text("mine")
    if there == "link":
        file.symlink_to(tmp_path / "elsewhere")
    done = run("access", "export", request_id(bench), "--to", str(file), *WHY)
    assert done.status == 1
    assert "the file cannot be made" in done.err
    assert bench.state() == "delivering"
    assert not (tmp_path / "elsewhere").exists()
    assert there != "file" or file.read_text() == "mine"


def test_a_disk_that_is_full_takes_nothing(
    bench: Bench, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(access.os, "fsync", full)
    done = run("access", "export", request_id(bench), "--to", str(tmp_path / "x"), *WHY)
    assert done.status == 1
    assert "No space left" in done.err
    assert not (tmp_path / "x").exists()
    assert bench.state() == "delivering"


def test_what_was_taken_by_somebody_else_meanwhile_is_not_left_in_the_file(
    bench: Bench, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = access._into

    def late(path: Path, kept: list[Path]) -> object:
        keep = written(path, kept)

        def both(content: bytes) -> None:
            keep(content)
            with bench.database.write() as connection:
                connection.execute(a.access_results.update().values(document=None))

        return both

    monkeypatch.setattr(access, "_into", late)
    done = run("access", "export", request_id(bench), "--to", str(tmp_path / "x"), *WHY)
    assert done.status == 2
    assert not (tmp_path / "x").exists()


def test_an_unknown_request_is_said_so(bench: Bench, run: Run, tmp_path: Path) -> None:
    done = run("access", "export", "nobody", "--to", str(tmp_path / "x"), *WHY)
    assert done.status == 2
    assert not (tmp_path / "x").exists()
