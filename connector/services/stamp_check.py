"""Hold the stamps that are kept against their checkpoints, and say from which time on others attest the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from connector.proof import stamp
from connector.proof.stamp_token import Authorities
from connector.proof.verdict import Refuted
from connector.store import stamps
from connector.store.columns import AnyRow, Connection


@dataclass(frozen=True, slots=True)
class Attested:
    """What an authority has seen: so many entries, at that time by its clock."""

    size: int
    at: datetime


@dataclass(slots=True)
class Stamped:
    """What came out.

    Attributes:
        count: stamps that hold.
        unchecked: stamps that could not be checked, because nobody's are trusted.
        first, last: the earliest and the latest of them by size; None if none holds.
        findings: what is wrong with others, the shortest log's first.
    """

    count: int = 0
    unchecked: int = 0
    first: Attested | None = None
    last: Attested | None = None
    findings: list[str] = field(default_factory=list)


def check_stamps(connection: Connection, trusted: Authorities | None, size: int, most: int) -> Stamped:
    """Check every stamp of a log up to a size.

    Args:
        trusted: whose stamps count; None if nobody's do.
        most: more findings than that help nobody.
    """
    stamped = Stamped()
    for row in stamps.all_of(connection, size):
        if trusted is None:
            stamped.unchecked += 1
        elif fault := _fault_in(row, trusted):
            if len(stamped.findings) < most:
                stamped.findings.append(f"stamp over {row.size} entries: {fault}")
        else:
            stamped.count += 1
            stamped.last = Attested(row.size, row.stamped_at)
            stamped.first = stamped.first or stamped.last
    return stamped


def _fault_in(row: AnyRow, trusted: Authorities) -> str:
    """Say what is wrong with a stamp that is kept; judged at the time that it names itself."""
    if row.note is None:
        return "its checkpoint is missing"
    try:
        said = stamp.verify(stamps.token_of(row), row.note.encode(), trusted)
    except Refuted as refuted:
        return str(refuted)
    as_kept = (said.at, said.authority) == (row.stamped_at, row.authority)
    return "" if as_kept else "changed, the stamp itself says otherwise"
