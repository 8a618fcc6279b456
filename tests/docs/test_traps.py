"""The page of traps names a test for each, and every test that it names is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/traps.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| trap ")]


@pytest.mark.parametrize("row", ROWS, ids=[row[2:60] for row in ROWS])
def test_a_trap_has_an_answer_and_a_test_that_exists(row: str) -> None:
    trap, mark, answer, named = (cell.strip() for cell in row.strip("|").split(" | "))
    assert trap
    assert answer
    assert mark in {"d", "i"}
    found = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", named)
    assert found is not None, named
    path, name = found.groups()
    assert re.search(rf"^ *def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), named
