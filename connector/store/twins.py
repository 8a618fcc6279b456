"""One request under two names: a call may name the task that is ours, or only the request that it belongs to.

Which of two rows are one request shows when the source lists them. The newcomer then ends, and says for which request
it stands: whoever calls for it again calls for that one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, tuple_

from connector.states import RequestState
from connector.store import requests as request_rows
from connector.store.columns import AnyRow
from connector.store.tables import requests

#: Begins the reason of a request that ended because another one is the same; the other one's id follows.
SAME_AS: Final = "same_as:"
_NOT_BEGUN: Final = (RequestState.UNCONFIRMED, RequestState.HELD)


def find(connection: Connection, row: AnyRow, keys: Sequence[str], external: Mapping[str, str]) -> AnyRow | None:
    """Return the request for which a locked one stands, if it came first; the caller has locked all of the keys.

    Args:
        keys: under which deliveries about the task may have come; the first names the task alone, the others also its
            like, so that what came under them has to be listed before it counts.
        external: the task's ids, as the source lists them.
    """
    others = connection.execute(
        select(requests).where(
            requests.c.source == row.source, requests.c.request_key.in_(keys), requests.c.id != row.id
        )
    )
    return next((one for one in others if _is_same(one, keys, external) and _came_first(one, row)), None)


def _is_same(other: AnyRow, keys: Sequence[str], external: Mapping[str, str]) -> bool:
    if other.state is RequestState.REJECTED and other.reason.startswith(SAME_AS):
        return False
    listed_alike = other.confirmed_at is not None and external.items() <= other.external.items()
    return other.request_key == keys[0] or listed_alike


def _came_first(other: AnyRow, row: AnyRow) -> bool:
    """Say whether another request is the one to go on. One that is held by a doubt stands in nobody's way."""
    if other.confirmed_at is not None or other.state not in _NOT_BEGUN:
        return True
    return other.state is RequestState.UNCONFIRMED and str(other.id) < str(row.id)


def end(connection: Connection, row: AnyRow, other: AnyRow, now: datetime) -> None:
    """End a locked request of which nothing was begun, because another one is the same. Nobody is told of it."""
    reason = f"{SAME_AS}{other.id}"
    request_rows.move_request(
        connection, row, RequestState.REJECTED, now, reason=reason, finished_at=now, confirm_at=None
    )


def lock_known(connection: Connection, keys: Collection[tuple[str, str]]) -> None:
    """Lock the requests that are there, given by (source, request key), and those for which they stand, by their ids.

    Call it before several of them are changed in one transaction. SQLite has one writer at a time, and needs none.
    """
    if not keys or connection.dialect.name == "sqlite":
        return
    named = tuple_(requests.c.source, requests.c.request_key).in_(sorted(keys))
    rows = connection.execute(select(requests.c.id, requests.c.reason).where(named)).all()
    # Whoever stands for another one stays that for good, so what was read before the lock is still true.
    others = {row.reason.removeprefix(SAME_AS) for row in rows if row.reason.startswith(SAME_AS)}
    ids = others | {row.id for row in rows}
    if len(ids) > 1:
        request_rows.hold_all(connection, ids)


def followed(connection: Connection, row: AnyRow, *, lock: bool = False) -> AnyRow:
    """Return the request for which one stands that ended because both are the same; else the one itself.

    Args:
        lock: whether the row was locked, and what is returned has to be.
    """
    if row.state is not RequestState.REJECTED or not row.reason.startswith(SAME_AS):
        return row
    other = select(requests).where(requests.c.id == row.reason.removeprefix(SAME_AS))
    # It may have been purged before the one that stands for it.
    return connection.execute(other.with_for_update() if lock else other).one_or_none() or row
