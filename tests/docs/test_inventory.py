"""The inventory of what is personal names every such column of the schema, and no other."""

from __future__ import annotations

import re

from connector.store import shredding
from connector.store.watch_tables import watched
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/sealed-data.md").read_text(encoding="utf-8")


def test_every_personal_column_has_its_line_and_there_is_no_other() -> None:
    columns = {f"{column.table.name}.{column.name}" for column, _ in shredding.personal_columns()}
    # It belongs to no request, and has a key of its own.
    columns.add(f"{watched.name}.{watched.c.value.name}")
    assert set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", PAGE, re.MULTILINE)) == columns
