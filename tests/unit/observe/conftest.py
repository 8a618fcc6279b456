from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.observe.log import configure
from connector.ports import Log
from tests.unit.observe.logging_state import logging_restored


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    with logging_restored():
        yield


class Written:
    """A log, and what was written to it."""

    def __init__(self, level: str = "info", style: str = "json") -> None:
        self.stream = io.StringIO()
        self.log: Log = configure("worker", level, style, self.stream)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        (one,) = self.records
        return one


@pytest.fixture
def written() -> Callable[..., Written]:
    return Written
