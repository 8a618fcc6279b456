"""Send what is in the outbox. The source's own state is read first; a person's decision there is never overwritten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from connector.errors import ConnectorError
from connector.model import Delivered, Report
from connector.policy.retry import is_counted, next_try, passes
from connector.services.remote import HALTING, call_each
from connector.services.site import Site, SourceWork
from connector.states import ReportState
from connector.store import reports, requests
from connector.store.columns import AnyRow

# Reports of one source that are sent at the same time: OneTrust asks for at most five calls per second.
_CONCURRENCY = 4
# Reports that are written down together, before the next ones are sent. A crash before that costs one more reading of
# each, as the source's state is read first.
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

    def send(row: AnyRow) -> Delivered:
        site.reached("reporting")
        delivered = source.reporter.deliver(
            Report(row.external, row.status, row.comment, row.callback_url, job_id=row.request_id)
        )
        site.reached("reported")
        return delivered

    for start in range(0, len(rows), _TOGETHER):
        if not site.may_report(source):
            return False
        with site.database.read() as connection:
            due = reports.still_queued(connection, rows[start : start + _TOGETHER])
        _take_answers(site, source, call_each(due, send, _CONCURRENCY, site.stop, site.reports_to(source)))
    return len(rows) == limit and site.may_report(source)


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
    site.reached("told")
    for answer, rows in delivered.items():
        sent, met_another = _STATE_OF[answer][0] is ReportState.SENT, answer is Delivered.CONFLICT
        for row in rows:
            site.log.info(
                "report_sent" if sent else "report_conflict" if met_another else "report_not_wanted",
                source=source.name,
                request_id=row.request_id,
                report_id=row.id,
                status=row.status,
            )


def _take_error(site: Site, source: SourceWork, row: AnyRow, error: ConnectorError) -> None:
    now = site.clock.now()
    if isinstance(error, HALTING):
        site.pause_reports(source, error)
    next_at = next_try(row.tries, error, now, site.rng, site.report_retry, due_at=row.due_at)
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
