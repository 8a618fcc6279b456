"""Hand over the answer to an access request, and destroy it here once that is done.

Where the source takes files the document is uploaded before the report, like evidence: its file id is committed before
anything else is called, so that what comes after is repeated without a second file. The document is destroyed in the
very commit that writes the report down as taken. It is never reported as answered without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Refused, Temporary
from connector.model import Delivered, Filed, Report, SourceStatus
from connector.policy.access import encoded
from connector.services import access_comments as comments
from connector.services.site import Site, SourceWork
from connector.states import ReportState, RequestKind, RequestState
from connector.store import access, reports, requests
from connector.store.columns import AnyRow, Connection

ATTACHED: Final = "attached"
EXPORTED: Final = "exported"
AT_SOURCE: Final = "decided_at_source"
EXPIRED: Final = "access_expired"


def with_document(site: Site, source: SourceWork, row: AnyRow, report: Report) -> Report:
    """Return the report of an access request with the file that goes with it; as it is where there is to be none.

    Raises:
        ConnectorError: the document could not be filed. A report without it would be a false one.
    """
    if report.status is not SourceStatus.COMPLETED:
        return report
    kept = row.evidence or _file(site, source, row)
    if kept is None:
        return report
    said = comments.filed(kept["file_name"], kept["sha256"])
    filed = Filed(kept["file_id"], kept["file_name"])
    return replace(report, comment=f"{report.comment} {said}", attachment=filed)


def _file(site: Site, source: SourceWork, row: AnyRow) -> Mapping[str, str] | None:
    """File the document and keep its id; None if there is nothing to file, or somebody ended the task."""
    with site.database.read() as connection:
        result = access.result(connection, row.request_id, row.attempt)
    if result is None or result.profiles == 0 or result.delivered_how:
        return None
    if result.document is None:
        # Its time was over a moment ago, and another report is owed by now.
        raise Temporary(Code.ACCESS_DATA_GONE)
    filing = source.extras.access.filing
    if filing is None:
        raise Refused(Code.ACCESS_DATA_KEPT, "nothing takes the file")
    stem = f"access-{row.request_id}-{row.attempt}"
    filed = filing.file(row.external, stem, encoded(result.document.reveal()))
    if filed is None:
        return None
    site.reached("uploaded")
    kept = {"file_id": filed.file_id, "file_name": filed.file_name, "sha256": result.sha256}
    with site.database.write() as connection:
        reports.keep_evidence(connection, row.id, kept)
    site.reached("filed")
    site.log.info("access_filed", source=source.name, request_id=row.request_id, report_id=row.id)
    return kept


def told(
    connection: Connection, delivered: Mapping[Delivered, Sequence[AnyRow]], now: datetime
) -> dict[str, RequestState]:
    """End the access requests whose last report was taken, and destroy their documents; return their new states.

    Called in the commit that ends the reports, with their requests locked.
    """
    answers = {
        row.request_id: (answer, row)
        for answer, rows in delivered.items()
        for row in rows
        if row.kind is RequestKind.ACCESS and row.final
    }
    ended: dict[str, RequestState] = {}
    for owner in requests.lock_all(connection, answers):
        answer, row = answers[owner.id]
        if owner.state is not RequestState.DELIVERING or owner.attempt != row.attempt:
            continue
        known = access.last_report(connection, owner)
        has_file = known is not None and known.evidence is not None
        ended[owner.id] = _end(connection, owner, now, is_ours=has_file and answer is not Delivered.CONFLICT)
    return ended


def _end(connection: Connection, owner: AnyRow, now: datetime, *, is_ours: bool) -> RequestState:
    """End a request that was handed over, or whose task somebody else ended: then nobody waits for the data."""
    if is_ours:
        access.delivered(connection, owner, now, ATTACHED)
    else:
        access.shred(connection, owner.id, owner.attempt, now)
    state = RequestState.ANSWERED if is_ours else RequestState.FAILED
    requests.move_request(connection, owner, state, now, reason=ATTACHED if is_ours else AT_SOURCE, finished_at=now)
    return state


def say(site: Site, source: SourceWork, ended: Mapping[str, RequestState]) -> None:
    """Say in the log which documents were destroyed, once that is committed."""
    for request_id, state in ended.items():
        site.log.info("access_shredded", source=source.name, request_id=request_id, state=state)


def expire(site: Site) -> bool:
    """Destroy what was kept for its longest time, for each source; say whether there may be more."""
    more = [_expire_source(site, one) for one in site.sources.values()]
    return any(more)


def _expire_source(site: Site, source: SourceWork) -> bool:
    now, limit = site.clock.now(), site.budgets.report
    with site.database.read() as connection:
        rows = access.kept_too_long(connection, source.name, now, limit)
        stale = access.read_too_early(connection, source.name, now, limit)
    if not rows and not stale:
        return False
    ended: dict[str, RequestState] = {}
    with site.database.write() as connection:
        attempts = {row.request_id: row.attempt for row in rows}
        for owner in requests.lock_all(connection, {*attempts, *(row.request_id for row in stale)}):
            if owner.id in attempts:
                ended[owner.id] = _expire(connection, source, owner, attempts[owner.id], now)
        access.read_anew(connection, stale, now)
    for request_id, state in ended.items():
        site.log.error("access_expired", source=source.name, request_id=request_id, state=state)
    return limit in (len(rows), len(stale))


def end_if_gone(connection: Connection, request_id: str, now: datetime) -> bool:
    """End a request whose data is destroyed and whose last report an operator let rest; say whether it was one."""
    (owner,) = requests.lock_all(connection, [request_id])
    known, result = access.last_report(connection, owner), access.result(connection, owner.id, owner.attempt)
    rests = known is not None and known.state is ReportState.DROPPED
    if owner.state is not RequestState.DELIVERING or not rests or result is None or result.document is not None:
        return False
    requests.move_request(connection, owner, RequestState.FAILED, now, reason=EXPIRED, finished_at=now)
    return True


def _expire(connection: Connection, source: SourceWork, owner: AnyRow, attempt: int, now: datetime) -> RequestState:
    """Destroy a document whose time is over; tell the source, unless the file is there already."""
    state: RequestState = owner.state
    access.shred(connection, owner.id, attempt, now)
    if state is not RequestState.DELIVERING or owner.attempt != attempt:
        return state
    known = access.last_report(connection, owner)
    if known is not None and known.evidence is not None:
        return RequestState.FAILED if end_if_gone(connection, owner.id, now) else state
    requests.move_request(connection, owner, RequestState.FAILED, now, reason=EXPIRED, finished_at=now)
    comment = comments.expired(source.extras.access.keep)
    access.owe_instead(connection, owner, SourceStatus.FAILED, comment, now)
    return RequestState.FAILED
