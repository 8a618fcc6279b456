"""How many distinct values an operation was given, also while some of them are hashed under another key than others."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from connector.states import TargetState
from connector.store import vault
from connector.store.seal_tables import data_keys
from connector.store.tables import requests, targets


def values_of_operation(connection: Connection, operation_id: str, state: TargetState | None = None) -> int:
    """Return how many distinct values were given to an operation; only of its targets in a state if that is given."""
    mine = [targets.c.operation_id == operation_id, *([targets.c.state == state] if state is not None else [])]
    key = requests.c.hash_key
    joined = targets.join(requests, requests.c.id == targets.c.request_id)
    asked = select(func.count(targets.c.value_hash.distinct()), func.min(key), func.max(key)).select_from(joined)
    number, first, last = connection.execute(asked.where(*mine)).one()
    if first == last:
        return int(number)
    columns = (targets.c.id, targets.c.request_id, targets.c.value, targets.c.value_hash)
    # What is shredded is not hashed anew any more.
    readable = data_keys.c.request_id.is_not(None).label("readable")
    with_key = targets.outerjoin(data_keys, data_keys.c.request_id == targets.c.request_id)
    rows = connection.execute(select(*columns, readable).select_from(with_key).where(*mine)).all()
    opened = vault.opened(connection, [row for row in rows if row.readable], targets.c.value)
    return len({row.value for row in opened}) + len({row.value_hash for row in rows if not row.readable})
