"""Forget what has no use any more: replay keys of deliveries that their check refuses by now."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connector.services.site import Site
from connector.store import keys

# Rows in one transaction: a delivery that comes in meanwhile waits for no longer than that takes.
_AT_ONCE: Final = 500
# Two machines' clocks may differ, and a check looks at its own.
_MARGIN: Final = timedelta(minutes=10)


def prune(site: Site) -> bool:
    """Forget some; say whether there may be more."""
    before = site.clock.now() - _MARGIN
    with site.database.write() as connection:
        forgotten = keys.prune_replays(connection, before, _AT_ONCE)
    if forgotten:
        site.log.info("replays_pruned", count=forgotten)
    return forgotten == _AT_ONCE
