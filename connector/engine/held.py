"""The jobs that a worker carries out, and whether they are still its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from connector.errors import ConnectorError
from connector.store import jobs
from connector.store.database import Database

# Seconds. Far less than the silence after which others take a worker's jobs over.
_SURE_S: Final = 1.0


class Held:
    """Finds out whether jobs were taken over while this process stood still.

    Args:
        lost: called once one was; it does not come back.
        monotonic: seconds that only grow, also while the process is paused.
    """

    def __init__(
        self, database: Database, lost: Callable[[], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._lost = lost
        self._monotonic = monotonic
        self._jobs: set[tuple[int, int]] = set()
        self._lock = threading.Lock()
        self._sure_at = monotonic()

    @contextmanager
    def job(self, job_id: int | None, worker_id: int | None) -> Iterator[None]:
        """Carry out a job, if it is still this worker's, and finish it only if it is so at the end."""
        if job_id is None or worker_id is None:
            yield
            return
        one = (job_id, worker_id)
        self._require(one)
        with self._lock:
            self._jobs.add(one)
        try:
            yield
        finally:
            with self._lock:
                self._jobs.discard(one)
        self._require(one)

    def confirm(self) -> None:
        """Make sure that no job was lost since the last time, unless that was a moment ago.

        Raises:
            Temporary: the store does not say.
        """
        now = self._monotonic()
        with self._lock:
            if now - self._sure_at < _SURE_S:
                return
            held = sorted(self._jobs)
        with self._database.read() as connection:
            all_held = all(jobs.is_held(connection, *one) for one in held)
        if not all_held:
            self._lost()
        with self._lock:
            self._sure_at = max(self._sure_at, now)

    def _require(self, one: tuple[int, int]) -> None:
        try:
            with self._database.read() as connection:
                is_held = jobs.is_held(connection, *one)
        except ConnectorError:
            # Then it cannot be finished either.
            return
        if not is_held:
            self._lost()
