"""Tell people at the source that a request takes its time: at most one comment for each request and day.

A comment cannot be made twice without harm, and nothing is lost with one that fails. So the next one is put off before
the source is called, and what fails or dies on the way is not made up for.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

from connector.errors import ConnectorError
from connector.services import access_comments, comments
from connector.services.observing import observes
from connector.services.remote import HALTING, call_each
from connector.services.settle import count
from connector.services.site import Site, SourceWork
from connector.states import FINISHED_REQUESTS, IdentityState, RequestKind, RequestState, TargetState
from connector.store import identities, reports
from connector.store.columns import AnyRow

EVERY: Final = timedelta(days=1)
_CONCURRENCY: Final = 4
# A request that a person has to look at is not under way.
_UNDER_WAY: Final = frozenset(
    {RequestState.QUEUED, RequestState.WORKING, RequestState.FETCHING, RequestState.DELIVERING}
)


def progress(site: Site) -> bool:
    """Comment on the requests that have been under way for another day; say whether there may be more."""
    more = [_comment_on(site, one) for one in site.sources.values() if site.may_report(one)]
    return any(more)


def _comment_on(site: Site, source: SourceWork) -> bool:
    commenter = source.extras.commenter
    if commenter is None:
        return False
    rows = _claim(site, source)

    def say(claimed: tuple[AnyRow, str]) -> bool:
        row, text = claimed
        return commenter.comment(row.external, text)

    answers = call_each(rows, say, _CONCURRENCY, site.stop, site.reports_to(source))
    for (row, _), answer in answers:
        if isinstance(answer, HALTING):
            site.pause_reports(source, answer)
        if isinstance(answer, ConnectorError):
            site.log.warning("progress_not_told", source=source.name, request_id=row.request_id, code=answer.code)
        elif answer:
            site.log.info("progress_told", source=source.name, request_id=row.request_id)
    return len(rows) == site.budgets.report and site.may_report(source)


def _claim(site: Site, source: SourceWork) -> list[tuple[AnyRow, str]]:
    """Put off what is due to the next day, and return it with what is to be said."""
    now = site.clock.now()
    with site.database.write() as connection:
        due = reports.to_remind(connection, source.name, now, site.budgets.report)
        over = [row.id for row in due if row.state in FINISHED_REQUESTS or row.attempt != row.present_attempt]
        reports.remind(connection, over, None)
        reports.remind(connection, [row.id for row in due if row.id not in over], now + EVERY)
        wanted = [row for row in due if row.id not in over and row.state in _UNDER_WAY]
        counted = identities.count_states(connection, [row.request_id for row in wanted])
    observed = observes(site, source)
    return [(row, _text(row, counted[row.request_id], observed=observed)) for row in wanted]


def _text(row: AnyRow, counted: tuple[Counter[IdentityState], Counter[TargetState]], *, observed: bool) -> str:
    if row.kind is RequestKind.ACCESS:
        return access_comments.under_way(row.received_at, row.due_at)
    return comments.under_way(count(*counted), row.received_at, row.due_at, observed=observed)
