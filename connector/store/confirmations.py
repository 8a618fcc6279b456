"""Requests that the source itself has to list before anything is deleted: which to ask about, and what it answered.

`confirm_at` says when a request is asked about next, and is empty where nothing is to be asked. `confirmed_at` says
since when it is listed, `answered_at` when its source answered last.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, text, update

from connector.policy.agreement import Doubt
from connector.states import OPEN_REQUESTS, RequestState
from connector.store import requests as request_rows
from connector.store.columns import AnyRow
from connector.store.moves import parts
from connector.store.requests import NewIdentity
from connector.store.tables import identities, requests, targets

# Word for word as in the indexes that answer them.
_ASKED = text("confirm_at IS NOT NULL")
_ANSWERED = text("confirm_at IS NULL AND answered_at IS NOT NULL AND finished_at IS NULL")


# Held by what the source listed, or did not: only a listing lets it go on, whoever switches the questions off.
_DOUBTED = (requests.c.state == RequestState.HELD) & requests.c.reason.in_(tuple(Doubt))


def to_ask_about(connection: Connection, source: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return the requests of a source to be asked about by now, those that wait longest first."""
    asked = select(requests).where(_ASKED, requests.c.source == source, requests.c.confirm_at <= now)
    return connection.execute(asked.order_by(requests.c.confirm_at, requests.c.id).limit(limit)).all()


def answered_before(connection: Connection, source: str, before: datetime, limit: int) -> Sequence[str]:
    """Return the ids of open requests about which a source answered last before a moment, the earliest first."""
    answered = select(requests.c.id).where(_ANSWERED, requests.c.source == source, requests.c.answered_at < before)
    return connection.scalars(answered.order_by(requests.c.answered_at, requests.c.id).limit(limit)).all()


def ask_anew(connection: Connection, request_ids: Collection[str], now: datetime) -> None:
    """Ask once more about open requests that wait for no answer: dates move, and people change their minds."""
    # In the order in which everybody locks requests, which an update by itself does not keep.
    request_rows.hold_all(connection, request_ids)
    for part in parts(request_ids):
        open_ones = requests.c.id.in_(part) & requests.c.confirm_at.is_(None) & requests.c.finished_at.is_(None)
        connection.execute(update(requests).where(open_ones).values(confirm_at=now, confirm_tries=0))


def never_doubted(connection: Connection, source: str, limit: int) -> Sequence[AnyRow]:
    """Return the requests of a source that wait for an answer, and that no answer has held."""
    asked = select(requests).where(_ASKED, requests.c.source == source, ~_DOUBTED)
    return connection.execute(asked.order_by(requests.c.confirm_at, requests.c.id).limit(limit)).all()


def lock_asked(connection: Connection, row: AnyRow) -> AnyRow | None:
    """Return a request's row, locked; None if it ended, began anew, or was asked about by somebody else meanwhile."""
    found = connection.execute(select(requests).where(requests.c.id == row.id).with_for_update()).one()
    same = (found.attempt, found.confirm_tries, found.confirm_at) == (row.attempt, row.confirm_tries, row.confirm_at)
    return found if same and found.state in OPEN_REQUESTS else None


def hold(connection: Connection, row: AnyRow, reason: str, now: datetime) -> None:
    """Hold a locked request that waits for its listing, or say anew why it is held."""
    if row.state is not RequestState.HELD:
        request_rows.move_request(connection, row, RequestState.HELD, now, reason=reason)
    else:
        connection.execute(update(requests).where(requests.c.id == row.id).values(reason=reason))


def ask_again(connection: Connection, row: AnyRow, at: datetime, *, counted: bool = True) -> None:
    """Put off the next question about a locked request."""
    tries = row.confirm_tries + counted
    connection.execute(update(requests).where(requests.c.id == row.id).values(confirm_at=at, confirm_tries=tries))


def leave(connection: Connection, row: AnyRow, **values: Any) -> None:
    """Ask nothing more about a locked request for now."""
    known = {"confirm_at": None, "confirm_tries": 0} | values
    connection.execute(update(requests).where(requests.c.id == row.id).values(**known))


def write_listing(connection: Connection, row: AnyRow, now: datetime, **values: Any) -> None:
    """Write down that a locked request is listed, and what the platform says of it; it is not asked about any more."""
    is_moved = values.get("due_at", row.due_at) != row.due_at
    # A new due date is warned of anew.
    again = {"warned_at": None} if is_moved else {}
    leave(connection, row, confirmed_at=row.confirmed_at or now, answered_at=now, **values, **again)
    if is_moved:
        # What is more urgent goes first.
        connection.execute(update(targets).where(targets.c.request_id == row.id).values(due_at=values["due_at"]))


def keep_only(connection: Connection, row: AnyRow, listed: Sequence[NewIdentity], now: datetime) -> int:
    """Give a locked request, of which nothing was mapped, exactly the listed identities; return how many were dropped.

    What only a delivery said is nobody's business here, and is not kept.
    """
    wanted = {one.value_hash for one in listed}
    unlisted = delete(identities).where(identities.c.request_id == row.id, identities.c.value_hash.not_in(wanted))
    dropped = connection.execute(unlisted).rowcount
    request_rows.add_identities(connection, row.id, listed, now)
    return dropped


def ask_now(connection: Connection, row: AnyRow, now: datetime) -> None:
    """Ask about a locked request that a further delivery named."""
    if row.state in OPEN_REQUESTS:
        ask_again(connection, row, now, counted=False)


def let_pass(connection: Connection, rows: Sequence[AnyRow], now: datetime) -> None:
    """Let requests be mapped that wait for a listing although their source is not asked for one any more.

    Args:
        rows: of `never_doubted`; one that was held by a doubt since then was asked about since then, and is left alone.
    """
    for one in sorted(rows, key=lambda row: str(row.id)):
        row = lock_asked(connection, one)
        if row is None:
            continue
        leave(connection, row)
        if row.state is RequestState.UNCONFIRMED:
            request_rows.move_request(connection, row, RequestState.RECEIVED, now, reason="read_back_off")
