"""The shipped systemd units: read by systemd itself where there is one, and held against what the pages promise."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from connector.cli.main import cli
from tests.docs.pages import ROOT
from tests.support.postgres import IN_CI

UNITS = sorted((ROOT / "config/systemd").glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")


def read(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(path, encoding="utf-8")
    return unit


def test_there_is_one_for_every_process() -> None:
    assert [one.name for one in UNITS] == [
        "connector-upgrade.service",
        "connector-web.service",
        "connector-worker@.service",
    ]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_it_starts_a_command_that_exists_as_nobody_of_importance(path: Path) -> None:
    service = read(path)["Service"]
    program, *words = service["ExecStart"].split()
    assert Path(program).name == "connector"
    command = cli
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    assert service["User"] == "connector"
    assert "CONNECTOR" not in path.read_text(encoding="utf-8").replace("/etc/connector", "")


@pytest.mark.parametrize("path", UNITS[1:], ids=lambda path: path.name)
def test_what_ends_is_started_again_whatever_its_status(path: Path) -> None:
    unit = read(path)
    assert unit["Service"]["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    # `connector web` gives its server ten seconds, a step its call; systemd must not be quicker.
    assert int(unit["Service"]["TimeoutStopSec"]) > 30


@pytest.mark.skipif(ANALYZE is None and not IN_CI, reason="no systemd here")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_finds_no_fault(path: Path, tmp_path: Path) -> None:
    assert ANALYZE is not None
    program = tmp_path / "connector"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / path.name.replace("@", "@1")
    copy.write_text(path.read_text(encoding="utf-8").replace("/opt/connector/bin/connector", str(program)))
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", "--recursive-errors=no", copy],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if path.name.split(".")[0].rstrip("@") in line]
    assert (done.returncode, told) == (0, []), done.stderr
