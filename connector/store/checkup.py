"""What the doctor asks the store: how near deadlines are, and whether Lytics refuses everybody alike. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import make_url

from connector.codes import Code
from connector.ids import new_id
from connector.states import OPEN_REQUESTS, RequestState, TargetState
from connector.store.columns import AnyRow
from connector.store.tables import requests, submissions, targets

_SOON: Final = timedelta(days=7)
_LATELY: Final = timedelta(days=7)
# So many of the latest bulk calls are looked at, of all accounts together.
_CALLS: Final = 50
# Fewer values that are refused alike may be chance.
_FEWEST: Final = 3
_OPEN = tuple(state for state in RequestState if state in OPEN_REQUESTS)


def is_there(url: str) -> bool:
    """Say whether there is a store to look at; to open a SQLite file that is not there would make it."""
    parsed = make_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "connector.db").exists()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Due dates of open requests.

    Attributes:
        late, soon: how many are past, and how many come within seven days.
        first: the earliest of all; `next`: the earliest that is not past.
    """

    late: int
    soon: int
    first: datetime | None
    next: datetime | None


def deadlines(connection: Connection, now: datetime) -> Deadlines:
    """Look at open requests alone, state by state, as their index has them."""
    due = requests.c.due_at

    def number(since: datetime | None, until: datetime) -> int:
        bounds = [due < until, *([due >= since] if since is not None else [])]
        one_state = (select(func.count()).where(requests.c.state == one, *bounds) for one in _OPEN)
        return sum(connection.scalar(one) or 0 for one in one_state)

    def earliest(since: datetime | None) -> datetime | None:
        bounds = [due >= since] if since is not None else []
        found = (connection.scalar(select(func.min(due)).where(requests.c.state == one, *bounds)) for one in _OPEN)
        return min((one for one in found if one is not None), default=None)

    return Deadlines(number(None, now), number(now, now + _SOON), earliest(None), earliest(now))


def refused_alike(connection: Connection, now: datetime) -> Sequence[tuple[str, int]]:
    """Return accounts whose latest call within a week had every value refused for one reason, and how many it had.

    A missing permission does that, and a field that Lytics does not know.
    """
    chosen = (submissions.c.id, submissions.c.account, submissions.c.reason, submissions.c.size)
    latest: dict[str, AnyRow] = {}
    since = submissions.c.id >= new_id(now - _LATELY, bytes)
    for row in connection.execute(select(*chosen).where(since).order_by(submissions.c.id.desc()).limit(_CALLS)):
        latest.setdefault(row.account, row)
    found = []
    for account, call in sorted(latest.items()):
        # Such a call was given back as a whole, and its values wait.
        if call.reason == Code.PERMISSION_MISSING:
            found.append((account, int(call.size)))
            continue
        grouped = (
            select(targets.c.state, targets.c.reason, func.count())
            .where(targets.c.submission_id == call.id)
            .group_by(targets.c.state, targets.c.reason)
            .limit(2)
        )
        kinds = connection.execute(grouped).all()
        if len(kinds) == 1 and kinds[0][0] is TargetState.REFUSED and kinds[0][2] >= _FEWEST:
            found.append((account, kinds[0][2]))
    return found
