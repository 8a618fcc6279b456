"""Writes the tables of docs/doctor.md from the list in connector/doctor/findings.py: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from connector.doctor.findings import KINDS, Level

MARK = "<!-- All below is written by `make docs` from connector/doctor/findings.py. -->\n"
_TITLES = {
    Level.FAIL: "Faults (`fail`)",
    Level.WARN: "Warnings (`warn`)",
    Level.UNKNOWN: "What could not be looked at (`unknown`)",
    Level.OK: "Well (`ok`)",
}


def page(current: str) -> str:
    """Return the page: its hand-written beginning as it stands, and a table for each level."""
    written, mark, _ = current.partition(MARK)
    if not mark:
        raise ValueError("the page has lost the line that its tables begin after")
    return written + MARK + "".join(f"\n## {title}\n\n{_table(level)}" for level, title in _TITLES.items())


def _table(level: Level) -> str:
    rows = (
        f'| <a id="{name}"></a>`{name}` | {_sentence(kind.means)} | {_sentence(kind.mend)} |\n'
        for name, kind in KINDS.items()
        if kind.level is level
    )
    return f"| id | meaning | mend |\n|---|---|---|\n{''.join(rows)}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else "-"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
