from __future__ import annotations

import re

import pytest

from connector.observe.words import ACTIONS, FIELDS
from tests.docs.logs_page import MARK, page
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/logs.md").read_text(encoding="utf-8")


def test_the_tables_are_those_that_the_lists_make() -> None:
    assert page(PAGE) == PAGE, "run `make docs`"


@pytest.mark.parametrize("name", [*ACTIONS, *FIELDS])
def test_each_action_and_field_is_on_the_page(name: str) -> None:
    assert f"\n| `{name}` | " in PAGE.partition(MARK)[2]


def test_what_the_written_part_names_is_on_the_lists() -> None:
    written = PAGE.partition(MARK)[0]
    watched = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.+?) \|", written, re.MULTILINE)))
    assert watched
    assert set(watched) <= set(ACTIONS)
    keys = re.findall(r'"([a-z_]+)":', written)
    assert keys
    assert set(keys) <= set(FIELDS)


@pytest.mark.parametrize("meaning", [*ACTIONS.values(), *FIELDS.values()])
def test_a_meaning_fits_into_a_cell_of_a_table(meaning: str) -> None:
    assert not set("|\n") & set(meaning)


def test_a_page_without_its_mark_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="the line that its tables begin after"):
        page("# Logs\n")
