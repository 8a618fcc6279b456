"""`config check`, `config show`, `config schema`."""

from __future__ import annotations

import json
from pathlib import Path

from connector.sandbox.defaults import LYTICS_TOKEN, ONETRUST_CLIENT_SECRET, WEBHOOK_SECRET
from tests.unit.cli.conftest import Run


def test_check_says_that_the_shipped_file_is_valid_and_touches_no_store(run: Run, tmp_path: Path) -> None:
    done = run("config", "check")
    assert (done.status, done.err) == (0, "")
    assert "valid; 1 source(s), 1 account(s), digest " in done.out
    assert not (tmp_path / "store.db").exists()


def test_check_tells_every_problem_at_once(run: Run) -> None:
    done = run("config", "check", settings=("server.port=0", "server.prot=1", "accounts.main.token=env:NO_SUCH_NAME"))
    assert (done.status, done.out) == (2, "")
    for where in ("server.port", "server.prot", "accounts.main.token"):
        assert where in done.err


def test_show_gives_references_for_secrets(run: Run) -> None:
    done = run("config", "show")
    shown = json.loads(done.out)
    assert shown["accounts"]["main"]["token"] == "file:sandbox/lytics-token.secret"
    assert shown["engine"]["poll_budget"] > 0
    for secret in (LYTICS_TOKEN, ONETRUST_CLIENT_SECRET, WEBHOOK_SECRET):
        assert secret not in done.out


def test_schema_is_a_json_schema(run: Run) -> None:
    said = json.loads(run("config", "schema").out)
    assert {"server", "store", "accounts", "sources"} <= set(said["properties"])
