"""The load, against servers of a few lines: what it counts, and from when it counts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench import load
from bench.stage import BenchError

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def served(serve: Callable[[socket.socket, int], None], connections: int) -> Iterator[int]:
    """Serve each connection in a thread of its own, by its number; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            threads = []
            for number in range(connections):
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve_and_close, args=(connection, number)))
                threads[-1].start()
            for one in threads:
                one.join()

        def serve_and_close(connection: socket.socket, number: int) -> None:
            with connection:
                serve(connection, number)

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        accepting.join()


def answer_all(connection: socket.socket, _number: int) -> None:
    while connection.recv(65_536):
        connection.sendall(ANSWER)


def test_every_request_is_answered_and_counted_once() -> None:
    with served(answer_all, 3) as port:
        seen = load.run(port, [REQUEST] * 20, 3, 30)
    assert len(seen.answers) == len(seen.taken_s) == 20
    assert set(seen.answers) == {ANSWER}
    assert seen.busy_s > 0
    assert seen.per_second > 0


def test_an_answer_in_pieces_is_one_answer() -> None:
    def in_pieces(connection: socket.socket, _number: int) -> None:
        while connection.recv(65_536):
            for byte in ANSWER:
                connection.sendall(bytes((byte,)))

    with served(in_pieces, 1) as port:
        assert load.run(port, [REQUEST] * 3, 1, 30).answers == [ANSWER] * 3


def stop_after_two(connection: socket.socket, _number: int) -> None:
    for _ in range(2):
        connection.recv(65_536)
        connection.sendall(ANSWER)
    connection.recv(65_536)


def test_what_a_dying_server_answered_before_is_kept() -> None:
    with served(stop_after_two, 4) as port:
        seen = load.run(port, [REQUEST] * 100, 4, 30, until_it_dies=True)
    assert len(seen.answers) == 8
    assert seen.unanswered == 4


def test_a_server_that_breaks_off_unasked_is_told() -> None:
    with served(stop_after_two, 1) as port, pytest.raises(BenchError, match="a connection broke"):
        load.run(port, [REQUEST] * 100, 1, 30)
    with served(stop_after_two, 1) as port, pytest.raises(BenchError, match="a connection broke"):
        load.run_at(port, [REQUEST] * 100, 1, 1000)


def test_at_a_fixed_rate_one_slow_answer_holds_up_nobody_else() -> None:
    others = threading.Event()

    def first_waits(connection: socket.socket, number: int) -> None:
        answered = 0
        while connection.recv(65_536):
            if number == 0:
                assert others.wait(30)
            connection.sendall(ANSWER)
            answered += 1
            if number == 1 and answered == 5:
                others.set()

    with served(first_waits, 2) as port:
        seen = load.run_at(port, [REQUEST] * 10, 2, 200)
    assert len(seen.answers) == 10
    assert seen.late == 0
    # Five more were due at 5 ms each before the slow one was let go.
    assert max(seen.taken_s) > 0.02


def test_at_a_fixed_rate_time_runs_from_the_moment_when_sending_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that leaps while the only connection is busy: those who wait for it have waited just as long."""
    leap = 0.0
    real = load.time.perf_counter
    monkeypatch.setattr(load.time, "perf_counter", lambda: real() + leap)

    def leaping(connection: socket.socket, _number: int) -> None:
        nonlocal leap
        while connection.recv(65_536):
            leap += 3.0
            connection.sendall(ANSWER)

    with served(leaping, 1) as port:
        seen = load.run_at(port, [REQUEST] * 10, 1, 1)
    # Due at 0, 1, 2, 3: each found a connection three seconds after the one before.
    assert [round(one) for one in seen.taken_s] == [3, 5, 7, 9]
    assert seen.late == 6


def test_how_busy_the_load_was_is_its_share_of_the_time() -> None:
    seen = load.Round(elapsed_s=2.0, busy_s=0.5)
    assert seen.busy == 0.25
