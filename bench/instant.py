"""Lytics and OneTrust within the process of a worker: they answer at once, but no more often than they allow.

They hold the worker to what it must not do: nobody is submitted twice or reported out of turn, and nobody calls faster
than allowed. For that they keep two bytes per number, which they are given, so that their own memory does not grow.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final

from connector.codes import Code
from connector.errors import RateLimited
from connector.lytics.pace import Pace, RateLimit
from connector.model import (
    Delivered,
    Presence,
    RemoteOperation,
    RemoteState,
    RemoteStatus,
    Report,
    SourceStatus,
    SubmitAnswer,
)
from connector.private import Private
from connector.services.site import Site
from connector.sighting import Sighting

_REPORT_CONCURRENCY: Final = 4
_DIGITS: Final = re.compile(r"[0-9]+")
_PROGRESS: Final = 1
_FINAL: Final = 2


@dataclass(slots=True)
class Line:
    """The way to one remote system: our pace before it, its limit behind it.

    Attributes:
        rate: calls that it allows in any second; 0 for any number.
        late: calls that may have been under way when they were let go, and so arrive closer together.
        pace: the product's; None where any number is allowed.
    """

    rate: float
    late: int
    pace: Pace | None
    calls: int = 0
    refused: int = 0
    _times: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def call(self) -> Iterator[None]:
        slot: AbstractContextManager[None] = nullcontext() if self.pace is None else self.pace.slot()
        with slot:
            with self._lock:
                self._take()
            yield

    def _take(self) -> None:
        self.calls += 1
        if not self.rate:
            return
        now = time.monotonic()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        if len(self._times) >= self.rate + self.late:
            self.refused += 1
            raise RateLimited(Code.REMOTE_RATE_LIMITED)
        self._times.append(now)


@dataclass(slots=True)
class Remote:
    """Both systems. Everybody is known until the deletion is asked for, and gone afterwards.

    Attributes:
        submits: how often each identity was submitted, by its number.
        stages: what was reported of each request, by its number.
        known: look-ups that found somebody; `gone`: those that did not.
        ended: requests whose end was reported.
    """

    reads_first = True

    submits: memoryview
    stages: memoryview
    lytics: Line
    onetrust: Line
    problems: Counter[str] = field(default_factory=Counter)
    known: int = 0
    gone: int = 0
    submitted: int = 0
    ended: int = 0
    repeat_is_safe: bool = False
    _operations: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, _table: str, _field: str, values: Sequence[Private]) -> SubmitAnswer:
        with self.lytics.call(), self._lock:
            for number in map(_number, values):
                self.problems["submitted twice"] += self.submits[number]
                self.submits[number] = 1
            self.submitted += len(values)
            self._operations += 1
            remote_id = f"op-{time.monotonic_ns()}-{self._operations}-{len(values)}"
            return SubmitAnswer(accepted=dict.fromkeys(values, remote_id))

    def status(self, remote_id: str) -> RemoteStatus:
        with self.lytics.call():
            number = int(remote_id.rpartition("-")[2])
            return RemoteStatus(RemoteState.FINISHED, "completed", number, number)

    def recent(self) -> Sequence[RemoteOperation]:
        with self.lytics.call():
            return []

    def encoded_bytes(self, _table: str, _field: str, value: Private) -> int:
        return len(value.reveal()) + 4

    def look_up(self, _table: str, _field: str, value: Private) -> Presence:
        with self.lytics.call(), self._lock:
            if self.submits[_number(value)]:
                self.gone += 1
                return Presence.ABSENT
            self.known += 1
            return Presence.PRESENT

    def look_closely(self, table: str, field: str, value: Private, _fields: Collection[str]) -> Sighting:
        return Sighting(self.look_up(table, field, value), frozenset({(field, value)}))

    def deliver(self, report: Report) -> Delivered:
        number = int(report.external["subtask_id"])
        # As the real reporter does: the state is read, then written.
        with self.onetrust.call():
            before = self.stages[number]
        with self.onetrust.call(), self._lock:
            final = report.status is not SourceStatus.IN_PROGRESS
            # The end may overtake the beginning, which is not told any more then.
            self.problems["reported out of turn"] += before >= (_FINAL if final else _PROGRESS)
            self.problems["not completed"] += final and report.status is not SourceStatus.COMPLETED
            self.stages[number] = _FINAL if final else _PROGRESS
            self.ended += final
        return Delivered.SENT


def _number(value: Private) -> int:
    found = _DIGITS.search(value.reveal())
    assert found is not None
    return int(found.group())


def with_remotes(site: Site, rate: float, submits: memoryview, stages: memoryview) -> tuple[Site, Remote]:
    """Return the site with every remote system replaced, and what replaces them.

    Args:
        rate: calls per second to each of the two; 0 for any number.
        submits: see `Remote`; it goes on from what stands there.
        stages: the same.
    """
    widest = max(one.concurrency for one in site.accounts.values())
    lines = [Line(rate, wide, _pace(rate, wide, site)) for wide in (widest, _REPORT_CONCURRENCY)]
    remote = Remote(submits, stages, *lines, ended=bytes(stages).count(_FINAL))
    accounts = {name: replace(one, api=remote, profiles=remote) for name, one in site.accounts.items()}
    sources = {name: replace(one, reporter=remote) for name, one in site.sources.items()}
    return replace(site, accounts=accounts, sources=sources), remote


def _pace(rate: float, concurrency: int, site: Site) -> Pace | None:
    return Pace(RateLimit(rate, stop=site.stop), concurrency, lease=site.lease) if rate else None
