"""How fast and how wide one account is called: calls per second, and calls at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from connector.codes import Code
from connector.errors import Temporary
from connector.lease import Lease

_LOOK_S: Final = 0.1


class RateLimit:
    """At most `per_second` acquisitions per second (in any window of max(1, 1 / per_second) seconds).

    Args:
        per_second: more than 0; may be a fraction.
        stop: once set, nobody waits any longer.
        monotonic: seconds that only grow.
        wait: waits for that many seconds, or less if stopped; `stop.wait` by default.
    """

    def __init__(
        self,
        per_second: float,
        *,
        stop: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        limit = max(1, round(per_second))
        # The bucket itself, without the library's `Limiter`: that one starts a thread and cannot be interrupted.
        self._bucket = InMemoryBucket([Rate(limit, max(1, round(1000 * limit / per_second)))])
        self._stop = stop
        self._monotonic = monotonic
        self._wait = wait or stop.wait
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Wait for a turn. Raise `Temporary` when the process is asked to stop while waiting."""
        while (wait_s := self._try()) > 0:
            if self._stop.is_set():
                raise _stopping()
            self._wait(wait_s)

    def _try(self) -> float:
        """Take a turn and return 0, or return how many seconds to wait before trying again."""
        with self._lock:
            now_ms = int(self._monotonic() * 1000)
            self._bucket.leak(now_ms)
            item = RateItem("call", now_ms)
            if self._bucket.put(item):
                return 0.0
            wait_ms = self._bucket.waiting(item)
            assert isinstance(wait_ms, int)
            return max(wait_ms, 1) / 1000


class Pace:
    """Bounds the calls to one account; `slot` is given to `outbound.Client`.

    Args:
        limit: calls per second.
        concurrency: calls at the same time, at least 1.
        lease: asked once it is a call's turn; its `stop` ends all waiting.
    """

    def __init__(self, limit: RateLimit, concurrency: int, *, lease: Lease) -> None:
        self._limit = limit
        self._places = threading.BoundedSemaphore(concurrency)
        self._lease = lease

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one place for one call.

        Raises:
            Temporary: the process is asked to stop while it waits, or it is not known whether the work is still its.
        """
        # A semaphore cannot wait for two things, so it looks up now and then.
        while not self._places.acquire(timeout=_LOOK_S):
            if self._lease.stop.is_set():
                raise _stopping()
        try:
            self._limit.acquire()
            self._lease.require()
            yield
        finally:
            self._places.release()


def _stopping() -> Temporary:
    return Temporary(Code.REMOTE_UNREACHABLE, "the process is stopping; nothing was sent")
