"""Callbacks through two receivers and two workers on PostgreSQL, while both remote systems fail again and again.

From the first callback to the last report. The processes are started as an operator starts them. What has to be true in
the end is read from the fakes' own records, and from the store.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from bench import stage
from bench.callbacks import Callbacks
from bench.calls import Line
from bench.pipeline import WITHOUT_WAITS
from bench.postgres import durable_store
from bench.sender import Sender, Sent
from bench.stage import BenchError, Process
from bench.through import Plan, Result
from bench.usage import Usage, postgres_leader
from connector.cli.context import Context
from connector.states import ReportState, RequestState
from connector.store.tables import reports, requests
from connector.wiring import open_database

RECEIVERS: Final = 2
WORKERS: Final = 2
# Switches of the sandbox, and the share of calls that meet each: 5 % in all. A 429 stands for "leave me alone for a
# while", and all calls to that system wait then, so that one in five thousand is many.
FAULTS: Final[Mapping[str, float]] = {
    "server_error": 0.01,
    "server_error_after": 0.0098,
    "drop_before": 0.01,
    "drop_after": 0.01,
    "truncated_json": 0.01,
    "rate_limited": 0.0002,
}
_RETRY_AFTER_S: Final = 1
# Callbacks whose sender does not wait for the answer, and sends the same again.
_HANG_UP: Final = 0.05
_SERIES: Final = 7
_CHUNK: Final = 500
_LOOK_S: Final = 1.0


@dataclass(slots=True)
class Fakes:
    """The fake Lytics and the fake OneTrust, in a process each."""

    lytics: Line
    onetrust: Line
    processes: Sequence[Process]

    def prepare(self, callbacks: Callbacks, number: int) -> None:
        """Make up the people behind callbacks 1 to `number`, with a profile and an erasure request each."""
        for start in range(1, number + 1, _CHUNK):
            chunk = range(start, min(start + _CHUNK, number + 1))
            people = [callbacks.person(one) for one in chunk]
            profiles = [
                {"table": "user", "field": "email", "value": email, "fields": {"loyalty_id": loyalty_id}}
                for email, loyalty_id in people
            ]
            self.lytics.call("POST", "/_sandbox/seed", {"profiles": profiles})
            # What OneTrust lists of a request has to bear out what its callback said.
            asked = [
                {
                    "email": email,
                    "identifiers": {"Loyalty ID": loyalty_id},
                    "subtask_id": callbacks.subtask_id(one),
                }
                for one, (email, loyalty_id) in zip(chunk, people, strict=True)
            ]
            self.onetrust.call("POST", "/_sandbox/requests", {"requests": asked})

    def fail(self, share: float) -> None:
        """Turn the faults on, all together for this share of the calls."""
        whole = sum(FAULTS.values())
        for line in (self.lytics, self.onetrust):
            for name, part in FAULTS.items():
                value = _RETRY_AFTER_S if name == "rate_limited" else None
                wanted = {"name": name, "value": value, "share": part / whole * share}
                line.call("POST", "/_sandbox/faults", wanted)

    def summaries(self) -> tuple[dict[str, Any], dict[str, Any]]:
        lytics, onetrust = (one.call("GET", "/_sandbox/summary") for one in (self.lytics, self.onetrust))
        return lytics, onetrust


def measure(plan: Plan) -> Result:
    """Send all callbacks, and wait until all of them are reported.

    Raises:
        BenchError: a process did not come up, or not everything was reported in time.
    """
    deadline = time.monotonic() + plan.timeout_s
    with stage.folder() as place, durable_store() as url, _fakes(place) as fakes:
        context = _context(fakes, url)
        stage.make_store(context)
        callbacks = Callbacks(context.config.sources[stage.SOURCE].verify, _SERIES)
        fakes.prepare(callbacks, plan.callbacks)
        fakes.fail(plan.faults)
        with _system(place, context) as (receivers, workers, ports):
            usage = Usage(
                {
                    "receivers": [one.child.pid for one in receivers],
                    "workers": [one.child.pid for one in workers],
                    "PostgreSQL": postgres_leader(url),
                    "fakes": [one.child.pid for one in fakes.processes],
                }
            )
            before, own = usage.cpu_s(), stage.own_cpu_s()
            with usage.watched():
                patience_s = deadline - time.monotonic()
                sent = Sender(callbacks.request, plan.callbacks, ports, plan.connections, _HANG_UP, patience_s).run()
                own = stage.own_cpu_s() - own
                _until_reported(plan, context, fakes, workers, deadline)
            spent = {kind: seconds - before.get(kind, 0.0) for kind, seconds in usage.cpu_s().items()}
        result = _result(plan, fakes, sent, spent | {"load": own}, usage.peak_mb)
        result.complaints += _wrong_in_the_store(plan, context)
    return result


def _context(fakes: Fakes, url: str) -> Context:
    return stage.context_with(
        **WITHOUT_WAITS,
        store__url=url,
        accounts__main__base_url=f"http://127.0.0.1:{fakes.lytics.port}",
        sources__onetrust__report__base_url=f"http://127.0.0.1:{fakes.onetrust.port}",
        sources__onetrust__max_deliveries_per_minute=10**6,
    )


@contextmanager
def _fakes(place: Path) -> Iterator[Fakes]:
    ports = dict(zip(("lytics", "onetrust"), stage.free_ports(2), strict=True))
    with ExitStack() as stack:
        processes = []
        for name, port in ports.items():
            command = [sys.executable, "-m", "bench.fake", name, str(port)]
            processes.append(
                stack.enter_context(stage.process(stage.context_with(), command, place / f"{name}.log", None))
            )
            stage.until_answered(port, "/_sandbox/faults", processes[-1])
        yield Fakes(Line(ports["lytics"], {}), Line(ports["onetrust"], {}), processes)


@contextmanager
def _system(place: Path, context: Context) -> Iterator[tuple[list[Process], list[Process], list[int]]]:
    """Run receivers and workers while the context lasts; give them, and the receivers' ports."""
    ports = stage.free_ports(RECEIVERS)
    with ExitStack() as stack:

        def start(name: str, command: list[str]) -> Process:
            return stack.enter_context(stage.process(context, command, place / f"{name}.log", None))

        receivers = [
            start(f"web-{port}", stage.server_command("granian", "connector.wsgi:create_app", port)) for port in ports
        ]
        for port, one in zip(ports, receivers, strict=True):
            stage.until_answered(port, "/health/ready", one)
        command = [sys.executable, "-m", "connector", "worker"]
        workers = [start(f"worker-{number}", command) for number in range(WORKERS)]
        yield receivers, workers, ports


def _until_reported(plan: Plan, context: Context, fakes: Fakes, workers: Sequence[Process], deadline: float) -> None:
    """Wait until every subtask is completed and nothing is left in the outbox."""
    statuses: dict[str, int] = {}
    with open_database(context.config) as database:
        while time.monotonic() < deadline:
            statuses = fakes.onetrust.call("GET", "/_sandbox/summary")["statuses"]
            if statuses == {"COMPLETED": plan.callbacks}:
                with database.read() as connection:
                    queued = select(reports.c.id).where(reports.c.state == ReportState.QUEUED).limit(1)
                    if connection.execute(queued).first() is None:
                        return
            for one in workers:
                if one.child.poll() is not None:
                    raise BenchError(f"a worker ended: {one.tail()}")
            time.sleep(_LOOK_S)
    raise BenchError(f"not everything was reported in time; subtasks: {statuses}")


def _result(plan: Plan, fakes: Fakes, sent: Sent, spent: Mapping[str, float], peak_mb: Mapping[str, float]) -> Result:
    lytics, onetrust = fakes.summaries()
    number = plan.callbacks
    wrong = []
    if onetrust["statuses"] != {"COMPLETED": number}:
        wrong.append(f"subtasks {onetrust['statuses']} instead of {number} COMPLETED")
    if onetrust["times_closed"] != {"1": number}:
        wrong.append(f"subtasks were closed so often: {onetrust['times_closed']}")
    if onetrust["written_when_closed"]:
        wrong.append(f"{onetrust['written_when_closed']} writes came after the end of a subtask")
    if lytics["profiles"]:
        wrong.append(f"{lytics['profiles']} profiles are still there")
    if lytics["times_submitted"] != {"1": 2 * number}:
        wrong.append(f"identities were submitted so often: {lytics['times_submitted']}")
    faults = Counter(lytics["faults_used"]) + Counter(onetrust["faults_used"])
    calls = sum(lytics["calls"].values()) + sum(onetrust["calls"].values())
    reported_s = onetrust["last_written_at"] - sent.began
    return Result(plan, sent, reported_s, calls, faults, dict(spent), dict(peak_mb), wrong)


def _wrong_in_the_store(plan: Plan, context: Context) -> list[str]:
    with open_database(context.config) as database, database.read() as connection:
        ended, told = (
            {row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))}
            for column in (requests.c.state, reports.c.state)
        )
    wrong = []
    if ended != {RequestState.COMPLETED: plan.callbacks}:
        wrong.append(f"requests {ended} instead of {plan.callbacks} completed")
    if unsent := {state: number for state, number in told.items() if state not in _REPORTED}:
        wrong.append(f"reports that did not arrive: {unsent}")
    return wrong


_REPORTED: Final = (ReportState.SENT, ReportState.SUPERSEDED)
