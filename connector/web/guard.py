"""What is checked before a delivery is looked at: how many, how large, what kind. The raw bytes are read once."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Request
from pyrate_limiter import AbstractClock, Duration, Rate, StateBucket
from pyrate_limiter import RateItem as Delivery
from werkzeug.exceptions import RequestEntityTooLarge

from connector.clock import Clock
from connector.codes import Code
from connector.errors import Rejected


def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the raw body of a JSON delivery; refuse one that is too large or of another kind."""
    if (request.content_length or 0) > max_bytes:
        raise Rejected(Code.BODY_TOO_LARGE, f"the limit is {max_bytes} bytes")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoded = request.headers.get("Content-Encoding", "identity").lower() != "identity"
    if request.mimetype != "application/json" or charset not in {"utf-8", "utf8"} or encoded:
        raise Rejected(Code.UNSUPPORTED_CONTENT_TYPE)
    # Also bounds a body that comes in chunks and tells no length.
    request.max_content_length = max_bytes
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise Rejected(Code.BODY_TOO_LARGE, f"the limit is {max_bytes} bytes") from None


def lower_headers(request: Request) -> dict[str, str]:
    """Return the headers with lower-case names. WSGI joins a header that came twice with a comma."""
    return {name.lower(): value for name, value in request.headers.items()}


class DeliveryLimit:
    """How many deliveries per minute each source may make, per process; a burst of one minute's worth may come at once.

    Args:
        per_minute: by source.
    """

    def __init__(self, per_minute: Mapping[str, int], clock: Clock) -> None:
        self._ticks = _Milliseconds(clock)
        self._buckets = {
            name: StateBucket([Rate(limit, Duration.MINUTE)], clock=self._ticks) for name, limit in per_minute.items()
        }

    def check(self, source: str) -> None:
        """Count a delivery, or raise `Rejected` with 429."""
        if not self._buckets[source].put(Delivery(source, self._ticks.now())):
            raise Rejected(Code.TOO_MANY_DELIVERIES)


class _Milliseconds(AbstractClock):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
