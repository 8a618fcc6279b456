"""The Merkle tree of RFC 9162, section 2.1, the same as in RFC 6962: SHA-256, 0x00 before a leaf, 0x01 before a node.

A tree of n leaves is made of complete subtrees, one for each 1 in the binary form of n. A node is named by its level
(0 for leaves) and its place from the left, and is known once the last of its leaves is there. Nothing that is known
changes when the tree grows, so that an appended leaf costs as many hashes as it completes nodes, and every proof is
made of known nodes and of what is hashed from them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from connector.proof.verdict import Flaw, Refuted

HASH_BYTES: Final = 32
#: The root of the tree without leaves.
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Node = tuple[int, int]
#: Gives the hash of a complete subtree by its level and place.
Nodes = Callable[[Node], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node from those of its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: all that is needed to append to it.

    Args:
        size: how many leaves there are.
        peaks: the roots of the complete subtrees, the largest first.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> list[bytes]:
        """Append the hash of a leaf; return it and the hash of every node that it completes, from below."""
        completed = [leaf]
        size = self.size
        while size & 1:
            completed.append(node_hash(self.peaks.pop(), completed[-1]))
            size >>= 1
        self.peaks.append(completed[-1])
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the root of the tree as it is now."""
        return _joined(self.peaks)


def peaks(size: int) -> list[Node]:
    """Name the complete subtrees of a tree of this size, the largest first."""
    return list(_covering(0, size))


def keeper(node: Node) -> int:
    """Return the index of the leaf that completes a node."""
    level, place = node
    return ((place + 1) << level) - 1


def root_of(size: int, nodes: Nodes) -> bytes:
    """Return the root of the tree as it was at a size."""
    return _range_hash(0, size, nodes) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the path of a leaf in the tree of this size, from below (RFC 9162, section 2.1.3.1)."""
    return [_range_hash(first, last, nodes) for first, last in inclusion_ranges(index, size)]


def consistency_path(old: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return what shows that the tree of size `old` is the beginning of this one (RFC 9162, section 2.1.4.1)."""
    return [_range_hash(first, last, nodes) for first, last in consistency_ranges(old, size)]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Return the leaves under each step of an inclusion path, as (first, behind the last)."""
    first, last = 0, size
    found = []
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            found.append((middle, last))
            last = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """Return the leaves under each step of a consistency path, as (first, behind the last)."""
    if old in {0, size}:
        return []
    first, last, whole = 0, size, True
    found = []
    while last != old:
        middle = first + _split(last - first)
        if old <= middle:
            found.append((middle, last))
            last = middle
        else:
            found.append((first, middle))
            first, whole = middle, False
    if not whole:
        found.append((first, last))
    return found[::-1]


def nodes_under(ranges: Sequence[tuple[int, int]]) -> list[Node]:
    """Name the complete subtrees from which the hashes of these ranges are made."""
    return [node for first, last in ranges for node in _covering(first, last)]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is in the tree of that size and root (RFC 9162, section 2.1.3.2).

    Raises:
        Refuted: it is not shown.
    """
    if not 0 <= index < size:
        raise Refuted(Flaw.INCLUSION_WRONG, "the entry lies behind the end of the log")
    place, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise Refuted(Flaw.INCLUSION_WRONG, "the path is too long")
        if place & 1 or place == last:
            found = node_hash(step, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    if last or not hmac.compare_digest(found, root):
        raise Refuted(Flaw.INCLUSION_WRONG, "the path does not lead to the root of the checkpoint")


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """Check that a tree is the beginning of another (RFC 9162, section 2.1.4.2).

    Raises:
        Refuted: it is not shown.
    """
    if not 0 <= old <= size:
        raise Refuted(Flaw.CONSISTENCY_WRONG, "the log has become shorter")
    if old in {0, size}:
        same = hmac.compare_digest(old_root, root if old else EMPTY_ROOT)
        if path or not same:
            raise Refuted(Flaw.CONSISTENCY_WRONG, "a log of the same size has another root")
        return
    steps = list(path) if old & (old - 1) else [old_root, *path]
    if not steps:
        raise Refuted(Flaw.CONSISTENCY_WRONG, "the path is empty")
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    was = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise Refuted(Flaw.CONSISTENCY_WRONG, "the path is too long")
        if place & 1 or place == last:
            was, now = node_hash(step, was), node_hash(step, now)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            now = node_hash(now, step)
        place, last = place >> 1, last >> 1
    if last or not hmac.compare_digest(was, old_root) or not hmac.compare_digest(now, root):
        raise Refuted(Flaw.CONSISTENCY_WRONG, "the path leads to other roots")


def _split(width: int) -> int:
    """Return the largest power of two that is smaller than the width."""
    return 1 << ((width - 1).bit_length() - 1)


def _covering(first: int, last: int) -> Iterator[Node]:
    """Name the complete subtrees that make up a range which begins where the largest of them may begin."""
    while first < last:
        level = (last - first).bit_length() - 1
        yield level, first >> level
        first += 1 << level


def _range_hash(first: int, last: int, nodes: Nodes) -> bytes:
    return _joined([nodes(node) for node in _covering(first, last)])


def _joined(subtrees: Sequence[bytes]) -> bytes:
    if not subtrees:
        return EMPTY_ROOT
    found = subtrees[-1]
    for left in subtrees[-2::-1]:
        found = node_hash(left, found)
    return found
