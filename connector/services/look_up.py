"""Look people up before anything is deleted: only this tells, per identity, whether Lytics knew anyone by it.

A deletion is submitted whether or not somebody is found: absence from a look-up is not proof, and a profile may be on
its way. A profile that may be several people's is another matter: see `tangles`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

from connector.errors import Temporary
from connector.model import Presence, Target
from connector.policy.retry import next_try
from connector.services import tangles
from connector.services.remote import HALTING, call_each
from connector.services.rules import LookUp
from connector.services.site import AccountWork, Site
from connector.sighting import Sighting
from connector.states import TargetState
from connector.store import requests, targets

# What a look-up said, and how many identifiers of which field it showed beyond the request: None if not counted.
Found: TypeAlias = tuple[Presence, tuple[tuple[str, int], ...] | None]

# After so many failed look-ups the deletion goes ahead without one: the deadline is legal, the look-up is not.
_MOST_LOOKS = 5


def look_up_before(site: Site) -> bool:
    """Look up queued targets; say whether there may be more."""
    accounts = [one for one in site.active_accounts() if one.look_up is LookUp.BEFORE_AND_AFTER]
    more = [_look_up_account(site, account) for account in accounts]
    return any(more)


def _look_up_account(site: Site, account: AccountWork) -> bool:
    limit = site.budgets.look_up
    with site.database.read() as connection:
        rows = targets.to_look_up_before(connection, account.name, site.clock.now(), limit)
    if not rows:
        # Not even an empty write: it would take the receiver's turn at the store.
        return False
    by_value = defaultdict(list)
    for row in rows:
        by_value[tangles.target_of(row)].append(row)
    see = tangles.look(site, account)
    answers = call_each(list(by_value), see, account.concurrency, site.stop, site.calls_to(account))
    for _, answer in answers:
        if isinstance(answer, HALTING):
            site.pause_account(account, answer)
    sightings = {target: answer for target, answer in answers if isinstance(answer, Sighting)}
    seen = [row for target in sightings for row in by_value[target]]
    strangers = tangles.count(site, account, seen, sightings)
    found: dict[Found, list[str]] = defaultdict(list)
    again: dict[datetime, list[str]] = defaultdict(list)
    now = site.clock.now()
    for target, answer in answers:
        members = by_value[target]
        if isinstance(answer, Sighting):
            for one in members:
                found[_found(answer.presence, strangers.get(one.id))].append(one.id)
        elif isinstance(answer, HALTING):
            # It says nothing about this look-up, so it is not counted as one.
            continue
        elif isinstance(answer, Temporary) and members[0].looks < _MOST_LOOKS:
            due_at = min(one.due_at for one in members)
            next_at = next_try(members[0].looks, answer, now, site.rng, account.retry, due_at=due_at)
            again[next_at or now + timedelta(seconds=account.retry.first_s)] += [one.id for one in members]
        else:
            found[_found(Presence.UNKNOWN)] += [one.id for one in members]
    with site.database.write() as connection:
        # Two workers with the same targets would lock them in two orders, and wait for each other in a circle.
        requests.hold_all(connection, {row.request_id for row in rows})
        for (presence, others), ids in found.items():
            targets.set_known_before(connection, ids, presence, None if others is None else dict(others))
        for next_at, ids in again.items():
            targets.look_again(connection, ids, TargetState.QUEUED, next_at)
        stopped = tangles.keep_back(connection, account, {row.request_id for row in seen}, now)
    tangles.say(site, account, stopped)
    return len(rows) == limit and site.may_ask(account)


def _found(presence: Presence, others: Mapping[str, int] | None = None) -> Found:
    return presence, None if others is None else tuple(others.items())


def ask(account: AccountWork) -> Callable[[Target], Presence]:
    """Return the look-up of an account as a function of one target."""

    def one(target: Target) -> Presence:
        return account.profiles.look_up(target.table, target.field, target.value)

    return one
