"""Fuses at work: how much of a call still has room, what blew, and what an operator lets go on.

A blown fuse loses nothing. What it keeps back stays queued, and goes on by itself once an operator has resumed it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.policy.fuse import FusePolicy, limit_of
from connector.services.site import AccountWork, Site
from connector.store import audit, fuses
from connector.store.audit import Decision
from connector.store.columns import AnyRow, Connection
from connector.store.database import Database
from connector.store.fuses import Behind, Counted, Scope

#: What is due within this time and waits behind a blown fuse is an alarm of its own.
DUE_SOON = timedelta(days=7)
# How often a blown fuse is said again.
_REMIND = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Closed:
    """Who may hand nothing to Lytics at the moment."""

    account: bool
    sources: frozenset[str]


def closed(site: Site, account: AccountWork) -> Closed:
    """Return whose fuses are blown that keep an account, or a source in it, from submitting; say so now and then."""
    with site.database.read() as connection:
        rows = [row for row in fuses.blown(connection) if _policy(site, row.scope, row.name) is not None]
    mine = [row for row in rows if account.name in accounts_of(site, row)]
    for row in mine:
        _remind(site, row)
    return Closed(
        any(row.scope == Scope.ACCOUNT for row in mine),
        frozenset(row.name for row in mine if row.scope == Scope.SOURCE),
    )


def accounts_of(site: Site, fuse: AnyRow) -> Collection[str]:
    """Return the accounts in which a fuse keeps something back."""
    # A source may have had another account before.
    return {fuse.name} if fuse.scope == Scope.ACCOUNT else set(site.accounts)


def _remind(site: Site, fuse: AnyRow) -> None:
    now = site.clock.now()
    key = f"fuse:{fuse.scope}:{fuse.name}:{fuse.blown_at.isoformat()}"
    if site.pauses.hold(key, now):
        return
    site.pauses.set(key, now + _REMIND)
    with site.database.read() as connection:
        waiting = fuses.behind(connection, fuse, accounts_of(site, fuse), now + DUE_SOON)
    account = fuse.name if fuse.scope == Scope.ACCOUNT else None
    source = fuse.name if fuse.scope == Scope.SOURCE else None
    site.log.error(
        "fuse_blown",
        account=account,
        source=source,
        reason=fuse.rule,
        limit=fuse.most,
        count=fuse.counted,
        normal=fuse.normal,
        window_s=fuse.window_s,
        waiting=waiting.requests,
    )
    if waiting.pressing:
        count, due_at = waiting.pressing, waiting.next_due
        site.log.error("fuse_endangers", account=account, source=source, count=count, due_at=due_at)


def room(
    site: Site, connection: Connection, account: AccountWork, members: Sequence[AnyRow], now: datetime
) -> tuple[list[AnyRow], bool]:
    """Return those of the members of a call that every fuse has room for, counted, and whether a fuse blew at that.

    Called last in the transaction that writes the call's intent. What has gone before, in a call that failed, is
    not counted again, but does not pass a blown fuse either.

    Args:
        members: most urgent first, each with its `source`.
    """
    kept, locked, blew = list(members), [], False
    for fuse in _fuses(site, account, {one.source for one in members}):
        of_it = [one for one in kept if fuse.covers(one)]
        if not of_it:
            continue
        counted = fuses.lock(connection, fuse.scope, fuse.name, fuse.policy, now)
        passed, blows = _pass(connection, fuse, counted, of_it, now)
        locked.append((fuse, counted.row))
        left_out = {one.id for one in of_it} - {one.id for one in passed}
        kept = [one for one in kept if one.id not in left_out]
        blew |= blows
    for fuse, row in locked:
        number = sum(not one.tries for one in kept if fuse.covers(one))
        allowed = min(number, _allowance(fuse, row, now))
        if allowed:
            fuses.spend(connection, fuse.scope, fuse.name, allowed)
        if number > allowed:
            fuses.count(connection, fuse.scope, fuse.name, fuse.policy, row, number - allowed, now)
    return kept, blew


def _allowance(fuse: _Fuse, row: AnyRow, now: datetime) -> int:
    """Return how many values may still pass uncounted: what an operator allowed is for the window that follows."""
    is_fresh = row.resumed_at is not None and now < row.resumed_at + fuse.policy.window
    return row.allowance if is_fresh else 0


def _pass(
    connection: Connection, fuse: _Fuse, counted: Counted, members: Sequence[AnyRow], now: datetime
) -> tuple[list[AnyRow], bool]:
    """Return the members that a locked fuse has room for; let it blow, and say so, if those are not all."""
    if counted.row.blown_at is not None:
        return [], False
    limit = limit_of(fuse.policy, counted.earlier, counted.row.since, now)
    left = max(0, limit.most - counted.within) + _allowance(fuse, counted.row, now)
    passed = []
    for one in members:
        if not one.tries:
            if left == 0:
                break
            left -= 1
        passed.append(one)
    if len(passed) == len(members):
        return passed, False
    new = sum(not one.tries for one in passed)
    within = counted.within + max(0, new - _allowance(fuse, counted.row, now))
    fuses.blow(connection, fuse.scope, fuse.name, limit=limit, window=fuse.policy.window, counted=within, now=now)
    return passed, True


@dataclass(frozen=True, slots=True)
class _Fuse:
    scope: Scope
    name: str
    policy: FusePolicy

    def covers(self, member: AnyRow) -> bool:
        return self.scope is Scope.ACCOUNT or member.source == self.name


def _fuses(site: Site, account: AccountWork, sources: Collection[str]) -> list[_Fuse]:
    """Return the fuses of some sources and of their account, in the order in which their rows are locked.

    The account's comes last: what a source's fuse keeps back cannot make it blow for all others.
    """
    owners = [*((Scope.SOURCE, name) for name in sorted(sources)), (Scope.ACCOUNT, account.name)]
    found = ((scope, name, _policy(site, scope, name)) for scope, name in owners)
    return [_Fuse(scope, name, policy) for scope, name, policy in found if policy is not None]


def _policy(site: Site, scope: str, name: str) -> FusePolicy | None:
    """Return when a fuse blows; None if there is none, by the configuration as it is now."""
    work = site.accounts.get(name) if scope == Scope.ACCOUNT else site.sources.get(name)
    return None if work is None else work.fuse


def resume(database: Database, scope: Scope, name: str, allowance: int, decision: Decision) -> bool:
    """Let a blown fuse's submissions go on, and write down who decided that and why. False if it is not blown.

    Args:
        allowance: values that may pass uncounted within the window that begins now, beyond the limit.
    """
    with database.write() as connection:
        if fuses.resume(connection, scope, name, allowance, decision.at) is None:
            return False
        audit.note(connection, decision, "fuse_resumed", f"{scope}:{name}" + f" +{allowance}" * bool(allowance))
    return True


def waiting_behind(connection: Connection, fuse: AnyRow, accounts: Collection[str], now: datetime) -> Behind:
    """Return what waits behind a blown fuse, and how much of it is due soon."""
    return fuses.behind(connection, fuse, accounts, now + DUE_SOON)
