"""A closed loop over keep-alive connections: each sends its next request once the last one is answered.

Raw sockets and one thread, so that making the load costs little beside serving it. Every request is built and signed
beforehand.
"""

from __future__ import annotations

import gc
import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.stage import SOURCE, BenchError
from connector.cli.sign import headers_for
from connector.config.checks import Check
from connector.inbound import Inbound

BODY_BYTES = 2048
_PATIENCE_S = 30.0
_END = b"\r\n\r\n"


@dataclass(slots=True)
class Callbacks:
    """Makes signed callbacks; no two have an event, a request or a person in common.

    Args:
        checks: of the source.
        series: a number that no other maker for the same store has.
    """

    checks: Sequence[Check]
    series: int
    made: int = 0

    def bodies(self, number: int) -> Iterator[bytes]:
        for _ in range(number):
            self.made += 1
            yield self._body()

    def requests(self, number: int) -> list[bytes]:
        """Return whole HTTP requests, signed now."""
        now = datetime.now(UTC)
        return [self._request(body, now) for body in self.bodies(number)]

    def person(self, number: int) -> tuple[str, str]:
        """Return e-mail address and loyalty id of a callback's person."""
        return f"person-{self.series}-{number:07d}@example.com", f"L{self.series:03d}{number:07d}"

    def _body(self) -> bytes:
        email, loyalty_id = self.person(self.made)
        said = {
            "schema": "consent-connector/v1",
            "event": "dsar.subtask.created",
            "eventId": f"{self.series:08x}-0000-4000-8000-{self.made:012x}",
            "subTaskId": f"{self.series:08x}-0000-4000-9000-{self.made:012x}",
            "requestTypes": ["Data Deletion"],
            "countryCode": "DE",
            "identifiers": {"Email Address": email, "Loyalty ID": loyalty_id, "First name": "Ana"},
            "note": "",
        }
        return json.dumps(said | {"note": "x" * (BODY_BYTES - len(json.dumps(said)))}).encode()

    def _request(self, body: bytes, now: datetime) -> bytes:
        signed = headers_for(self.checks, Inbound("POST", "", (), body), now)
        headers = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **signed}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST /webhooks/{SOURCE} HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass(slots=True)
class Round:
    """What one round of load saw. Times in seconds."""

    elapsed_s: float = 0.0
    taken_s: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.answers) / self.elapsed_s

    def accepted_ids(self) -> list[str]:
        """Return the id in every answer.

        Raises:
            BenchError: an answer is not the 202 of something new.
        """
        return [_accepted_id(one) for one in self.answers]


def run(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Round:
    """Send until the time is over or nothing is left; every request that was sent is waited for."""
    seen = Round()
    left = iter(requests)
    with selectors.DefaultSelector() as selector, _connected(port, connections, selector), _without_gc():
        began = time.perf_counter()
        deadline = began + seconds
        waiting = sum(_send(key.fileobj, key.data, left) for key in list(selector.get_map().values()))
        while waiting:
            ready = selector.select(_PATIENCE_S)
            if not ready:
                raise BenchError(f"no answer for {_PATIENCE_S:g} s")
            for key, _ in ready:
                if (answer := _read(key.fileobj, key.data)) is None:
                    continue
                now = time.perf_counter()
                seen.taken_s.append(now - key.data.sent_at)
                seen.answers.append(answer)
                waiting -= 1
                if now < deadline:
                    waiting += _send(key.fileobj, key.data, left)
        seen.elapsed_s = time.perf_counter() - began
    return seen


@dataclass(slots=True)
class _Line:
    """One connection's state."""

    sent_at: float = 0.0
    received: bytes = b""


def _send(connection: Any, line: _Line, left: Iterator[bytes]) -> int:
    request = next(left, None)
    if request is None:
        return 0
    line.sent_at = time.perf_counter()
    connection.sendall(request)
    return 1


def _read(connection: Any, line: _Line) -> bytes | None:
    """Return the answer once it is whole."""
    piece = connection.recv(65_536)
    if not piece:
        raise BenchError(f"the server closed a connection after {line.received[:200]!r}")
    line.received += piece
    head, end, body = line.received.partition(_END)
    if not end or len(body) < _content_length(head):
        return None
    answer, line.received = line.received, b""
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
def _connected(port: int, number: int, selector: selectors.BaseSelector) -> Iterator[None]:
    lines = [socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) for _ in range(number)]
    try:
        for one in lines:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one, selectors.EVENT_READ, _Line())
        yield
    finally:
        for one in lines:
            one.close()


@contextmanager
def _without_gc() -> Iterator[None]:
    # A collection over tens of thousands of prepared requests would be measured as the server's latency.
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
