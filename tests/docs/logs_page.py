"""Writes the tables of docs/logs.md from the lists in connector/observe/words.py: `make docs`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from connector.observe.words import ACTIONS, FIELDS

MARK = "<!-- All below is written by `make docs` from connector/observe/words.py. -->\n"


def page(current: str) -> str:
    """Return the page: its hand-written beginning as it stands, and the tables."""
    written, mark, _ = current.partition(MARK)
    if not mark:
        raise ValueError("the page has lost the line that its tables begin after")
    return f"{written}{MARK}\n## Actions\n\n{_table('action', ACTIONS)}\n## Fields\n\n{_table('field', FIELDS)}"


def _table(heading: str, entries: Mapping[str, str]) -> str:
    rows = (f"| `{name}` | {meaning[0].upper()}{meaning[1:]}. |\n" for name, meaning in entries.items())
    return f"| {heading} | meaning |\n|---|---|\n{''.join(rows)}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
