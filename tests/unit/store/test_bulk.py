"""Many rows in one statement: as the library would have stored them, and counted exactly, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select

from connector.states import IdentityState
from connector.store import bulk
from connector.store.database import Database
from connector.store.tables import identities, metadata, replays, requests
from tests.support.sealing import KEYRING, opened_rows, seal_into

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with Database(store_url, keyring=KEYRING) as made:
        metadata.create_all(made.engine)
        yield made


def a_request(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "source": "onetrust",
        "request_key": f"subtask:{number}",
        "state": "received",
        "attempt": 1,
        "external": {"subtask_id": str(number)},
        "request_types": [],
        "is_test": False,
        "received_at": NOW,
        "due_at": NOW,
        "due_basis": "default",
        "reason": "",
        "mapping_digest": "",
    } | values


def a_replay(number: int, **values: Any) -> dict[str, Any]:
    row = {"source": "onetrust", "replay_hash": f"{number:064x}", "body_digest": "", "request_id": f"{0:032x}"}
    return row | {"expires_at": None} | values


def test_rows_that_are_there_are_left_alone_and_only_new_ones_are_counted(database: Database) -> None:
    unique = ("source", "replay_hash")
    with database.write() as connection:
        bulk.insert_rows(connection, requests, [a_request(0)])
        assert bulk.insert_where_new(connection, replays, [a_replay(one) for one in range(5)], unique) == 5
        assert (
            bulk.insert_where_new(connection, replays, [a_replay(one, body_digest="x") for one in range(5)], unique)
            == 0
        )
        assert bulk.insert_where_new(connection, replays, [a_replay(one) for one in range(3, 12)], unique) == 7
        assert bulk.insert_where_new(connection, replays, [], unique) == 0
        assert set(connection.scalars(select(replays.c.body_digest))) == {""}


def test_more_rows_than_one_statement_takes_are_all_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as connection:
        bulk.insert_rows(connection, requests, [a_request(one) for one in range(3)])
        # Two rows in each statement.
        monkeypatch.setattr(bulk, "_MOST_VALUES", 11)
        rows = [a_replay(one % 6, request_id=f"{one % 3:032x}") for one in range(8)]
        assert bulk.insert_where_new(connection, replays, rows, ("source", "replay_hash")) == 6


def test_a_time_is_the_same_in_every_zone_and_comes_back_as_utc(database: Database) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    later = NOW + timedelta(microseconds=1)
    with database.write() as connection:
        rows = [a_request(0, due_at=NOW), a_request(1, due_at=there), a_request(2, due_at=later)]
        bulk.insert_rows(connection, requests, rows)
        found = connection.scalars(select(requests.c.due_at).order_by(requests.c.id)).all()
        assert found == [NOW, NOW, later]
        assert {one.tzinfo for one in found} == {UTC}
        with pytest.raises(ValueError, match="naive"):
            bulk.insert_rows(connection, requests, [a_request(3, due_at=NOW.replace(tzinfo=None))])


def test_no_personal_value_is_kept_in_memory_after_it_was_written(database: Database) -> None:
    person = {"id": "1" * 32, "request_id": f"{0:032x}", "kind": "email", "value_hash": "", "reason": ""}
    with database.write() as connection:
        bulk.insert_rows(connection, requests, [a_request(0)])
        sealed = seal_into(connection, f"{0:032x}", identities.c.value, "1" * 32, "jo@example.com")
        row = person | {"value": sealed, "state": IdentityState.RECEIVED}
        bulk.insert_rows(connection, identities, [row])
        assert [one.value.reveal() for one in opened_rows(connection, identities)] == ["jo@example.com"]
    keeps = {
        name
        for name, one in bulk._processors(database.engine.dialect, identities, tuple(row))
        if hasattr(one, "cache_info")
    }
    assert keeps == {"state"}
