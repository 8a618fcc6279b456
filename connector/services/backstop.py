"""Look through a source's own list of open tasks, for deliveries that never came.

What is found is taken in exactly as if it had been delivered: the same unique indexes decide whether it is known, so
that a delivery which comes at the same moment, or later, is the same request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import ConnectorError
from connector.model import Task
from connector.policy.deadlines import due_date
from connector.policy.retry import next_try
from connector.services.arrivals import Arrival, store_together
from connector.services.intake import note_pseudonyms
from connector.services.remote import HALTING, call_each
from connector.services.rules import BackstopRules
from connector.services.site import Site, SourceWork
from connector.states import RequestState
from connector.store import rolls
from connector.store.claims import Claim
from connector.store.columns import AnyRow

#: What stands in a delivery's record in place of the check that accepted it.
PRINCIPAL: Final = "backstop"


def backstop(site: Site) -> bool:
    """Look through the lists that are due, for each source. Never more to do at once."""
    for source in site.sources.values():
        if source.backstop is not None and site.may_report(source):
            _look_if_due(site, source, source.backstop)
    return False


def _look_if_due(site: Site, source: SourceWork, rules: BackstopRules) -> None:
    now = site.clock.now()
    with site.database.read() as connection:
        row = rolls.find(connection, source.name)
    if row is not None and row.next_at > now:
        return
    seen_until = now - rules.first if row is None else row.seen_until
    if row is None:
        # However late the first look goes well, it reaches back as far as one of now.
        with site.database.write() as connection:
            rolls.note(connection, source.name, now, seen_until)
    to_its_end, error = _look(site, source, rules, seen_until - rules.overlap)
    if not to_its_end:
        return
    next_at = now + rules.every
    if error is not None:
        # The next look reaches back to the last one that went well, so that nothing is passed over.
        next_at = next_try(0, error, now, site.rng, site.report_retry) or next_at
        site.log.warning("backstop_failed", source=source.name, code=error.code, next_at=next_at)
    with site.database.write() as connection:
        rolls.note(connection, source.name, next_at, now if error is None else None)


def _look(site: Site, source: SourceWork, rules: BackstopRules, since: datetime) -> tuple[bool, ConnectorError | None]:
    """Take in what is not known, part by part.

    Returns:
        Whether it came to an end, else it is to begin again; and what kept it from going well.
    """
    failed: ConnectorError | None = None
    listed = rules.roll.open_tasks(since)

    def following(parts: Iterator[Sequence[Task]]) -> Sequence[Task] | None:
        return next(parts, None)

    while not site.stop.is_set():
        answers = call_each([listed], following, 1, site.stop, site.reports_to(source))
        if not answers:
            # Not asked: the process is to stop, or the source is left alone for now.
            return False, None
        ((_, tasks),) = answers
        if isinstance(tasks, HALTING):
            site.pause_reports(source, tasks)
        if isinstance(tasks, ConnectorError):
            return True, tasks
        if tasks is None:
            return True, failed
        failed = _take_in(site, source, tasks) or failed
    return False, None


def _take_in(site: Site, source: SourceWork, tasks: Sequence[Task]) -> ConnectorError | None:
    """Take in what is not known; return the error of one that could not be stored, after all others were."""
    with site.database.read() as connection:
        known = rolls.known(connection, source.name, tasks)
        missed = [
            one
            for one in tasks
            if one.request_key not in known
            or (not one.failed and rolls.told_of_failure(connection, known[one.request_key]))
        ]
    failed: ConnectorError | None = None
    try:
        if missed:
            note_pseudonyms(site, site.clock.now())
    except ConnectorError as error:
        return error
    arrivals = [_arrival(site, source, one, known.get(one.request_key)) for one in missed]
    for outcome in store_together(site, arrivals) if arrivals else ():
        if isinstance(outcome, ConnectorError):
            failed = outcome
        elif not outcome.duplicate:
            site.log.warning("delivery_missed", source=source.name, request_id=outcome.request_id)
    return failed


def _arrival(site: Site, source: SourceWork, task: Task, row: AnyRow | None) -> Arrival:
    """Return what a delivery about a task would have brought, had it come; the listing tells the rest."""
    now = site.clock.now()
    attempt = row.attempt if row is not None else 0
    body = f"{PRINCIPAL}:{task.request_key}:{attempt}".encode()
    digest, *former = (one.of_bytes(f"body:{source.name}", body) for one in site.pseudonymiser.all)
    due = due_date(now, regulation=source.regulation)
    claim = Claim(
        source.name,
        f"{PRINCIPAL}:{attempt}:{task.request_key}",
        digest,
        now,
        None,
        PRINCIPAL,
        "",
        site.pseudonymiser.id,
        frozenset(former),
    )
    values: dict[str, Any] = {
        "source": source.name,
        "request_key": task.request_key,
        "external": dict(task.external),
        "request_types": [],
        "country": None,
        "is_test": False,
        "received_at": now,
        "due_at": due.at,
        "due_basis": due.basis,
        "callback_url": None,
        "state": RequestState.UNCONFIRMED,
        "confirm_at": now,
        "hash_key": site.pseudonymiser.id,
    }
    return Arrival(claim, values, None, (), has_event_id=False, at=now)
