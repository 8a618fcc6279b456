from __future__ import annotations

import pytest

from connector.catalogue import CATALOGUE
from connector.codes import Code, Family
from tests.docs.errors_page import FAMILIES, page
from tests.docs.pages import ROOT


def test_the_page_is_the_one_that_the_catalogue_makes() -> None:
    assert (ROOT / "docs/errors.md").read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("code", Code)
def test_each_code_is_on_the_page_with_its_status_meaning_and_mend(code: Code) -> None:
    entry = CATALOGUE[code]
    rows = [line for line in page().splitlines() if f"`{code}`" in line.split(" | ")[0]]
    assert rows == [f'| <a id="{code}"></a>`{code}` | {entry.status or "none"} | {entry.title} | {entry.mend} |']


@pytest.mark.parametrize("code", Code)
def test_a_code_is_answered_with_a_status_of_its_family(code: Code) -> None:
    entry = CATALOGUE[code]
    allowed = {
        Family.REJECTED: range(400, 500),
        Family.TEMPORARY: (503,),
        Family.MISCONFIGURED: (503,),
        Family.DEFECT: (500,),
    }
    assert entry.status == 0 or entry.status in allowed.get(entry.family, ())


@pytest.mark.parametrize("code", Code)
def test_meaning_and_mend_fit_into_a_cell_of_a_table(code: Code) -> None:
    assert not set("|\n") & set(CATALOGUE[code].title + CATALOGUE[code].mend)


def test_every_family_has_its_section() -> None:
    assert set(FAMILIES) == set(Family)
