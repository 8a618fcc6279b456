"""An engine that lives on a clock moved by hand: it runs the steps when they are due, and jumps over what is quiet.

A tick at which no step would find anything to do is left out, so that a month costs no more than what happens in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, event, func, select

from connector.engine.schedule import STEPS, Step, run_step
from connector.store import tables as t
from tests.support.site import Bench

TICK = timedelta(seconds=5)
# What is known to nothing but a step itself is met this often.
LONGEST_JUMP = timedelta(hours=12)
# Rows in these states wait for their `next_at`.
WAITING = ((t.targets, ("queued", "confirming")), (t.operations, ("running",)), (t.reports, ("queued",)))


def due_steps(steps: Sequence[Step], start: datetime, last: datetime, now: datetime) -> list[Step]:
    """Return the steps with one or more of their times after `last` and up to `now`: several missed ones are one."""
    return [one for one in steps if (now - start) // (TICK * one.every) > (last - start) // (TICK * one.every)]


def _by(table: Table, now: datetime) -> list[ColumnElement[bool]]:
    return [table.c.next_at <= now] if "next_at" in table.c else []


class Calendar:
    """Runs the schedule of one site from now on."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.start = self.last = bench.clock.now()
        self.ticks = 0
        self.plans: list[tuple[datetime, Callable[[], Any]]] = []
        self._written = 0
        event.listen(bench.database.engine, "before_cursor_execute", self._count)

    def at(self, day: float, what: Callable[[], Any]) -> None:
        """Let something happen some days after the start."""
        self.plans.append((self.start + timedelta(days=day), what))
        self.plans.sort(key=lambda one: one[0])

    def run_to(self, day: float) -> None:
        """Let time pass until some days after the start."""
        end = self.start + timedelta(days=day)
        while (now := self.bench.clock.now()) < end:
            busy = self._tick(now)
            at_once = busy and self._waits(now)
            later = now + TICK if at_once else self._aligned(min(self._next(now), now + LONGEST_JUMP))
            self.bench.clock.advance(seconds=(min(later, end) - now).total_seconds())

    def _tick(self, now: datetime) -> bool:
        """Run what is due, and say whether something was written."""
        before = self._written
        while self.plans and self.plans[0][0] <= now:
            self.plans.pop(0)[1]()
        for step in due_steps(STEPS, self.start, self.last, now):
            run_step(self.bench.site, step)
        self.last = now
        self.ticks += 1
        return self._written > before

    def _waits(self, now: datetime) -> bool:
        """Say whether something was due by now and is still to be done."""
        with self.bench.database.read() as connection:
            return any(
                connection.scalar(select(table.c.id).where(table.c.state.in_(states), *_by(table, now)).limit(1))
                for table, states in (*WAITING, (t.requests, ("received",)))
            )

    def _next(self, now: datetime) -> datetime:
        """Return when something that waits is due next, or may be asked again."""
        times = [self.plans[0][0]] if self.plans else []
        # Of those pauses that keep work waiting: others are for a reminder, or for a look at what hardly ever changes.
        pauses = self.bench.site.pauses.until.items()
        times += [one for name, one in pauses if one > now and not name.startswith(("left_out", "let_pass"))]
        breakers = (self.bench.site.breakers.of(name) for name in ("main", "report:onetrust"))
        times += [one.open_until for one in breakers if one.open_until is not None and one.open_until > now]
        with self.bench.database.read() as connection:
            for table, states in WAITING:
                waiting = select(func.min(table.c.next_at)).where(table.c.state.in_(states), table.c.next_at > now)
                times += [one for one in connection.execute(waiting).scalars() if one is not None]
        return min(times, default=now + LONGEST_JUMP)

    def _aligned(self, at: datetime) -> datetime:
        """Return the first tick that is not before a time."""
        return self.start + TICK * -((self.start - at) // TICK)

    def _count(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self._written += statement.split(None, 1)[0] in ("INSERT", "UPDATE", "DELETE")
