"""Destroy what is personal once nobody needs it any more, and much later the record that was left of it."""

from __future__ import annotations

from typing import Final

from connector.services.site import Site
from connector.states import FINISHED_REQUESTS
from connector.store import leftovers, shredding

# Requests in one transaction: a delivery that comes in meanwhile waits for no longer than that takes.
_AT_ONCE: Final = 100


def shred(site: Site) -> bool:
    """Shred some requests and purge some records; say whether there may be more."""
    return any([_shred(site), _purge(site)])


def _shred(site: Site) -> bool:
    now = site.clock.now()
    found, done = 0, 0
    for state in sorted(FINISHED_REQUESTS):
        before = now - site.retention.of(state)
        with site.database.read() as connection:
            ids = shredding.to_shred(connection, state, before, _AT_ONCE)
        if not ids:
            continue
        with site.database.write() as connection:
            done += shredding.shred(connection, ids, state, before, now)
        found = max(found, len(ids))
    if done:
        # What was deleted is overwritten in the file; what the log still has of it goes here.
        leftovers.truncate_log(site.database)
        site.log.info("requests_shredded", count=done)
    return found == _AT_ONCE and done > 0


def _purge(site: Site) -> bool:
    if site.retention.records is None:
        return False
    now = site.clock.now()
    with site.database.read() as connection:
        ids = shredding.to_purge(connection, now - site.retention.records, _AT_ONCE)
    if ids:
        with site.database.write() as connection:
            shredding.purge(connection, ids, now)
        site.log.info("records_purged", count=len(ids))
    return len(ids) == _AT_ONCE
