"""What is checked before a delivery is looked at: how many, how large, what kind. The raw bytes are read once."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import timedelta

from flask import Request
from pyrate_limiter import AbstractClock, Duration, Rate, StateBucket
from pyrate_limiter import RateItem as Delivery

from connector.clock import Clock
from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound


def read_body(request: Request, max_bytes: int, media_types: Collection[str]) -> bytes:
    """Return the raw body of a delivery; refuse one that is too large or of another kind than the source sends."""
    too_large = Rejected(Code.BODY_TOO_LARGE, f"the limit is {max_bytes} bytes")
    if (request.content_length or 0) > max_bytes:
        raise too_large
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoded = request.headers.get("Content-Encoding", "identity").lower() != "identity"
    if request.mimetype not in media_types or charset not in {"utf-8", "utf8"} or encoded:
        raise Rejected(Code.UNSUPPORTED_CONTENT_TYPE, f"accepted: {', '.join(sorted(media_types))}")
    # A body that comes in chunks tells no length; the library cuts it off at its limit and says nothing.
    request.max_content_length = max_bytes + 1
    body = request.get_data(cache=False)
    if len(body) > max_bytes:
        raise too_large
    return body


def inbound_of(request: Request, url: str, body: bytes) -> Inbound:
    """Return the call as it arrived, for the checks.

    Args:
        url: the address that the sender calls, without a query; the query is taken as it came, still escaped.
    """
    query = request.environ.get("QUERY_STRING", "")
    return Inbound(
        request.method,
        f"{url}?{query}" if url and query else url,
        tuple(request.headers.items()),
        body,
        request.environ.get("REMOTE_ADDR", ""),
    )


class DeliveryLimit:
    """How many deliveries per minute each source may make, per process; a burst of one minute's worth may come at once.

    Args:
        per_minute: by source.
        code: what more of them are refused with.
    """

    def __init__(self, per_minute: Mapping[str, int], clock: Clock, code: Code = Code.TOO_MANY_DELIVERIES) -> None:
        self._code = code
        self._ticks = _Milliseconds(clock)
        self._buckets = {
            name: StateBucket([Rate(limit, Duration.MINUTE)], clock=self._ticks) for name, limit in per_minute.items()
        }

    def check(self, source: str) -> None:
        """Count a delivery, or raise `Rejected` with 429."""
        if not self._buckets[source].put(Delivery(source, self._ticks.now())):
            raise Rejected(self._code)


class _Milliseconds(AbstractClock):
    """Milliseconds that only grow: a clock that is set back must not shut a source out until it has caught up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = clock.now()
        self._passed = timedelta()
        self._lock = threading.Lock()

    def now(self) -> int:
        with self._lock:
            now = self._clock.now()
            self._passed += max(now - self._seen, timedelta())
            self._seen = now
            return self._passed // timedelta(milliseconds=1)
