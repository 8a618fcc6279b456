from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import cli
from connector.errors import Misconfigured
from tests.docs.configuration_page import schema_text
from tests.unit.config.trial import BASE, ENVIRON, Trial, spoilt


def run(trial: Trial, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(trial.file), *arguments], env={**ENVIRON, "CONNECTOR_SET": None})


def test_check_says_what_was_found_and_opens_nothing(trial: Trial) -> None:
    digest = trial.load(spoilt((("store", "url"), "sqlite:///new/store.db"))).digest()
    result = run(trial, "config", "check")
    assert result.output == f"{trial.file}: valid; 1 source(s), 1 account(s), digest {digest[:16]}\n"
    assert [one.name for one in trial.folder.iterdir()] == ["trial.toml"]


def test_check_says_every_problem(trial: Trial) -> None:
    trial.refusal(spoilt((("server", "port"), 0), (("servr",), 1)))
    result = run(trial, "--set", "server.threads=0", "config", "check")
    assert isinstance(result.exception, Misconfigured)
    assert "3 problem(s)" in str(result.exception)


def test_show_prints_every_setting_and_no_secret(trial: Trial) -> None:
    config = trial.load(BASE)
    result = run(trial, "--set", "server.port=8081", "config", "show")
    shown = json.loads(result.output)
    assert shown.pop("server") == config.describe()["server"] | {"port": 8081}
    assert shown == {name: table for name, table in config.describe().items() if name != "server"}
    assert "canary" not in result.output


@pytest.mark.parametrize("exists", [True, False])
def test_schema_prints_the_file_in_config_without_a_configuration(trial: Trial, *, exists: bool) -> None:
    if exists:
        trial.load(BASE)
    assert run(trial, "config", "schema").output == schema_text()
