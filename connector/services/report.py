"""Send what is in the outbox. The source's own state is read first; a person's decision there is never overwritten."""

from __future__ import annotations

from datetime import timedelta

from connector.errors import ConnectorError, Misconfigured
from connector.model import Delivered, Report
from connector.policy.retry import next_try
from connector.services.site import Site, SourceWork, call_each
from connector.states import ReportState
from connector.store import reports
from connector.store.columns import AnyRow

# Reports of one source that are sent at the same time; OneTrust asks for at most five calls per second.
_CONCURRENCY = 4

_STATE_OF = {
    Delivered.SENT: (ReportState.SENT, ""),
    Delivered.ALREADY: (ReportState.SENT, "already_so"),
    Delivered.CONFLICT: (ReportState.CONFLICT, "decided_at_source"),
}


def report(site: Site) -> bool:
    """Send the reports that are due, for each source; say whether there may be more."""
    now = site.clock.now()
    free = [one for one in site.sources.values() if not site.pauses.hold(f"report:{one.name}", now)]
    more = [_report_source(site, source) for source in free]
    return any(more)


def _report_source(site: Site, source: SourceWork) -> bool:
    limit = site.budgets.report
    with site.database.read() as connection:
        rows = reports.to_send(connection, source.name, site.clock.now(), limit)

    def send(row: AnyRow) -> Delivered:
        return source.reporter.deliver(Report(row.external, row.status, row.comment))

    for row, answer in call_each(rows, send, _CONCURRENCY, site.stop):
        _take_answer(site, source, row, answer)
    return len(rows) == limit and not site.pauses.hold(f"report:{source.name}", site.clock.now())


def _take_answer(site: Site, source: SourceWork, row: AnyRow, answer: Delivered | ConnectorError) -> None:
    now = site.clock.now()
    if isinstance(answer, Delivered):
        state, reason = _STATE_OF[answer]
        with site.database.write() as connection:
            reports.end_report(connection, row.id, state, now, reason)
        site.log.info(
            "report_sent" if state is ReportState.SENT else "report_conflict",
            source=source.name,
            request_id=row.request_id,
            report_id=row.id,
            status=row.status,
        )
        return
    next_at = next_try(row.tries, answer, now, site.rng, site.report_retry)
    with site.database.write() as connection:
        if next_at is None:
            reports.end_report(connection, row.id, ReportState.DEAD, now, answer.code)
        else:
            reports.try_again(connection, row.id, next_at, answer.code)
    if isinstance(answer, Misconfigured):
        site.pauses.set(f"report:{source.name}", now + timedelta(seconds=site.report_retry.misconfigured_s))
    log = site.log.error if next_at is None else site.log.warning
    log(
        "report_dead" if next_at is None else "report_failed",
        source=source.name,
        request_id=row.request_id,
        report_id=row.id,
        code=answer.code,
        attempt=row.tries + 1,
        next_at=next_at,
    )
