"""Send what is in the outbox. The source's own state is read first; a person's decision there is never overwritten.

The order is: evidence, the report itself, what follows it. Each is harmless when it is repeated, so a report that dies
on the way begins again from the start, and is written down as sent only when all of it was done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from connector.errors import ConnectorError, Temporary
from connector.model import Delivered, Report
from connector.policy.retry import is_counted, next_try, passes
from connector.services import hand_over
from connector.services.evidence import with_evidence
from connector.services.progress import EVERY
from connector.services.remote import HALTING, call_each
from connector.services.settle import count
from connector.services.site import Site, SourceWork
from connector.states import ReportState, RequestKind
from connector.store import identities, reports, requests
from connector.store.columns import AnyRow, Connection

# Reports of one source that are sent at the same time: OneTrust asks for at most five calls per second.
_CONCURRENCY = 4
# Reports that are written down together, before the next ones are sent. A crash before that costs one more reading of
# each, where the source's state is read first. Elsewhere it repeats what was sent: then only those that were under way.
_TOGETHER = 50

_STATE_OF = {
    Delivered.SENT: (ReportState.SENT, ""),
    Delivered.ALREADY: (ReportState.SENT, "already_so"),
    Delivered.CONFLICT: (ReportState.CONFLICT, "decided_at_source"),
    Delivered.NOT_WANTED: (ReportState.NOT_WANTED, ""),
}


def report(site: Site) -> bool:
    """Send the reports that are due, for each source; say whether there may be more."""
    free = [one for one in site.sources.values() if site.may_report(one)]
    more = [_report_source(site, source) for source in free]
    return any(more)


def _report_source(site: Site, source: SourceWork) -> bool:
    limit = site.budgets.report
    with site.database.read() as connection:
        rows = reports.to_send(connection, source.name, site.clock.now(), limit)

    def send(due: tuple[AnyRow, Report]) -> Delivered:
        row, owed = due
        site.reached("reporting")
        accompany = hand_over.with_document if owed.kind is RequestKind.ACCESS else with_evidence
        told = accompany(site, source, row, owed)
        delivered = source.reporter.deliver(told)
        site.reached("reported")
        _follow_up(site, source, row, told, delivered)
        site.reached("followed")
        return delivered

    harmless = source.reporter.reads_first and not source.extras.follow_ups
    together = _TOGETHER if harmless else _CONCURRENCY
    for start in range(0, len(rows), together):
        if not site.may_report(source):
            return False
        with site.database.read() as connection:
            queued = reports.still_queued(connection, rows[start : start + together])
            counts = _counts(connection, queued)
        due = [(row, _report_of(row, counts.get(row.id, {}))) for row in queued]
        answers = call_each(due, send, _CONCURRENCY, site.stop, site.reports_to(source))
        _take_answers(site, source, [(row, answer) for (row, _), answer in answers])
    return len(rows) == limit and site.may_report(source)


def _counts(connection: Connection, rows: Sequence[AnyRow]) -> Mapping[str, Mapping[str, int]]:
    """Return the numbers of those requests that are over, by the report that tells of their end."""
    # An access request has no numbers of an erasure.
    final = [row for row in rows if row.final and row.kind is not RequestKind.ACCESS]
    counted = identities.count_states(connection, {row.request_id for row in final})
    return {row.id: asdict(count(*counted[row.request_id])) for row in final}


def _report_of(row: AnyRow, counts: Mapping[str, int]) -> Report:
    return Report(
        row.external,
        row.status,
        row.comment,
        row.callback_url,
        job_id=row.request_id,
        report_id=row.id,
        counts=counts,
        kind=row.kind or RequestKind.ERASURE,
    )


def _follow_up(site: Site, source: SourceWork, row: AnyRow, report: Report, delivered: Delivered) -> None:
    """Tell the source what else it is to be told. A no to that is no error of the report, which has been told.

    Raises:
        Temporary: it is worth another try, and one is left.
    """
    for one in source.extras.follow_ups:
        try:
            done = one.after(report, delivered)
        except ConnectorError as error:
            if isinstance(error, Temporary) and _next_try(site, row, error) is not None:
                raise
            site.log.warning(
                "follow_up_refused",
                source=source.name,
                request_id=report.job_id,
                report_id=report.report_id,
                follow_up=one.name,
                code=error.code,
            )
        else:
            if done is not None:
                site.log.info(
                    "follow_up_done",
                    source=source.name,
                    request_id=report.job_id,
                    report_id=report.report_id,
                    follow_up=one.name,
                    correlation_id=done or None,
                )


def _take_answers(site: Site, source: SourceWork, answers: Sequence[tuple[AnyRow, Delivered | ConnectorError]]) -> None:
    delivered: dict[Delivered, list[AnyRow]] = defaultdict(list)
    for row, answer in answers:
        if isinstance(answer, ConnectorError):
            _take_error(site, source, row, answer)
        else:
            delivered[answer].append(row)
    if not delivered:
        return
    now = site.clock.now()
    with site.database.write() as connection:
        # In one order, whichever answers two workers got for the same reports.
        requests.hold_all(connection, {row.request_id for rows in delivered.values() for row in rows})
        for answer, rows in delivered.items():
            state, reason = _STATE_OF[answer]
            reports.end_reports(connection, [row.id for row in rows], state, now, reason)
            if state is ReportState.SENT and source.extras.commenter is not None:
                reports.remind(connection, [row.id for row in rows if not row.final], now + EVERY)
        answered = hand_over.told(connection, delivered, now)
    site.reached("told")
    hand_over.say(site, source, answered)
    for answer, rows in delivered.items():
        sent, met_another = _STATE_OF[answer][0] is ReportState.SENT, answer is Delivered.CONFLICT
        for row in rows:
            site.log.info(
                "report_sent" if sent else "report_conflict" if met_another else "report_not_wanted",
                source=source.name,
                request_id=row.request_id,
                report_id=row.id,
                status=row.status,
                age_s=(now - row.created_at).total_seconds(),
            )


def _next_try(site: Site, row: AnyRow, error: ConnectorError) -> datetime | None:
    return next_try(row.tries, error, site.clock.now(), site.rng, site.report_retry, due_at=row.due_at)


def _take_error(site: Site, source: SourceWork, row: AnyRow, error: ConnectorError) -> None:
    now = site.clock.now()
    if isinstance(error, HALTING):
        site.pause_reports(source, error)
    next_at = _next_try(site, row, error)
    is_late = passes(next_at, now, row.due_at)
    with site.database.write() as connection:
        if next_at is None:
            reports.end_reports(connection, [row.id], ReportState.DEAD, now, error.code)
        else:
            reports.try_again(connection, row.id, next_at, error.code, counted=is_counted(error))
    log = site.log.error if next_at is None or is_late else site.log.warning
    log(
        "report_dead" if next_at is None else "report_failed",
        source=source.name,
        request_id=row.request_id,
        report_id=row.id,
        code=error.code,
        attempt=row.tries + 1,
        next_at=next_at,
        due_at=row.due_at if is_late else None,
    )
