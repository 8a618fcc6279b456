"""Which pseudonym keys beside the present one are needed, for what and until when, and which can go."""

from __future__ import annotations

from collections.abc import Iterator

from connector.crypto.pseudonym import Pseudonymiser
from connector.doctor.findings import Finding
from connector.errors import ConnectorError
from connector.policy.needed_keys import Keeping
from connector.services import pseudonyms
from connector.store import schema
from connector.store.database import Database


def keys(database: Database, pseudonymiser: Pseudonymiser, keeping: Keeping) -> Iterator[Finding]:
    """Look at the other keys; at none where the store cannot be read, which is said by itself."""
    try:
        schema.require_current(database, hashes=False)
        found = pseudonyms.uses(database, pseudonymiser, keeping)
    except ConnectorError:
        return
    for one in found:
        name = one.name or one.id
        if one.hashes:
            continue
        if not one.need.is_needed:
            if one.name:
                yield Finding("pseudonym_key_idle", name)
        elif not one.name:
            yield Finding("pseudonym_key_missing", name, one.counted)
        elif one.need.requests:
            yield Finding("pseudonym_key_in_use", name, one.counted)
        else:
            until = f"; not before {one.until:%Y-%m-%d} can it go" if one.until is not None else ""
            yield Finding("pseudonym_key_needed", name, one.counted + until)
