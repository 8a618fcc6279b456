"""What Prometheus reads: the counters of every process of this machine, and gauges read from the store when asked."""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connector.observe.metrics import METRICS, PREFIX, Type, labelled

#: A gauge's name, its labels, its value.
Sample: TypeAlias = tuple[str, Mapping[str, object], float]

# Seconds: however often and by however many it is asked, the store is not asked more often.
FRESH_S: Final = 5.0


@dataclass(slots=True, eq=False)
class Gauges(Collector):
    """Gauges that are read when they are asked for, at most once within `FRESH_S`.

    Args:
        read: gives every sample.
        words: which values each label may have.
    """

    read: Callable[[], Iterable[Sample]]
    words: Mapping[str, frozenset[str]]
    monotonic: Callable[[], float] = time.monotonic
    _samples: list[Sample] = field(default_factory=list)
    _read_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def describe(self) -> Iterable[Metric]:
        """Say nothing, so that registering does not read the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(PREFIX + name, one.meaning, labels=one.labels)
            for name, one in METRICS.items()
            if one.type is Type.GAUGE
        }
        summed: dict[tuple[str, tuple[str, ...]], float] = {}
        for name, labels, value in self._fresh():
            key = (name, labelled(METRICS[name], labels, self.words))
            # Names that are no longer configured are one: as many as all of them, as old as the oldest.
            before = summed.get(key)
            join = max if name.endswith("_seconds") else operator.add
            summed[key] = value if before is None else join(before, value)
        for (name, values), value in summed.items():
            families[name].add_metric(values, value)
        yield from families.values()

    def _fresh(self) -> list[Sample]:
        with self._lock:
            now = self.monotonic()
            if self._read_at is None or now - self._read_at >= FRESH_S:
                self._samples = list(self.read())
                self._read_at = now
            return self._samples


def registry_of(directory: Path, gauges: Gauges) -> CollectorRegistry:
    """Return everything that is counted in a directory, and the gauges."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]
    registry.register(gauges)
    return registry


def text_of(registry: CollectorRegistry) -> str:
    """Return the page as Prometheus reads it."""
    return generate_latest(registry).decode()


def serve(registry: CollectorRegistry, host: str, port: int) -> Callable[[], None]:
    """Answer `/metrics` on a thread of its own, and return what ends that.

    Raises:
        OSError: the address cannot be listened on; another process of this machine may serve there.
    """
    server, thread = start_http_server(port, host, registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
