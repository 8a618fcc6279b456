from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.site import Bench


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    made = Bench(store_url)
    yield made
    made.database.close()


@pytest.fixture
def queue_bench(store_url: str) -> Iterator[Bench]:
    """The same with an account that answers identity-queue."""
    made = Bench(store_url, per_value=True)
    yield made
    made.database.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """For modules whose tests are about decisions, which no database makes: one store is enough there."""
    return f"sqlite:///{tmp_path / 'store.db'}"
