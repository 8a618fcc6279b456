"""Read the profiles that access requests ask for, and merge them once all of a request's look-ups have ended.

Reading changes nothing at Lytics, so whatever dies on the way is read again. "No data held" is said only on Lytics' own
word about every value; an answer that does not tell is asked for again, and in the end reported as what it is.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Final

from connector.errors import ConnectorError, Temporary
from connector.model import Target
from connector.policy.breaker import is_outage
from connector.policy.retry import is_counted, next_try
from connector.profile import Profile
from connector.services.gather import gather
from connector.services.remote import HALTING, call_each
from connector.services.site import AccountWork, Site
from connector.states import FetchState
from connector.store import access, requests
from connector.store.columns import AnyRow, Connection

# After so many answers that tell nothing a person has to look.
_MOST_TRIES: Final = 20
# A token gets its rights from a person, so nothing is gained by asking often.
_REDACTED_AGAIN: Final = timedelta(hours=1)


def fetch_profiles(site: Site) -> bool:
    """Read what is due for each account; say whether there may be more."""
    more = [_fetch_account(site, account) for account in site.active_accounts()]
    return any(more)


def _fetch_account(site: Site, account: AccountWork) -> bool:
    limit, reader = site.budgets.look_up, account.reader
    if reader is None:
        return False
    with site.database.read() as connection:
        rows = access.to_fetch(connection, account.name, site.sources, site.clock.now(), limit)
    if not rows:
        return False
    by_value = defaultdict(list)
    for row in rows:
        by_value[Target(row.lytics_table, row.field, row.value)].append(row)

    def read(target: Target) -> Profile | None:
        return reader.read(target.table, target.field, target.value)

    answers = call_each(list(by_value), read, account.concurrency, site.stop, site.calls_to(account))
    for _, answer in answers:
        if isinstance(answer, HALTING):
            site.pause_account(account, answer)
    site.reached("fetched")
    with site.database.write() as connection:
        owners = requests.lock_all(connection, {row.request_id for row in rows})
        free = {row.id: row for row in owners if access.is_fetched(row)}
        for target, answer in answers:
            for row in by_value[target]:
                if row.request_id in free:
                    _take(site, connection, account, free[row.request_id], row, answer)
        say = gather(site, connection, list(free.values()), site.clock.now())
    for one in say:
        one()
    return len(rows) == limit and site.may_ask(account)


def _take(
    site: Site,
    connection: Connection,
    account: AccountWork,
    owner: AnyRow,
    row: AnyRow,
    answer: Profile | ConnectorError | None,
) -> None:
    """Write down what one look-up answered."""
    now = site.clock.now()
    if answer is None:
        access.end(connection, row.id, FetchState.ABSENT)
    elif isinstance(answer, Profile):
        _take_profile(site, connection, owner, row, answer)
    elif isinstance(answer, HALTING):
        # It says nothing about this person.
        return
    elif isinstance(answer, Temporary):
        counts = is_counted(answer) and not (site.is_away(account) and is_outage(answer))
        next_at = next_try(row.tries, answer, now, site.rng, account.retry, due_at=row.due_at)
        if next_at is None or (counts and row.tries + 1 >= _MOST_TRIES):
            access.end(connection, row.id, FetchState.FAILED, answer.code)
        else:
            access.again(connection, row.id, next_at, answer.code, counted=counts)
    else:
        access.end(connection, row.id, FetchState.FAILED, answer.code)


def _take_profile(site: Site, connection: Connection, owner: AnyRow, row: AnyRow, profile: Profile) -> None:
    now, rules = site.clock.now(), site.sources[owner.source].extras.access
    if len(profile.content.reveal()) > rules.max_bytes:
        access.end(connection, row.id, FetchState.FAILED, "profile_too_large")
    elif profile.is_redacted and rules.hold_redacted:
        # Nothing of it is kept: it is read again once the token may see all of it.
        access.again(connection, row.id, now + _REDACTED_AGAIN, access.REDACTED, counted=False, redacted=True)
    else:
        access.keep(connection, row, profile.content, now + rules.keep, redacted=profile.is_redacted)
