"""Fuses: what each source and account handed to Lytics, and which of them blew.

Whoever counts holds the fuse's row until its transaction ends, so that two workers cannot both find room for the same
values. The rows are locked after requests and targets: those of sources by name, then the account's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, union, update

from connector.policy.fuse import NORMAL_OVER, FuseLimit, FusePolicy
from connector.states import TargetState
from connector.store.columns import AnyRow
from connector.store.guard_tables import fuse_counts, fuses
from connector.store.insertion import insert_or_leave
from connector.store.tables import requests, targets
from connector.store.targets import FREE_REQUESTS

# A window has so many parts: what is counted together leaves it together, at most one part too late.
_PARTS: Final = 24
# The indexes that begin with the account hold one part of the targets each.
_PARTS_OF_TARGETS: Final = (targets.c.known_before.is_(None), targets.c.known_before.is_not(None))


class Scope(StrEnum):
    """Whose fuse it is."""

    SOURCE = "source"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Counted:
    """What a fuse, locked for this transaction, has counted.

    Attributes:
        row: the fuse as it stands.
        within: values in the window, from the last resumption on.
        earlier: values of the thirty days before the window.
    """

    row: AnyRow
    within: int
    earlier: int


def blown(connection: Connection) -> Sequence[AnyRow]:
    """Return the fuses that blew, by scope and name."""
    return connection.execute(
        select(fuses).where(fuses.c.blown_at.is_not(None)).order_by(fuses.c.scope, fuses.c.name)
    ).all()


def lock(connection: Connection, scope: Scope, name: str, policy: FusePolicy, now: datetime) -> Counted:
    """Return what a fuse has counted, and keep all others from counting until this transaction ends."""
    new = {"scope": scope.value, "name": name, "since": now, "allowance": 0}
    new |= {"rule": "", "window_s": 0, "most": 0, "counted": 0}
    connection.execute(insert_or_leave(connection.dialect.name, fuses, ("scope", "name")), [new])
    row = connection.execute(select(fuses).where(_is(fuses, scope, name)).with_for_update()).one()
    # A part that began before the window may reach into it.
    begins = now - policy.window - policy.window / _PARTS
    within = fuse_counts.c.begins_at > begins
    if row.resumed_at is not None:
        within &= fuse_counts.c.begins_at >= row.resumed_at
    before = (fuse_counts.c.begins_at <= begins) & (fuse_counts.c.begins_at > begins - NORMAL_OVER)
    return Counted(row, _sum(connection, scope, name, within), _sum(connection, scope, name, before))


def count(
    connection: Connection, scope: Scope, name: str, policy: FusePolicy, fuse: AnyRow, number: int, now: datetime
) -> None:
    """Add values to what a locked fuse has counted, and forget what is too old to matter."""
    part_s = policy.window.total_seconds() / _PARTS
    begins = now - timedelta(seconds=now.timestamp() % part_s)
    if fuse.resumed_at is not None:
        # What was counted before a resumption and after it is told apart. A clock may also have been put back.
        begins = max(begins, fuse.resumed_at)
    where = _is(fuse_counts, scope, name)
    added = update(fuse_counts).where(where, fuse_counts.c.begins_at == begins)
    if connection.execute(added.values(number=fuse_counts.c.number + number)).rowcount == 0:
        connection.execute(fuse_counts.insert().values(scope=scope, name=name, begins_at=begins, number=number))
        too_old = now - NORMAL_OVER - 2 * policy.window
        connection.execute(delete(fuse_counts).where(where, fuse_counts.c.begins_at < too_old))


def spend(connection: Connection, scope: Scope, name: str, number: int) -> None:
    """Take values off what an operator let pass uncounted through a locked fuse."""
    connection.execute(update(fuses).where(_is(fuses, scope, name)).values(allowance=fuses.c.allowance - number))


def blow(
    connection: Connection,
    scope: Scope,
    name: str,
    *,
    limit: FuseLimit,
    window: timedelta,
    counted: int,
    now: datetime,
) -> None:
    """Let a locked fuse blow, and write down why."""
    connection.execute(
        update(fuses)
        .where(_is(fuses, scope, name))
        .values(
            blown_at=now,
            rule=limit.rule.value,
            window_s=round(window.total_seconds()),
            most=limit.most,
            counted=counted,
            normal=limit.normal,
        )
    )


def resume(connection: Connection, scope: Scope, name: str, allowance: int, now: datetime) -> AnyRow | None:
    """Make a blown fuse whole again; what is counted begins anew. Return it as it had blown, None if it had not."""
    where = _is(fuses, scope, name)
    row = connection.execute(select(fuses).where(where, fuses.c.blown_at.is_not(None)).with_for_update()).one_or_none()
    if row is not None:
        connection.execute(update(fuses).where(where).values(blown_at=None, resumed_at=now, allowance=allowance))
    return row


@dataclass(frozen=True, slots=True)
class Behind:
    """What waits behind a blown fuse.

    Attributes:
        requests: how many.
        pressing: how many of them are due before the time asked for.
        next_due: when the first of them is due.
    """

    requests: int
    pressing: int
    next_due: datetime | None


def behind(connection: Connection, fuse: AnyRow, accounts: Collection[str], until: datetime) -> Behind:
    """Count what waits behind a blown fuse.

    Args:
        accounts: those that the fuse keeps from submitting: its own, or those of its source's requests.
        until: what is due before this is pressing.
    """
    waiting = [
        select(targets.c.request_id, targets.c.due_at)
        .join(requests, requests.c.id == targets.c.request_id)
        .where(
            targets.c.account == account,
            targets.c.state == TargetState.QUEUED,
            requests.c.state.in_(FREE_REQUESTS),
            part,
            *([requests.c.source == fuse.name] if fuse.scope == Scope.SOURCE else []),
        )
        for account in sorted(accounts)
        for part in _PARTS_OF_TARGETS
    ]
    if not waiting:
        return Behind(0, 0, None)
    # All targets of a request are due when it is, so that each is here once.
    each = union(*waiting).subquery()
    pressing = func.count().filter(each.c.due_at < until)
    row = connection.execute(select(func.count(), pressing, func.min(each.c.due_at)).select_from(each)).one()
    return Behind(*row)


def _is(table: Table, scope: Scope, name: str) -> ColumnElement[bool]:
    return (table.c.scope == scope.value) & (table.c.name == name)


def _sum(connection: Connection, scope: Scope, name: str, within: ColumnElement[bool]) -> int:
    where = (_is(fuse_counts, scope, name), within)
    return connection.scalar(select(func.coalesce(func.sum(fuse_counts.c.number), 0)).where(*where)) or 0
