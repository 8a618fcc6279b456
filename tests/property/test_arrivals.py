"""Deliveries that share one commit end as if each had been stored by itself, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from connector.codes import Code
from connector.errors import ConnectorError, Temporary
from connector.private import Private
from connector.services.arrivals import Arrival, Stored, store_together
from connector.store import arrivals as arrivals_of_the_store
from connector.store import tables as t
from connector.store.claims import Claim, Replay
from connector.store.requests import NewIdentity
from tests.support.site import START, Bench

drawn = st.tuples(
    st.sampled_from(["r1", "r2", "r3"]),
    st.sampled_from(["e1", "e2", "e3", "e4"]),
    st.sampled_from(["d1", "d2"]),
    st.sampled_from(["", "k1", "k2", "k3"]),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3),
    st.booleans(),
)


def arrival(request: str, event: str, digest: str, replay: str, people: list[str], named: bool) -> Arrival:
    claim = Claim("onetrust", f"event:{event}", digest, START, None, "stand-in", "test:secret")
    values = {
        "source": "onetrust",
        "request_key": request,
        "external": {"subtask_id": request},
        "request_types": ["Data Deletion"],
        "country": "DE",
        "is_test": False,
        "received_at": START,
        "due_at": START + timedelta(days=30),
        "due_basis": "gdpr",
        "callback_url": None,
    }
    told = Replay("onetrust", replay, digest, START + timedelta(minutes=5)) if replay else None
    new = [NewIdentity("email", Private(f"{one}@example.com"), f"hash-{one}") for one in people]
    return Arrival(claim, values, told, new, named, START)


def told(outcomes: Sequence[Stored | ConnectorError], names: dict[str, str]) -> list[Any]:
    """Return what the senders are told, with requests under their own keys: ids are random."""
    return [one.code if isinstance(one, ConnectorError) else (names[one.request_id], one.duplicate) for one in outcomes]


def named(value: Any, names: dict[str, str]) -> Any:
    return names.get(value, value) if isinstance(value, str) else repr(value)


def kept(bench: Bench) -> dict[str, list[Any]]:
    """Return what is stored, without ids and the order of rows."""
    with bench.database.read() as connection:
        names = {row.id: row.request_key for row in connection.execute(select(t.requests))}
        found: dict[str, Any] = {"names": names}
        for table in (t.requests, t.deliveries, t.replays, t.identities, t.history):
            rows = connection.execute(select(table)).mappings().all()
            found[table.name] = sorted(
                repr(sorted((key, named(value, names)) for key, value in row.items() if key != "id")) for row in rows
            )
    return found


def same(together: Bench, alone: Bench, drawn_arrivals: list[tuple[Any, ...]]) -> None:
    arrivals = [arrival(*one) for one in drawn_arrivals]
    try:
        first = store_together(together.site, arrivals)
        second = [outcome for one in arrivals for outcome in store_together(alone.site, [one])]
        left, right = kept(together), kept(alone)
        left_told, right_told = (told(one, names["names"]) for one, names in ((first, left), (second, right)))
        assert left_told == right_told
        assert {key: value for key, value in left.items() if key != "names"} == {
            key: value for key, value in right.items() if key != "names"
        }
    finally:
        for bench in (together, alone):
            with bench.database.write() as connection:
                for table in reversed(t.metadata.sorted_tables):
                    connection.execute(delete(table))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Bench]]:
    folder = tmp_path_factory.mktemp("arrivals")
    together, alone = (Bench(f"sqlite:///{folder / name}.db") for name in ("together", "alone"))
    yield together, alone
    together.database.close()
    alone.database.close()


@settings(max_examples=80, deadline=None)
@given(several=st.lists(drawn, min_size=1, max_size=8))
def test_together_is_like_one_after_the_other(stores: tuple[Bench, Bench], several: list[tuple[Any, ...]]) -> None:
    same(*stores, several)


@pytest.mark.postgres
def test_together_is_like_one_after_the_other_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    together, alone = Bench(postgres_url), Bench(f"sqlite:///{tmp_path / 'alone.db'}")

    @settings(max_examples=30, deadline=None, database=None)
    @given(several=st.lists(drawn, min_size=1, max_size=8))
    def search(several: list[tuple[Any, ...]]) -> None:
        same(together, alone, several)

    search()
    for bench in (together, alone):
        bench.database.close()


@pytest.mark.parametrize("detail", ["DataError", "OperationalError", "a defect"])
def test_a_delivery_that_the_store_does_not_take_fails_alone_unless_the_store_is_down(
    stores: tuple[Bench, Bench], detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = arrivals_of_the_store.insert_new
    asked: list[int] = []

    def insert_new(connection: Any, arrived: Sequence[Any]) -> list[str | None]:
        asked.append(len(arrived))
        if any(row[0]["request_key"] == "r2" for row in arrived):
            raise ValueError(detail) if detail == "a defect" else Temporary(Code.STORE_UNAVAILABLE, detail)
        return genuine(connection, arrived)

    monkeypatch.setattr(arrivals_of_the_store, "insert_new", insert_new)
    several = [arrival(f"r{n}", f"e{n}", "d1", "", ["a"], True) for n in (1, 2, 3)]
    outcomes = store_together(stores[0].site, several)
    stored = [isinstance(one, Stored) for one in outcomes]
    assert stored == ([False] * 3 if detail == "OperationalError" else [True, False, True])
    assert asked == ([3] if detail == "OperationalError" else [3, 1, 1, 1])
    assert detail != "a defect" or str(outcomes[1]).count(detail) == 0
    with stores[0].database.write() as connection:
        for table in reversed(t.metadata.sorted_tables):
            connection.execute(delete(table))
