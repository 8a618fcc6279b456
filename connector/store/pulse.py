"""How everything stands now, for metrics and alerts: what is open, late, given up or blown, by source and account.

Asked again and again, so every question is answered by an index and reads at most `MOST` rows: those that press most.
A number that reaches `MOST` means "at least". What is finished is never counted here. No personal value is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from connector.states import (
    OPEN_REQUESTS,
    TERMINAL_TARGETS,
    OperationState,
    ReportState,
    RequestKind,
    RequestState,
    SubmissionState,
    TargetState,
)
from connector.store import alerts, fuses
from connector.store.columns import AnyRow
from connector.store.dead_letters import UNFULFILLED, is_dropped
from connector.store.source_tables import key_uses
from connector.store.tables import operations, reports, requests, submissions, targets

MOST: Final = 10_000
# Of values, the oldest is looked for among so many.
FIRST: Final = 500

_OPEN: Final = tuple(state for state in RequestState if state in OPEN_REQUESTS)
_OPEN_TARGETS: Final = tuple(state for state in TargetState if state not in TERMINAL_TARGETS)
_OPEN_SUBMISSIONS: Final = (SubmissionState.INTENDED, SubmissionState.UNKNOWN)
# Those that have no kind there were mapped by a version that knew erasures alone.
_BEGUN_AS_ERASURE: Final = frozenset({RequestState.QUEUED, RequestState.WORKING})
# The indexes that begin with the account hold one part of the targets each.
_PARTS_OF_TARGETS: Final = (targets.c.known_before.is_(None), targets.c.known_before.is_not(None))


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many wait, and since when the first of them does; None if nobody does."""

    number: int = 0
    since: datetime | None = None

    def __add__(self, other: Crowd) -> Crowd:
        begins = [one for one in (self.since, other.since) if one is not None]
        return Crowd(self.number + other.number, min(begins, default=None))


@dataclass(frozen=True, slots=True)
class Due:
    """Due dates of a source's open requests.

    Attributes:
        late, near: how many are past, and how many come within the time asked for.
        next: the earliest of all.
    """

    late: int = 0
    near: int = 0
    next: datetime | None = None

    def __add__(self, other: Due) -> Due:
        dates = [one for one in (self.next, other.next) if one is not None]
        return Due(self.late + other.late, self.near + other.near, min(dates, default=None))


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The secret that a source used last: when it was used first, and when last."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """How everything stands. Keys are names of sources and accounts as the store has them.

    Attributes:
        requests: by source, kind and state; the kind is None before it is decided.
        held: of those that wait for a person, by source and reason.
        fuses: (scope, name) of those that blew, and when.
        refusals: the remote systems that refuse us, named as calls to them are, and since when.
    """

    requests: Mapping[tuple[str, RequestKind | None, RequestState], Crowd]
    held: Mapping[tuple[str, str], int]
    due: Mapping[str, Due]
    targets: Mapping[tuple[str, TargetState], Crowd]
    submissions: Mapping[tuple[str, SubmissionState], Crowd]
    operations: Mapping[str, Crowd]
    reports: Mapping[str, Crowd]
    dead_reports: Mapping[str, int]
    unfulfilled: Mapping[str, int]
    fuses: Mapping[tuple[str, str], datetime]
    keys: Mapping[str, KeyUse]
    refusals: Mapping[str, datetime]


def take(
    connection: Connection, now: datetime, accounts: Iterable[str], sources: Iterable[str], near: timedelta
) -> Pulse:
    """Look at everything once.

    Args:
        accounts, sources: those that are configured.
        near: a due date that comes within this time counts as near.
    """
    waiting, held, due = _requests(connection, now, near)
    accounts, sources = sorted(accounts), sorted(sources)
    return Pulse(
        requests=waiting,
        held=held,
        due=due,
        targets={(name, state): _targets(connection, name, state) for name in accounts for state in _OPEN_TARGETS},
        submissions={
            (name, state): _crowd(
                connection,
                select(submissions.c.intended_at.label("since")).where(
                    submissions.c.state == state, submissions.c.account == name
                ),
            )
            for name in accounts
            for state in _OPEN_SUBMISSIONS
        },
        operations={
            name: _crowd(
                connection,
                select(operations.c.started_at.label("since"))
                .where(operations.c.account == name, operations.c.state == OperationState.RUNNING)
                .order_by(operations.c.next_at),
            )
            for name in accounts
        },
        reports={
            name: _crowd(
                connection,
                select(reports.c.created_at.label("since"))
                .where(reports.c.source == name, reports.c.state == ReportState.QUEUED)
                .order_by(reports.c.next_at),
            )
            for name in sources
        },
        dead_reports=_by_source(connection, select(reports.c.source).where(reports.c.state == ReportState.DEAD)),
        unfulfilled=_unfulfilled(connection),
        fuses={(row.scope, row.name): row.blown_at for row in fuses.blown(connection)},
        keys=_keys(connection),
        refusals={row.system: row.first_at for row in alerts.refused(connection)},
    )


def _requests(
    connection: Connection, now: datetime, near: timedelta
) -> tuple[dict[tuple[str, RequestKind | None, RequestState], Crowd], dict[tuple[str, str], int], dict[str, Due]]:
    waiting: dict[tuple[str, RequestKind | None, RequestState], Crowd] = {}
    held: dict[tuple[str, str], int] = {}
    due: dict[str, Due] = {}
    for state in _OPEN:
        for row in connection.execute(_of_state(state, now, near)):
            kind = RequestKind.ERASURE if row.kind is None and state in _BEGUN_AS_ERASURE else row.kind
            crowd, soon = Crowd(row.number, row.since), Due(row.late, row.near, row.next)
            waiting[row.source, kind, state] = waiting.get((row.source, kind, state), Crowd()) + crowd
            due[row.source] = due.get(row.source, Due()) + soon
            if state is RequestState.HELD:
                held[row.source, row.reason] = held.get((row.source, row.reason), 0) + row.number
    return waiting, held, due


def _of_state(state: RequestState, now: datetime, near: timedelta) -> Select[Any]:
    """Return the question for the requests in a state, by source and kind, and by reason where a person has to look."""
    # The most pressing first, as the index has them.
    each = (
        select(*(requests.c[name] for name in ("source", "kind", "reason", "received_at", "due_at")))
        .where(requests.c.state == state)
        .order_by(requests.c.due_at, requests.c.id)
        .limit(MOST)
        .subquery()
    )
    whose = (each.c.source, each.c.kind, *([each.c.reason] if state is RequestState.HELD else []))
    return select(
        *whose,
        func.count().label("number"),
        func.min(each.c.received_at).label("since"),
        func.count().filter(each.c.due_at < now).label("late"),
        func.count().filter(each.c.due_at >= now, each.c.due_at < now + near).label("near"),
        func.min(each.c.due_at).label("next"),
    ).group_by(*whose)


def _targets(connection: Connection, account: str, state: TargetState) -> Crowd:
    found = Crowd()
    for part in _PARTS_OF_TARGETS:
        here = (targets.c.account == account, targets.c.state == state, part)
        # Counted in the index alone; when they began to wait stands in the rows.
        each = select(targets.c.due_at).where(*here).limit(MOST).subquery()
        number = connection.scalar(select(func.count()).select_from(each)) or 0
        if number:
            first = (
                select(targets.c.entered_at.label("since"))
                .where(*here)
                .order_by(targets.c.due_at, targets.c.id)
                .limit(FIRST)
                .subquery()
            )
            found += Crowd(number, connection.scalar(select(func.min(first.c.since))))
    return found


def _crowd(connection: Connection, asked: Select[tuple[datetime]]) -> Crowd:
    each = asked.limit(MOST).subquery()
    number, since = connection.execute(select(func.count(), func.min(each.c.since))).one()
    return Crowd(number, since)


def _by_source(connection: Connection, asked: Select[tuple[str]]) -> dict[str, int]:
    each = asked.limit(MOST).subquery()
    rows = connection.execute(select(each.c.source, func.count()).group_by(each.c.source))
    return {source: number for source, number in rows}  # noqa: C416 - rows are no pairs to the type checker


def _unfulfilled(connection: Connection) -> dict[str, int]:
    """Count the requests that were not carried out in full, among the latest: operators let older ones rest."""
    found: dict[str, int] = {}
    for state in UNFULFILLED:
        latest = (
            select(requests.c.source, is_dropped().label("rests"))
            .where(requests.c.state == state)
            .order_by(requests.c.due_at.desc(), requests.c.id.desc())
            .limit(MOST)
            .subquery()
        )
        asked = select(latest.c.source, func.count()).where(~latest.c.rests).group_by(latest.c.source)
        for source, number in connection.execute(asked):
            found[source] = found.get(source, 0) + number
    return found


def _keys(connection: Connection) -> dict[str, KeyUse]:
    # One row for each secret that was ever used.
    rows: Iterable[AnyRow] = connection.execute(select(key_uses).order_by(key_uses.c.last_used_at))
    return {row.source: KeyUse(row.first_used_at, row.last_used_at) for row in rows}
