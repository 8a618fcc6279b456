"""Writes the table of docs/metrics.md from the list in connector/observe/metrics.py: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from connector.observe.metrics import METRICS, PREFIX, Metric

MARK = "<!-- All below is written by `make docs` from connector/observe/metrics.py. -->\n"


def page(current: str) -> str:
    """Return the page: its hand-written beginning as it stands, and the table."""
    written, mark, _ = current.partition(MARK)
    if not mark:
        raise ValueError("the page has lost the line that its table begins after")
    rows = "".join(_row(name, one) for name, one in METRICS.items())
    return f"{written}{MARK}\n## All metrics\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n{rows}"


def _row(name: str, one: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels) or "none"
    return f"| `{PREFIX}{name}` | {one.type} | {labels} | {one.meaning[0].upper()}{one.meaning[1:]}. |\n"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
