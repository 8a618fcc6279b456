"""Sends every callback until it is answered with a 2xx, to several receivers, as OneTrust would.

A closed loop over kept connections. What is refused, or gets no answer, is sent again after a while, signed afresh.
Some answers are not waited for at all: the sender hangs up, and sends the same again.
"""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.load import Line, read_answer
from bench.stage import BenchError

_PATIENCE_S = 30.0
_AGAIN_S = 0.5
_LOOK_S = 0.05


@dataclass(slots=True)
class Sent:
    """What became of the callbacks. Times in seconds.

    Attributes:
        taken_s: from sending to the whole answer, of every 2xx.
        statuses: how many answers of each status.
        hung_up: how often the answer was not waited for.
        broken: how often a connection broke instead.
    """

    began: float = 0.0
    elapsed_s: float = 0.0
    taken_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    hung_up: int = 0
    broken: int = 0

    @property
    def accepted(self) -> int:
        return len(self.taken_s)

    @property
    def repeats(self) -> int:
        return self.hung_up + self.broken + self.statuses.total() - self.accepted


@dataclass(slots=True)
class Connection:
    """One connection to a receiver, and the number of the callback that waits on it."""

    port: int
    socket: socket.socket | None = None
    line: Line = field(default_factory=Line)
    number: int = 0


@dataclass(slots=True)
class Sender:
    """Sends callbacks 1 to `number`.

    Args:
        make: gives the whole request of a callback, signed now.
        hang_up: the share of first sendings whose answer is not waited for.
    """

    make: Callable[[int], bytes]
    number: int
    ports: Sequence[int]
    connections: int
    hang_up: float
    timeout_s: float
    seen: Sent = field(default_factory=Sent)
    _fresh: int = 0
    _again: deque[tuple[float, int]] = field(default_factory=deque)
    _random: random.Random = field(default_factory=lambda: random.Random(1))
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> Sent:
        """Send all, and return what was seen.

        Raises:
            BenchError: an answer says that a repeat will not help, or it takes too long.
        """
        self.seen.began = time.time()
        began = time.perf_counter()
        lines = [Connection(self.ports[place % len(self.ports)]) for place in range(self.connections)]
        free = deque(lines)
        try:
            while self.seen.accepted < self.number:
                if time.perf_counter() - began > self.timeout_s:
                    raise BenchError(f"{self.seen.accepted} of {self.number} callbacks were accepted in time")
                for _ in range(len(free)):
                    one = free.popleft()
                    if not self._send(one):
                        free.append(one)
                for key, _ in self._selector.select(_LOOK_S):
                    if self._receive(key.data):
                        free.append(key.data)
        finally:
            self._selector.close()
            for one in lines:
                self._close(one)
        self.seen.elapsed_s = time.perf_counter() - began
        return self.seen

    def _next(self) -> tuple[int, bool]:
        """Return the next callback, and whether it is sent for the first time; 0 if there is none now."""
        if self._again and self._again[0][0] <= time.perf_counter():
            return self._again.popleft()[1], False
        if self._fresh < self.number:
            self._fresh += 1
            return self._fresh, True
        return 0, False

    def _send(self, one: Connection) -> bool:
        """Send something over a free connection; say whether it waits for an answer now."""
        number, is_first = self._next()
        if not number:
            return False
        try:
            if one.socket is None:
                one.socket = socket.create_connection(("127.0.0.1", one.port), timeout=_PATIENCE_S)
                one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.line = Line()
            one.number, one.line.since = number, time.perf_counter()
            one.socket.sendall(self.make(number))
        except OSError:
            return self._broke(one)
        if is_first and self._random.random() < self.hang_up:
            self.seen.hung_up += 1
            self._send_again(one)
            return False
        self._selector.register(one.socket, selectors.EVENT_READ, one)
        return True

    def _receive(self, one: Connection) -> bool:
        """Read what there is; say whether the connection is free again."""
        try:
            answer = read_answer(one.socket, one.line)
        except OSError:
            assert one.socket is not None
            self._selector.unregister(one.socket)
            self._broke(one)
            return True
        if answer is None:
            return False
        assert one.socket is not None
        self._selector.unregister(one.socket)
        status = int(answer[9:12])
        self.seen.statuses[status] += 1
        if status // 100 == 2:
            self.seen.taken_s.append(time.perf_counter() - one.line.since)
        elif status == 429 or status >= 500:
            self._again.append((time.perf_counter() + _AGAIN_S, one.number))
        else:
            raise BenchError(f"a callback was answered {status}: {answer[-400:]!r}")
        return True

    def _broke(self, one: Connection) -> bool:
        self.seen.broken += 1
        self._send_again(one)
        return False

    def _send_again(self, one: Connection) -> None:
        self._close(one)
        self._again.append((time.perf_counter() + _AGAIN_S, one.number))

    @staticmethod
    def _close(one: Connection) -> None:
        if one.socket is not None:
            one.socket.close()
            one.socket = None
