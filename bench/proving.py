"""What a request's promises cost: its life with sealing, the audit log and receipts, beside the same without them.

The product's own steps run in this process, on SQLite. Lytics and OneTrust are a few lines that answer at once, so that
the figures are those of the product and its store, its commits included.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from rich.table import Table

from bench import stage
from bench.figures import Figure
from bench.growth import Remote
from bench.sealing import NoCipher, arrival
from connector.clock import FixedClock, SystemClock
from connector.crypto.keyring import Keyring
from connector.engine.schedule import STEPS, run_step
from connector.model import Delivered, Report, SourceStatus
from connector.private import Secret
from connector.services.site import Site
from connector.store import arrivals, schema
from connector.store.database import Database
from connector.store.ledger_tables import checkpoints, receipts
from connector.wiring import build_site

_LIFE: Final = ("map", "look_up", "submit", "poll", "confirm", "ledger", "report")
_LOG: Final = "ledger"
# More passes than a life needs; one that is not over by then is stuck.
_MOST_PASSES: Final = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and how many requests live at the same time."""

    rounds: int = 9
    together: int = 64


@dataclass(frozen=True, slots=True)
class Side:
    """One way of doing it; each adds one thing to the one before."""

    name: str
    seals: bool = False
    logs: bool = False
    signs: bool = False


SIDES: Final = (
    Side("without any"),
    Side("+ sealed", seals=True),
    Side("+ logged", seals=True, logs=True),
    Side("+ signed", seals=True, logs=True, signs=True),
)


@dataclass(slots=True)
class Result:
    """Milliseconds for a request by side: passed, and of the processor; one of each for every round."""

    plan: Plan
    passed: dict[str, list[float]] = field(default_factory=dict)
    used: dict[str, list[float]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        table = Table(
            title="a request's life, ms, from the commit of its delivery to its report",
            caption=f"SQLite, one thread, {self.plan.together} requests at a time, measured in turn",
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("what")
        for name in ("ms", "÷ the row above", "CPU ms", "÷ the row above"):
            table.add_column(name, justify="right")
        above = SIDES[0]
        for side in SIDES:
            table.add_row(side.name, *self._cells(side, above))
            above = side
        table.add_row("all ÷ without any", *self._cells(above, SIDES[0]))
        return table

    def _cells(self, side: Side, other: Side) -> list[str]:
        pairs = [(Figure.over(kind[side.name]), _ratio(kind, side, other)) for kind in (self.passed, self.used)]
        return [figure.shown(2) for pair in pairs for figure in pair]

    def as_dict(self) -> dict[str, Any]:
        found = {}
        above = SIDES[0]
        for side in SIDES:
            found[side.name] = {
                "ms": Figure.over(self.passed[side.name]).as_dict(),
                "cpu_ms": Figure.over(self.used[side.name]).as_dict(),
                "ratio_to_the_one_above": _ratio(self.passed, side, above).as_dict(),
                "cpu_ratio_to_the_one_above": _ratio(self.used, side, above).as_dict(),
                "ratio_to_without": _ratio(self.passed, side, SIDES[0]).as_dict(),
                "cpu_ratio_to_without": _ratio(self.used, side, SIDES[0]).as_dict(),
            }
            above = side
        return found | {"rounds": self.plan.rounds}


class _Ends(Remote):
    """Counts the requests whose end is told."""

    def __init__(self) -> None:
        self.ended = 0

    def deliver(self, report: Report) -> Delivered:
        self.ended += report.status is SourceStatus.COMPLETED
        return super().deliver(report)


@dataclass(slots=True)
class _Place:
    """A site of one side, on a store of its own."""

    side: Side
    site: Site
    clock: FixedClock
    remote: _Ends

    def live(self, plan: Plan, number: int) -> tuple[float, float]:
        """Let requests come and be carried to their end; return ms for each: passed, and of the processor."""
        source = self.site.sources[stage.SOURCE].name
        arrived = [arrival(f"{number}-{one}", source, self.clock.now()) for one in range(plan.together)]
        wanted = self.remote.ended + plan.together
        began, used = time.perf_counter(), time.process_time()
        with self.site.database.write() as connection:
            arrivals.insert_new(connection, arrived)
        for _ in range(_MOST_PASSES):
            self._pass()
            if self.remote.ended == wanted:
                break
        else:
            raise stage.BenchError(f"{self.side.name}: {wanted - self.remote.ended} requests were not told their end")
        # What the last moves add to the log, and the receipts.
        self._pass()
        ends = time.perf_counter(), time.process_time()
        return (ends[0] - began) / plan.together * 1e3, (ends[1] - used) / plan.together * 1e3

    def _pass(self) -> None:
        self.clock.advance(seconds=61)
        for step in STEPS:
            if step.name in _LIFE and (self.side.logs or step.name != _LOG):
                run_step(self.site, step)

    def complaints(self, plan: Plan) -> Iterator[str]:
        """Say what was not done that this side is there for."""
        with self.site.database.read() as connection:
            issued = len(connection.execute(receipts.select().where(receipts.c.log_index.is_not(None))).all())
            signed = connection.execute(checkpoints.select().limit(1)).first() is not None
        wanted = plan.together * (plan.rounds + 1) if self.side.signs else 0
        if issued != wanted or signed is not self.side.signs:
            yield f"{self.side.name}: {issued} receipts instead of {wanted}"


def measure(plan: Plan) -> Result:
    """Measure all sides in turn, on stores of their own."""
    result = Result(plan)
    with stage.folder() as folder, ExitStack() as stack:
        places = [stack.enter_context(_place(f"sqlite:///{folder / str(at)}.db", one)) for at, one in enumerate(SIDES)]
        for number in range(plan.rounds + 1):
            for place in _another_first(places, number):
                passed, used = place.live(plan, number)
                # The first round warms up.
                if number:
                    result.passed.setdefault(place.side.name, []).append(passed)
                    result.used.setdefault(place.side.name, []).append(used)
        result.complaints = [one for place in places for one in place.complaints(plan)]
    return result


@contextmanager
def _place(url: str, side: Side) -> Iterator[_Place]:
    context = stage.context_with(
        store__url=url, accounts__main__batch_wait_s=0.0, accounts__main__batch_max_values=100, log__level="error"
    )
    clock = FixedClock(SystemClock().now())
    site, remote = build_site(context.config, "cli", clock), _Ends()
    site.database.close()
    ring = Keyring([Secret("k" * 32, "bench")]) if side.seals else cast("Keyring", NoCipher())
    accounts = {name: replace(one, api=remote, profiles=remote, concurrency=1) for name, one in site.accounts.items()}
    sources = {
        name: replace(one, reporter=remote, read_back=None, backstop=None, watch=None)
        for name, one in site.sources.items()
    }
    proofs = site.proofs if side.signs else replace(site.proofs, key=None)
    with Database(url, keyring=ring) as database:
        schema.upgrade(database)
        yield _Place(
            side, replace(site, database=database, accounts=accounts, sources=sources, proofs=proofs), clock, remote
        )


def _another_first(places: Sequence[_Place], number: int) -> Sequence[_Place]:
    first = number % len(places)
    return [*places[first:], *places[:first]]


def _ratio(kind: dict[str, list[float]], side: Side, other: Side) -> Figure:
    return Figure.over([a / b for a, b in zip(kind[side.name], kind[other.name], strict=True)])
