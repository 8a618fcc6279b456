"""The demo's live view: bars where there is a terminal, a plain line now and then where there is none."""

from __future__ import annotations

import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from connector.store.overview import Overview

# Seconds between two plain lines.
_PLAIN_EVERY_S = 2.0


class View:
    """Draws how far the requests have come."""

    def __init__(self, console: Console, callbacks: int, requests: int) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._bars: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=total)
            for name, total in (
                ("callbacks sent", callbacks),
                ("requests stored", requests),
                ("requests finished or held", requests),
                ("last word reported to OneTrust", requests),
            )
        }
        self._live = Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal else None
        self._said = ""
        self._said_at = 0.0

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.start()

    def __exit__(self, *exc_info: object) -> None:
        if self._live is not None:
            self._live.stop()

    def draw(self, sent: int, seen: Overview) -> None:
        stored = sum(seen.requests.values())
        ended = stored - sum(seen.requests.get(one, 0) for one in ("received", "queued", "working"))
        numbers = (sent, stored, ended, told(seen))
        for task, number in zip(self._bars.values(), numbers, strict=True):
            self._progress.update(task, completed=number)
        if self._live is not None:
            self._live.update(Group(self._progress, _machines(seen)))
        else:
            self._say(", ".join(f"{name} {number}" for name, number in zip(self._bars, numbers, strict=True)))

    def _say(self, words: str) -> None:
        """Print a plain line, if it is news and the last one is some time ago."""
        now = time.monotonic()
        if words != self._said and now - self._said_at > _PLAIN_EVERY_S:
            self._said, self._said_at = words, now
            self._console.print(words, soft_wrap=True)


def _machines(seen: Overview) -> Table:
    table = Table(box=None, padding=(0, 2))
    for heading in ("requests", "targets", "operations at Lytics", "reports"):
        table.add_column(heading, style="cyan", vertical="top")
    columns = (seen.requests, seen.targets, seen.operations, seen.reports)
    table.add_row(*("\n".join(f"{state} {number}" for state, number in sorted(one.items())) for one in columns))
    return table


def told(seen: Overview) -> int:
    """Return how many requests had their last word: a final report, or the progress report of a held one."""
    held = sum(seen.held_by_reason.values())
    waiting = seen.reports.get("queued", 0)
    finished = sum(seen.requests.get(one, 0) for one in ("completed", "partial", "failed", "rejected"))
    return max(0, finished + held - waiting)


def all_told(seen: Overview, requests: int) -> bool:
    return told(seen) >= requests and seen.reports.get("queued", 0) == 0
