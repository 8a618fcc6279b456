"""The accept path: signed callbacks per second and their latency, beside a receiver that verifies and forgets."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from sqlalchemy import func, select

from bench import load, stage
from bench.callbacks import Callbacks
from bench.figures import Comparison, Quantity, Sample, percentile
from bench.postgres import durable_store
from bench.stage import Cores, Process
from connector.cli.context import Context
from connector.store.tables import deliveries, requests
from connector.wiring import open_database

_QUANTITIES: Final = (
    Quantity("per_second", "callbacks per second", 0),
    Quantity("p50_ms", "latency p50, ms"),
    Quantity("p99_ms", "latency p99, ms"),
    Quantity("cpu_us", "server CPU per callback, µs", 0),
)
_WARM_UP_S: Final = 1.0
# The fastest server that was seen, twice over: what the warm-up has to have at hand.
_WARM_UP_RATE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured and for how long."""

    server: str = "granian"
    store: str = "sqlite"
    rounds: int = 5
    seconds: float = 5.0
    connections: int = 32
    pinned: bool = True


@dataclass(slots=True)
class Result:
    """What was measured."""

    plan: Plan
    cores: Cores
    comparison: Comparison
    sync_ms: float
    accepted: int
    stored: int
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        plan = self.plan
        caption = (
            f"{plan.connections} connections, 2 KB callbacks, {plan.rounds} rounds of {plan.seconds:g} s in turn, "
            f"{self.cores.told}; accepted {self.accepted}, stored {self.stored}; "
            f"a 4 KiB write with fsync takes {self.sync_ms:.2f} ms here"
        )
        return self.comparison.table(f"accept path: {plan.server}, {plan.store}", "bare verified 202", caption)

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.comparison.as_dict(),
            "server": self.plan.server,
            "store": self.plan.store,
            "connections": self.plan.connections,
            "seconds": self.plan.seconds,
            "cores": self.cores.told,
            "sync_ms": round(self.sync_ms, 3),
            "accepted": self.accepted,
            "stored": self.stored,
            "complaints": self.complaints,
        }


@dataclass(slots=True)
class Side:
    """One of the two receivers."""

    port: int
    server: Process
    callbacks: Callbacks
    ids: list[str] = field(default_factory=list)
    rate: float = _WARM_UP_RATE
    samples: list[Sample] = field(default_factory=list)

    def play(self, plan: Plan, seconds: float) -> Sample:
        """Load it for a while, and check every answer."""
        # Half as many again as the last round took; a round that runs out of them just ends early.
        prepared = self.callbacks.requests(int(self.rate * seconds * 1.5) + plan.connections)
        before = self.server.cpu_s()
        seen = load.run(self.port, prepared, plan.connections, seconds)
        after = self.server.cpu_s()
        self.ids += seen.accepted_ids()
        self.rate = seen.per_second
        spent = None if before is None or after is None else (after - before) * 1e6 / len(seen.answers)
        return {
            "per_second": seen.per_second,
            "p50_ms": percentile(seen.taken_s, 0.5) * 1000,
            "p99_ms": percentile(seen.taken_s, 0.99) * 1000,
            "cpu_us": spent,
        }


def measure(plan: Plan) -> Result:
    """Measure both receivers in turn.

    Raises:
        BenchError: a process did not come up, or an answer was not the 202 that it has to be.
    """
    cores = stage.choose_cores(plan.pinned)
    with stage.folder() as place, _store_url(plan.store, place) as url:
        sync_ms = statistics.median(stage.sync_ms(place))
        context = stage.context_with(
            store__url=url, log__format="json", sources__onetrust__max_deliveries_per_minute=10**6
        )
        stage.make_store(context)
        with (
            _side(plan, context, place, "connector.wsgi:create_app", cores) as ours,
            _side(plan, context, place, "bench.bare:create_app", cores) as floor,
            stage.on_cores(cores.counterpart),
        ):
            for side in (ours, floor):
                stage.until_answered(side.port, "/health/ready", side.server)
            _play(plan, ours, floor)
        stored, complaints = _compare(context, ours.ids)
    comparison = Comparison(_QUANTITIES, ours.samples, floor.samples)
    return Result(plan, cores, comparison, sync_ms, len(ours.ids), stored, complaints)


def _play(plan: Plan, ours: Side, floor: Side) -> None:
    for side in (ours, floor):
        side.play(plan, min(_WARM_UP_S, plan.seconds))
    for _ in range(plan.rounds):
        for side in (ours, floor):
            side.samples.append(side.play(plan, plan.seconds))


@contextmanager
def _store_url(store: str, place: Path) -> Iterator[str]:
    if store == "sqlite":
        yield f"sqlite:///{place / 'bench.db'}"
        return
    with durable_store() as url:
        yield url


@contextmanager
def _side(plan: Plan, context: Context, place: Path, application: str, cores: Cores) -> Iterator[Side]:
    (port,) = stage.free_ports(1)
    command = stage.server_command(plan.server, application, port)
    log = place / f"{application.partition('.')[0]}.log"
    with stage.process(context, command, log, cores.measured) as server:
        checks = context.config.sources[stage.SOURCE].verify
        yield Side(port, server, Callbacks(checks, series=os.getpid()))


def _compare(context: Context, ids: Sequence[str]) -> tuple[int, list[str]]:
    """Compare what is in the store with what was answered 202."""
    with open_database(context.config) as database, database.read() as connection:
        found = connection.scalars(select(requests.c.id)).all()
        claimed = connection.scalar(select(func.count()).select_from(deliveries)) or 0
    complaints = []
    if set(found) != set(ids) or len(found) != len(ids):
        complaints.append(f"{len(ids)} accepted, {len(found)} requests stored, {len(set(found) & set(ids))} in both")
    if claimed != len(ids):
        complaints.append(f"{len(ids)} accepted, {claimed} deliveries claimed")
    return len(found), complaints
