"""What proofs are held against: the Merkle tree as RFC 9162 defines it, and receipts of made-up requests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from connector.proof import note, receipt, tree
from connector.proof.keys import SigningKey, new_pem
from connector.proof.note import Checkpoint
from connector.proof.receipt import Place

ORIGIN = "log.example.com/erasures"
KEY = SigningKey.from_pem(new_pem(bytes(range(32))))
OTHER_KEY = SigningKey.from_pem(new_pem(bytes(range(1, 33))))


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _smaller_power(number: int) -> int:
    power = 1
    while power * 2 < number:
        power *= 2
    return power


def mth(entries: Sequence[bytes]) -> bytes:
    """Section 2.1.1, the definition as it stands there."""
    if not entries:
        return _hash(b"")
    if len(entries) == 1:
        return _hash(b"\x00" + entries[0])
    k = _smaller_power(len(entries))
    return _hash(b"\x01" + mth(entries[:k]) + mth(entries[k:]))


def path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = _smaller_power(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def consistency(m: int, entries: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """Section 2.1.4.1, for 0 < m <= the number of entries."""
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = _smaller_power(len(entries))
    if m <= k:
        return [*consistency(m, entries[:k], whole), mth(entries[k:])]
    return [*consistency(m - k, entries[k:], False), mth(entries[:k])]


class Log:
    """A log in memory."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.frontier = tree.Frontier()
        self.completed: list[list[bytes]] = []

    def append(self, entry: bytes) -> int:
        self.entries.append(entry)
        self.completed.append(self.frontier.append(tree.leaf_hash(entry)))
        return len(self.entries) - 1

    def node(self, node: tree.Node) -> bytes:
        return self.completed[tree.keeper(node)][node[0]]

    def checkpoint(self, size: int | None = None, key: SigningKey = KEY) -> str:
        size = len(self.entries) if size is None else size
        return note.sign(Checkpoint(ORIGIN, size, tree.root_of(size, self.node)).text(), ORIGIN, key)


def statement(**said: Any) -> dict[str, Any]:
    """Return a small statement."""
    identities = [
        {"hash": "a" * 64, "state": "mapped", "targets": [{"field": "email", "state": "deleted"}]},
        {"hash": "b" * 64, "state": "unmapped", "targets": []},
    ]
    whole: dict[str, Any] = {
        "format": receipt.FORMAT,
        "issuer": ORIGIN,
        "issued_at": "2026-11-02T09:00:00.000000Z",
        "job": "0" * 32,
        "attempt": 1,
        "number": 0,
        "outcome": "completed",
        "identities": identities,
        **said,
    }
    return {"counts": receipt.count(whole["identities"]), **whole}


def receipt_of(said: dict[str, Any], key: SigningKey = KEY, before: int = 5, after: int = 3) -> bytes:
    """Return a receipt of a statement, with so many other entries around its own."""
    log = Log()
    for number in range(before):
        log.append(b"entry %d" % number)
    index = log.append(receipt.entry_of(said))
    for number in range(after):
        log.append(b"later %d" % number)
    steps = tree.inclusion_path(index, len(log.entries), log.node)
    return receipt.assemble(receipt.sign(said, key), Place(index, log.checkpoint(key=key), steps))
