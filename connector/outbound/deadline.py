"""An end to a call that nothing can put off.

The libraries below bound the wait for each piece: a server that sends one byte of a header, of a chunk's size or of a
handshake now and then would hold a call for days. Here a second handle of each connection is kept while a call runs,
and the connection is shut down through it when the call's time is over, wherever it stands.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_RUNNING: ContextVar[Deadline | None] = ContextVar("running", default=None)
_LONGEST_SLEEP_S: Final = 3600.0


class Deadline:
    """The time of one call, which is made within it.

    What ends early because of it looks like a lost connection, or like a whole answer: ask `passed` afterwards, also
    when the call succeeded.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self.ends_at = 0.0
        self._seconds = seconds
        self._handles: list[socket.socket] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._token = _RUNNING.set(self)
        self.ends_at = time.monotonic() + self._seconds
        _WATCHER.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _WATCHER.remove(self)
        _RUNNING.reset(self._token)
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def watch(self, connection: socket.socket) -> None:
        """Shut the connection down when the time is over, or at once if it is over already."""
        # A handle of its own: TLS takes the first one over, and shutting down through it would race with its reads.
        handle = socket.fromfd(connection.fileno(), connection.family, connection.type)
        with self._lock:
            self._handles.append(handle)
            if self.passed:
                _shut(handle)

    def end(self) -> None:
        """Shut down what is open: the time is over."""
        with self._lock:
            self.passed = True
            for handle in self._handles:
                _shut(handle)


class _Watcher:
    """One thread, which ends the calls of this process whose time is over: one for each call would cost too much."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        # Until when the thread sleeps.
        self._wakes_at = 0.0

    def add(self, one: Deadline) -> None:
        with self._changed:
            self._running.add(one)
            if self._thread is None or not self._thread.is_alive():
                # Not alive, if another process was forked from ours.
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif one.ends_at < self._wakes_at:
                self._changed.notify()

    def remove(self, one: Deadline) -> None:
        with self._changed:
            self._running.discard(one)

    def _watch(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                over = [one for one in self._running if one.ends_at <= now]
                self._running.difference_update(over)
                if not over:
                    # Those that end meanwhile are not told: it wakes up once too often, and sleeps on.
                    self._wakes_at = min((one.ends_at for one in self._running), default=now + _LONGEST_SLEEP_S)
                    self._changed.wait(self._wakes_at - now)
            for one in over:
                one.end()


_WATCHER: Final = _Watcher()


def _shut(handle: socket.socket) -> None:
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


def _watch(connection: socket.socket | None) -> None:
    running = _RUNNING.get()
    if running is not None and connection is not None:
        running.watch(connection)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        # Before a handshake, which takes time too.
        made = super()._new_conn()
        _watch(made)
        return made

    def request(self, *args: Any, **options: Any) -> None:
        # There already when a connection is used again.
        _watch(self.sock)
        super().request(*args, **options)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class TimedAdapter(HTTPAdapter):
    """Makes connections that a `Deadline` can end."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
