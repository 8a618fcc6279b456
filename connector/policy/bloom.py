"""A Bloom filter over keyed hashes, as a file that a dozen lines of any language read (docs/suppression.md).

B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors" (1970), with two hashes that make all
positions (A. Kirsch, M. Mitzenmacher, "Less hashing, same performance", 2006). What is in it is always found; of what
is not, a share as small as was asked for is found too.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

FORMAT: Final = "consent-connector/bloom/1"
_HALF: Final = 8
_BITS: Final = 8
_MOST_HEAD_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class BloomFilter:
    """A finished filter.

    Attributes:
        bits: bit `n` is bit `n % 8` of byte `n // 8`, counted from the least.
        hashes: how many positions each entry has.
        entries: how many are in it.
    """

    bits: bytes
    hashes: int
    entries: int

    def __contains__(self, digest: bytes) -> bool:
        return all(self.bits[at // _BITS] >> at % _BITS & 1 for at in _positions(digest, self.hashes, self.bits))


def build(digests: Iterable[bytes], number: int, false_positives: float) -> BloomFilter:
    """Build a filter.

    Args:
        digests: at least 16 bytes each, that look like random ones.
        number: how many they will be, at least about.
        false_positives: the wanted share of others that are found too, above 0 and below 1.
    """
    wanted = -max(number, 1) * math.log(false_positives) / math.log(2) ** 2
    bits = bytearray(math.ceil(wanted / _BITS))
    hashes = max(1, round(len(bits) * _BITS / max(number, 1) * math.log(2)))
    # An empty list would ask for ever more positions.
    hashes = min(hashes, math.ceil(-math.log2(false_positives)) + 1)
    entries = 0
    for digest in digests:
        entries += 1
        for at in _positions(digest, hashes, bits):
            bits[at // _BITS] |= 1 << at % _BITS
    return BloomFilter(bytes(bits), hashes, entries)


def encode(made: BloomFilter, about: Mapping[str, Any]) -> bytes:
    """Return the file: one line of JSON that says what it is, and the bits.

    Args:
        about: what else the first line says.
    """
    head = {
        **about,
        "format": FORMAT,
        "bits": len(made.bits) * _BITS,
        "hashes": made.hashes,
        "entries": made.entries,
        "sha256": hashlib.sha256(made.bits).hexdigest(),
    }
    return json.dumps(head, sort_keys=True).encode() + b"\n" + made.bits


def decode(data: bytes) -> tuple[Mapping[str, Any], BloomFilter]:
    """Read a file back.

    Raises:
        ValueError: it is not one, or was damaged.
    """
    line, end, bits = data.partition(b"\n")
    head = json.loads(line[:_MOST_HEAD_BYTES]) if end else None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError("no filter of this format")
    if head["bits"] != len(bits) * _BITS or head["sha256"] != hashlib.sha256(bits).hexdigest():
        raise ValueError("the filter was cut or changed")
    return head, BloomFilter(bits, head["hashes"], head["entries"])


def _positions(digest: bytes, hashes: int, bits: bytes | bytearray) -> Iterable[int]:
    first = int.from_bytes(digest[:_HALF], "big")
    # Odd, so that it never stands still.
    step = int.from_bytes(digest[_HALF : 2 * _HALF], "big") | 1
    size = len(bits) * _BITS
    return ((first + turn * step) % size for turn in range(hashes))
