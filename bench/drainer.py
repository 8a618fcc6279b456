"""A worker whose remote systems answer at once, in this very process; once a second it tells what it has done.

It is the product's own site, on the product's own embedded engine, with the product's own pace before each call. Lytics
and OneTrust are a few lines without a network: a million identities need four million calls, which would take hours of
HTTP libraries and fakes. What HTTP costs is what `bench pipeline` measures.

`python -m bench.drainer SETTINGS`, a JSON object of `Settings`; CONNECTOR_CONFIG and CONNECTOR_SET as ever. It works
until SIGTERM. Every line that it prints is a JSON object: a `Progress`.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bench.instant import Remote, with_remotes
from bench.stage import own_cpu_s
from connector.engine import embedded
from connector.ports import Log
from connector.services.site import Site
from connector.wiring import build_site, load_config

_EVERY_S: Final = 1.0
# What a step did, as it stands in the log.
_LOGGED: Final = {"map": "request_mapped", "report": "report_sent"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the remote systems are told to be.

    Attributes:
        numbers: the highest number of an identity or a request in the store.
        record: a file that remembers what was done, from one worker to the next; made if it is not there.
        rate: calls per second that each of the two allows; 0 for any number.
    """

    numbers: int
    record: str
    rate: float = 0.0


@dataclass(slots=True)
class Progress:
    """How far it is. Times in seconds, memory in megabytes.

    Attributes:
        peak_mb: the most since the last line; -1 where the system does not tell.
        calls: to each of the two remote systems.
        steps: for each step the processor time of its own thread, and for how many identities or reports that was.
        problems: what must not be, counted.
        refused: calls that came faster than allowed.
    """

    at: float
    cpu_s: float
    memory_mb: float
    peak_mb: float
    calls: dict[str, int]
    steps: dict[str, tuple[float, int]]
    ended: int
    problems: dict[str, int]
    refused: int = 0


@dataclass(slots=True)
class Meter:
    """What each step has cost, and what it did."""

    remote: Remote
    logged: Counter[str]
    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def measured(self, name: str, run: Callable[[Site], bool]) -> Callable[[Site], bool]:
        def one(site: Site) -> bool:
            before = time.thread_time()
            try:
                return run(site)
            finally:
                self.spent[name] += time.thread_time() - before

        return one

    def progress(self) -> Progress:
        remote = self.remote
        memory, peak = _memory_mb()
        done = {"look_up": remote.known, "submit": remote.submitted, "poll": remote.submitted, "confirm": remote.gone}
        done |= {step: self.logged[action] for step, action in _LOGGED.items()}
        return Progress(
            at=time.monotonic(),
            cpu_s=own_cpu_s(),
            memory_mb=memory,
            peak_mb=peak,
            calls={"lytics": remote.lytics.calls, "onetrust": remote.onetrust.calls},
            steps={name: (round(self.spent[name], 4), number) for name, number in done.items()},
            ended=remote.ended,
            problems=dict(+remote.problems),
            refused=remote.lytics.refused + remote.onetrust.refused,
        )

    def tell(self) -> None:
        print(json.dumps(asdict(self.progress())), flush=True)

    def tell_regularly(self, stop: threading.Event) -> None:
        while not stop.wait(_EVERY_S):
            self.tell()


@dataclass(frozen=True, slots=True)
class CountingLog:
    """The product's log, which counts on the way."""

    log: Log
    counts: Counter[str]

    def info(self, action: str, **fields: Any) -> None:
        self.counts[action] += 1
        self.log.info(action, **fields)

    def warning(self, action: str, **fields: Any) -> None:
        self.log.warning(action, **fields)

    def error(self, action: str, **fields: Any) -> None:
        self.log.error(action, **fields)


def _memory_mb() -> tuple[float, float]:
    """Return the memory now, and the most since the last time."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return -1.0, -1.0
    found = {name: text.split()[0] for name, _, text in (one.partition(":") for one in lines) if text.split()}
    return int(found["VmRSS"]) / 1e3, int(found["VmHWM"]) / 1e3


def _open_record(path: Path, numbers: int) -> tuple[memoryview, memoryview]:
    """Return two bytes per number: how often it was submitted, and what was reported of it."""
    size = numbers + 1
    if not path.exists():
        path.write_bytes(b"\0" * size * 2)
    with path.open("r+b") as file:
        whole = memoryview(mmap.mmap(file.fileno(), size * 2))
    return whole[:size], whole[size:]


def main(arguments: Sequence[str]) -> None:
    settings = Settings(**json.loads(arguments[0]))
    config = load_config(os.environ)
    site = build_site(config, role="worker")
    submits, stages = _open_record(Path(settings.record), settings.numbers)
    site, remote = with_remotes(site, settings.rate, submits, stages)
    logged: Counter[str] = Counter()
    site = replace(site, log=CountingLog(site.log, logged))
    meter = Meter(remote, logged)
    embedded.STEPS = tuple(replace(one, run=meter.measured(one.name, one.run)) for one in embedded.STEPS)  # type: ignore[misc]
    signal.signal(signal.SIGTERM, lambda *_: site.stop.set())
    telling = threading.Thread(target=meter.tell_regularly, args=(site.stop,), daemon=True)
    telling.start()
    embedded.EmbeddedEngine(site, config.engine.tick_s).run()
    telling.join()
    meter.tell()


if __name__ == "__main__":
    main(sys.argv[1:])
