"""Two PostgreSQL servers for the suite: a primary, and a standby that has every commit before its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from tests.support.postgres import Restartable, Unavailable, keeping, program_folders
from tests.support.processes import free_port

_LIMIT_S = 30.0
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary and its standby.

    Attributes:
        url: names both, and means the one that can be written to.
    """

    primary: Restartable
    standby: Restartable
    standby_port: int
    url: str

    def promote(self) -> None:
        """Make the standby a primary of its own."""
        _execute(self.standby_port, "SELECT pg_promote()")


@contextmanager
def pair() -> Iterator[Pair]:
    """Give two servers of one's own for as long as the context lasts.

    Raises:
        Unavailable: nothing on this machine starts.
    """
    folders = program_folders()
    if not folders:
        raise Unavailable("no programs")
    ports = free_port(), free_port()
    with ExitStack() as stack:
        primary, standby = (
            Restartable(stack.enter_context(keeping(folders[0], *_listening(port), *more)))
            for port, more in zip(ports, ((), (f"standby_of={ports[0]}",)), strict=True)
        )
        _require_standby(ports[0])
        hosts = "&".join(f"host=127.0.0.1:{port}" for port in ports)
        url = f"postgresql+psycopg://postgres@/postgres?{hosts}&target_session_attrs=read-write&connect_timeout=5"
        yield Pair(primary, standby, ports[1], url)


def _listening(port: int) -> tuple[str, ...]:
    return "listen_addresses=127.0.0.1", f"port={port}", "synchronous_commit=on"


def _require_standby(port: int) -> None:
    """Let no commit be answered any more that the standby has not on its disk; wait until it keeps up."""
    _execute(port, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    _execute(port, "SELECT pg_reload_conf()")
    until = time.monotonic() + _LIMIT_S
    while _execute(port, "SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
        if time.monotonic() > until:
            raise Unavailable("the standby does not follow")
        time.sleep(_LOOK_S)


def _execute(port: int, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", autocommit=True) as connection:
        found = connection.execute(statement)  # type: ignore[arg-type]
        return found.fetchall() if found.description else []
