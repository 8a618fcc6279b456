"""Which targets go into one bulk call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Generic, NamedTuple, TypeVar

from connector.private import Private

Item = TypeVar("Item")

# What a call's body holds beside its values: brackets, names, an optional reason. Generous on purpose.
OVERHEAD_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Batch:
    """The values of one bulk call: distinct, in the order given."""

    table: str
    field: str
    values: Sequence[Private]


class FormedBatch(NamedTuple, Generic[Item]):
    """One bulk call to make, and the items that it serves: at least one per value, several where values are equal."""

    batch: Batch
    members: tuple[Item, ...]


class _Open(Generic[Item]):
    """A batch that is being filled. `first` is the place of its first item in the input."""

    __slots__ = ("encoded_bytes", "first", "members_of")

    def __init__(self, first: int) -> None:
        self.first = first
        self.encoded_bytes = OVERHEAD_BYTES
        self.members_of: dict[Private, list[Item]] = {}


def form_batches(
    items: Iterable[Item],
    *,
    max_values: int,
    max_bytes: int,
    key: Callable[[Item], tuple[str, str, Private]],
    size_of: Callable[[str, str, Private], int],
) -> list[FormedBatch[Item]]:
    """Cut items, most urgent first, into batches; every item is in exactly one, and the order is kept.

    Items with the same table, field and value share one place in a batch, that of the first of them. A value that is
    over `max_bytes` all by itself gets a batch of its own: it is for Lytics to refuse, not for us to drop.

    Args:
        max_values: distinct values per batch, at least 1.
        max_bytes: encoded size of a batch, its frame included.
        key: table, field and value of an item.
        size_of: encoded bytes that a value adds to a call for this table and field.
    """
    if max_values < 1:
        raise ValueError("max_values must be at least 1")
    formed: dict[tuple[str, str], list[_Open[Item]]] = {}
    holder: dict[tuple[str, str, Private], list[Item]] = {}
    for place, item in enumerate(items):
        table, field, value = key(item)
        if (table, field, value) in holder:
            holder[table, field, value].append(item)
            continue
        added = size_of(table, field, value)
        batches = formed.setdefault((table, field), [])
        if not batches or _is_full(batches[-1], added, max_values, max_bytes):
            batches.append(_Open(place))
        batches[-1].encoded_bytes += added
        holder[table, field, value] = batches[-1].members_of[value] = [item]
    in_order = sorted(
        ((one.first, group, one) for group, batches in formed.items() for one in batches), key=itemgetter(0)
    )
    return [_close(table, field, one) for _, (table, field), one in in_order]


def _is_full(batch: _Open[Item], added: int, max_values: int, max_bytes: int) -> bool:
    return len(batch.members_of) >= max_values or batch.encoded_bytes + added > max_bytes


def _close(table: str, field: str, batch: _Open[Item]) -> FormedBatch[Item]:
    members = tuple(item for same in batch.members_of.values() for item in same)
    return FormedBatch(Batch(table, field, tuple(batch.members_of)), members)
