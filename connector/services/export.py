"""Give the data of an access request to an operator, once: it is destroyed here as soon as it is safe elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connector.codes import Code
from connector.errors import Refused
from connector.model import SourceStatus
from connector.policy.access import encoded
from connector.services import access_comments as comments
from connector.services.hand_over import EXPORTED
from connector.services.site import Site
from connector.states import FetchState, ReportState, RequestState
from connector.store import access, audit, requests
from connector.store.audit import Decision
from connector.store.columns import AnyRow, Connection


@dataclass(frozen=True, slots=True)
class Exported:
    """What was handed over."""

    sha256: str
    size: int
    at: datetime


def export(site: Site, request_id: str, keep: Callable[[bytes], None], decision: Decision) -> Exported:
    """Hand the document to `keep`, which returns once it is safe, then destroy it here and owe the source the answer.

    A death in between leaves the document in both places, and it can be taken again: never in none.

    Raises:
        Refused: there is none, it is being attached, or it was taken meanwhile; then what `keep` has is not the answer.
    """
    with site.database.read() as connection:
        found = requests.seen(connection, request_id)
        if found is None:
            raise Refused(Code.REQUEST_UNKNOWN)
        result = _there(connection, found)
    keep(encoded(result.document.reveal()))
    site.reached("exported")
    now = site.clock.now()
    with site.database.write() as connection:
        (row,) = requests.lock_all(connection, [request_id])
        again = _there(connection, row)
        if (again.attempt, again.sha256) != (result.attempt, result.sha256):
            raise Refused(Code.ACCESS_DATA_GONE)
        access.delivered(connection, row, now, EXPORTED)
        requests.move_request(connection, row, RequestState.ANSWERED, now, reason=EXPORTED, finished_at=now)
        access.owe_instead(connection, row, SourceStatus.COMPLETED, _comment(connection, row, result, now), now)
        audit.note(connection, decision, "access_exported", request_id)
    site.log.info("access_exported", request_id=request_id, source=row.source)
    return Exported(result.sha256, result.bytes, now)


def _there(connection: Connection, row: AnyRow) -> AnyRow:
    """Return the answer of a request that an operator may take."""
    result = access.result(connection, row.id, row.attempt)
    if row.state is not RequestState.DELIVERING or result is None or result.document is None:
        raise Refused(Code.ACCESS_DATA_GONE)
    report = access.last_report(connection, row)
    if report is not None and (report.state is ReportState.QUEUED or report.evidence is not None):
        raise Refused(Code.ACCESS_DATA_GONE, "it is being attached at the source")
    return result


def _comment(connection: Connection, row: AnyRow, result: AnyRow, now: datetime) -> str:
    read = access.of_requests(connection, [row.id])[row.id]
    hits = sum(one.state is FetchState.FOUND for one in read)
    found = comments.found(result.profiles, hits, len(read), row.received_at, redacted=result.redacted)
    return f"{found} {comments.exported(result.sha256, now)}"
