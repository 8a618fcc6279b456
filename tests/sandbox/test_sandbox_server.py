import ast
import socket
from pathlib import Path

import pytest
import requests

from connector.sandbox.server import DropConnection, LoopbackServer

SANDBOX = Path(__file__).parents[2] / "connector" / "sandbox"


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["wsgi.input"].read()]


def test_it_keeps_one_connection_open_for_many_calls():
    with LoopbackServer(echo) as server, socket.create_connection(("127.0.0.1", server.port)) as line:
        for _ in range(3):
            line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
            assert line.recv(4096).endswith(b"POST hi")


def test_it_stays_silent(capfd):
    with LoopbackServer(echo) as server:
        requests.get(server.url, timeout=5)
    assert capfd.readouterr() == ("", "")


def test_a_restart_keeps_the_port_and_a_stop_ends_open_connections():
    server = LoopbackServer(echo)
    with requests.Session() as session:
        with server:
            first = server.url
            assert session.get(first, timeout=5).ok
        with pytest.raises(requests.ConnectionError):
            session.get(first, timeout=5)
        with server:
            assert server.url == first
            assert session.get(first, timeout=5).ok


def test_stopping_twice_does_no_harm_and_starting_twice_is_refused():
    server = LoopbackServer(echo)
    with pytest.raises(RuntimeError, match="start it first"):
        _ = server.url
    server.start()
    with pytest.raises(RuntimeError, match="already running"):
        server.start()
    server.stop()
    server.stop()


def test_a_body_without_a_length_is_refused():
    with LoopbackServer(echo) as server:
        answer = requests.post(server.url, data=iter([b"chunk"]), timeout=5)
    assert answer.status_code == 411


def test_a_dropped_connection_gives_no_answer():
    def drop(_environ, _start_response):
        raise DropConnection

    with LoopbackServer(drop) as server, pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=5)


def test_the_sandbox_imports_nothing_from_the_rest_of_the_product():
    for path in SANDBOX.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith("connector") or name.startswith("connector.sandbox"), f"{path.name}: {name}"


def test_modules_stay_small():
    for path in SANDBOX.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path.name
