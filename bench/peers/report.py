"""What was seen of all receivers, as tables for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Group
from rich.table import Table

from bench.figures import Figure, Quantity, over, ratio_over
from bench.peers.receiver import Receiver

QUANTITIES: Final = (
    Quantity("per_second", "callbacks/s", 0),
    Quantity("p50_ms", "p50, ms"),
    Quantity("p99_ms", "p99, ms"),
    Quantity("cpu_us", "CPU µs", 0),
    Quantity("open_p50_ms", "p50 at {rate}/s"),
    Quantity("open_p99_ms", "p99 at {rate}/s"),
)
_COMPARED: Final = ("per_second", "p99_ms", "cpu_us", "open_p99_ms")


@dataclass(slots=True)
class Result:
    """What was measured.

    Attributes:
        setting: how it was measured, in words.
        peer: the versions of the Node.js peer; empty if it was left out.
        left_out: what was not measured, and why.
    """

    receivers: Sequence[Receiver]
    setting: str
    rate: float
    sync_ms: float
    peer: str
    left_out: Sequence[str]
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Group:
        return Group(self._absolute(), self._relative())

    def as_dict(self) -> dict[str, Any]:
        return {
            "setting": self.setting,
            "rate": self.rate,
            "sync_ms": round(self.sync_ms, 3),
            "peer": self.peer,
            "left_out": list(self.left_out),
            "receivers": {one.name: _of(one) for one in self.receivers},
            "ratios": {
                _pair(ours, other): _as_dict({name: ratio(ours, other, name) for name in _COMPARED})
                for ours, other in self._pairs()
            },
            "complaints": self.complaints,
        }

    def _absolute(self) -> Table:
        table = Table(
            title="accept path, side by side: medians of the rounds",
            caption="; ".join([self.setting, *([self.peer] if self.peer else []), *self.left_out]),
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("receiver")
        for one in QUANTITIES:
            table.add_column(one.label.format(rate=f"{self.rate:g}"), justify="right")
        table.add_column("lost", justify="right")
        for receiver in self.receivers:
            figures = [(figure(receiver, one.name), one.digits) for one in QUANTITIES]
            cells = [f"{found.median:,.{digits}f}" if found else "-" for found, digits in figures]
            lost = (
                "stores nothing" if receiver.setup.stored is None else f"{receiver.lost} of {len(receiver.answered):,}"
            )
            table.add_row(receiver.name, *cells, lost)
        return table

    def _relative(self) -> Table:
        table = Table(
            title="ratios, each round by itself",
            caption="Above 1 is better for callbacks/s, below 1 for the others. "
            f"-: one of the two did not keep up with {self.rate:g} callbacks per second.",
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("median (lowest to highest)", no_wrap=True)
        labels = {one.name: one.label.format(rate=f"{self.rate:g}") for one in QUANTITIES}
        for name in _COMPARED:
            table.add_column(labels[name], justify="right")
        for ours, other in self._pairs():
            found = [ratio(ours, other, name) for name in _COMPARED]
            table.add_row(_pair(ours, other), *(one.shown(2) if one else "-" for one in found))
        return table

    def _pairs(self) -> Iterator[tuple[Receiver, Receiver]]:
        """Give ours with every receiver on the same server, and with the one in another language."""
        for ours in self.receivers:
            kind, _, server = ours.name.partition(", ")
            if kind == "ours":
                for other in self.receivers:
                    if other is not ours and other.name.partition(", ")[2] in ("", server):
                        yield ours, other


def _pair(ours: Receiver, other: Receiver) -> str:
    # Both run on the server that is named first.
    return f"{ours.name} ÷ {other.name.partition(', ')[0]}"


def figure(receiver: Receiver, name: str) -> Figure | None:
    return over([one.get(name) for one in receiver.samples])


def ratio(ours: Receiver, other: Receiver, name: str) -> Figure | None:
    return ratio_over(ours.samples, other.samples, name)


def _of(receiver: Receiver) -> dict[str, Any]:
    found = _as_dict({one.name: figure(receiver, one.name) for one in QUANTITIES})
    stores = receiver.setup.stored is not None
    return found | {
        "accepted": len(receiver.answered) if stores else None,
        "lost": receiver.lost if stores else None,
        "kills": receiver.kills,
        "unanswered": receiver.unanswered,
        "load_busy": round(receiver.busy, 3),
    }


def _as_dict(figures: dict[str, Figure | None]) -> dict[str, Any]:
    return {name: one.as_dict() if one is not None else None for name, one in figures.items()}
