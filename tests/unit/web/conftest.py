from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.web.receiver import Receiver, receiving

PER_MINUTE = 20


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def receiver(sqlite_url: str) -> Iterator[Receiver]:
    with receiving(
        sqlite_url, "server.max_body_bytes=2048", f"sources.onetrust.max_deliveries_per_minute={PER_MINUTE}"
    ) as made:
        yield made
