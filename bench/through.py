"""What came of sending callbacks through the whole system, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from bench.figures import percentile
from bench.sender import Sent


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured. `faults` is the share of the calls to the remote systems that fail."""

    callbacks: int = 100_000
    connections: int = 32
    faults: float = 0.05
    timeout_s: float = 1740.0


@dataclass(slots=True)
class Result:
    """What was measured.

    Attributes:
        reported_s: from the first callback to the last report.
        calls: to both remote systems.
        faults: how often each switch acted.
        cpu_s: processor time by kind of process.
        peak_mb: the most memory that all processes of a kind had together.
    """

    plan: Plan
    sent: Sent
    reported_s: float
    calls: int
    faults: Mapping[str, int]
    cpu_s: Mapping[str, float]
    peak_mb: Mapping[str, float]
    complaints: list[str]

    @property
    def rows(self) -> dict[str, tuple[str, float]]:
        """What is told: name, its words, its value."""
        number, sent = self.plan.callbacks, self.sent
        found = {
            "accepted_per_second": ("callbacks accepted per second", sent.accepted / sent.elapsed_s),
            "p50_ms": ("answer p50, ms", percentile(sent.taken_s, 0.5) * 1000),
            "p99_ms": ("answer p99, ms", percentile(sent.taken_s, 0.99) * 1000),
            "ended_per_second": (
                "requests reported per second, first callback to last report",
                number / self.reported_s,
            ),
            "accepted_s": ("seconds until the last callback was accepted", sent.elapsed_s),
            "reported_s": ("seconds until the last report", self.reported_s),
            "repeats": ("callbacks sent again", float(sent.repeats)),
            "calls_per_request": ("remote calls per request", self.calls / number),
            "faults": ("faults injected", float(sum(self.faults.values()))),
            "faults_share": ("of all remote calls, %", 100 * sum(self.faults.values()) / self.calls),
        }
        for kind, seconds in self.cpu_s.items():
            found[f"cpu_ms {kind}"] = (f"CPU per request, {kind}, ms", seconds * 1000 / number)
        for kind, megabytes in self.peak_mb.items():
            found[f"peak_mb {kind}"] = (f"most memory, {kind} together, MB", megabytes)
        return found

    @property
    def table(self) -> Table:
        injected = ", ".join(f"{name} {number:,}" for name, number in sorted(self.faults.items()))
        caption = (
            f"{self.plan.callbacks:,} callbacks with two identities each over {self.plan.connections} connections, two "
            f"receivers and two workers on PostgreSQL; {self.sent.hung_up:,} answers were not waited for; "
            f"injected: {injected or 'nothing'}"
        )
        table = Table(title="throughput", caption=caption, title_justify="left", caption_justify="left")
        table.add_column("")
        table.add_column("", justify="right")
        for words, value in self.rows.values():
            table.add_row(words, f"{value:,.0f}" if value >= 100 else f"{value:,.2f}")
        return table

    def as_dict(self) -> dict[str, Any]:
        return {
            "callbacks": self.plan.callbacks,
            **{name: round(value, 3) for name, (_, value) in self.rows.items()},
            "statuses": {str(status): number for status, number in self.sent.statuses.items()},
            "hung_up": self.sent.hung_up,
            "broken": self.sent.broken,
            "injected": dict(self.faults),
            "complaints": self.complaints,
        }
