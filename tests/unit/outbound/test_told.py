"""Whoever counts calls is told of each: its answer, or why there was none, and how long it waited and took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import requests
import responses

from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import ConnectorError, Temporary
from connector.outbound import Client

URL = "https://api.example.com/v1/canary@example.com"


class Told:
    def __init__(self) -> None:
        self.calls: list[tuple[str, float, float]] = []

    def __call__(self, code: str, waited_s: float, took_s: float) -> None:
        self.calls.append((code, waited_s, took_s))


@pytest.fixture
def told() -> Told:
    return Told()


def client(told: Told, **given: object) -> Client:
    clock = FixedClock(datetime(2026, 11, 2, tzinfo=UTC))
    return Client("https://api.example.com", clock=clock, told=told, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code"),
    [(200, "2xx"), (204, "2xx"), (302, "3xx"), (404, "4xx"), (429, "remote_rate_limited"), (503, "5xx")],
)
@responses.activate
def test_a_call_is_told_by_the_class_of_its_answer(told: Told, status: int, code: str) -> None:
    responses.get(URL, status=status)
    try:
        client(told).request("GET", "/v1/canary@example.com")
    except ConnectorError:
        assert status in {302, 429}
    ((said, waited, took),) = told.calls
    assert said == code
    assert waited >= 0
    assert took >= 0


@responses.activate
def test_a_call_without_an_answer_is_told_by_its_reason(told: Told) -> None:
    responses.get(URL, body=requests.ConnectionError("canary"))
    with pytest.raises(Temporary):
        client(told).request("GET", "/v1/canary@example.com")
    assert [code for code, _, _ in told.calls] == ["remote_unreachable"]


def test_a_call_that_never_got_its_turn_is_none(told: Told) -> None:
    @contextmanager
    def stopping() -> Iterator[None]:
        raise Temporary(Code.REMOTE_UNREACHABLE)
        yield

    with pytest.raises(Temporary):
        client(told, slot=stopping).request("GET", "/v1")
    assert told.calls == []
