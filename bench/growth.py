"""What a long queue and a long history cost: one run of each step and one delivery, in a short and in a long store.

The product's own site runs in this process. Lytics and OneTrust are a few lines that answer at once, so that the
figures are those of the product and its store.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import requests
from rich.table import Table

from bench import backlog
from bench.stage import SOURCE, context_with, folder
from connector.engine.schedule import STEPS
from connector.inbound import Inbound
from connector.model import Delivered, Presence, RemoteOperation, RemoteState, RemoteStatus, Report, SubmitAnswer
from connector.private import Private
from connector.sandbox.defaults import WEBHOOK_SECRET
from connector.sandbox.onetrust_credentials import Hmac
from connector.services import intake
from connector.services.site import Site
from connector.sighting import Sighting
from connector.store import schema

# The shares of a queue at every place of a life.
_SHARES: Final = (
    (backlog.RECEIVED, 0.2),
    (backlog.QUEUED, 0.2),
    (backlog.LOOKED_UP, 0.2),
    (backlog.SUBMITTED, 0.1),
    (backlog.CONFIRMING, 0.2),
    (backlog.UNREPORTED, 0.1),
)
_BATCH: Final = 10
# Fewer would not fill one run of every step.
LEAST: Final = 20_000
_DELIVERIES: Final = 300
_DELIVERY: Final = "accepted delivery"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    identities: int = 1_000_000
    short: int = LEAST


@dataclass(slots=True)
class Result:
    """Milliseconds and the highest memory so far, by step, in the short and in the long store."""

    plan: Plan
    short: dict[str, tuple[float, float]]
    long: dict[str, tuple[float, float]]
    seeding_s: float
    size_mb: float
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        caption = (
            f"one run of each step with the shipped budgets; {self.plan.identities:,} identities were queued in "
            f"{self.seeding_s:.0f} s, {self.size_mb:,.0f} MB of SQLite; memory is the most that the process had by then"
        )
        table = Table(title="growth", caption=caption, title_justify="left", caption_justify="left")
        for name in ("", f"{self.plan.short:,} waiting", f"{self.plan.identities:,} waiting", "ratio", "memory"):
            table.add_column(name, justify="left" if not name else "right")
        for name, (ms, rss) in self.long.items():
            before = self.short[name][0]
            cells = (f"{before:,.1f} ms", f"{ms:,.1f} ms", f"{ms / before:.2f}", f"{rss:,.0f} MB")
            table.add_row(name, *cells)
        return table

    def as_dict(self) -> dict[str, Any]:
        steps = {
            name: {
                "short_ms": round(self.short[name][0], 3),
                "long_ms": round(ms, 3),
                "ratio": round(ms / self.short[name][0], 3),
                "peak_mb": round(rss, 1),
            }
            for name, (ms, rss) in self.long.items()
        }
        return {"identities": self.plan.identities, "steps": steps, "seeding_s": round(self.seeding_s, 1)}


class Remote:
    """Lytics and OneTrust: everything works, nobody is there any more."""

    reads_first = True

    repeat_is_safe = False

    def submit(self, _table: str, _field: str, values: Sequence[Private]) -> SubmitAnswer:
        return SubmitAnswer(accepted=dict.fromkeys(values, f"op-{uuid.uuid4().hex}"))

    def status(self, _remote_id: str) -> RemoteStatus:
        return RemoteStatus(RemoteState.FINISHED, "completed", _BATCH, _BATCH)

    def recent(self) -> Sequence[RemoteOperation]:
        return []

    def encoded_bytes(self, _table: str, _field: str, value: Private) -> int:
        return len(value.reveal()) + 4

    def look_up(self, _table: str, _field: str, _value: Private) -> Presence:
        return Presence.ABSENT

    def look_closely(self, _table: str, _field: str, _value: Private, _fields: Collection[str]) -> Sighting:
        return Sighting(Presence.ABSENT)

    def deliver(self, _report: Report) -> Delivered:
        return Delivered.SENT


def measure(plan: Plan) -> Result:
    """Measure a short store, then a long one, whose memory would hide that of the short."""
    with folder() as place:
        short, _, _ = _run(place / "short.db", plan.short)
        long, seeding_s, size_mb = _run(place / "long.db", plan.identities)
    return Result(plan, short, long, seeding_s, size_mb)


def _run(file: Path, number: int) -> tuple[dict[str, tuple[float, float]], float, float]:
    with _site(file) as site:
        began = time.perf_counter()
        _fill(site, number)
        seeding_s = time.perf_counter() - began
        figures = {_DELIVERY: (_delivery_ms(site), _peak_mb())}
        for step in STEPS:
            began = time.perf_counter()
            step.run(site)
            figures[step.name] = ((time.perf_counter() - began) * 1000, _peak_mb())
        return figures, seeding_s, file.stat().st_size / 1e6


@contextmanager
def _site(file: Path) -> Iterator[Site]:
    context = context_with(
        store__url=f"sqlite:///{file}",
        accounts__main__batch_max_values=100,
        accounts__main__batch_wait_s=0.0,
        log__level="error",
    )
    site = context.site(role="worker")
    remote = Remote()
    accounts = {name: replace(one, api=remote, profiles=remote, concurrency=1) for name, one in site.accounts.items()}
    sources = {name: replace(one, reporter=remote) for name, one in site.sources.items()}
    with site.database:
        schema.upgrade(site.database)
        yield replace(site, accounts=accounts, sources=sources)


def _fill(site: Site, number: int) -> None:
    source = site.sources[SOURCE]
    first = 1
    for stage, share in _SHARES:
        many = round(number * share)
        with site.database.write() as connection:
            backlog.pile_up(
                connection,
                stage,
                many,
                first,
                source=source.name,
                account=source.account,
                digest=source.rules.digest,
                batch=_BATCH,
            )
        first += many


def _delivery_ms(site: Site) -> float:
    """Return the median time of one delivery, from bytes to commit."""
    source = site.sources[SOURCE]
    credential = Hmac(WEBHOOK_SECRET, prefix="sha256=")
    taken = []
    with requests.Session() as session:
        for number in range(_DELIVERIES):
            said = {"subTaskId": str(uuid.uuid4()), "email": f"new-{number}@example.com"}
            body = json.dumps(said | {"requestTypes": ["Data Deletion"]}).encode()
            signed = credential.headers(body, time.time(), session, spoil=False)
            headers = tuple((name.lower(), value) for name, value in signed.items())
            began = time.perf_counter()
            intake.receive(site, source, Inbound("POST", "", headers, body))
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, kilobytes elsewhere.
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
