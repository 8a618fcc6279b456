from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.policy.batching import OVERHEAD_BYTES, FormedBatch, form_batches
from connector.private import Private


class Waiting(NamedTuple):
    id: int
    table: str
    field: str
    value: str


def size_of(table: str, field: str, value: Private) -> int:
    return len(value.reveal()) + 3


def form(items: list[Waiting], max_values: int = 100, room: int = 10_000) -> list[FormedBatch[Waiting]]:
    return form_batches(
        items,
        max_values=max_values,
        max_bytes=OVERHEAD_BYTES + room,
        key=lambda item: (item.table, item.field, Private(item.value)),
        size_of=size_of,
    )


def emails(*values: str) -> list[Waiting]:
    return [Waiting(number, "user", "email", value) for number, value in enumerate(values)]


def shown(batches: list[FormedBatch[Waiting]]) -> list[tuple[list[str], list[int]]]:
    return [([value.reveal() for value in one.batch.values], [item.id for item in one.members]) for one in batches]


def test_nothing_makes_no_batch() -> None:
    assert form([]) == []


def test_equal_values_share_one_place_in_the_first_one_s_batch() -> None:
    assert shown(form(emails("a", "b", "c", "a", "c"), max_values=2)) == [(["a", "b"], [0, 3, 1]), (["c"], [2, 4])]


def test_each_field_of_each_table_has_its_own_batch() -> None:
    items = [
        Waiting(0, "user", "email", "a"),
        Waiting(1, "user", "phone", "a"),
        Waiting(2, "content", "email", "a"),
        Waiting(3, "user", "email", "b"),
    ]
    formed = form(items)
    assert [(one.batch.table, one.batch.field) for one in formed] == [
        ("user", "email"),
        ("user", "phone"),
        ("content", "email"),
    ]
    assert shown(formed) == [(["a", "b"], [0, 3]), (["a"], [1]), (["a"], [2])]


def test_batches_stand_in_the_order_of_their_most_urgent_member() -> None:
    items = [
        Waiting(0, "user", "email", "a"),
        Waiting(1, "user", "phone", "x"),
        Waiting(2, "user", "email", "b"),
        Waiting(3, "user", "phone", "y"),
    ]
    assert [ids for _, ids in shown(form(items, max_values=1))] == [[0], [1], [2], [3]]


def test_a_batch_is_cut_at_the_number_of_values() -> None:
    assert shown(form(emails("a", "b", "c"), max_values=2)) == [(["a", "b"], [0, 1]), (["c"], [2])]


def test_a_batch_is_filled_to_the_last_byte_and_no_further() -> None:
    assert len(form(emails("aa", "bb"), room=10)) == 1
    assert len(form(emails("aa", "bb"), room=9)) == 2


def test_a_value_that_is_too_large_goes_alone() -> None:
    assert shown(form(emails("a", "x" * 50, "b"), room=20)) == [(["a"], [0]), (["x" * 50], [1]), (["b"], [2])]


@pytest.mark.parametrize("max_values", [0, -1])
def test_a_batch_without_room_is_a_defect(max_values: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        form(emails("a"), max_values=max_values)


ITEMS = st.lists(
    st.tuples(st.sampled_from(["user", "content"]), st.sampled_from(["email", "id"]), st.text("ab", max_size=4)),
    max_size=40,
).map(lambda rows: [Waiting(number, *row) for number, row in enumerate(rows)])


@settings(deadline=None, max_examples=200)
@given(items=ITEMS, max_values=st.integers(1, 5), room=st.integers(0, 25))
def test_every_item_is_in_one_batch_within_the_limits_and_in_order(
    items: list[Waiting], max_values: int, room: int
) -> None:
    formed = form(items, max_values, room)
    assert Counter(item.id for one in formed for item in one.members) == Counter(item.id for item in items)
    sent = [(one.batch.table, one.batch.field, value) for one in formed for value in one.batch.values]
    assert len(sent) == len(set(sent))
    for batch, members in formed:
        assert {(item.table, item.field) for item in members} == {(batch.table, batch.field)}
        assert list(dict.fromkeys(item.value for item in members)) == [value.reveal() for value in batch.values]
        assert 1 <= len(batch.values) <= max_values
        assert len(batch.values) == 1 or sum(size_of("", "", value) for value in batch.values) <= room
    first_seen = {(item.table, item.field, Private(item.value)): item.id for item in reversed(items)}
    heads = [one.members[0].id for one in formed]
    assert heads == sorted(heads)
    for group in {entry[:2] for entry in sent}:
        places = [first_seen[entry] for entry in sent if entry[:2] == group]
        assert places == sorted(places)
