"""`connector db copy` as an operator gives it: killed at any point, beside a running receiver, and to its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from connector.store import schema
from connector.store.database import Database
from tests.support.killed import PART_ROWS
from tests.support.postgres import plain
from tests.support.processes import ROOT, connector, free_port, started, until
from tests.support.rich_store import contents, rich_bench
from tests.support.site import Bench

pytestmark = [pytest.mark.postgres, pytest.mark.process, pytest.mark.soak]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = rich_bench(tmp_path)
    yield made
    made.database.close()


def copy(bench: Bench, target: str, *options: str, killed_before: tuple[str, int] | None = None) -> Any:
    """Give the command in a process of its own; the target's URL comes from the environment."""
    command = connector("db", "copy", *options, "env:TARGET_URL", settings=[f"store.url={json.dumps(bench.store_url)}"])
    if killed_before is not None:
        words, number = killed_before
        command = [sys.executable, "-m", "tests.support.killed", words, str(number), *command[3:]]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=inherited | {"TARGET_URL": plain(target)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


LAST = 0
# Right before which statement, and the how manieth of its kind.
POINTS = {
    "before the target is marked": ("CREATE TABLE store_copy", 1),
    "before the first row": ("INSERT INTO key_uses", 1),
    "between two parts of a table": ("INSERT INTO requests", 3),
    "after rows, before they are noted": ("UPDATE store_copy", 5),
    "after the last rows, before they are noted": ("UPDATE store_copy", LAST),
    "before the comparison": ('COLLATE "C"', 1),
    "in the comparison": ('COLLATE "C"', 6),
    "while the source is closed": ("CREATE TRIGGER", 7),
    "after the source was closed, before the target is opened": ("pg_get_serial_sequence", 1),
    "at the last statement": ("ANALYZE", 9),
}


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_killed_at_any_point_the_same_command_goes_on_to_the_same_end(
    bench: Bench, postgres_url: str, point: tuple[str, int]
) -> None:
    before = contents(bench)
    bench.database.close()
    parts = sum(-(-len(rows) // PART_ROWS) for rows in before.values())
    killed = copy(bench, postgres_url, killed_before=(point[0], point[1] or parts))
    assert killed.returncode == -signal.SIGKILL
    with Database(postgres_url) as target:
        # Before it is marked, it is a store like any other, and empty.
        unmarked = point == POINTS["before the target is marked"]
        assert schema.current(target) == (schema.newest() if unmarked else schema.COPYING)
    again = copy(bench, postgres_url, "--json")
    assert (again.returncode, again.stderr) == (0, "")
    told = json.loads(again.stdout)
    assert told["equal"]
    assert not told["started_over"]
    assert {one["table"]: one["rows"] for one in told["tables"]} == {name: len(rows) for name, rows in before.items()}
    bench.store_url = postgres_url
    bench.starts_again()
    assert contents(bench) == before
    assert not bench.deliver("new").duplicate


def test_killed_again_and_again_it_gets_further_each_time(bench: Bench, postgres_url: str) -> None:
    before = contents(bench)
    bench.database.close()
    reached = []
    for _ in range(3):
        assert copy(bench, postgres_url, killed_before=("UPDATE store_copy", 7)).returncode == -signal.SIGKILL
        with psycopg.connect(plain(postgres_url)) as connection:
            reached += connection.execute("SELECT sum(row_count) FROM store_copy").fetchone() or ()
    assert reached == sorted(set(reached))
    assert copy(bench, postgres_url).returncode == 0
    bench.store_url = postgres_url
    bench.starts_again()
    assert contents(bench) == before


def test_a_receiver_has_to_be_stopped_and_the_end_says_what_is_left_to_do(
    bench: Bench, postgres_url: str, tmp_path: Path
) -> None:
    port = free_port()
    store = [f"store.url={json.dumps(bench.store_url)}", f"server.port={port}"]
    ready = f"http://127.0.0.1:{port}/health/ready"
    with started(connector("web", settings=store), tmp_path) as receiver:
        until(lambda: is_ready(ready), "the receiver is ready", receiver)
        refused = copy(bench, postgres_url)
        assert refused.returncode == 2
        assert refused.stderr.startswith("copy_refused: ")
        assert "stop `connector web` or `connector run`" in refused.stderr
        assert receiver.terminate() == 0
    done = copy(bench, postgres_url)
    assert done.returncode == 0, done.stderr
    assert 'Set url = "env:TARGET_URL"' in done.stdout
    assert f"{tmp_path / 'store.db'} takes nothing any more" in done.stdout
    assert "sealed values" in done.stdout
    assert "@example.com" not in done.stdout + done.stderr

    for command in ("worker", "run"):
        with started(connector(command, settings=store), tmp_path) as late:
            assert late.wait() == 2
            assert late.text().startswith("store_moved: ")


def is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
