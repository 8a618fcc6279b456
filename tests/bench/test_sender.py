"""The sender of callbacks, against a receiver of a few lines: what gets no 2xx is sent again, nothing is forgotten."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from bench.sender import Sender
from bench.stage import BenchError


@dataclass
class Receiver:
    """Answers each callback by its number: the n-th sending with the n-th status, the last one for all others."""

    statuses: dict[int, list[int]]
    seen: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, connection: socket.socket) -> None:
        # A sender that has hung up is no error here.
        with connection, suppress(OSError):
            while request := connection.recv(65_536):
                number = int(request.split(b" ")[1].strip(b"/"))
                with self.lock:
                    self.seen[number] += 1
                    wanted = self.statuses.get(number, [202])
                    status = wanted[min(self.seen[number], len(wanted)) - 1]
                if status == 0:
                    return
                connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    @contextmanager
    def running(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def accept() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            yield listener.getsockname()[1]
            listener.shutdown(socket.SHUT_RDWR)


def make(number: int) -> bytes:
    return f"POST /{number} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode()


def sender(port: int, number: int, hang_up: float = 0.0) -> Sender:
    return Sender(make, number, [port], connections=3, hang_up=hang_up, timeout_s=30)


def test_what_is_refused_or_breaks_off_is_sent_again_until_it_is_accepted() -> None:
    receiver = Receiver({2: [503, 202], 4: [0, 429, 202]})
    with receiver.running() as port:
        sent = sender(port, 6).run()
    assert sent.accepted == 6
    assert sent.statuses == {202: 6, 503: 1, 429: 1}
    assert (sent.broken, sent.repeats) == (1, 3)
    assert receiver.seen == {1: 1, 2: 2, 3: 1, 4: 3, 5: 1, 6: 1}


def test_a_sender_that_hangs_up_sends_the_same_again_and_hears_of_all() -> None:
    receiver = Receiver({})
    with receiver.running() as port:
        sent = sender(port, 40, hang_up=0.5).run()
    assert sent.accepted == 40
    assert 0 < sent.hung_up == sent.repeats < 40


def test_a_refusal_that_no_repeat_will_change_ends_it() -> None:
    with Receiver({3: [401]}).running() as port, pytest.raises(BenchError, match="answered 401"):
        sender(port, 5).run()
