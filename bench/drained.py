"""What became of a drain: its course, its windows, and the figures that are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table

from bench.drainer import Progress

SHARES: Final = (0.1, 0.5, 1.0)
# Fewer would be gone before the windows are over.
LEAST: Final = 10_000
# Of a step's work, what counts as its beginning and its end.
_TENTH: Final = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    identities: int = 1_000_000
    each: int = 2
    window_s: float = 60.0
    timeout_s: float = 1620.0

    @property
    def requests(self) -> int:
        return self.identities // self.each


@dataclass(frozen=True, slots=True)
class Window:
    """What a worker did in a while, between two of its lines. Rates per second."""

    rate: float
    seconds: float
    calls: Mapping[str, float]
    gone: float
    ended: float
    cpu_ms: float
    refused: int

    def ratio(self, remote: str) -> float:
        return self.calls[remote] / self.rate

    @classmethod
    def between(cls, rate: float, first: Progress, last: Progress) -> Window:
        seconds = last.at - first.at
        gone = last.steps["confirm"][1] - first.steps["confirm"][1]
        return cls(
            rate,
            seconds,
            {name: (number - first.calls[name]) / seconds for name, number in last.calls.items()},
            gone / seconds,
            (last.ended - first.ended) / seconds,
            (last.cpu_s - first.cpu_s) * 1000 / max(1, gone),
            last.refused - first.refused,
        )


@dataclass(slots=True)
class Course:
    """All lines of several workers, one after the other, with what was spent and done before added to each."""

    spent: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def follow(self, lines: Iterable[Progress], is_over: Callable[[Progress, Progress], bool]) -> list[Progress]:
        """Return a worker's lines until one, compared with the first, says that it is over."""
        before = {name: points[-1] for name, points in self.spent.items()}
        seen: list[Progress] = []
        for one in lines:
            seen.append(one)
            for name, (seconds, number) in one.steps.items():
                earlier_s, earlier = before.get(name, (0.0, 0))
                self.spent.setdefault(name, []).append((earlier_s + seconds, earlier + number))
            if is_over(seen[0], one):
                break
        return seen

    def costs(self, identities: int) -> dict[str, tuple[float, float]]:
        """Return for each step what an identity cost over the first and over the last tenth of its work, in µs."""
        return {name: _cost(points, identities) for name, points in self.spent.items()}

    @staticmethod
    def peaks(seen: Sequence[Progress]) -> dict[float, float]:
        """Return the most memory that a worker had until these shares of its work were done."""
        found = {}
        for share in SHARES:
            until = next(place for place, one in enumerate(seen) if _done(one, seen[-1]) >= share)
            found[share] = max(one.peak_mb for one in seen[: until + 1])
        return found


def _cost(points: Sequence[tuple[float, int]], identities: int) -> tuple[float, float]:
    """Return what an identity cost at the beginning and at the end, from (processor time, work done) as they grew."""
    whole = points[-1][1]

    def until(share: float) -> int:
        return next(place for place, (_, done) in enumerate(points) if done >= whole * share)

    # What a step spent while it had nothing to do yet, or nothing more, belongs to neither.
    begun = max(0, next((place for place, (_, done) in enumerate(points) if done), 1) - 1)
    found = []
    for start, last in ((begun, until(_TENTH)), (until(1 - _TENTH), until(1.0))):
        first = min(start, max(0, last - 1))
        done = points[last][1] - points[first][1]
        found.append((points[last][0] - points[first][0]) / max(1, done) * whole / identities * 1e6)
    return found[0], found[1]


def _done(one: Progress, last: Progress) -> float:
    """Return how much of the work is done, as the mean over the steps that had any."""
    shares = [number / last.steps[name][1] for name, (_, number) in one.steps.items() if last.steps[name][1]]
    return sum(shares) / len(shares) if shares else 1.0


@dataclass(slots=True)
class Result:
    """What was measured."""

    plan: Plan
    seeding_s: float
    windows: list[Window]
    drained: Window
    memory: dict[float, float]
    steps: dict[str, tuple[float, float]]
    complaints: list[str] = field(default_factory=list)

    @property
    def cost(self) -> tuple[float, float]:
        """Processor time of all steps for one identity, in µs: at the beginning, and at the end."""
        return sum(one[0] for one in self.steps.values()), sum(one[1] for one in self.steps.values())

    @property
    def table(self) -> RenderableType:
        return Group(self._rates(), self._memory(), self._costs())

    def _rates(self) -> Table:
        plan = self.plan
        caption = (
            f"{plan.identities:,} identities in {plan.requests:,} requests, queued in {self.seeding_s:.0f} s; windows "
            f"of {plan.window_s:g} s with the whole queue waiting, then all of it without a limit; each identity needs "
            "two calls to Lytics, each report two to OneTrust"
        )
        table = Table(title="drain: who is the bound", caption=caption, title_justify="left", caption_justify="left")
        headings = ("remote allows", "Lytics calls/s", "÷ allowed", "OneTrust calls/s", "÷ allowed", "identities/s")
        for name in headings:
            table.add_column(name, justify="right")
        for one in (*self.windows, self.drained):
            lytics, onetrust = (f"{one.calls[name]:,.1f}" for name in ("lytics", "onetrust"))
            ratios = [f"{one.ratio(name):.3f}" if one.rate else "-" for name in ("lytics", "onetrust")]
            allowed = f"{one.rate:,.0f}/s" if one.rate else "any"
            table.add_row(allowed, lytics, ratios[0], onetrust, ratios[1], f"{one.gone:,.1f}")
        return table

    def _memory(self) -> Table:
        table = Table(title="drain: peak memory of the worker so far", title_justify="left")
        for share in self.memory:
            table.add_column(f"{share:.0%} drained", justify="right")
        table.add_row(*(f"{one:,.0f} MB" for one in self.memory.values()))
        return table

    def _costs(self) -> Table:
        caption = (
            "processor time of each step's own thread, over the first and the last tenth of its work; the process "
            f"spent {self.drained.cpu_ms:.2f} ms per identity in all, over {self.drained.seconds:,.0f} s"
        )
        table = Table(title="drain: cost per identity", caption=caption, title_justify="left", caption_justify="left")
        for name in ("step", "at the beginning", "at the end", "ratio"):
            table.add_column(name, justify="left" if name == "step" else "right")
        for name, (first, last) in {**self.steps, "all": self.cost}.items():
            table.add_row(name, f"{first:,.0f} µs", f"{last:,.0f} µs", f"{last / first:.2f}" if first else "-")
        return table

    def as_dict(self) -> dict[str, Any]:
        return {
            "identities": self.plan.identities,
            "requests": self.plan.requests,
            "seeding_s": round(self.seeding_s, 1),
            "windows": [_told(one) for one in (*self.windows, self.drained)],
            "drained_s": round(self.drained.seconds, 1),
            "peak_mb": {f"{share:.0%}": round(one, 1) for share, one in self.memory.items()},
            "steps_us": {name: [round(one, 1) for one in both] for name, both in self.steps.items()},
            "cost_us": [round(one, 1) for one in self.cost],
            "complaints": self.complaints,
        }


def _told(one: Window) -> dict[str, Any]:
    found: dict[str, Any] = {"allowed_per_second": one.rate or None, "seconds": round(one.seconds, 2)}
    for name, calls in one.calls.items():
        found[f"{name}_per_second"] = round(calls, 2)
        found[f"{name}_ratio"] = round(one.ratio(name), 4) if one.rate else None
    return found | {
        "identities_per_second": round(one.gone, 2),
        "ended_per_second": round(one.ended, 2),
        "cpu_ms_per_identity": round(one.cpu_ms, 4),
        "refused": one.refused,
    }
