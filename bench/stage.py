"""The surroundings of a measurement: a folder on disk, free ports, cores, and real processes of the product."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector.cli.context import Context
from connector.errors import ConnectorError
from connector.store import schema
from connector.wiring import loopback_client, open_database

ROOT: Final = Path(__file__).parents[1]
CONFIG: Final = ROOT / "config" / "connector.toml"
SOURCE: Final = "onetrust"
_START_S: Final = 60.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class BenchError(Exception):
    """The measurement could not be made, or what was measured did not do its work."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores the measured process and its counterpart run on; None leaves both to the system."""

    measured: frozenset[int] | None = None
    counterpart: frozenset[int] | None = None

    @property
    def told(self) -> str:
        return "one core each" if self.measured else "not pinned"


def choose_cores(pinned: bool) -> Cores:
    """Take one core for each side where the system lets us and there are two."""
    if not pinned or not hasattr(os, "sched_setaffinity"):
        return Cores()
    free = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(free[:1]), frozenset(free[1:2])) if len(free) > 1 else Cores()


@contextmanager
def on_cores(cores: frozenset[int] | None) -> Iterator[None]:
    """Run this process, and the children that it starts meanwhile, on these cores."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def folder() -> Iterator[Path]:
    """Give an empty folder in the working tree: the system's own temporary folder may be in memory."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "var") as name:
        yield Path(name)


def context_with(**settings: str | float) -> Context:
    """Return the rehearsal's configuration with settings laid over it; `__` stands for a dot."""
    # To a fuse a measurement is what it is there for: a mass deletion.
    overrides = ["accounts.main.fuse.enabled=false", "sources.onetrust.fuse.enabled=false"]
    for name, value in settings.items():
        text = f'"{value}"' if isinstance(value, str) else str(value)
        overrides.append(f"{name.replace('__', '.')}={text}")
    return Context(str(CONFIG), tuple(overrides))


def make_store(context: Context) -> None:
    with open_database(context.config) as database:
        schema.upgrade(database)


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def server_command(server: str, application: str, port: int) -> list[str]:
    """Return the Procfile's command line for a WSGI server, for another application and port."""
    start = {"granian": "web: granian ", "gunicorn": "# gunicorn "}[server]
    line = next(one for one in (ROOT / "Procfile").read_text().splitlines() if one.startswith(start))
    for old, new in (
        ("0.0.0.0", "127.0.0.1"),
        ("${PORT:-8080}", str(port)),
        ("connector.wsgi:create_app", application),
    ):
        if old not in line:
            raise BenchError(f"the Procfile's line for {server} does not hold {old}")
        line = line.replace(old, new)
    return [sys.executable, "-m", server, *shlex.split(line.removeprefix(start))]


@dataclass(frozen=True, slots=True)
class Process:
    """A child in a session of its own."""

    child: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End the child and its descendants at once, as a power cut would, but for what the system still holds."""
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def cpu_s(self) -> float | None:
        """Return the processor time of the child and its descendants; None where the system does not tell."""
        ticks, found = 0, False
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.child.pid:
                found = True
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS_PER_S if found else None

    def tail(self) -> str:
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-5:])


@contextmanager
def process(
    context: Context,
    command: Sequence[str],
    log: Path,
    cores: frozenset[int] | None,
    extra: Mapping[str, str] | None = None,
    output: Path | None = None,
) -> Iterator[Process]:
    """Run a command of the product while the context lasts, with `extra` in its environment.

    Args:
        output: where its standard output goes, if not into the log.
    """
    environment = {**context.environment, "PYTHONPATH": str(ROOT), **(extra or {})}
    with log.open("ab") as errors, (output or log).open("ab") as written, on_cores(cores):
        child = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=written, stderr=errors, start_new_session=True
        )
    try:
        yield Process(child, log)
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def until_answered(port: int, path: str, running: Process) -> None:
    """Wait until a process answers 200."""
    client = loopback_client(f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and running.child.poll() is None:
        try:
            if client.request("GET", path).status == 200:
                return
        except ConnectorError:
            pass
        time.sleep(0.05)
    raise BenchError(f"a process did not come up: {running.tail()}")


def own_cpu_s() -> float:
    """Return the processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def sync_ms(place: Path, times: int = 100) -> list[float]:
    """Return how long this disk takes to keep 4 KiB, in milliseconds: the floor of a commit."""
    taken = []
    with (place / "sync").open("wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(b"\0" * 4096)
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return taken
