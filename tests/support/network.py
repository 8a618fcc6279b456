"""Keeps the test run on this machine: an attempt to reach anything but the loopback interface fails the test.

An audit hook sees every socket of the interpreter, whichever library opened it, and costs next to nothing. It cannot
be removed again, which is the point.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

import pytest

NAMES = frozenset({"", "localhost", "ip6-localhost"})
CALLS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})


def stay_on_loopback() -> None:
    """Install the guard for the rest of the process."""
    sys.addaudithook(_guard)


def is_local(host: object) -> bool:
    """Say whether a host name or address, as given to the socket functions, stays on this machine."""
    if host is None:
        return True
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
    if name in NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if event in CALLS:
        address = args[1]
        # Paths of Unix sockets are no tuples.
        if isinstance(address, tuple) and not is_local(address[0]):
            _refuse(event, address[0])
    elif event in LOOK_UPS and not is_local(args[0]):
        _refuse(event, args[0])


def _refuse(event: str, host: object) -> None:
    # No `Exception`: code under test that catches everything must not swallow it.
    pytest.fail(f"the test run stays on this machine: {event} to {host!r}")
