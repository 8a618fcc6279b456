from __future__ import annotations

from typing import Any

import pytest

from connector.errors import Misconfigured
from tests.unit.config.trial import BASE, Trial, spoilt


def value_at(trial: Trial, override: str) -> Any:
    at: Any = trial.load(BASE, override).describe()
    for name in override.partition("=")[0].strip().split("."):
        at = at[name]
    return at


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("server.port=8081", 8081),
        (" server.port = 8081 ", 8081),
        ("engine.tick_s=0.5", 0.5),
        ("sources.onetrust.enabled=false", False),
        ('log.level="warning"', "warning"),
        ("log.level=warning", "warning"),
        ("accounts.main.token=env:LYTICS_TOKEN", "env:LYTICS_TOKEN"),
        ("accounts.main.base_url=http://127.0.0.1:8091", "http://127.0.0.1:8091"),
        ("accounts.main.account_id='0042'", "0042"),
        ("accounts.main.account_id=", ""),
        ("server.host=127.0.0.2", "127.0.0.2"),
        ("sources.onetrust.report.subtask_name=a = b", "a = b"),
        ('sources.onetrust.deletion_types=["Data Deletion", "Erasure"]', ["Data Deletion", "Erasure"]),
        ("sources.onetrust.report.resolutions.rejected=00000000-0000-4000-8000-000000000002", None),
        ("accounts.main.body={table_key = 't'}", {"table_key": "t", "field_key": "field", "values_key": "values"}),
    ],
)
def test_a_value_is_toml_or_a_bare_word(trial: Trial, override: str, value: Any) -> None:
    assert value_at(trial, override) == (value if value is not None else override.partition("=")[2])


def test_tables_that_the_file_leaves_out_are_made(trial: Trial) -> None:
    raw = {name: table for name, table in BASE.items() if name != "log"}
    assert trial.load(raw, "log.format=console").log.format == "console"


def test_the_last_of_several_counts(trial: Trial) -> None:
    assert trial.load(BASE, "server.port=1", "server.port=2").server.port == 2


def test_an_override_can_mend_the_file(trial: Trial) -> None:
    raw = spoilt((("server", "port"), "many"))
    assert trial.load(raw, "server.port=8081").server.port == 8081


def test_what_is_laid_over_is_checked_like_the_file(trial: Trial) -> None:
    lines = trial.lines(BASE, "server.port=many", "servr.port=1", "accounts.main.account_id=42")
    assert lines == [
        "accounts.main.account_id: expected text in quotation marks; found 42",
        "server.port: expected a whole number; found text",
        "servr: unknown key; did you mean server?",
    ]


@pytest.mark.parametrize(
    "override",
    [
        "canary-without-a-sign",
        "=canary",
        "server..port=canary",
        ".port=canary",
        "server port=canary",
        "sources.onetrust.verify[0].name=canary",
        'sources."onetrust".enabled=canary',
        "",
    ],
)
def test_what_is_no_path_is_told_by_its_number_alone(trial: Trial, override: str) -> None:
    assert trial.lines(BASE, "server.port=1", override) == [
        "--set, number 2: expected PATH=VALUE with a path such as server.port; a list is set whole"
    ]


def test_an_entry_of_a_list_cannot_be_set(trial: Trial) -> None:
    assert trial.lines(BASE, "sources.onetrust.verify.0.name=X-Canary") == [
        "--set sources.onetrust.verify.0.name: verify is no table; a list is set whole, PATH=[…]"
    ]


def test_nothing_lies_below_a_value(trial: Trial) -> None:
    assert trial.lines(BASE, "server.port.number=1") == [
        "--set server.port.number: port is no table; a list is set whole, PATH=[…]"
    ]


@pytest.mark.parametrize(
    "value", ['"canary', "['canary'", "{canary}", "'canary' x", "1\ncanary = 2", "1\n[canary]", "canary-\udc80"]
)
def test_a_value_that_is_no_toml_is_refused_unseen(trial: Trial, value: str) -> None:
    assert trial.lines(BASE, f"server.host={value}") == [
        "--set server.host: the value is not TOML; text with quotation marks or brackets is quoted as a whole"
    ]


def test_all_overrides_are_told_together_with_the_file(trial: Trial) -> None:
    raw = spoilt((("server", "port"), 0))
    assert len(trial.lines(raw, "x", "server.host=[", "sources.onetrust.verify.0=1")) == 4


@pytest.mark.parametrize("override", ["server.port=0x" + "f" * 6_000, ".".join("a" * 3_000) + "=1"])
def test_what_nests_too_deeply_or_is_too_long_is_told_without_a_traceback(trial: Trial, override: str) -> None:
    with pytest.raises(Misconfigured, match="nested too deeply, or a number has too many digits"):
        trial.load(BASE, override)
