"""What each reason code means and how to mend it: one table for logs, API answers, tests and docs."""

from __future__ import annotations

from typing import Final

from connector.catalogue import access, receiving, remote, store
from connector.codes import Code, Entry

CATALOGUE: Final[dict[Code, Entry]] = {**receiving.ENTRIES, **store.ENTRIES, **remote.ENTRIES, **access.ENTRIES}
