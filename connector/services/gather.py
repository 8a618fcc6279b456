"""What the look-ups of an access request come to: its document, the word that nothing is held, a hold, or a failure.

Called in the commit that writes down the last look-up, on rows that are locked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from connector.model import SourceStatus
from connector.policy.access import Document, Find, merge
from connector.services import access_comments as comments
from connector.services.site import Site
from connector.states import FetchState, RequestState
from connector.store import access, reports, requests
from connector.store.columns import AnyRow, Connection

# Says in the log what became of a request, once that is committed.
Say: TypeAlias = Callable[[], None]

UNREADABLE: Final = "profile_unreadable"
TOO_LARGE: Final = "profile_too_large"


def gather(site: Site, connection: Connection, rows: Sequence[AnyRow], now: datetime) -> list[Say]:
    """Take the locked requests as far as their look-ups allow; return what is to be said of it in the log."""
    known = access.of_requests(connection, [row.id for row in rows])
    said = [_gather_one(site, connection, row, known[row.id], now) for row in rows]
    return [one for one in said if one is not None]


def _gather_one(
    site: Site, connection: Connection, row: AnyRow, fetched: Sequence[AnyRow], now: datetime
) -> Say | None:
    waiting = [one for one in fetched if one.state is FetchState.WAITING]
    redacted = any(one.redacted for one in waiting)
    if redacted and row.state is RequestState.FETCHING:
        requests.move_request(connection, row, RequestState.HELD, now, reason=access.REDACTED)
        held = row
        return lambda: site.log.error("access_held", request_id=held.id, source=held.source, reason=access.REDACTED)
    if row.state is RequestState.HELD and not redacted:
        requests.move_request(connection, row, RequestState.FETCHING, now)
        row = requests.lock_all(connection, [row.id])[0]
    if waiting or not fetched:
        return None
    return _end(site, connection, row, fetched, now)


def _end(site: Site, connection: Connection, row: AnyRow, fetched: Sequence[AnyRow], now: datetime) -> Say:
    failed = [one for one in fetched if one.state is FetchState.FAILED]
    if failed:
        comment = comments.unanswered(len(failed), len(fetched))
        return _fail(site, connection, row, UNREADABLE, comment, now)
    rules = site.sources[row.source].extras.access
    finds = [
        Find(one.kind, one.value, (one.account, one.lytics_table, one.field), one.profile, one.redacted)
        for one in fetched
    ]
    made = merge({**requests.external_of(connection, row.id), "job": row.id}, finds, now)
    if made.size > rules.max_bytes:
        return _fail(site, connection, row, TOO_LARGE, comments.too_large(made.size, rules.max_bytes), now)
    return _answer(site, connection, row, made, finds, now)


def _answer(
    site: Site, connection: Connection, row: AnyRow, made: Document, finds: Sequence[Find], now: datetime
) -> Say:
    """Write down the answer, and owe it to the source; what an operator has to take first is told afterwards."""
    rules = site.sources[row.source].extras.access
    redacted, held = any(one.is_redacted for one in finds), made.profiles > 0
    result = {"sha256": made.sha256, "bytes": made.size, "profiles": made.profiles, "redacted": redacted}
    result |= {"document": made.text if held else None, "made_at": now, "keep_until": now + rules.keep}
    access.add_result(connection, row, result)
    if not held:
        requests.move_request(connection, row, RequestState.ANSWERED, now, reason="nothing_held", finished_at=now)
        comment = comments.nothing_held(len(finds), row.received_at, now)
        reports.owe(connection, [(row, SourceStatus.COMPLETED, comment)], now)
        return _say(site, row, RequestState.ANSWERED, now)
    requests.move_request(connection, row, RequestState.DELIVERING, now)
    if rules.filing is not None:
        hits = sum(one.content is not None for one in finds)
        comment = comments.found(made.profiles, hits, len(finds), row.received_at, redacted=redacted)
        reports.owe(connection, [(row, SourceStatus.COMPLETED, comment)], now)
    return _say(site, row, RequestState.DELIVERING, now)


def _fail(site: Site, connection: Connection, row: AnyRow, reason: str, comment: str, now: datetime) -> Say:
    access.destroy_parts(connection, row.id)
    requests.move_request(connection, row, RequestState.FAILED, now, reason=reason, finished_at=now)
    reports.owe(connection, [(row, SourceStatus.FAILED, comment)], now)
    return lambda: site.log.error("access_failed", request_id=row.id, source=row.source, reason=reason)


def _say(site: Site, row: AnyRow, state: RequestState, now: datetime) -> Say:
    age_s = (now - row.received_at).total_seconds()
    return lambda: site.log.info("access_answered", request_id=row.id, source=row.source, state=state, age_s=age_s)
