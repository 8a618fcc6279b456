"""What must never be seen is not seen, however it is asked."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from typing import Any

import pytest

from connector.private import MASK, Private, Secret

CANARY = "canary-7f3a@example.com"
WRAPPED = [Private(CANARY), Secret(CANARY, "env:NAME")]


@pytest.mark.parametrize("one", WRAPPED)
@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        "{}".format,
        "{!r:>80}".format,
        "{:>80}".format,
        lambda one: f"{one}",
        lambda one: f"{one!s}",
        lambda one: "%s %r" % (one, one),  # noqa: UP031 - one of the ways to show a value
        lambda one: repr([one, {"a": one}, (one,)]),
        lambda one: repr({one: 1}),
        lambda one: logging.LogRecord("x", 20, "p", 1, "%s", (one,), None).getMessage(),
    ],
)
def test_no_way_of_showing_it_shows_the_value(one: Any, shown: Any) -> None:
    assert "canary" not in shown(one)


def test_a_secret_shows_its_id() -> None:
    assert str(Secret(CANARY, "env:NAME")) == "<secret env:NAME>"
    assert str(Private(CANARY)) == MASK


@pytest.mark.parametrize("one", WRAPPED)
def test_a_traceback_does_not_show_it(one: Any) -> None:
    with pytest.raises(ValueError, match=r"<(private|secret env:NAME)>") as caught:
        raise ValueError(one)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    # The name of the constant is in this file's own source lines; its value is not.
    assert CANARY not in shown


@pytest.mark.parametrize("one", WRAPPED)
def test_it_cannot_be_pickled_or_written_as_json(one: Any) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(one)
    with pytest.raises(TypeError):
        json.dumps(one)


@pytest.mark.parametrize("one", WRAPPED)
def test_a_copy_is_the_same_object(one: Any) -> None:
    assert copy.copy(one) is one
    assert copy.deepcopy({"a": [one]})["a"][0] is one


@pytest.mark.parametrize("one", WRAPPED)
def test_it_has_no_other_attribute_to_look_into(one: Any) -> None:
    with pytest.raises(TypeError):
        vars(one)
    assert one.reveal() == CANARY


class TestPrivate:
    def test_equal_values_are_equal_keys(self) -> None:
        assert {Private("a"): 1}[Private("a")] == 1
        assert Private("a") != Private("b")
        assert Private("a") != "a"
        assert hash(Private("a")) != hash("a")

    def test_an_empty_one_is_false(self) -> None:
        assert not Private("")
        assert Private(" ")


class TestSecret:
    @pytest.mark.parametrize("candidate", ["", "wrong", CANARY + " ", CANARY.upper(), "\ud800", "ä"])
    def test_nothing_but_the_secret_matches(self, candidate: str) -> None:
        assert not Secret(CANARY, "env:NAME").matches(candidate)

    @pytest.mark.parametrize("value", [CANARY, "grün-grün-grün"])
    def test_the_secret_matches(self, value: str) -> None:
        secret = Secret(value, "env:NAME")
        assert secret.matches(value)
        assert secret.reveal_bytes() == value.encode()
