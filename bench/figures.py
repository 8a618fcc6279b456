"""Figures of several rounds: the median, and how far the rounds lie apart."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

Sample = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity over all rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> Figure:
        return cls(statistics.median(values), min(values), max(values))

    def shown(self, digits: int) -> str:
        return f"{self.median:,.{digits}f}  ({self.low:,.{digits}f} to {self.high:,.{digits}f})"

    def as_dict(self) -> dict[str, float]:
        return {"median": round(self.median, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A row of a table: `name` is the key in the samples, `label` what people read."""

    name: str
    label: str
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rounds of two sides, measured in turn: ours, and the floor beside it."""

    quantities: Sequence[Quantity]
    ours: Sequence[Sample]
    floor: Sequence[Sample]

    def figure(self, side: Sequence[Sample], name: str) -> Figure | None:
        return over([one.get(name) for one in side])

    def ratio(self, name: str) -> Figure | None:
        """Return ours ÷ floor, each round by itself."""
        return ratio_over(self.ours, self.floor, name)

    def table(self, title: str, floor_name: str, caption: str) -> Table:
        table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
        table.add_column("median (lowest to highest round)")
        for name in ("ours", floor_name, "ours ÷ floor"):
            table.add_column(name, justify="right")
        for one in self.quantities:
            cells = (self.figure(self.ours, one.name), self.figure(self.floor, one.name), self.ratio(one.name))
            digits = (one.digits, one.digits, 2)
            table.add_row(one.label, *_cells(cells, digits, lambda figure, places: figure.shown(places)))
        return table

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in self.quantities:
            cells = {
                "ours": self.figure(self.ours, one.name),
                "floor": self.figure(self.floor, one.name),
                "ratio": self.ratio(one.name),
            }
            found[one.name] = {key: figure.as_dict() for key, figure in cells.items() if figure is not None}
        return found | {"rounds": len(self.ours)}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    in_order = sorted(values)
    return in_order[min(len(in_order) - 1, int(share * len(in_order)))]


def ratio_over(ours: Sequence[Sample], other: Sequence[Sample], name: str) -> Figure | None:
    """Return ours ÷ other for one quantity, each round by itself."""
    pairs = [(a.get(name), b.get(name)) for a, b in zip(ours, other, strict=True)]
    return over([a / b if a is not None and b else None for a, b in pairs])


def over(values: Sequence[float | None]) -> Figure | None:
    """Return the figure over all rounds; None if it is not known of every one."""
    known = [one for one in values if one is not None]
    return Figure.over(known) if known and len(known) == len(values) else None


def _cells(figures: Sequence[Figure | None], digits: Sequence[int], show: Callable[[Figure, int], str]) -> list[str]:
    return [show(one, places) if one is not None else "-" for one, places in zip(figures, digits, strict=True)]
