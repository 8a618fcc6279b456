"""The audit log in the store: append under one lock, read back, and the hashes of which proofs are made.

Every entry keeps the hashes of the nodes that it completes (`proof/tree.py`), so that appending and proving read a few
rows by their keys, however long the log is, and no row is ever written twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, func, insert, select, text, update

from connector.codes import Code
from connector.errors import Misconfigured
from connector.proof import tree
from connector.proof.note import Checkpoint
from connector.proof.tree import Node, leaf_hash
from connector.store.columns import AnyRow
from connector.store.guard_tables import audit
from connector.store.insertion import insert_if_new
from connector.store.ledger_tables import checkpoints, ledger, ledger_head
from connector.store.moves import parts
from connector.store.tables import history, requests

_HEX: Final = 2 * tree.HASH_BYTES
_ONLY: Final = 1
_HEAD: Final = select(ledger_head.c.size).where(ledger_head.c.id == _ONLY)
# Word for word as in the indexes that answer it.
_NOT_LOGGED: Final = text("log_index IS NULL")


def lock(connection: Connection) -> int:
    """Keep everybody else from appending until the end of the transaction; return how many entries there are."""
    size = connection.scalar(_HEAD.with_for_update())
    if size is None:
        # Two may find none; the second waits for the first, and then finds its row.
        insert_if_new(connection, ledger_head, {"id": _ONLY, "size": 0}, ("id",))
        size = connection.scalar(_HEAD.with_for_update())
    return int(size or 0)


def append(connection: Connection, size: int, entries: Sequence[bytes]) -> None:
    """Append entries to a log of this size, which `lock` returned; the first one gets the place `size`.

    Raises:
        Misconfigured: the log's last rows are not what they were.
    """
    edge = tree.peaks(size)
    known = nodes(connection, edge)
    frontier = tree.Frontier(size, [known[one] for one in edge])
    rows = []
    for place, entry in enumerate(entries, size):
        completed = frontier.append(leaf_hash(entry))
        rows.append({"place": place, "entry": entry.decode(), "hashes": "".join(one.hex() for one in completed)})
    if rows:
        connection.execute(insert(ledger), rows)
        connection.execute(update(ledger_head).where(ledger_head.c.id == _ONLY).values(size=frontier.size))


def size_of(connection: Connection) -> int:
    """Return how many entries there are."""
    return int(connection.scalar(_HEAD) or 0)


def nodes(connection: Connection, wanted: Collection[Node]) -> Mapping[Node, bytes]:
    """Return the hashes of nodes of the tree.

    Raises:
        Misconfigured: rows of the log are missing, or too short.
    """
    places = {tree.keeper(one) for one in wanted}
    asked = select(ledger.c.place, ledger.c.hashes).where(ledger.c.place.in_(places))
    kept = {row.place: row.hashes for row in connection.execute(asked)} if places else {}
    found = {one: kept.get(tree.keeper(one), "")[_HEX * one[0] : _HEX * (one[0] + 1)] for one in wanted}
    try:
        hashes = {one: bytes.fromhex(hexed) for one, hexed in found.items()}
    except ValueError:
        hashes = {}
    if len(hashes) != len(found) or any(len(one) != tree.HASH_BYTES for one in hashes.values()):
        raise Misconfigured(Code.LOG_DAMAGED, "an entry that has to be there is missing or was changed")
    return hashes


def root_at(connection: Connection, size: int) -> bytes:
    """Return the root that the log had when it had this size; raises `Misconfigured` like `nodes`."""
    return tree.root_of(size, nodes(connection, tree.peaks(size)).__getitem__)


def inclusion(connection: Connection, place: int, size: int) -> list[bytes]:
    """Return the path from an entry to the root at a size; raises `Misconfigured` like `nodes`."""
    known = nodes(connection, tree.nodes_under(tree.inclusion_ranges(place, size)))
    return tree.inclusion_path(place, size, known.__getitem__)


def consistency(connection: Connection, old: int, size: int) -> list[bytes]:
    """Return what shows that the log only grew from one size to another; raises `Misconfigured` like `nodes`."""
    known = nodes(connection, tree.nodes_under(tree.consistency_ranges(old, size)))
    return tree.consistency_path(old, size, known.__getitem__)


def entries(connection: Connection, part: int) -> Iterator[Sequence[AnyRow]]:
    """Give the whole log by its places, so many entries at a time."""
    behind = -1
    while True:
        rows = connection.execute(
            select(ledger).where(ledger.c.place > behind).order_by(ledger.c.place).limit(part)
        ).all()
        if not rows:
            return
        yield rows
        behind = rows[-1].place


def entry(connection: Connection, place: int) -> AnyRow | None:
    """Return one entry, if it is there."""
    return connection.execute(select(ledger).where(ledger.c.place == place)).one_or_none()


def moves_to_log(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """Return moves of requests that the log does not hold yet, in the order in which they were written."""
    return _not_logged(connection, history, limit)


def decisions_to_log(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """Return decisions of operators that the log does not hold yet, in the order in which they were written."""
    return _not_logged(connection, audit, limit)


def _not_logged(connection: Connection, table: Table, limit: int) -> Sequence[AnyRow]:
    # SQLite calls it a walk through the table unless the index is asked for a beginning.
    asked = select(table).where(_NOT_LOGGED, table.c.id > 0).order_by(table.c.id).limit(limit)
    return connection.execute(asked).all()


def note_places(connection: Connection, table: Table, rows: Sequence[AnyRow], first: int) -> None:
    """Write down that rows are in the log, one behind the other."""
    for place, row in enumerate(rows, first):
        connection.execute(update(table).where(table.c.id == row.id).values(log_index=place))


def keep_checkpoint(connection: Connection, size: int, note: str, kid: str, now: datetime) -> None:
    """Keep a signed checkpoint; one of the same size stays."""
    values = {"size": size, "note": note, "kid": kid, "signed_at": now}
    insert_if_new(connection, checkpoints, values, ("size",))


def latest_checkpoint(connection: Connection) -> AnyRow | None:
    """Return the checkpoint of the longest log."""
    # SQLite calls it a walk through the table unless the key is asked for a beginning.
    asked = select(checkpoints).where(checkpoints.c.size > 0).order_by(checkpoints.c.size.desc()).limit(1)
    return connection.execute(asked).one_or_none()


def checkpoint_over(connection: Connection, place: int) -> AnyRow | None:
    """Return the first checkpoint that covers an entry."""
    asked = select(checkpoints).where(checkpoints.c.size > place).order_by(checkpoints.c.size).limit(1)
    return connection.execute(asked).one_or_none()


def checkpoints_within(connection: Connection, above: int, size: int) -> Sequence[AnyRow]:
    """Return the checkpoints of logs longer than `above` and not longer than `size`, the shortest first."""
    asked = select(checkpoints).where(checkpoints.c.size > above, checkpoints.c.size <= size)
    return connection.execute(asked.order_by(checkpoints.c.size)).all()


def is_standing(connection: Connection, signed: Checkpoint, size: int) -> bool:
    """Say whether a log of this size still begins as a checkpoint says; raises `Misconfigured` like `nodes`."""
    return signed.size <= size and root_at(connection, signed.size) == signed.root


def rows_named(connection: Connection, table: Table, ids: Collection[int]) -> Mapping[int, AnyRow]:
    """Return rows of the history, or of the decisions, by their numbers."""
    asked = select(table).where(table.c.id.in_(list(ids)))
    return {row.id: row for row in connection.execute(asked)} if ids else {}


def count_logged(connection: Connection, table: Table) -> tuple[int, int]:
    """Count the rows of a table that claim a place in the log, and those that wait for one."""
    asked = select(func.count(table.c.log_index), func.count()).select_from(table)
    claiming, whole = connection.execute(asked).one()
    return claiming, whole - claiming


def known_requests(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return those of the requests whose record is still in the store."""
    found: set[str] = set()
    for part in parts(ids):
        found |= set(
            connection.scalars(select(requests.c.id).where(requests.c.id.in_(part), requests.c.purged_at.is_(None)))
        )
    return found
