from __future__ import annotations

from pathlib import Path

import pytest

from connector.verify.key_format import KeyFormat
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.scheme import UrlForm
from connector.verify.stamp import TimeUnit
from connector.verify.template import PLACEHOLDERS
from tests.unit.verify.schemes.schemes_page import page, rows

PAGE = Path(__file__).parents[4] / "docs/schemes.md"


def test_the_table_is_the_one_that_the_presets_make() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run python -m tests.unit.verify.schemes.schemes_page docs/schemes.md"


def test_there_is_one_row_for_each_preset_and_each_says_where_it_comes_from() -> None:
    body = list(rows())[2:]
    assert [row[0].strip("`") for row in body] == list(PRESETS)
    assert all(row[5] for row in body)


@pytest.mark.parametrize("word", [*KeyFormat, *UrlForm, *TimeUnit, *Algorithm])
def test_each_value_that_a_scheme_may_have_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(PLACEHOLDERS))
def test_each_placeholder_is_on_the_page(name: str) -> None:
    shown = "{header:NAME}" if name == "header" else f"{{{name}}}"
    assert f"`{shown}`" in PAGE.read_text(encoding="utf-8")
