"""Access requests in the store: what is to be read, what was found, the document, and its end.

None of this is ever a target: what submits reads `targets` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, insert, literal, or_, select, text, update

from connector.ids import new_id
from connector.model import SourceStatus
from connector.private import Private
from connector.states import FetchState, ReportState, RequestKind, RequestState
from connector.store import reports as outbox
from connector.store import vault
from connector.store.access_tables import access_fetches as fetches
from connector.store.access_tables import access_results as results
from connector.store.columns import AnyRow
from connector.store.identities import NewTarget
from connector.store.moves import move, parts
from connector.store.tables import identities, reports, requests

#: Why an access request is held that found a profile without its personal fields.
REDACTED: Final = "profile_redacted"
# Word for word as in the indexes that answer them.
_WAITING: Final = text("access_fetches.state = 'waiting'")
_HELD: Final = text("access_fetches.profile IS NOT NULL")
_KEPT: Final = text("access_results.document IS NOT NULL")
_DESTROYED: Final[Mapping[str, None]] = {"value": None, "profile": None}


def is_fetched(row: AnyRow) -> bool:
    """Say whether the profiles of a request are to be read: it is held for nothing but what they lack."""
    return row.state is RequestState.FETCHING or (row.state is RequestState.HELD and row.reason == REDACTED)


def forget(connection: Connection, request_ids: Collection[str]) -> None:
    """Drop what was to be read, and what was read, for locked requests: they are mapped anew."""
    for part in parts(request_ids):
        connection.execute(delete(fetches).where(fetches.c.request_id.in_(part)))


def add(connection: Connection, new: Sequence[NewTarget], now: datetime) -> None:
    """Note what is to be read."""
    keys = vault.keys_of(connection, {one.request.id for one in new})
    rows = [
        {
            "id": (id_ := new_id(now)),
            "request_id": one.request.id,
            "identity_id": one.identity_id,
            "source": one.request.source,
            "account": one.account,
            "lytics_table": one.target.table,
            "field": one.target.field,
            "value": vault.seal(keys[one.request.id], one.target.value, fetches.c.value, id_),
            "value_hash": one.value_hash,
            "state": FetchState.WAITING,
            "reason": "",
            "redacted": False,
            "tries": 0,
            "due_at": one.request.due_at,
            "next_at": now,
        }
        for one in new
    ]
    if rows:
        connection.execute(insert(fetches), rows)


def to_fetch(
    connection: Connection, account: str, sources: Collection[str], now: datetime, limit: int
) -> Sequence[AnyRow]:
    """Return what is to be read in an account, longest waiting first."""
    held = and_(requests.c.state == RequestState.HELD, requests.c.reason == REDACTED)
    rows = connection.execute(
        select(
            fetches.c.id,
            fetches.c.request_id,
            fetches.c.lytics_table,
            fetches.c.field,
            fetches.c.value,
            fetches.c.tries,
            fetches.c.due_at,
        )
        .join(requests, requests.c.id == fetches.c.request_id)
        .where(
            _WAITING,
            fetches.c.account == account,
            fetches.c.next_at <= now,
            fetches.c.value.is_not(None),
            requests.c.source.in_(sorted(sources)),
            or_(requests.c.state == RequestState.FETCHING, held),
        )
        .order_by(fetches.c.next_at, fetches.c.id)
        .limit(limit)
    ).all()
    return vault.opened(connection, rows, fetches.c.value)


def keep(connection: Connection, row: AnyRow, profile: Private, keep_until: datetime, *, redacted: bool) -> None:
    """Keep the profile that a look-up found, unless its request was mapped anew meanwhile."""
    key = vault.keys_of(connection, [row.request_id])[row.request_id]
    sealed = vault.seal(key, profile, fetches.c.profile, row.id)
    values: dict[str, Any] = {"profile": sealed, "redacted": redacted, "keep_until": keep_until, "reason": ""}
    move(connection, fetches, [row.id], FetchState.WAITING, FetchState.FOUND, **values)


def end(connection: Connection, fetch_id: str, new: FetchState, reason: str = "") -> None:
    """End a look-up that found nothing to keep."""
    move(connection, fetches, [fetch_id], FetchState.WAITING, new, reason=reason[:64], redacted=False)


def again(
    connection: Connection,
    fetch_id: str,
    next_at: datetime,
    reason: str,
    *,
    counted: bool,
    redacted: bool | None = None,
) -> None:
    """Set when something is read again.

    Args:
        redacted: whether personal fields were left out; None if the answer did not tell.
    """
    values: dict[str, Any] = {"next_at": next_at, "reason": reason[:64], "tries": fetches.c.tries + int(counted)}
    if redacted is not None:
        values["redacted"] = redacted
    still = (fetches.c.id == fetch_id, fetches.c.state == FetchState.WAITING)
    connection.execute(update(fetches).where(*still).values(**values))


def of_requests(connection: Connection, request_ids: Collection[str]) -> Mapping[str, Sequence[AnyRow]]:
    """Return what was read for requests, each with the identity, as its source named it, that it was read by."""
    found: dict[str, list[AnyRow]] = {one: [] for one in request_ids}
    read = [one for one in fetches.c if one is not fetches.c.value]
    for part in parts(request_ids):
        rows = connection.execute(
            select(*read, identities.c.kind, identities.c.value)
            .join(identities, identities.c.id == fetches.c.identity_id)
            .where(fetches.c.request_id.in_(part))
            .order_by(fetches.c.id)
        ).all()
        known = vault.opened(connection, rows, identities.c.value, row_id="identity_id")
        for row in vault.opened(connection, known, fetches.c.profile):
            found[row.request_id].append(row)
    return found


def add_result(connection: Connection, row: AnyRow, values: Mapping[str, Any]) -> None:
    """Write down the answer to the present attempt of a locked request; what it was made of is destroyed with that."""
    document = values["document"]
    if document is not None:
        key = vault.keys_of(connection, [row.id])[row.id]
        document = vault.seal(key, document, results.c.document, _place(row.id, row.attempt))
    written = {**values, "document": document, "delivered_how": ""}
    connection.execute(insert(results).values(request_id=row.id, attempt=row.attempt, source=row.source, **written))
    destroy_parts(connection, row.id)


def destroy_parts(connection: Connection, request_id: str) -> None:
    """Destroy what was read for a locked request; that it was read stays."""
    connection.execute(update(fetches).where(fetches.c.request_id == request_id).values(**_DESTROYED))


def result(connection: Connection, request_id: str, attempt: int) -> AnyRow | None:
    """Return the answer to an attempt of a request; None as long as there is none."""
    wanted = select(results, literal(_place(request_id, attempt)).label("place"))
    rows = connection.execute(wanted.where(results.c.request_id == request_id, results.c.attempt == attempt)).all()
    opened = vault.opened(connection, rows, results.c.document, row_id="place")
    return opened[0] if opened else None


def _place(request_id: str, attempt: int) -> str:
    """Return what a document is bound to: the row's key has two parts."""
    return f"{request_id}/{attempt}"


def delivered(connection: Connection, row: AnyRow, now: datetime, how: str) -> None:
    """Write down how the document of a locked request's present attempt was handed over, and destroy it."""
    mine = (results.c.request_id == row.id, results.c.attempt == row.attempt)
    connection.execute(update(results).where(*mine).values(delivered_how=how, delivered_at=now))
    shred(connection, row.id, row.attempt, now)


def shred(connection: Connection, request_id: str, attempt: int, now: datetime) -> None:
    """Destroy the document of an attempt of a locked request; when, and its digest, stay."""
    there = (results.c.request_id == request_id, results.c.attempt == attempt, _KEPT)
    connection.execute(update(results).where(*there).values(document=None, shredded_at=now))


def kept_too_long(connection: Connection, source: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return the documents of a source whose time is over."""
    return connection.execute(
        select(results.c.request_id, results.c.attempt)
        .where(_KEPT, results.c.source == source, results.c.keep_until <= now)
        .order_by(results.c.keep_until, results.c.request_id)
        .limit(limit)
    ).all()


def read_too_early(connection: Connection, source: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return the profiles of a source that were kept too long before the others were there."""
    return connection.execute(
        select(fetches.c.id, fetches.c.request_id)
        .where(_HELD, fetches.c.source == source, fetches.c.keep_until <= now)
        .order_by(fetches.c.keep_until, fetches.c.id)
        .limit(limit)
    ).all()


def read_anew(connection: Connection, rows: Sequence[AnyRow], now: datetime) -> None:
    """Destroy profiles of locked requests; they are read once more, if their request still wants them."""
    values: dict[str, Any] = {"profile": None, "keep_until": None, "next_at": now}
    move(connection, fetches, [row.id for row in rows], FetchState.FOUND, FetchState.WAITING, **values)


def last_report(connection: Connection, row: AnyRow) -> AnyRow | None:
    """Return the last report of a request's present attempt, if one was written."""
    mine = (reports.c.request_id == row.id, reports.c.attempt == row.attempt, reports.c.final.is_(True))
    return connection.execute(select(reports).where(*mine)).one_or_none()


def owe_instead(connection: Connection, row: AnyRow, status: SourceStatus, comment: str, now: datetime) -> None:
    """Owe the source another last report than the one that did not reach it."""
    known = last_report(connection, row)
    if known is None:
        outbox.owe(connection, [(row, status, comment)], now)
        return
    if known.state is ReportState.DEAD or known.state is ReportState.DROPPED:
        outbox.queue_again(connection, [known.id], known.state, now)
    connection.execute(
        update(reports)
        .where(reports.c.id == known.id, reports.c.state == ReportState.QUEUED)
        .values(status=status, comment=comment, next_at=now)
    )


def results_of(connection: Connection, request_id: str) -> Sequence[AnyRow]:
    """Return what is known for good of the answers to a request's attempts: nothing that was read."""
    kept = [one for one in results.c if one.name != "document"]
    return connection.execute(select(*kept).where(results.c.request_id == request_id).order_by(results.c.attempt)).all()


def look_ups_of(connection: Connection, request_id: str) -> Sequence[AnyRow]:
    """Return what became of the look-ups of a request's last attempt: nothing that was read, and no value."""
    columns = (fetches.c.account, fetches.c.lytics_table, fetches.c.field, fetches.c.state, fetches.c.reason)
    told = (*columns, fetches.c.redacted, fetches.c.tries, fetches.c.next_at)
    return connection.execute(select(*told).where(fetches.c.request_id == request_id).order_by(fetches.c.id)).all()


def waiting(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """Return the access requests that are not over, the most urgent first, with what became of them so far."""
    # One selection for each state: each is answered by the index of states and urgency.
    columns = (
        requests.c.id,
        requests.c.source,
        requests.c.state,
        requests.c.reason,
        requests.c.due_at,
        results.c.profiles,
        results.c.redacted,
        results.c.bytes,
        results.c.keep_until,
    )
    joined = requests.outerjoin(
        results, and_(results.c.request_id == requests.c.id, results.c.attempt == requests.c.attempt)
    )
    found = [
        row
        for state, why in (
            (RequestState.FETCHING, ()),
            (RequestState.DELIVERING, ()),
            (RequestState.HELD, (requests.c.kind == RequestKind.ACCESS,)),
        )
        for row in connection.execute(
            select(*columns)
            .select_from(joined)
            .where(requests.c.state == state, *why)
            .order_by(requests.c.due_at, requests.c.id)
            .limit(limit)
        )
    ]
    return sorted(found, key=lambda row: (row.due_at, row.id))[:limit]
