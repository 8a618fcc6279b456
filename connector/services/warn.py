"""Warn while there is time: a request comes near to its due date, and Lytics has not confirmed that the person is gone.

The log says it of every source. Where people at the source are told too, an internal comment does, once for each
attempt and each due date. One that certainly was not written is written the next day, if the request is not over then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from connector.errors import ConnectorError, RateLimited, Refused, Temporary
from connector.policy.outcome import Counts
from connector.services import access_comments, comments
from connector.services.observing import observes
from connector.services.remote import call_each
from connector.services.settle import count
from connector.services.site import Site, SourceWork
from connector.states import RequestKind, RequestState
from connector.store import identities, warnings
from connector.store.columns import AnyRow

_AGAIN: Final = timedelta(days=1)
_CONCURRENCY: Final = 4


def warn(site: Site) -> bool:
    """Warn of what comes near to its due date; say whether there may be more."""
    more = [_warn_of(site, one) for one in site.sources.values()]
    return any(more)


def _warn_of(site: Site, source: SourceWork) -> bool:
    now, turn = site.clock.now(), f"warn:{source.name}"
    if site.pauses.hold(turn, now):
        return False
    limit = site.budgets.report
    with site.database.write() as connection:
        rows = warnings.claim(connection, source.name, now + source.extras.warn_before, now, limit)
        counted = identities.count_states(connection, [row.id for row in rows])
    said = {}
    for row in rows:
        counts = count(*counted[row.id])
        said[row.id] = _text(row, counts, observed=observes(site, source))
        site.log.warning(
            "deadline_near",
            source=source.name,
            request_id=row.id,
            state=row.state,
            count=counts.pending,
            due_at=row.due_at,
        )
    unheard = _tell(site, source, rows, said)
    if unheard:
        site.pauses.set(turn, now + _AGAIN)
        with site.database.write() as connection:
            warnings.give_back(connection, unheard)
    return len(rows) == limit and not unheard


def _text(row: AnyRow, counts: Counts, *, observed: bool) -> str:
    held = row.state is RequestState.HELD
    if row.kind is RequestKind.ACCESS:
        return access_comments.due_soon(row.received_at, row.due_at, held=held)
    return comments.due_soon(counts, row.received_at, row.due_at, held=held, observed=observed)


def _tell(site: Site, source: SourceWork, rows: Sequence[AnyRow], said: dict[str, str]) -> set[str]:
    """Comment on requests where that is wanted; return those of which certainly nobody heard."""
    warner = source.extras.warner
    if warner is None:
        return set()
    if not site.may_report(source):
        return {row.id for row in rows}

    def say(row: AnyRow) -> bool:
        return warner.comment(row.external, said[row.id])

    unheard = {row.id for row in rows}
    for row, answer in call_each(rows, say, _CONCURRENCY, site.stop, site.reports_to(source)):
        if isinstance(answer, RateLimited):
            site.pause_reports(source, answer)
        if isinstance(answer, ConnectorError):
            site.log.warning("deadline_not_told", source=source.name, request_id=row.id, code=answer.code)
        if not isinstance(answer, ConnectorError) or _is_over(answer):
            unheard.discard(row.id)
    return unheard


def _is_over(error: ConnectorError) -> bool:
    """Say whether a comment is not tried again: it may be there, or is refused for good."""
    return isinstance(error, Refused) or (isinstance(error, Temporary) and error.outcome_unknown)
