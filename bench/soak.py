"""Processes are killed at random moments under a steady load, and afterwards nothing may be lost or done twice.

Receivers and workers are started as an operator starts them. OneTrust's fake sends signed callbacks, one call in so
many fails, and now and then a process is ended by SIGKILL and started again. When enough were killed, all that was
accepted has to reach its end; then fakes, store and logs are asked whether every promise was kept.

A run is known by its seed: the same one chooses the same victims, pauses and faults. What they hit depends on the
machine all the same.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import postgres, stage
from bench.callers import Caller, Trouble
from bench.fleet import RECEIVER, WORKER, Fleet
from bench.reckoning import Books
from connector.cli.context import Context
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.wiring import open_database

STORES: Final = ("postgresql", "sqlite")
APIS: Final = ("identity-delete", "identity-queue")
# By store: receivers and workers. SQLite has one writer, and one worker by design.
_FLEETS: Final = {"postgresql": (2, 2), "sqlite": (1, 1)}
_LOOK_S: Final = 0.1
# A pause of a random length is at most so many times the mean.
_LONGEST: Final = 4.0
# A deletion takes so long, so that processes die while one is under way.
_DELETION_S: Final = 0.5
# As impatient as the configuration allows, so that much happens in little time.
_IMPATIENT: Final[dict[str, str | float]] = {
    "accounts__main__batch_max_values": 10,
    "accounts__main__batch_wait_s": 0.5,
    "accounts__main__poll_first_s": 0.2,
    "accounts__main__poll_max_s": 0.5,
    "accounts__main__confirm_first_s": 0.1,
    "accounts__main__unknown_wait_s": 5.0,
    "accounts__main__timeout_s": 5.0,
    "log__format": "json",
}
_TICK_S: Final = {"postgresql": 1, "sqlite": 0.2}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the product.

    Attributes:
        every_s: the mean time between two kills.
        rate: new callbacks per second.
        fault_every_s: the mean time between two faults of the remote systems.
        patience_s: how long nothing may come to its end after the last kill.
    """

    kills: int = 200
    store: str = "postgresql"
    deletion_api: str = "identity-delete"
    seed: int = 0
    every_s: float = 2.0
    rate: float = 8.0
    fault_every_s: float = 1.0
    patience_s: float = 90.0


@dataclass(slots=True)
class Result:
    """What happened, and which promises were broken."""

    plan: Plan
    figures: dict[str, int | float]
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        plan = self.plan
        table = Table(
            title="soak",
            caption="nothing lost, nothing twice" if not self.complaints else "PROMISES WERE BROKEN",
            title_justify="left",
            caption_justify="left",
            show_header=False,
        )
        table.add_column()
        table.add_column(justify="right")
        for name, word in (("store", plan.store), ("deletion API", plan.deletion_api), ("seed", str(plan.seed))):
            table.add_row(name, word)
        for name, value in self.figures.items():
            table.add_row(name.replace("_", " "), f"{value:,}")
        table.add_row("result", "broken" if self.complaints else "kept")
        return table

    def as_dict(self) -> dict[str, Any]:
        plan = self.plan
        return {"store": plan.store, "deletion_api": plan.deletion_api, "seed": plan.seed, **self.figures} | {
            "complaints": self.complaints
        }


def measure(plan: Plan) -> Result:
    """Let it happen, on a store of its own.

    Raises:
        BenchError: no PostgreSQL can be had, or the processes do not come up.
    """
    with stage.folder() as place, _store(plan, place) as url, Bar(plan) as bar:
        return torment(plan, url, place, bar)


@contextmanager
def _store(plan: Plan, place: Path) -> Iterator[str]:
    own = postgres.durable_store() if plan.store == "postgresql" else nullcontext(f"sqlite:///{place / 'soak.db'}")
    with own as url:
        yield url


def torment(plan: Plan, url: str, place: Path, bar: Bar | None = None) -> Result:
    """Let it happen on a given, empty store; logs go to `place`."""
    began = time.monotonic()
    over = threading.Event()
    with FakeLytics(finish_after_s=_DELETION_S) as lytics, FakeOneTrust() as onetrust:
        context = _context(plan, url, lytics, onetrust)
        stage.make_store(context)
        trouble = Trouble(lytics, onetrust, plan.deletion_api, plan.fault_every_s, _choices(plan, "faults"))
        with open_database(context.config) as database:
            with Fleet(place, context, *_FLEETS[plan.store]) as fleet, ThreadPoolExecutor(2) as pool:
                caller = Caller(lytics, onetrust, fleet.urls, plan.rate, _choices(plan, "callbacks"))
                books = Books(plan.deletion_api, lytics, onetrust, caller, fleet, database)
                try:
                    background = [pool.submit(one.run, over) for one in (caller, trouble)]
                    _kill_at_random(plan, books, bar)
                finally:
                    over.set()
                for one in background:
                    one.result()
                complaints = [*_until_done(plan, books, bar)]
            complaints += [*fleet.complaints, *books.broken_promises()]
            return Result(plan, _figures(books, trouble, time.monotonic() - began), complaints)


def _context(plan: Plan, url: str, lytics: FakeLytics, onetrust: FakeOneTrust) -> Context:
    settings: dict[str, str | float] = {
        "store__url": url,
        "engine__tick_s": _TICK_S[plan.store],
        "accounts__main__base_url": lytics.url,
        "accounts__main__deletion_api": plan.deletion_api,
        "sources__onetrust__report__base_url": onetrust.url,
    }
    return stage.context_with(**_IMPATIENT, **settings)


def _choices(plan: Plan, of: str) -> random.Random:
    """Return where random choices of one kind come from: each kind has its own, as they are made at the same time."""
    return random.Random(f"{plan.seed}/{of}")


def _kill_at_random(plan: Plan, books: Books, bar: Bar | None) -> None:
    rng = _choices(plan, "kills")
    for number in range(plan.kills):
        kill_at = time.monotonic() + min(rng.expovariate(1 / plan.every_s), plan.every_s * _LONGEST)
        while (left := kill_at - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_S))
            books.fleet.look_after()
        books.fleet.kill(rng.choice(books.fleet.members))
        if bar:
            bar.show(number + 1, books.onetrust)


def _until_done(plan: Plan, books: Books, bar: Bar | None) -> Iterator[str]:
    """Wait for the end of everything; complain if nothing comes to its end any more."""
    completed, deadline = -1, 0.0
    while not books.is_done():
        now_completed = sum(one.status == "COMPLETED" for one in books.onetrust.desk.subtasks.values())
        if now_completed > completed:
            completed, deadline = now_completed, time.monotonic() + plan.patience_s
        if time.monotonic() > deadline:
            yield f"nothing came to its end for {plan.patience_s:g} s; completed so far: {completed}"
            return
        if bar:
            bar.show(plan.kills, books.onetrust)
        time.sleep(_LOOK_S)
        books.fleet.look_after()


def _figures(books: Books, trouble: Trouble, seconds: float) -> dict[str, int | float]:
    deliveries = books.caller.deliveries
    return {
        "receivers_killed": books.fleet.kills[RECEIVER],
        "workers_killed": books.fleet.kills[WORKER],
        "callbacks": len(books.onetrust.desk.subtasks),
        "accepted": len(books.accepted()),
        "repeated": sum(one.kind == "dead_letter" for one in deliveries),
        "duplicates": sum(isinstance(one.answer, dict) and one.answer.get("duplicate") is True for one in deliveries),
        "faults": trouble.number,
        "jobs_taken_over": books.taken_over(),
        "submitted_again": books.submitted_again(),
        "seconds": round(seconds, 1),
    }


class Bar:
    """How far it is, on a terminal."""

    def __init__(self, plan: Plan) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description:<10}"), BarColumn(bar_width=40), MofNCompleteColumn())
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal)
        self._killed = self._progress.add_task("killed", total=plan.kills)
        self._completed = self._progress.add_task("completed", total=None)

    def show(self, killed: int, onetrust: FakeOneTrust) -> None:
        subtasks = list(onetrust.desk.subtasks.values())
        completed = sum(one.status == "COMPLETED" for one in subtasks)
        self._progress.update(self._killed, completed=killed)
        self._progress.update(self._completed, completed=completed, total=len(subtasks))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()
