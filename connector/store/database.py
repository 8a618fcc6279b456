"""Connections and transactions: one way to read, one way to write, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connector.codes import Code
from connector.crypto.keyring import Keyring
from connector.errors import Misconfigured, Temporary

#: How long a writer waits for its turn and for what others hold locked; then it is told to come again.
BUSY_TIMEOUT_MS = 10_000
#: PostgreSQL ends a session that stands still in the middle of a transaction for so long: its process was paused or is
#: gone, and what it holds locked keeps others from taking over its work. Shorter than the silence after which they do.
IDLE_TIMEOUT_MS = 5_000
# A look at whether the store can be written takes no longer: somebody is waiting for the answer.
_LOOK_TIMEOUT_MS = 2_000
_WAL_PAUSE_MS = 10
_GATE_LOOK_S = 0.0005
# Any numbers that nobody else uses in the same PostgreSQL database.
WORKER_LOCK = 0x636F6E6E
SCHEMA_LOCK = 0x636F6E6F
# The tables that take in a delivery.
_RECEIVING = ("requests", "deliveries", "replays", "identities", "history")


class Database:
    """The store's engine.

    Args:
        url: `sqlite:///PATH` or `postgresql://…` (psycopg 3).
        pool_size: connections kept open per process.
        keyring: seals and opens personal values (`store.vault`); without one, everything else can be looked at.
    """

    def __init__(self, url: str, pool_size: int = 20, keyring: Keyring | None = None) -> None:
        self.url = make_url(url)
        self.keyring = keyring
        #: The ids of the keys that hashes are recognised under; None where nobody asks.
        self.pseudonym_keys: Collection[str] | None = None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # Parameters of failed statements may be personal: they never appear in an exception.
        options: dict[str, Any] = {"hide_parameters": True, "pool_size": pool_size, "max_overflow": 10}
        options["execution_options"] = {"keyring": keyring}
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
        else:
            event.listen(self.engine, "connect", _prepare_postgresql)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection in a read transaction: one snapshot, nothing written."""
        with translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                # By default every statement would see another moment.
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, patience_ms: int | None = None) -> Iterator[Connection]:
        """Give a connection in a write transaction; committed to disk at the end, rolled back on any exception.

        Args:
            patience_ms: how long to wait at most for others who write; by default `BUSY_TIMEOUT_MS`.
        """
        with translated():
            if self._gate is None:
                with self.engine.begin() as connection:
                    if patience_ms is not None:
                        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {patience_ms}")
                    yield connection
                return
            with self._gate.passed(patience_ms or BUSY_TIMEOUT_MS) as left_ms, self.engine.connect() as connection:
                connection.execution_options(writes=True, patience_ms=left_ms)
                with connection.begin():
                    yield connection

    def check_writable(self) -> None:
        """Raise `Temporary` unless something can be written now."""
        with self.write(min(_LOOK_TIMEOUT_MS, BUSY_TIMEOUT_MS)) as connection:
            if self.is_sqlite:
                # The file's header as it is: nothing but a true write finds out that the disk is full.
                number = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
                connection.exec_driver_sql(f"PRAGMA user_version = {number}")
            else:
                # A standby only reads, and so does a server that its operator or its full disk has made read-only.
                if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() != "off":
                    raise Temporary(Code.STORE_UNAVAILABLE, "ReadOnlySqlTransaction")
                # As an insertion does; a table that is locked keeps every delivery waiting.
                connection.exec_driver_sql(f"LOCK TABLE {', '.join(_RECEIVING)} IN ROW EXCLUSIVE MODE")

    @contextmanager
    def only_holder(self) -> Iterator[bool]:
        """Try to hold the right to be this store's only worker; give whether it was had.

        A file lock beside the SQLite file, an advisory lock in PostgreSQL: both end with the process that holds them.
        """
        if self.file is not None:
            with _file_lock(self.file.with_suffix(self.file.suffix + ".worker")) as held:
                yield held
            return
        with translated():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            # The lock belongs to the database session: back in the pool, it would keep the lock.
            connection.detach()
        with connection:
            with translated():
                held = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": WORKER_LOCK}))
            try:
                yield held
            finally:
                if held:
                    # The end of the session frees it too, but only some time after it was closed.
                    with suppress(Temporary), translated():
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

    Without it a writer that finds the file busy sleeps longer and longer, and under load some wait for a second while
    others pass them by. Nobody waits here without an end: whoever holds it may have been paused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._file: Any = None

    @contextmanager
    def passed(self, patience_ms: int) -> Iterator[int]:
        """Let one writer through; give how many milliseconds of its patience are left, one at least.

        Raises:
            TimeoutError: the patience is at its end.
        """
        until = time.monotonic() + patience_ms / 1000
        if not self._turn.acquire(timeout=patience_ms / 1000):
            raise TimeoutError
        try:
            if self._file is None:
                self._file = self._path.open("wb")
            while not _locked(self._file):
                if time.monotonic() > until:
                    raise TimeoutError
                # A lock on a file knows no time limit of its own.
                time.sleep(_GATE_LOOK_S)
            try:
                yield max(1, round((until - time.monotonic()) * 1000))
            finally:
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
        yield _locked(file)


def _locked(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
    # What is deleted is overwritten: a data key that was destroyed must not lie in a free page.
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
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
    options = connection.get_execution_options()
    if not options.get("writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    # What was waited at the gate counts. One statement more, so only where it makes a difference.
    patience_ms = options.get("patience_ms", BUSY_TIMEOUT_MS)
    shortened = patience_ms < BUSY_TIMEOUT_MS * 0.9
    if shortened:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience_ms}")
    try:
        # IMMEDIATE takes the write lock at once, so that a transaction never fails halfway for want of it.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        if shortened:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _prepare_postgresql(dbapi_connection: Any, _record: Any) -> None:
    with dbapi_connection.cursor() as cursor:
        cursor.execute(session_bounds())
    dbapi_connection.commit()


def session_bounds() -> str:
    """Return the statement that bounds what a PostgreSQL session waits for, and for how long others wait for it.

    By default neither has an end. What the operator has set is left as it is.
    """
    bounds = {"lock_timeout": BUSY_TIMEOUT_MS, "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS}
    rows = ", ".join(f"('{name}', '{value}')" for name, value in bounds.items())
    return (
        f"SELECT set_config(name, value, false) FROM (VALUES {rows}) AS bounds (name, value)"  # noqa: S608 - ours
        " WHERE current_setting(name) = '0'"
    )


@contextmanager
def translated() -> Iterator[None]:
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
    words, kind = str(error.orig).lower(), type(error.orig).__name__
    return "no such table" in words or "no such column" in words or kind in ("UndefinedTable", "UndefinedColumn")
