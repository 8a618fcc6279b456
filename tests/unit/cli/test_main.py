"""The command group: options, errors and exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from connector import __version__
from connector.cli.context import Context
from connector.cli.main import cli
from tests.acceptance.journey import ROOT
from tests.unit.cli.conftest import Run


def test_help_names_every_command(run: Run) -> None:
    done = run("--help")
    assert done.status == 0
    names = (
        "config",
        "db",
        "demo",
        "keys",
        "map",
        "run",
        "sandbox",
        "send",
        "show",
        "status",
        "verify",
        "web",
        "worker",
    )
    for name in names:
        assert f"\n  {name} " in done.out


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_has_a_help_that_says_what_it_does(run: Run, command: str) -> None:
    done = run(command, "-h")
    assert done.status == 0
    assert done.out.startswith(f"Usage: connector {command}")
    assert cli.commands[command].help


def test_version_is_told(run: Run) -> None:
    assert run("--version").out == f"connector, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [("dance",), ("--loud", "status"), ("show",), ("status", "--xml"), ("demo", "--api", "x")]
)
def test_wrong_usage_is_status_2_and_says_what_is_wrong(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "Usage: connector" in done.err
    assert "Error: " in done.err


def test_an_error_of_the_product_is_its_code_and_status_2(run: Run) -> None:
    done = run("--config", "/nowhere/connector.toml", "status")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("config_invalid: ")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("setting", ["nonsense", "server.port=0", "server.prot=1", "store=1", "=", "log.level=loud"])
def test_a_setting_that_is_none_is_refused(run: Run, setting: str) -> None:
    done = run("status", settings=(setting,))
    assert done.status == 2
    assert done.err.startswith("config_invalid: ")


def test_ctrl_c_is_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.commands, "wait", click.Command("wait", callback=interrupted))
    done = run("wait")
    assert done.status == 130
    assert done.err.endswith("stopped\n")


class TestADefect:
    CANARY = "canary-7f3a@example.com"

    @pytest.fixture(autouse=True)
    def _defect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> None:
            int(self.CANARY)

        monkeypatch.setitem(cli.commands, "broken", click.Command("broken", callback=broken))
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)

    def test_it_is_not_hidden_and_its_text_is_not_shown(self, run: Run) -> None:
        done = run("broken")
        assert (done.status, done.out) == (2, "")
        assert "in broken" in done.err
        assert done.err.splitlines()[-1] == "internal_error: The connector has a defect: ValueError"
        assert self.CANARY not in done.err

    def test_where_there_is_a_log_it_is_told_there(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "excepthook", lambda *_: None)
        with pytest.raises(ValueError, match="canary"):
            run("broken")


class TestSettings:
    def test_a_setting_is_laid_over_the_file(self, run: Run) -> None:
        shown = json.loads(run("config", "show", settings=("server.port=8123", "server.host=::1")).out)
        assert (shown["server"]["port"], shown["server"]["host"]) == (8123, "::1")

    def test_the_command_line_wins_over_what_was_inherited(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONNECTOR_SET", '["server.port=8001", "server.threads=3"]')
        shown = json.loads(run("config", "show", settings=("server.port=8002",)).out)
        assert (shown["server"]["port"], shown["server"]["threads"]) == (8002, 3)

    @pytest.mark.parametrize("text", ["server.port=1", "{}", "[1]", '"x"', ""])
    def test_settings_in_the_environment_that_are_no_list_are_refused(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("CONNECTOR_SET", text)
        done = run("config", "check")
        assert done.status == 2
        assert "CONNECTOR_SET: expected a JSON list of texts" in done.err

    def test_a_child_process_gets_the_file_and_every_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONNECTOR_SET", '["server.threads=3"]')
        environment = Context("config/some.toml", ("server.port=8123", "server.port=8124")).environment
        assert environment["CONNECTOR_CONFIG"] == "config/some.toml"
        assert json.loads(environment["CONNECTOR_SET"]) == ["server.threads=3", "server.port=8123", "server.port=8124"]
        assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.process
def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "connector", "--set", f'store.url="sqlite:///{tmp_path}/s.db"', "config", "check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "config/connector.toml: valid" in done.stdout


def test_a_source_has_to_be_named_when_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context("config/connector.toml", ())
    monkeypatch.setitem(context.__dict__, "config", SimpleNamespace(sources={"b": 1, "a": 2}))
    assert context.pick_source("b") == "b"
    with pytest.raises(click.UsageError, match="--source must be one of: a, b"):
        context.pick_source(None)
