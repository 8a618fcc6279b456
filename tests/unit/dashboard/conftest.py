from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.site import Bench
from tests.unit.dashboard.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Where the store plays no part, one engine is enough."""
    bench = Bench(f"sqlite:///{tmp_path / 'store.db'}")
    yield Office(bench, tmp_path / "users.json")
    bench.database.close()


@pytest.fixture
def filled(store_url: str, tmp_path: Path) -> Iterator[Office]:
    """An office on either engine, for what is read from the store."""
    bench = Bench(store_url)
    yield Office(bench, tmp_path / "users.json")
    bench.database.close()
