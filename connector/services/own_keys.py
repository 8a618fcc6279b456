"""Which keys of our own a site uses, and since when: those that seal personal values, and those that sign proofs."""

from __future__ import annotations

from connector.services.site import Site
from connector.store import own_keys
from connector.store.own_keys import Purpose


def in_use(site: Site) -> dict[Purpose, str]:
    """Return the ids of the keys that seal and sign now; of those that there are."""
    ring, key = site.database.keyring, site.proofs.key
    used = {Purpose.SEALING: ring.current.id} if ring is not None else {}
    return used | ({Purpose.SIGNING: key.public.kid} if key is not None else {})


def note_own_keys(site: Site) -> None:
    """Write down which keys are used, for their age. Settings are read once, so that a start is often enough."""
    with site.database.write() as connection:
        own_keys.note(connection, in_use(site), site.clock.now())
