"""Published keys, fetched when they are needed and kept for a while (fulfils `ports.Documents`).

Deliveries decide when keys are looked for, and anybody can send a delivery. So one that is refused costs the key
server at most one call a minute per address, a server that does not answer is left alone for a growing pause, and no
thread waits for it longer than a few seconds. While it is out of reach, an older copy serves for another day: keys are
taken out of use slowly, and deliveries that were signed with a good key must not be lost meanwhile.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from connector.codes import Code
from connector.errors import ConnectorError, Rejected, Temporary
from connector.model import Document, KeyAddress
from connector.outbound import Answer
from connector.ports import Log

#: Gets a URL with these headers, and raises only errors of `connector.errors`.
Get: TypeAlias = Callable[[str, Mapping[str, str]], Answer]

SHORTEST: Final = timedelta(seconds=60)
USUAL: Final = timedelta(hours=1)
LONGEST: Final = timedelta(hours=24)
#: How long a copy may serve beyond its lifetime while no newer one can be had (RFC 5861 section 4).
STALE_FOR: Final = timedelta(hours=24)
RENEW_EVERY: Final = timedelta(seconds=60)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(seconds=60)

_MAX_AGE: Final = re.compile(r'(?:^|,)\s*max-age\s*=\s*"?([0-9]+)"?\s*(?=,|$)', re.IGNORECASE)
_AGE: Final = re.compile(r"[0-9]+")
_OK: Final = 200


@dataclass(slots=True)
class _Kept:
    """What is known of one address. Changed only with the lock held."""

    document: Document | None = None
    lifetime: timedelta = USUAL
    failures: int = 0
    refused: bool = False
    paused_until: datetime | None = None
    renewed_at: datetime | None = None
    landed: threading.Event | None = field(default=None, repr=False)

    def is_fresh(self, now: datetime) -> bool:
        return self._is_younger(self.lifetime, now)

    def is_usable(self, now: datetime) -> bool:
        return self._is_younger(self.lifetime + STALE_FOR, now)

    def is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and now < self.paused_until <= now + LONGEST_PAUSE

    def was_renewed(self, now: datetime) -> bool:
        return self.renewed_at is not None and abs(now - self.renewed_at) < RENEW_EVERY

    def take(self, document: Document, lifetime: timedelta) -> None:
        self.document, self.lifetime = document, lifetime
        self.failures, self.refused, self.paused_until = 0, False, None

    def fail(self, code: Code, now: datetime) -> None:
        self.refused = code is Code.ADDRESS_REFUSED
        self.paused_until = now + min(FIRST_PAUSE * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        self.failures += 1

    def _is_younger(self, age: timedelta, now: datetime) -> bool:
        # By distance, so that a clock that was set back does not make a copy immortal.
        return self.document is not None and abs(now - self.document.fetched_at) < age


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One call to an address, and whether it is this thread that makes it."""

    landed: threading.Event
    is_ours: bool


class PublishedDocuments:
    """The keys of all sources, for all threads of a process.

    Args:
        get: makes the call; it decides which addresses may be called at all.
        log: told of every fetch that failed.
        max_addresses: the most that are kept; of more, those without a copy go first, then the longest unused.
        max_fetches: the most that are made at the same time: a sender who names many addresses that do not answer
            must not hold all threads of a web process.
        wait_s: seconds for which a thread waits for another's fetch of the same address.
    """

    def __init__(
        self, get: Get, log: Log, *, max_addresses: int = 200, max_fetches: int = 6, wait_s: float = 5.0
    ) -> None:
        self._get = get
        self._log = log
        self._max_addresses = max_addresses
        self._max_fetches = max_fetches
        self._fetches = 0
        self._wait_s = wait_s
        self._kept: OrderedDict[KeyAddress, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, address: KeyAddress, now: datetime) -> Document:
        """Return what is published there.

        Raises:
            Temporary: `keys_unavailable`: it cannot be had, and there is no copy that is young enough.
            Rejected: `key_unknown`: the address may not be called.
        """
        with self._lock:
            kept = self._of(address)
            if kept.document is not None and kept.is_fresh(now):
                return kept.document
            fetch = None if kept.is_paused(now) else self._begin(kept)
        if fetch is not None:
            self._end(fetch, address, kept, now)
        with self._lock:
            if kept.document is not None and kept.is_usable(now):
                return kept.document
            raise _unavailable(kept)

    def renew(self, seen: Document, now: datetime) -> Document | None:
        """Return what is published there by now, or None if it was asked for less than a minute ago.

        Raises:
            Temporary: `keys_unavailable`: it cannot be had, so nobody can tell whether the key exists.
            Rejected: `key_unknown`: the address may not be called.
        """
        with self._lock:
            kept = self._of(seen.address)
            if _is_newer(kept.document, seen):
                return kept.document
            if kept.landed is None:
                # A copy of this very moment was fetched for the delivery that asks now.
                recent = kept.was_renewed(now) or seen.fetched_at >= now
                if recent and not kept.failures:
                    return None
                if recent or kept.is_paused(now):
                    raise _unavailable(kept)
            fetch = self._begin(kept)
            if fetch is not None and fetch.is_ours:
                kept.renewed_at = now
        if fetch is not None:
            self._end(fetch, seen.address, kept, now)
        with self._lock:
            if _is_newer(kept.document, seen):
                return kept.document
            raise _unavailable(kept)

    def _of(self, address: KeyAddress) -> _Kept:
        kept = self._kept.get(address)
        if kept is not None:
            self._kept.move_to_end(address)
            return kept
        if len(self._kept) >= self._max_addresses:
            empty = (known for known, one in self._kept.items() if one.document is None)
            del self._kept[next(empty, next(iter(self._kept)))]
        kept = self._kept[address] = _Kept()
        return kept

    def _begin(self, kept: _Kept) -> _Fetch | None:
        """Join the fetch that is under way, or begin one; None if there are too many. Called with the lock held."""
        if kept.landed is not None:
            return _Fetch(kept.landed, is_ours=False)
        if self._fetches >= self._max_fetches:
            return None
        self._fetches += 1
        kept.landed = threading.Event()
        return _Fetch(kept.landed, is_ours=True)

    def _end(self, fetch: _Fetch, address: KeyAddress, kept: _Kept, now: datetime) -> None:
        """Make the call, or wait for the thread that makes it; what came of it stands in `kept`."""
        if not fetch.is_ours:
            # What failed before will most likely fail again: no reason for more threads to hang.
            if not kept.failures:
                fetch.landed.wait(self._wait_s)
            return
        try:
            self._call(address, kept, now)
        finally:
            with self._lock:
                self._fetches -= 1
                kept.landed = None
            fetch.landed.set()

    def _call(self, address: KeyAddress, kept: _Kept, now: datetime) -> None:
        answer, failure = None, Code.INTERNAL_ERROR
        headers = {name: secret.reveal() for name, secret in address.headers}
        if "accept" not in {name.lower() for name in headers}:
            # Keys come as JSON, as a key set's own media type, or as PEM.
            headers["Accept"] = "*/*"
        try:
            answer = self._get(address.url, headers)
            failure = Code.REMOTE_ANSWER_UNREADABLE
        except ConnectorError as error:
            failure = error.code
        finally:
            with self._lock:
                if answer is not None and answer.status == _OK and answer.body:
                    kept.take(Document(address, answer.body, now), lifetime_of(answer.headers))
                else:
                    kept.fail(failure, now)
        if kept.failures:
            self._log.warning(
                "keys_not_fetched",
                code=failure,
                status=answer.status if answer is not None else None,
                attempt=kept.failures,
                next_at=kept.paused_until,
            )


def lifetime_of(headers: Mapping[str, str]) -> timedelta:
    """Return how long an answer may serve: `max-age` less `Age` (RFC 9111 sections 4.2.1 and 4.2.3), within limits.

    `no-store` and `no-cache` count as the shortest time: a fetch for every delivery would let senders steer us.
    """
    directives = headers.get("cache-control", "")
    if re.search(r"\bno-(?:store|cache)\b", directives, re.IGNORECASE):
        return SHORTEST
    found = _MAX_AGE.search(directives)
    if found is None:
        return USUAL
    age = headers.get("age", "").strip()
    seconds = _seconds(found[1]) - (_seconds(age) if _AGE.fullmatch(age) else 0)
    return min(max(timedelta(seconds=seconds), SHORTEST), LONGEST)


def _seconds(digits: str) -> int:
    # Longer ones mean "very long" (RFC 9111 section 1.2.2), and Python refuses to read very long ones.
    return min(int(digits[:10]), 2**31)


def _is_newer(document: Document | None, seen: Document) -> bool:
    return document is not None and document.fetched_at > seen.fetched_at


def _unavailable(kept: _Kept) -> ConnectorError:
    if kept.refused:
        # It was the delivery that named the address.
        return Rejected(Code.KEY_UNKNOWN, "the key's address may not be called")
    return Temporary(Code.KEYS_UNAVAILABLE)
