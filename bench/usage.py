"""What processes of several kinds use, from Linux's /proc; nothing is told where that is missing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from bench.stage import TICKS_PER_S
from tests.support.postgres import plain

_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Stat:
    """One process, as /proc tells it. `ended_s` is the time of children that have ended."""

    pid: int
    parent: int
    session: int
    cpu_s: float
    ended_s: float


@dataclass(slots=True)
class Usage:
    """Processor time and memory by kind.

    Args:
        leaders: of each kind, the processes that lead a session or are the parents of all others.
    """

    leaders: Mapping[str, Sequence[int]]
    peak_mb: Counter[str] = field(default_factory=Counter)

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time of each kind so far; nothing where the system does not tell."""
        found: dict[str, float] = {}
        for kind, members in self._members().items():
            found[kind] = sum(one.cpu_s + one.ended_s for one in members)
        return found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the highest memory of each kind while the context lasts."""
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                self._look()
                over.wait(_EVERY_S)

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()

    def _look(self) -> None:
        for kind, members in self._members().items():
            self.peak_mb[kind] = max(self.peak_mb[kind], round(sum(_memory_kb(one.pid) for one in members) / 1000))

    def _members(self) -> dict[str, list[Stat]]:
        all_of_them = _stats()
        found = {}
        for kind, leaders in self.leaders.items():
            chosen = [one for one in all_of_them if {one.pid, one.parent, one.session} & set(leaders)]
            if chosen:
                found[kind] = chosen
        return found


def postgres_leader(url: str) -> list[int]:
    """Return the process that is the parent of all of a server's, if it runs on this machine under our eyes."""
    with psycopg.connect(plain(url)) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return [one.parent for one in _stats() if one.pid == row[0]]


def _stats() -> list[Stat]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent = [int(one) / TICKS_PER_S for one in fields[11:15]]
        found.append(Stat(int(path.parent.name), int(fields[1]), int(fields[3]), sum(spent[:2]), sum(spent[2:])))
    return found


def _memory_kb(pid: int) -> int:
    """Return what a process occupies; of what it shares with others, its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(one.split()[1]) for one in lines if one.startswith("Pss:")), 0)
