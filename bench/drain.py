"""A million identities in the queue, carried to their end by one worker.

Three things are looked at: whether the worker's memory is as flat at the end as at the beginning, whether the remote
systems' rate limit is the bound where there is one, and what the worker itself could do without.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from annotated_types import Le
from sqlalchemy import func, select

from bench import backlog, stage
from bench.drained import SHARES, Course, Plan, Result, Window
from bench.drainer import Progress, Settings
from bench.stage import BenchError
from connector.cli.context import Context
from connector.config.models import AccountSettings
from connector.states import ReportState, RequestState, TargetState
from connector.store.columns import Connection
from connector.store.tables import reports, requests, targets
from connector.wiring import open_database

_RATE: Final = AccountSettings.model_fields["requests_per_second"]
_DEFAULT_RATE: Final = float(_RATE.default)
_HIGHEST_RATE: Final = float(next(one.le for one in _RATE.metadata if isinstance(one, Le)))  # type: ignore[arg-type]
# Requests that are put into the store by one insertion.
_CHUNK: Final = 100_000
_LOOK_S: Final = 0.1
# Seconds of a window that are left out: a limit per second lets the first calls through at once.
_RUN_UP_S: Final = 3.0
# What is asked of the figures; everything else is told.
_LEAST_RATIO: Final = 0.95
_MOST_GROWTH: Final = 1.5
_FLAT_SHARE: Final = 1.1
_FLAT_MB: Final = 16.0
_SETTINGS: Final[dict[str, str | float]] = {
    "engine__tick_s": 0.05,
    "accounts__main__batch_wait_s": 0.2,
    "accounts__main__poll_first_s": 0.01,
    "accounts__main__confirm_first_s": 0.01,
    "log__format": "json",
}


def measure(plan: Plan) -> Result:
    """Fill a store, look at it through two windows with a limit, and drain it without one.

    Raises:
        BenchError: a worker did not start, or did not finish in time.
    """
    with stage.folder() as place:
        context = stage.context_with(store__url=f"sqlite:///{place / 'queue.db'}", **_SETTINGS)
        began = time.perf_counter()
        _fill(plan, context)
        seeding_s = time.perf_counter() - began
        whole = Course()
        windows = []
        for rate in (_DEFAULT_RATE, _HIGHEST_RATE):
            with _worker(plan, context, place, rate) as lines:
                seen = whole.follow(lines, lambda first, now: now.at - first.at >= plan.window_s + _RUN_UP_S)
            begin = next(one for one in seen if one.at - seen[0].at >= _RUN_UP_S)
            windows.append(Window.between(rate, begin, seen[-1]))
        with _worker(plan, context, place, 0) as lines:
            seen = whole.follow(lines, lambda _, now: now.ended >= plan.requests)
        drained = Window.between(0, seen[0], seen[-1])
        result = Result(plan, seeding_s, windows, drained, whole.peaks(seen), whole.costs(plan.identities))
        result.complaints = [*_complaints(result, seen[-1]), *_wrong_in_the_store(plan, context)]
    return result


def _fill(plan: Plan, context: Context) -> None:
    stage.make_store(context)
    site = context.site(role="cli")
    source = site.sources[stage.SOURCE]
    with site.database:
        for first in range(1, plan.requests + 1, _CHUNK):
            with site.database.write() as connection:
                backlog.pile_up(
                    connection,
                    backlog.RECEIVED,
                    min(_CHUNK, plan.requests + 1 - first),
                    first,
                    source=source.name,
                    account=source.account,
                    digest=source.rules.digest,
                    each=plan.each,
                )


@contextmanager
def _worker(plan: Plan, context: Context, place: Path, rate: float) -> Iterator[Iterator[Progress]]:
    """Run a worker while the context lasts; give its lines."""
    settings = Settings(plan.identities, str(place / "record"), rate)
    # A run of look-ups is minutes of work where five a second are allowed: nothing else would be seen in a window.
    budget = int(min(500, max(10, rate * 4))) if rate else 500
    context = Context(context.config_path, (*context.overrides, f"engine.lookup_budget={budget}"))
    command = [sys.executable, "-m", "bench.drainer", json.dumps(asdict(settings))]
    lines = place / f"lines-{rate:g}"
    with stage.process(context, command, place / "worker.log", None, output=lines) as running:
        yield _lines(running, lines, plan.timeout_s)


def _lines(running: stage.Process, file: Path, timeout_s: float) -> Iterator[Progress]:
    """Give the lines of a worker as they come."""
    deadline = time.monotonic() + timeout_s
    with file.open() as lines:
        begun = ""
        while time.monotonic() < deadline:
            begun += lines.readline()
            if begun.endswith("\n"):
                yield Progress(**json.loads(begun))
                begun = ""
            elif running.child.poll() is not None:
                raise BenchError(f"the worker ended: {running.tail()}")
            else:
                time.sleep(_LOOK_S)
    raise BenchError(f"the worker did not finish within {timeout_s:g} s")


def _complaints(result: Result, last: Progress) -> list[str]:
    wrong = [f"{name}: {number}" for name, number in last.problems.items()]
    for one in result.windows:
        wrong += [
            f"{name} was called at {one.ratio(name):.3f} of the {one.rate:g} calls per second that it allows"
            for name in one.calls
            if one.ratio(name) < _LEAST_RATIO
        ]
        if one.refused:
            wrong.append(f"{one.refused} calls came faster than the {one.rate:g} per second allowed")
    first, last_peak = result.memory[SHARES[0]], result.memory[SHARES[-1]]
    if last_peak > first * _FLAT_SHARE + _FLAT_MB:
        wrong.append(f"memory grew from {first:.0f} to {last_peak:.0f} MB")
    begin, end = result.cost
    if end > begin * _MOST_GROWTH:
        wrong.append(f"an identity cost {begin:.0f} µs at the beginning and {end:.0f} µs at the end")
    return wrong


def _wrong_in_the_store(plan: Plan, context: Context) -> list[str]:
    """Compare the store with what has to be true once everybody is gone and reported."""
    with open_database(context.config) as database, database.read() as connection:
        found = {
            "requests": _counted(connection, requests.c.state),
            "targets": _counted(connection, targets.c.state),
        }
        told = _counted(connection, reports.c.state)
    wanted = {
        "requests": {RequestState.COMPLETED: plan.requests},
        "targets": {TargetState.DELETED: plan.identities},
    }
    wrong = [f"{name}: {states} instead of {wanted[name]}" for name, states in found.items() if states != wanted[name]]
    if unsent := {state for state in told if state not in (ReportState.SENT, ReportState.SUPERSEDED)}:
        wrong.append(f"reports are still {sorted(unsent)}")
    return wrong


def _counted(connection: Connection, column: Any) -> dict[Any, int]:
    return {row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))}
