"""What sealing costs: requests stored and read back by the store's own functions, beside the same without a cipher."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from rich.table import Table

from bench import stage
from bench.figures import Figure
from connector.crypto.keyring import Keyring, Wrapped
from connector.crypto.seal import Sealed
from connector.private import Private, Secret
from connector.store import arrivals, identities, schema
from connector.store.claims import Claim
from connector.store.database import Database
from connector.store.requests import NewIdentity

_NOW: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_IDENTITIES: Final = 2
_DUE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and how many requests share a commit."""

    rounds: int = 9
    together: int = 64


class _Open:
    """A data key that leaves values as they are."""

    def seal(self, value: Private, _place: bytes) -> Sealed:
        return Sealed(value.reveal())

    def open(self, sealed: Sealed, _place: bytes) -> Private:
        return Private(sealed.text)


class NoCipher:
    """A keyring that makes such keys: everything else of the way stays the same."""

    keys: Final = {"0" * 16: None}

    def new(self, _request_id: str) -> tuple[_Open, Wrapped]:
        return _Open(), Wrapped("0" * 16, "A" * 84)

    def unwrap(self, _wrapped: Wrapped, _request_id: str) -> _Open:
        return _Open()


@dataclass(slots=True)
class Result:
    figures: dict[str, tuple[Figure, Figure, Figure]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        table = Table(
            title=f"sealing, µs for a request with {_IDENTITIES} identities",
            caption="SQLite, one thread, measured in turn.",
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("what")
        for name in ("sealed", "without a cipher", "sealed ÷ without"):
            table.add_column(name, justify="right")
        for what, (ours, bare, ratio) in self.figures.items():
            table.add_row(what, ours.shown(1), bare.shown(1), ratio.shown(2))
        return table

    def as_dict(self) -> dict[str, Any]:
        return {
            what: {"sealed_us": ours.as_dict(), "without_us": bare.as_dict(), "ratio": ratio.as_dict()}
            for what, (ours, bare, ratio) in self.figures.items()
        }


def measure(plan: Plan) -> Result:
    """Measure both in turn, on stores of their own."""
    rings = (Keyring([Secret("k" * 32, "bench")]), cast("Keyring", NoCipher()))
    with _stores(rings) as (sealed, bare):
        rounds = [(_round(sealed, plan, number), _round(bare, plan, number)) for number in range(plan.rounds + 1)]
    result = Result()
    # The first round warms up.
    for place, what in enumerate(("stored in a shared commit", "read back and opened")):
        pairs = [(ours[place], other[place]) for ours, other in rounds[1:]]
        result.figures[what] = (
            Figure.over([ours for ours, _ in pairs]),
            Figure.over([other for _, other in pairs]),
            Figure.over([ours / other for ours, other in pairs]),
        )
    return result


@contextmanager
def _stores(rings: Sequence[Keyring]) -> Iterator[tuple[Database, Database]]:
    with stage.folder() as folder:
        first, second = (Database(f"sqlite:///{folder / str(at)}.db", keyring=ring) for at, ring in enumerate(rings))
        with first, second:
            schema.upgrade(first)
            schema.upgrade(second)
            yield first, second


def _round(database: Database, plan: Plan, number: int) -> tuple[float, float]:
    """Return microseconds for each request: storing, and reading."""
    arrived = [arrival(f"{number}-{one}", "bench", _NOW) for one in range(plan.together)]
    with database.write() as connection:
        began = time.perf_counter()
        ids = [one for one in arrivals.insert_new(connection, arrived) if one is not None]
        stored = time.perf_counter() - began
    with database.read() as connection:
        began = time.perf_counter()
        identities.of_requests(connection, ids)
        read = time.perf_counter() - began
    return stored / len(arrived) * 1e6, read / len(arrived) * 1e6


def arrival(name: str, source: str, now: datetime) -> arrivals.New:
    """Return a delivery of a request with its identities."""
    values = {
        "source": source,
        "request_key": name,
        "external": {"subtask_id": name},
        "request_types": ["Data Deletion"],
        "country": None,
        "is_test": False,
        "received_at": now,
        "due_at": now + _DUE,
        "due_basis": "gdpr",
        "callback_url": None,
    }
    said = [NewIdentity("email", Private(f"{name}-{at}@example.com"), f"{at}") for at in range(_IDENTITIES)]
    return values, Claim(source, name, name, now, None, "signature", ""), None, said, now
