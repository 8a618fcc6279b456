"""Every finding of the doctor is on its page, every one can be found, and the page names none that does not exist."""

from __future__ import annotations

import re

import pytest

from connector.doctor.findings import KINDS
from tests.docs.doctor_page import MARK, page
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
CODE = "".join(one.read_text(encoding="utf-8") for one in ROOT.glob("connector/*/doctor.py")) + "".join(
    one.read_text(encoding="utf-8") for one in ROOT.glob("connector/doctor/*.py") if one.name != "findings.py"
)


def test_the_tables_are_those_that_the_list_makes() -> None:
    assert page(PAGE) == PAGE, "run `make docs`"


@pytest.mark.parametrize("name", KINDS)
def test_each_finding_is_on_the_page_and_made_somewhere(name: str) -> None:
    assert f'| <a id="{name}"></a>`{name}` | ' in PAGE.partition(MARK)[2]
    assert f'"{name}"' in CODE


def test_the_findings_that_are_made_are_on_the_list() -> None:
    made = re.findall(r'Finding\(\s*"(\w+)"', CODE)
    assert len(made) > 30
    assert set(made) <= set(KINDS)


def test_what_the_written_part_names_is_on_the_list() -> None:
    named = re.findall(r"\(#([a-z_]+)\)", PAGE.partition(MARK)[0])
    assert named
    assert set(named) <= set(KINDS)


@pytest.mark.parametrize("text", [part for kind in KINDS.values() for part in (kind.means, kind.mend)])
def test_a_text_fits_into_a_cell_of_a_table_and_begins_like_others(text: str) -> None:
    assert not set("|\n") & set(text)
    assert not text.endswith(".")


def test_a_page_without_its_mark_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="the line that its tables begin after"):
        page("# Doctor\n")
