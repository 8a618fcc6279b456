"""The pipeline: identities per second from stored to reported, beside the bare sum of the remote calls for them."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from sqlalchemy import func, select

from bench import stage
from bench.callbacks import Callbacks
from bench.calls import BareLoop, Line, Person, onetrust_line
from bench.figures import Comparison, Quantity, Sample
from bench.stage import BenchError, Cores, Process
from connector.cli.context import Context
from connector.cli.sign import headers_for
from connector.config.models import AccountSettings
from connector.inbound import Inbound
from connector.services.intake import receive
from connector.states import ReportState, RequestState
from connector.store.database import Database
from connector.store.tables import reports, requests
from connector.wiring import open_database

_QUANTITIES: Final = (
    Quantity("per_second", "identities per second", 0),
    Quantity("calls", "remote calls per identity", 2),
    Quantity("cpu_ms", "CPU of the caller per identity, ms", 2),
)
# What the product does at the same time towards OneTrust.
_REPORT_CONCURRENCY: Final = 4
_LOOK_S: Final = 0.2
_START_S: Final = 60.0
_CHUNK: Final = 200
_STATE: Final = "/_sandbox/state"
# Every wait that a real set-up has on purpose is as short as the configuration allows; limits are out of the way.
WITHOUT_WAITS: Final[dict[str, str | float]] = {
    "engine__tick_s": 0.05,
    "accounts__main__requests_per_second": 1000,
    "accounts__main__batch_wait_s": 0.2,
    "accounts__main__poll_first_s": 0.01,
    "accounts__main__confirm_first_s": 0.01,
    "sources__onetrust__report__requests_per_second": 1000,
    "log__format": "json",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    requests: int = 400
    rounds: int = 3
    deletion_api: str = "identity-delete"
    pinned: bool = True
    timeout_s: float = 120.0


@dataclass(slots=True)
class Result:
    """What was measured."""

    plan: Plan
    cores: Cores
    comparison: Comparison
    start_s: float
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        plan = self.plan
        caption = (
            f"{plan.requests} requests of two identities, {plan.rounds} rounds in turn, {self.cores.told} for "
            f"the caller and the fakes; the worker's own start ({self.start_s:.1f} s) is left out"
        )
        return self.comparison.table(f"pipeline: {plan.deletion_api}", "bare remote calls", caption)

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.comparison.as_dict(),
            "deletion_api": self.plan.deletion_api,
            "requests": self.plan.requests,
            "cores": self.cores.told,
            "start_s": round(self.start_s, 3),
            "complaints": self.complaints,
        }


@dataclass(slots=True)
class Fakes:
    """The fake Lytics and the fake OneTrust, in a process of their own."""

    lytics: Line
    onetrust: Line

    def add(self, people: Sequence[tuple[str, str]]) -> list[Person]:
        """Make up people, as (e-mail address, loyalty id), with a profile and an erasure request each."""
        made: list[Person] = []
        for start in range(0, len(people), _CHUNK):
            chunk = people[start : start + _CHUNK]
            profiles = [
                {"table": "user", "field": "email", "value": email, "fields": {"loyalty_id": loyalty_id}}
                for email, loyalty_id in chunk
            ]
            self.lytics.call("POST", "/_sandbox/seed", {"profiles": profiles})
            # What OneTrust lists of a request has to bear out what its callback said.
            asked = {"requests": [{"email": one, "identifiers": {"Loyalty ID": other}} for one, other in chunk]}
            rows = self.onetrust.call("POST", "/_sandbox/requests", asked)["requests"]
            made += [
                Person(row["ref_id"], row["subtask_id"], (("email", email), ("loyalty_id", loyalty_id)))
                for row, (email, loyalty_id) in zip(rows, chunk, strict=True)
            ]
        return made

    def calls(self) -> int:
        """Return how many calls were made so far, without those that steer the fakes."""
        states = [one.call("GET", _STATE) for one in (self.lytics, self.onetrust)]
        return sum(not path.startswith("/_sandbox") for state in states for _, path in state["access_log"])

    def complaints(self, people: Sequence[Person], whose: str) -> list[str]:
        """Compare what the fakes hold with what has to be true once everybody is erased and reported."""
        subtasks = self.onetrust.call("GET", _STATE)["subtasks"]
        found = Counter(subtasks[one.subtask_id]["status"] for one in people)
        there = {one["fields"].get("email") for one in self.lytics.call("GET", _STATE)["profiles"]}
        kept = [one for one in people if one.identities[0][1] in there]
        wrong = []
        if found != {"COMPLETED": len(people)}:
            wrong.append(f"{whose}: subtasks {dict(found)} instead of {len(people)} COMPLETED")
        if kept:
            wrong.append(f"{whose}: {len(kept)} profiles are still there")
        return wrong


def measure(plan: Plan) -> Result:
    """Measure worker and bare loop in turn.

    Raises:
        BenchError: a process did not come up, or the worker did not finish in time.
    """
    cores = stage.choose_cores(plan.pinned)
    ours: list[Sample] = []
    floor: list[Sample] = []
    starts: list[float] = []
    complaints: list[str] = []
    with stage.folder() as place, _fakes(place, cores) as fakes, stage.on_cores(cores.measured):
        for number in range(plan.rounds):
            context = _context(plan, fakes, place / f"round-{number}.db")
            people = _store_requests(plan, context, fakes, series=2 * number)
            start_s, sample = _work(plan, context, fakes, cores, people)
            ours.append(sample)
            starts.append(start_s)
            complaints += fakes.complaints(people, "worker")
            people, sample = _bare(plan, context, fakes, series=2 * number + 1)
            floor.append(sample)
            complaints += fakes.complaints(people, "bare loop")
    return Result(plan, cores, Comparison(_QUANTITIES, ours, floor), min(starts), complaints)


def _context(plan: Plan, fakes: Fakes, file: Path) -> Context:
    settings: dict[str, str | float] = {
        "store__url": f"sqlite:///{file}",
        "accounts__main__base_url": f"http://127.0.0.1:{fakes.lytics.port}",
        "accounts__main__deletion_api": plan.deletion_api,
        "sources__onetrust__report__base_url": f"http://127.0.0.1:{fakes.onetrust.port}",
    }
    return stage.context_with(**WITHOUT_WAITS, **settings)


@contextmanager
def _fakes(place: Path, cores: Cores) -> Iterator[Fakes]:
    lytics, onetrust = stage.free_ports(2)
    command = [sys.executable, "-m", "connector", "sandbox", "--people", "0", "--finish-after", "0"]
    command += ["--lytics-port", str(lytics), "--onetrust-port", str(onetrust)]
    with stage.process(stage.context_with(), command, place / "fakes.log", cores.counterpart) as running:
        for port in (lytics, onetrust):
            stage.until_answered(port, "/_sandbox/faults", running)
        yield Fakes(Line(lytics, {}), Line(onetrust, {}))


def _work(plan: Plan, context: Context, fakes: Fakes, cores: Cores, people: Sequence[Person]) -> tuple[float, Sample]:
    """Let a worker carry the stored requests to their end, and read its times from its log and from the store."""
    calls = fakes.calls()
    began = datetime.now(UTC)
    log = Path(context.config.store.url.reveal().removeprefix("sqlite:///")).with_suffix(".log")
    command = [sys.executable, "-m", "connector", "worker"]
    with (
        stage.process(context, command, log, cores.measured) as worker,
        open_database(context.config) as database,
    ):
        started = _started_at(worker)
        cpu_before = worker.cpu_s()
        _until_reported(plan, database, worker)
        cpu_after = worker.cpu_s()
        with database.read() as connection:
            ended = connection.scalar(select(func.max(reports.c.ended_at)))
    assert isinstance(ended, datetime)
    identities = sum(len(one.identities) for one in people)
    sample = {
        "per_second": identities / (ended - started).total_seconds(),
        "calls": (fakes.calls() - calls) / identities,
        "cpu_ms": None if cpu_before is None or cpu_after is None else (cpu_after - cpu_before) * 1000 / identities,
    }
    return (started - began).total_seconds(), sample


def _store_requests(plan: Plan, context: Context, fakes: Fakes, series: int) -> list[Person]:
    """Give the requests to the intake, as a source would; return the people behind them."""
    stage.make_store(context)
    context = Context(context.config_path, (*context.overrides, 'log.level="warning"'))
    checks = context.config.sources[stage.SOURCE].verify
    callbacks = Callbacks(checks, series)
    people = fakes.add([callbacks.person(number + 1) for number in range(plan.requests)])
    site = context.site()
    with site.database:
        for person, body in zip(people, callbacks.bodies(plan.requests), strict=True):
            said = json.loads(body) | {"subTaskId": person.subtask_id}
            sent = json.dumps(said).encode()
            call = Inbound("POST", "", (), sent)
            signed = replace(call, headers=tuple(headers_for(checks, call, site.clock.now()).items()))
            receive(site, site.sources[stage.SOURCE], signed)
    return people


def _until_reported(plan: Plan, database: Database, worker: Process) -> None:
    """Wait until every request is completed and nothing is left in the outbox."""
    deadline = time.monotonic() + plan.timeout_s
    states: dict[Any, int] = {}
    while time.monotonic() < deadline and worker.child.poll() is None:
        with database.read() as connection:
            states = {row[0]: row[1] for row in connection.execute(_count(requests.c.state))}
            told = {row[0]: row[1] for row in connection.execute(_count(reports.c.state))}
        if states == {RequestState.COMPLETED: plan.requests} and not told.get(ReportState.QUEUED):
            return
        time.sleep(_LOOK_S)
    raise BenchError(f"the worker did not finish; requests: {states}; its log ends with: {worker.tail()}")


def _count(column: Any) -> Any:
    return select(column, func.count()).group_by(column)


def _started_at(worker: Process) -> datetime:
    """Wait until the worker's log says that it runs its steps; return that time."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and worker.child.poll() is None:
        for line in worker.log.read_text().splitlines(keepends=True):
            if '"worker_started"' in line and line.endswith("\n"):
                return datetime.fromisoformat(json.loads(line)["timestamp"])
        time.sleep(0.01)
    raise BenchError(f"the worker did not start; its log ends with: {worker.tail()}")


def _bare(plan: Plan, context: Context, fakes: Fakes, series: int) -> tuple[list[Person], Sample]:
    """Make the bare calls for as many requests."""
    account, report = context.config.accounts["main"], context.config.sources[stage.SOURCE].report
    named = Callbacks((), series)
    people = fakes.add([named.person(number + 1) for number in range(plan.requests)])
    calls = fakes.calls()
    loop = BareLoop(
        _lytics_line(fakes, account),
        onetrust_line(fakes.onetrust.port, report.client_id.reveal(), report.client_secret.reveal()),
        plan.deletion_api,
        account.concurrency,
        _REPORT_CONCURRENCY,
        account.batch_max_values,
    )
    spent, began = stage.own_cpu_s(), time.perf_counter()
    loop.run(people)
    elapsed, spent = time.perf_counter() - began, stage.own_cpu_s() - spent
    identities = sum(len(one.identities) for one in people)
    return people, {
        "per_second": identities / elapsed,
        "calls": (fakes.calls() - calls) / identities,
        "cpu_ms": spent * 1000 / identities,
    }


def _lytics_line(fakes: Fakes, account: AccountSettings) -> Line:
    return Line(fakes.lytics.port, {"Authorization": account.token.reveal()})
