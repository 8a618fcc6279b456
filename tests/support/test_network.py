from __future__ import annotations

import socket

import pytest

from tests.support.network import is_local


@pytest.mark.parametrize(
    "host", [None, "", "localhost", b"localhost", "127.0.0.1", "127.8.8.8", "::1", "::1%lo", "0.0.0.0"]
)
def test_the_loopback_interface_is_local(host: object) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["example.com", b"example.com", "192.0.2.1", "10.0.0.1", "2001:db8::1"])
def test_everything_else_is_not(host: object) -> None:
    assert not is_local(host)


def test_a_connection_to_another_machine_fails_the_test() -> None:
    with socket.socket() as one, pytest.raises(pytest.fail.Exception, match="stays on this machine"):
        one.connect(("192.0.2.1", 443))


def test_a_name_look_up_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="stays on this machine"):
        socket.getaddrinfo("example.com", 443)


def test_a_connection_on_this_machine_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
