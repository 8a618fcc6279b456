"""One receiver under measurement: how it is started, loaded, killed, and asked what it kept."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import select

from bench import load, stage
from bench.callbacks import Callbacks
from bench.figures import Sample, percentile
from bench.stage import BenchError, Cores, Process
from connector.cli.context import Context
from connector.store.tables import requests
from connector.wiring import open_database

WARM_UP_S: Final = 1.0
# The fastest server that was seen, nearly twice over: what the first warm-up has to have at hand.
_FIRST_RATE: Final = 10_000
_KILLED_AFTER_S: Final = 0.3
# If more of the load than this could not even be sent, latencies tell how long it lasted, not how fast the server is.
_LATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Setup:
    """What a receiver is run with.

    Attributes:
        stored: gives the ids that are on disk; None for a receiver that stores nothing.
    """

    name: str
    context: Context
    command: Callable[[int], Sequence[str]]
    environment: Mapping[str, str]
    stored: Callable[[], set[str]] | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How it is loaded: closed loop and open loop for `seconds` each."""

    connections: int
    seconds: float
    rate: float


@dataclass(slots=True)
class Receiver:
    """A running receiver, and what was seen of it."""

    setup: Setup
    port: int
    log: Path
    cores: Cores
    callbacks: Callbacks
    rate: float = _FIRST_RATE
    samples: list[Sample] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    repeated: int = 0
    lost: int = 0
    kills: int = 0
    unanswered: int = 0
    busy: float = 0.0
    _life: ExitStack = field(default_factory=ExitStack)
    _server: Process | None = None

    @property
    def name(self) -> str:
        return self.setup.name

    @property
    def server(self) -> Process:
        assert self._server is not None
        return self._server

    def start(self) -> None:
        setup = self.setup
        running = stage.process(
            setup.context, setup.command(self.port), self.log, self.cores.measured, setup.environment
        )
        self._server = self._life.enter_context(running)
        stage.until_answered(self.port, "/health/ready", self._server)

    def stop(self) -> None:
        self._life.close()

    def play(self, pace: Pace) -> None:
        """Play one round: warm up, the closed loop, the open loop; then kill it in full flight and see what it kept."""
        warm_up_s = min(WARM_UP_S, pace.seconds)
        self._keep(load.run(self.port, self._prepared(warm_up_s, pace), pace.connections, warm_up_s))
        self.samples.append({**self._as_fast_as_it_can(pace), **self._at_a_fixed_rate(pace)})
        if self.setup.stored is not None:
            self._kill(pace)

    def complaints(self) -> list[str]:
        """Say what is wrong between what was answered and what is on disk."""
        if self.setup.stored is None:
            return []
        found = []
        if self.lost:
            found.append(f"{self.name}: {self.lost} of {len(self.answered)} accepted callbacks were lost")
        if self.repeated:
            found.append(f"{self.name}: {self.repeated} ids were given to two callbacks")
        # What was in flight when it was killed may be stored or not; nobody was told.
        more = len(self.setup.stored() - self.answered)
        if more > self.unanswered:
            found.append(f"{self.name}: {more} callbacks are stored that nobody was told of, {self.unanswered} may be")
        if self.kills and not self.unanswered:
            found.append(f"{self.name}: nothing was in flight when it was killed, so that nothing was shown")
        return found

    def _as_fast_as_it_can(self, pace: Pace) -> Sample:
        prepared = self._prepared(pace.seconds, pace)
        before = self.server.cpu_s()
        seen = self._keep(load.run(self.port, prepared, pace.connections, pace.seconds))
        after = self.server.cpu_s()
        self.rate = seen.per_second
        self.busy = max(self.busy, seen.busy)
        return {
            "per_second": seen.per_second,
            "p50_ms": percentile(seen.taken_s, 0.5) * 1000,
            "p99_ms": percentile(seen.taken_s, 0.99) * 1000,
            "cpu_us": None if before is None or after is None else (after - before) * 1e6 / len(seen.answers),
        }

    def _at_a_fixed_rate(self, pace: Pace) -> Sample:
        prepared = self.callbacks.requests(max(1, int(pace.rate * pace.seconds)))
        seen = self._keep(load.run_at(self.port, prepared, pace.connections, pace.rate))
        if seen.late > _LATE * len(prepared):
            return {"open_p50_ms": None, "open_p99_ms": None}
        return {
            "open_p50_ms": percentile(seen.taken_s, 0.5) * 1000,
            "open_p99_ms": percentile(seen.taken_s, 0.99) * 1000,
        }

    def _kill(self, pace: Pace) -> None:
        # It must not run out of them before it is killed.
        prepared = self._prepared(_KILLED_AFTER_S * 2, pace)
        killer = threading.Timer(_KILLED_AFTER_S, self.server.kill)
        killer.start()
        seen = self._keep(load.run(self.port, prepared, pace.connections, _KILLED_AFTER_S * 10, until_it_dies=True))
        killer.join()
        self.kills += 1
        self.unanswered += seen.unanswered
        self._life.close()
        # Started again it has to find by itself what is in its journal.
        self.start()
        assert self.setup.stored is not None
        self.lost = len(self.answered - self.setup.stored())

    def _prepared(self, seconds: float, pace: Pace) -> list[bytes]:
        # Half as many again as the last round took; a round that runs out of them just ends early.
        return self.callbacks.requests(int(self.rate * seconds * 1.5) + pace.connections)

    def _keep(self, seen: load.Round) -> load.Round:
        try:
            ids = seen.accepted_ids()
        except BenchError as error:
            raise BenchError(f"{self.name}: {error}") from None
        if self.setup.stored is not None:
            self.repeated += len(ids) - len(set(ids)) + len(self.answered.intersection(ids))
            self.answered.update(ids)
        return seen


def ids_of_requests(context: Context) -> set[str]:
    """Return the ids in our store."""
    with open_database(context.config) as database, database.read() as connection:
        return set(connection.scalars(select(requests.c.id)))


def ids_of_deliveries(file: Path) -> set[str]:
    """Return the ids in the table of one of the other receivers."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return {str(row[0]) for row in connection.execute("SELECT id FROM deliveries")}
    finally:
        connection.close()
