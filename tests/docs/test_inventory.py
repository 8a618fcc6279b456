"""The inventory names every column of the schema and no other, and says of every personal one that it is sealed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from connector.store.columns import Personal
from connector.store.tables import metadata
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/data-inventory.md").read_text(encoding="utf-8")
THREATS = (ROOT / "docs/security.md").read_text(encoding="utf-8")
_HEADINGS = ["column", "what", "why", "protected", "until"]
_PROTECTIONS = {"sealed", "hash", "wrapped", "id", "staff", "open"}


def rows(page: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Give each row of each table's section: the table, the columns that it is about, and the other cells."""
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        table, _, text = section.partition("\n")
        for line in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE):
            names, *cells = line.split(" | ")
            yield table, re.findall(r"`([a-z_0-9]+)`", names), cells


def listed(page: str) -> list[str]:
    return [f"{table}.{name}" for table, names, _ in rows(page) for name in names]


def protection(page: str) -> dict[str, str]:
    return {f"{table}.{name}": cells[2] for table, names, cells in rows(page) for name in names}


COLUMNS = {f"{one.table.name}.{one.name}": one for table in metadata.sorted_tables for one in table.columns}
PERSONAL = {name for name, one in COLUMNS.items() if isinstance(one.type, Personal)}


def test_every_column_is_listed_once_and_no_other() -> None:
    assert sorted(listed(PAGE)) == sorted(COLUMNS)


def test_exactly_the_personal_columns_are_said_to_be_sealed() -> None:
    assert {name for name, said in protection(PAGE).items() if said.startswith("**sealed**")} == PERSONAL
    assert {"identities.sealed_value", "targets.sealed_value", "watched.value"} <= PERSONAL


def test_every_keyed_hash_and_every_wrapped_key_is_called_what_it_is() -> None:
    said = protection(PAGE)
    assert {name for name in COLUMNS if name.endswith("_hash")} <= {one for one in said if "**hash**" in said[one]}
    assert {name for name, one in said.items() if one == "**wrapped**"} == {
        n for n in COLUMNS if n.endswith(".wrapped")
    }


def test_every_row_says_why_how_and_how_long() -> None:
    for table, names, cells in rows(PAGE):
        assert len(cells) == len(_HEADINGS) - 1, (table, names)
        assert cells[0], (table, names)
        assert cells[3], (table, names)
        assert re.match(r"\W*(\w+)", cells[2])[1] in _PROTECTIONS, (table, names)  # type: ignore[index]


@pytest.mark.parametrize("lost", ["identities.sealed_value", "audit.actor", "ledger.entry"])
def test_a_column_that_is_not_listed_would_be_missed(lost: str) -> None:
    table, _, column = lost.partition(".")
    head, begin, rest = PAGE.partition(f"\n## {table}\n")
    spoiled = head + begin + rest.replace(f"`{column}`", "", 1)
    assert set(COLUMNS) - set(listed(spoiled)) == {lost}


def test_each_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[a-z_/0-9]+\.py)`", THREATS))
    assert len(named) > 30
    assert [one for one in named if not (ROOT / one).is_file()] == []
