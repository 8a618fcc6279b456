"""What every test may use: stores to try both databases, and a run that never leaves this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from connector.store import schema
from connector.store.database import Database
from tests.support.network import stay_on_loopback
from tests.support.postgres import IN_CI, Server, Unavailable, missing, running
from tests.support.statements import compile_once

# Where files live in memory, and how much of it has to be free: thousands of stores are written and thrown away.
IN_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 8 * 2**30
STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def pytest_configure() -> None:
    settings.register_profile("local", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
    settings.load_profile("ci" if IN_CI else "local")
    # A developer's own settings must not steer the product under test; a PostgreSQL among them may be lent to it.
    lent = os.environ.pop("DATABASE_URL", "")
    if lent.startswith("postgres"):
        os.environ.setdefault("CONNECTOR_TEST_DATABASE_URL", lent)
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))
    stay_on_loopback()
    compile_once()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One PostgreSQL server for this process of the run, started when the first test asks for it."""
    try:
        with running(os.environ.get("CONNECTOR_TEST_DATABASE_URL", "")) as server:
            yield server
    except Unavailable as reason:
        missing(reason)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh, empty PostgreSQL database."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """The SQLAlchemy URL of a database with the present schema, which others are made from; nobody connects to it."""
    url = postgres_server.create()
    with Database(url, pool_size=1) as database:
        schema.upgrade(database)
    yield url
    postgres_server.drop(url)


@pytest.fixture
def ready_postgres_url(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh PostgreSQL database that has the present schema and no rows."""
    url = postgres_server.create(postgres_template)
    yield url
    postgres_server.drop(url)


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of a fresh store without rows, once for each database that the product supports.

    The schema may be there already, which saves a tenth of a second: `bring_up_to_date` makes it where it is not.
    """
    return _store(request, tmp_path, "ready_postgres_url")


@pytest.fixture(params=STORES)
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of a fresh store without a schema, once for each database that the product supports."""
    return _store(request, tmp_path, "postgres_url")


def _store(request: pytest.FixtureRequest, tmp_path: Path, fixture: str) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue(fixture)
    return url
