"""Writes docs/errors.md from the catalogue of codes: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from connector.catalogue import CATALOGUE
from connector.codes import Family

HEAD = """# Error codes

Every refusal, problem and waiting reason has one stable code, the same in answers, log records, the status page and
the commands' output. This page is written from `connector/codes.py` by `make docs`.

*HTTP* is the status that the receiver answers with; none means that the code is never the answer to a
delivery. Codes are never renamed.
"""

FAMILIES: dict[Family, tuple[str, str]] = {
    Family.REJECTED: (
        "Rejected",
        "The caller has to change something. Nothing was stored, and the connector does not try again by itself.",
    ),
    Family.TEMPORARY: (
        "Temporary",
        "Nobody's fault. The connector tries again by itself; a sender that is answered 503 repeats its delivery.",
    ),
    Family.REFUSED: (
        "Refused",
        "A remote system said no to one call. Repeating the same call does not help; a person decides.",
    ),
    Family.MISCONFIGURED: (
        "Misconfigured",
        "An operator has to change a setting, a permission or a process. Work waits and nothing is lost.",
    ),
    Family.DEFECT: ("Defect", "A fault of the connector itself. Nothing was changed."),
}


def page() -> str:
    """Return the page's text."""
    parts = [HEAD]
    for family, (title, who_acts) in FAMILIES.items():
        parts.append(f"\n## {title}\n\n{who_acts}\n\n| Code | HTTP | What it means | What to do |\n|---|---|---|---|\n")
        for code, entry in CATALOGUE.items():
            if entry.family is family:
                status = str(entry.status or "none")
                cells = (f'<a id="{code}"></a>`{code}`', status, entry.title, entry.mend)
                parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
