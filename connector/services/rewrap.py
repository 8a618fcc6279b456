"""Bring every data key under the first key of the ring, while everything else goes on.

Each part is a transaction of its own: whoever is killed has lost nothing, and whoever begins again goes on where that
was. The values themselves stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connector.codes import Code
from connector.crypto.keyring import Keyring
from connector.errors import Temporary
from connector.store import data_keys, leftovers, vault
from connector.store.columns import Connection
from connector.store.database import Database

# Data keys in one transaction: a delivery that comes in meanwhile waits for no longer than that takes.
_AT_ONCE: Final = 200
#: Told how many are done, and how many there are to do.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A sealing key, and how many data keys are under it.

    Attributes:
        name: the reference under which it is configured; empty for one that is not.
        seals: whether new data keys come under it.
    """

    id: str
    name: str
    seals: bool
    data_keys: int


def uses(database: Database) -> list[KeyUse]:
    """Return the keys of the ring, in its order, and those that the store needs besides."""
    with database.read() as connection:
        ring = vault.keyring_of(connection)
        missing = [one for one in data_keys.kek_ids(connection) if one not in ring.keys]
        names = {one: key.name for one, key in ring.keys.items()} | dict.fromkeys(missing, "")
        return [
            KeyUse(one, name, one == ring.current.id, data_keys.count(connection, one)) for one, name in names.items()
        ]


def rewrap_all(database: Database, tell: Tell) -> int:
    """Bring all data keys under the first key of the ring; return how many were brought.

    Raises:
        Temporary: others kept hold of some of them; the same again goes on with these.
    """
    with database.read() as connection:
        ring = vault.keyring_of(connection)
        total = _others(connection, ring)
    done = 0
    tell(done, total)
    while brought := _rewrap_some(database, ring):
        done += brought
        # What was sealed meanwhile by a process with another ring is brought as well.
        tell(done, max(done, total))
    with database.read() as connection:
        left = _others(connection, ring)
    if left:
        raise Temporary(Code.STORE_BUSY, f"{left} data keys are held by others")
    leftovers.truncate_log(database)
    return done


def _rewrap_some(database: Database, ring: Keyring) -> int:
    with database.write() as connection:
        return data_keys.rewrap(connection, ring, _AT_ONCE)


def _others(connection: Connection, ring: Keyring) -> int:
    found = (one for one in data_keys.kek_ids(connection) if one != ring.current.id)
    return sum(data_keys.count(connection, one) for one in found)
