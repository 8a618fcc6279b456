"""What is in a filter is always found; of others, about as few as was asked for; and no damage passes."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.policy import bloom


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@given(st.sets(st.text(), max_size=50))
def test_whatever_was_put_in_is_found(texts: set[str]) -> None:
    made = bloom.build(map(digest, texts), len(texts), 0.01)
    assert all(digest(one) in made for one in texts)
    assert made.entries == len(texts)


@pytest.mark.parametrize("share", [0.1, 0.01, 0.001])
def test_others_are_found_about_as_rarely_as_was_asked_for(share: float) -> None:
    made = bloom.build((digest(f"in-{number}") for number in range(5_000)), 5_000, share)
    wrong = sum(digest(f"out-{number}") in made for number in range(20_000)) / 20_000
    assert share / 3 < wrong < share * 2


def test_an_empty_filter_finds_nobody_and_is_small() -> None:
    made = bloom.build([], 0, 0.001)
    assert digest("anybody") not in made
    assert len(made.bits) < 10
    assert made.hashes <= 11


def test_a_file_is_one_line_of_json_and_the_bits() -> None:
    made = bloom.build([digest("one")], 1, 0.01)
    data = bloom.encode(made, {"account": "main"})
    line, _, bits = data.partition(b"\n")
    head = json.loads(line)
    assert (head["account"], head["format"], head["entries"]) == ("main", "consent-connector/bloom/1", 1)
    assert (head["bits"], bits) == (len(bits) * 8, made.bits)
    assert bloom.decode(data) == (head, made)


def test_another_program_finds_the_same_by_the_page_alone() -> None:
    data = bloom.encode(bloom.build([digest("one")], 1, 0.01), {})
    line, bits = data.split(b"\n", 1)
    head = json.loads(line)

    def is_in(of: bytes) -> bool:
        first, step = int(of.hex()[:16], 16), int(of.hex()[16:32], 16) | 1
        places = [(first + turn * step) % head["bits"] for turn in range(head["hashes"])]
        return all(bits[place // 8] & (1 << place % 8) for place in places)

    assert is_in(digest("one"))
    assert not is_in(digest("two"))


@pytest.mark.parametrize("spoil", ["cut", "flipped", "other", "none"])
def test_a_damaged_file_is_refused(spoil: str) -> None:
    data = bloom.encode(bloom.build([digest("one")], 1, 0.01), {})
    spoilt = {
        "cut": data[:-1],
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "other": data.replace(b"bloom/1", b"bloom/2"),
        "none": b"no filter at all",
    }[spoil]
    with pytest.raises(ValueError, match="filter"):
        bloom.decode(spoilt)
