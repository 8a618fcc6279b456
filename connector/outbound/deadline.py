"""An end to a call that nothing can put off.

The libraries below bound the wait for each piece: a server that sends one byte of a header, of a chunk's size or of a
handshake now and then would hold a call for days. Here a second handle of each connection is kept while a call runs,
and the connection is shut down through it when the call's time is over, wherever it stands.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_RUNNING: ContextVar[Deadline | None] = ContextVar("running", default=None)


class Deadline:
    """The time of one call, which is made within it.

    What ends early because of it looks like a lost connection, or like a whole answer: ask `passed` afterwards, also
    when the call succeeded.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._handles: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._token = _RUNNING.set(self)
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
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

    def _end(self) -> None:
        with self._lock:
            self.passed = True
            for handle in self._handles:
                _shut(handle)


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
