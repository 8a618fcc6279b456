"""Connections and transactions: one way to read, one way to write, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connector.codes import Code
from connector.errors import Misconfigured, Temporary

BUSY_TIMEOUT_MS = 10_000
_WAL_PAUSE_MS = 10
# Any numbers that nobody else uses in the same PostgreSQL database.
WORKER_LOCK = 0x636F6E6E
SCHEMA_LOCK = 0x636F6E6F


class Database:
    """The store's engine.

    Args:
        url: `sqlite:///PATH` or `postgresql://…` (psycopg 3).
        pool_size: connections kept open per process.
    """

    def __init__(self, url: str, pool_size: int = 20) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # Parameters of failed statements may be personal: they never appear in an exception.
        options: dict[str, Any] = {"hide_parameters": True, "pool_size": pool_size, "max_overflow": 10}
        if self.is_sqlite:
            options["module"] = _sqlite_module()
            options["connect_args"] = {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
            self.file: Path | None = Path(self.url.database or "connector.db")
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # It holds personal values. SQLite gives its other files the same rights.
            self.file.touch(mode=0o600, exist_ok=True)
            self._gate: WriterGate | None = WriterGate(self.file.with_suffix(self.file.suffix + ".writer"))
        else:
            options["pool_pre_ping"] = True
            self.file = None
            self._gate = None
        self.engine: Engine = create_engine(self.url, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection in a read transaction: one snapshot, nothing written."""
        with _translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                # By default every statement would see another moment.
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a write transaction; committed to disk at the end, rolled back on any exception."""
        with _translated():
            if self._gate is None:
                with self.engine.begin() as connection:
                    yield connection
                return
            with self._gate, self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                yield connection

    def check_writable(self) -> None:
        """Raise `Temporary` unless a write transaction can be opened now."""
        with self.write() as connection:
            connection.execute(text("SELECT 1"))

    @contextmanager
    def only_holder(self) -> Iterator[bool]:
        """Try to hold the right to be this store's only worker; give whether it was had.

        A file lock beside the SQLite file, an advisory lock in PostgreSQL: both end with the process that holds them.
        """
        if self.file is not None:
            with _file_lock(self.file.with_suffix(self.file.suffix + ".worker")) as held:
                yield held
            return
        with _translated():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            # The lock belongs to the database session: back in the pool, it would keep the lock.
            connection.detach()
        with connection:
            with _translated():
                held = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": WORKER_LOCK}))
            try:
                yield held
            finally:
                if held:
                    # The end of the session frees it too, but only some time after it was closed.
                    with suppress(Temporary), _translated():
                        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": WORKER_LOCK})

    def close(self) -> None:
        self.engine.dispose()
        if self._gate is not None:
            self._gate.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class WriterGate:
    """A queue in front of SQLite's single writer: a lock within the process, then a file lock between processes.

    Without it a writer that finds the file busy sleeps and polls, and under load some poll for a second while others
    pass them by. With it they line up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._file: Any = None

    def __enter__(self) -> None:
        self._turn.acquire()
        try:
            if self._file is None:
                self._file = self._path.open("wb")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._turn.release()
            raise

    def __exit__(self, *exc_info: object) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._turn.release()

    def close(self) -> None:
        with self._turn:
            if self._file is not None:
                self._file.close()
                self._file = None


@contextmanager
def _file_lock(path: Path) -> Iterator[bool]:
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _sqlite_module() -> Any:
    """Prefer the bundled SQLite: 3.7.0 to 3.51.2 can corrupt a WAL database (https://sqlite.org/wal.html#walresetbug)."""
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        import sqlite3 as dbapi2
    return dbapi2


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: BEGIN is ours (see _begin_sqlite).
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _switch_to_wal(cursor)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Switch the file's journal once and for all.

    For this one lock SQLite does not wait as `busy_timeout` says, so that of several processes that open a new file at
    the same moment all but one would fail.
    """
    for _ in range(BUSY_TIMEOUT_MS // _WAL_PAUSE_MS):
        with suppress(_sqlite_module().OperationalError):
            if cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        time.sleep(_WAL_PAUSE_MS / 1000)
    cursor.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once, so that a transaction never fails halfway for want of it.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    """Translate the library's errors where they enter; `from None`, because their text may quote rows."""
    try:
        yield
    except DBAPIError as error:
        if _is_missing_table(error):
            raise Misconfigured(Code.STORE_OUTDATED) from None
        raise Temporary(Code.STORE_UNAVAILABLE, type(error.orig).__name__) from None
    except (SQLAlchemyError, OSError) as error:
        raise Temporary(Code.STORE_UNAVAILABLE, type(error).__name__) from None


def _is_missing_table(error: DBAPIError) -> bool:
    words = str(error.orig).lower()
    return "no such table" in words or "no such column" in words or type(error.orig).__name__ == "UndefinedTable"
