from __future__ import annotations

import tomllib
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connector.config import schema
from tests.docs.configuration_page import schema_text
from tests.docs.pages import ROOT
from tests.unit.config.trial import BASE, GONE, SOURCE, VERIFY, Place, Trial, spoilt


def faults(raw: Any) -> list[str]:
    return [one.json_path for one in Draft202012Validator(schema()).iter_errors(raw)]


def test_the_file_is_the_schema_of_the_models() -> None:
    assert (ROOT / "config/schema.json").read_text(encoding="utf-8") == schema_text(), "run `make docs`"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", ["connector.toml", "onetrust-lytics.example.toml"])
def test_the_files_beside_it_are_valid_and_name_it(name: str) -> None:
    text = (ROOT / "config" / name).read_text(encoding="utf-8")
    assert faults(tomllib.loads(text)) == []
    assert text.splitlines()[0] == "#:schema schema.json"


def test_it_accepts_what_is_tried_in_these_tests() -> None:
    assert faults(BASE) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("servr",), {}),
        (("server", "port"), 0),
        (("server", "port"), "8080"),
        (("store", "pseudonym_key"), "plain"),
        (("accounts", "Main"), BASE["accounts"]["main"]),
        ((*SOURCE, "verify"), []),
        ((*SOURCE, "verify"), GONE),
        ((*VERIFY, 0, "check"), "none"),
        ((*VERIFY, 0, "zzz"), 1),
        ((*VERIFY, 0, "secrets", 0), "plain"),
    ],
)
def test_an_editor_sees_a_mistake_by_it(trial: Trial, place: Place, value: Any) -> None:
    raw = spoilt((place, value))
    assert faults(raw) != []
    assert trial.lines(raw) != []


def test_every_setting_has_a_meaning() -> None:
    def silent(table: dict[str, Any], path: str) -> list[str]:
        own = table.get("properties", {}).items()
        return [f"{path}.{name}" for name, one in own if not (one.get("description") or "$ref" in one)]

    whole = schema()
    found = [one for name, table in whole["$defs"].items() for one in silent(table, name)]
    assert found + silent(whole, "") == []
