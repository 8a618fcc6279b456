"""A PostgreSQL that keeps its word: the one given by the environment, else a throw-away server with fsync on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest import mock

import psycopg

from bench.stage import BenchError
from tests.support import postgres

KEEPER: Final = Path(__file__).with_name("durable_keeper.py")


@contextmanager
def durable_store() -> Iterator[str]:
    """Give the URL of an empty database on a server that commits to disk.

    Raises:
        BenchError: no server can be had, or the one given does not commit to disk.
    """
    given = os.environ.get("CONNECTOR_TEST_DATABASE_URL") or os.environ.get("DATABASE_URL", "")
    # The suite's own server is quick because it keeps nothing; the same keeper is run with other settings.
    with mock.patch.object(postgres, "KEEPER", KEEPER):
        try:
            with postgres.running(given) as server:
                _require_durable(server)
                url = server.create()
                try:
                    yield url.replace("postgresql+psycopg:", "postgresql:")
                finally:
                    server.drop(url)
        except postgres.Unavailable as reason:
            raise BenchError(f"no PostgreSQL: {reason}") from None


def _require_durable(server: postgres.Server) -> None:
    with psycopg.connect(postgres.plain(server.url)) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            row = connection.execute(f"SHOW {setting}").fetchone()
            if row is None or row[0] != "on":
                raise BenchError(f"PostgreSQL's {setting} is not on: its commits would cost nothing")
