"""Load over keep-alive connections: as fast as answers come (a closed loop), or at a fixed rate (an open one).

Raw sockets and one thread, and every request is built and signed beforehand: a callback costs 12 to 20 µs here, far
less than the fastest receiver spends on it. `Round.busy` tells how close this program came to being the bound itself.
"""

from __future__ import annotations

import gc
import json
import math
import select
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.stage import BenchError

_PATIENCE_S = 30.0
_END = b"\r\n\r\n"


@dataclass(slots=True)
class Round:
    """What one round of load saw. Times in seconds.

    Attributes:
        taken_s: from sending to the whole answer; at a fixed rate from the moment when sending was due.
        busy_s: processor time of this program.
        late: requests that were due, but had no free connection before the time was over.
        unanswered: requests that were under way when the server died.
    """

    elapsed_s: float = 0.0
    taken_s: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    busy_s: float = 0.0
    late: int = 0
    unanswered: int = 0

    @property
    def per_second(self) -> float:
        return len(self.answers) / self.elapsed_s

    @property
    def busy(self) -> float:
        return self.busy_s / self.elapsed_s

    def accepted_ids(self) -> list[str]:
        """Return the id in every answer.

        Raises:
            BenchError: an answer is not the 202 of something new.
        """
        return [_accepted_id(one) for one in self.answers]


def run(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, *, until_it_dies: bool = False
) -> Round:
    """Send until the time is over or nothing is left; every request that was sent is waited for.

    Args:
        until_it_dies: the server is killed meanwhile: then a connection that breaks is the end of that connection.
    """
    seen = Round()
    left = iter(requests)
    with _connected(port, connections) as selector, _counted(seen):
        deadline = time.perf_counter() + seconds
        waiting = sum(_send(key.fileobj, key.data, left) for key in list(selector.get_map().values()))
        while waiting:
            ready = selector.select(_PATIENCE_S)
            if not ready:
                raise BenchError(f"no answer for {_PATIENCE_S:g} s")
            for key, _ in ready:
                try:
                    answer = read_answer(key.fileobj, key.data)
                    if answer is None:
                        continue
                    now = time.perf_counter()
                    seen.taken_s.append(now - key.data.since)
                    seen.answers.append(answer)
                    waiting -= 1
                    if now < deadline:
                        waiting += _send(key.fileobj, key.data, left)
                except OSError:
                    if not until_it_dies:
                        raise
                    selector.unregister(key.fileobj)
                    seen.unanswered += key.data.waits
                    waiting -= key.data.waits
    return seen


def run_at(port: int, requests: Sequence[bytes], connections: int, rate: float) -> Round:
    """Send one request every 1 / rate seconds, whether or not the ones before were answered.

    A request for which no connection is free waits for one, and its time runs from the moment when it was due: a server
    that stands still for a moment is charged for all who came meanwhile ("coordinated omission" is what avoids).
    """
    seen = Round()
    with _connected(port, connections) as selector, _counted(seen):
        began = time.perf_counter()
        deadline = began + len(requests) / rate
        free = deque(selector.get_map().values())
        sent = 0
        while True:
            now = time.perf_counter()
            due = min(len(requests), math.floor((now - began) * rate) + 1)
            while free and sent < due and now < deadline:
                # In turn: a connection that is not used for long is closed by its server.
                line = free.popleft()
                _send(line.fileobj, line.data, iter((requests[sent],)))
                line.data.since = began + sent / rate
                sent += 1
            over = sent == len(requests) or now >= deadline
            if over and len(free) == connections:
                break
            wait = _PATIENCE_S if over or not free else max(0.0, began + sent / rate - now)
            for key in _ready(selector, wait, empty=not over and bool(free)):
                if (answer := read_answer(key.fileobj, key.data)) is not None:
                    seen.taken_s.append(time.perf_counter() - key.data.since)
                    seen.answers.append(answer)
                    free.append(key)
        seen.late = len(requests) - sent
    return seen


@dataclass(slots=True)
class Line:
    """One connection's state."""

    since: float = 0.0
    received: bytes = b""
    waits: bool = False


def _send(connection: Any, line: Line, left: Iterator[bytes]) -> int:
    request = next(left, None)
    if request is None:
        return 0
    line.since = time.perf_counter()
    connection.sendall(request)
    line.waits = True
    return 1


def _ready(selector: Any, seconds: float, *, empty: bool) -> list[selectors.SelectorKey]:
    """Return the connections with something to read; none once the time is over, if that may be (`empty`)."""
    # epoll waits in whole milliseconds, which is longer than the time between two requests. A selector can itself be
    # waited for, and that in microseconds.
    if select.select([selector.fileno()], [], [], seconds)[0]:
        return [key for key, _ in selector.select(0)]
    if not empty:
        raise BenchError(f"no answer for {seconds:g} s")
    return []


def read_answer(connection: Any, line: Line) -> bytes | None:
    """Return the answer once it is whole."""
    piece = connection.recv(65_536)
    if not piece:
        raise ConnectionResetError(f"the server closed it after {line.received[:200]!r}")
    line.received += piece
    head, end, body = line.received.partition(_END)
    if not end or len(body) < _content_length(head):
        return None
    answer, line.received, line.waits = line.received, b"", False
    return answer


def _content_length(head: bytes) -> int:
    for one in head.split(b"\r\n"):
        name, _, value = one.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BenchError(f"an answer without a length: {head[:200]!r}")


def _accepted_id(answer: bytes) -> str:
    head, _, body = answer.partition(_END)
    said = json.loads(body) if head.startswith(b"HTTP/1.1 202 ") else None
    if said is None or said["accepted"] is not True or said["duplicate"] is not False:
        raise BenchError(f"not accepted: {answer[:400]!r}")
    return str(said["jobId"])


@contextmanager
def _connected(port: int, number: int) -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        lines = [socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) for _ in range(number)]
        try:
            for one in lines:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(one, selectors.EVENT_READ, Line())
            yield selector
        finally:
            for one in lines:
                one.close()


@contextmanager
def _counted(seen: Round) -> Iterator[None]:
    # A collection over tens of thousands of prepared requests would be measured as the server's latency.
    gc.collect()
    gc.disable()
    began, busy = time.perf_counter(), time.process_time()
    try:
        yield
    except OSError as error:
        raise BenchError(f"a connection broke: {error}") from None
    finally:
        gc.enable()
        seen.elapsed_s = time.perf_counter() - began
        seen.busy_s = time.process_time() - busy
