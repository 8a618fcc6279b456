"""What a source's answer about a request means for it: confirmed, held, the same as another one, or asked about again.

All of this happens inside the transaction of whoever asked, on rows that are locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from connector.codes import Code
from connector.errors import ConnectorError, NotFound, Refused
from connector.mapping.rules import RuleSet, kind_key
from connector.model import Identity, Listing
from connector.policy.agreement import Doubt, doubt, looks_like_an_identity
from connector.policy.deadlines import due_date
from connector.policy.polling import PollPolicy, next_look
from connector.policy.retry import is_counted, next_try, passes
from connector.services import rehash
from connector.services.arrivals import call_again
from connector.services.intake import named
from connector.services.kinds import Asked, asked_for, decided, kind_of, refusal_of
from connector.services.rules import ListingRules
from connector.services.site import Site, SourceWork
from connector.states import RequestState
from connector.store import access, confirmations, identities, requests, twins
from connector.store.columns import AnyRow, Connection

# Looks at a request that is not listed yet: soon, because most are listed within seconds.
_SOON: Final = PollPolicy(first_s=5.0, factor=2.0, max_s=30.0)


# Mapped, but nobody was asked to delete anything for it.
_NOTHING_DONE: Final = frozenset({RequestState.QUEUED, RequestState.FETCHING})

# Says in the log what became of a request, once that is committed.
Say: TypeAlias = Callable[[], None]


def take(
    site: Site,
    connection: Connection,
    source: SourceWork,
    rules: ListingRules,
    asked: AnyRow,
    answer: Listing | ConnectorError,
) -> Say | None:
    """Write down what an answer means for a request; return what is to be said of it, None if nothing is.

    Args:
        asked: the row as it was when its source was asked; its keys, and those of the answer, are locked.
    """
    now = site.clock.now()
    row = confirmations.lock_asked(connection, asked)
    if row is None:
        return None
    if isinstance(answer, Listing):
        return _take_listing(site, connection, source, rules, row, answer, now)
    if isinstance(answer, Refused):
        return _take_refusal(site, connection, rules, row, answer, now)
    return _take_failure(site, connection, rules, row, answer, now)


def _take_listing(
    site: Site,
    connection: Connection,
    source: SourceWork,
    rules: ListingRules,
    row: AnyRow,
    listing: Listing,
    now: datetime,
) -> Say | None:
    if _joins(connection, row, listing, now):
        return lambda: site.log.info("request_joined", source=source.name, request_id=row.id)
    why = _doubt(connection, source, rules, row, listing)
    if why is None:
        unnamed, dropped = _confirm(site, connection, source, row, listing, now)
        return lambda: site.log.info(
            "request_confirmed", source=source.name, request_id=row.id, unnamed=unnamed, unlisted=dropped
        )
    if not _hold(connection, rules, row, why, now):
        return None
    return lambda: site.log.warning("request_doubted", source=source.name, request_id=row.id, reason=why)


def _doubt(
    connection: Connection, source: SourceWork, rules: ListingRules, row: AnyRow, listing: Listing
) -> Doubt | None:
    first = _is_first(row)
    said = identities.of_requests(connection, [row.id])[row.id] if first else []
    names = [Identity(one.kind, one.value) for one in said]
    why = doubt(listing, names, rules.refused_stages, closed_is_fine=rules.closed_is_fine)
    if why is None and first and _asks_for_less(source, row, listing):
        return Doubt.NOT_ASKED_FOR
    if why is None:
        why = _doubt_of_kind(connection, source, row, listing)
    if why is None and any(kind_key(one) in source.rules.by_kind for one in listing.unreadable):
        # An identity of the person, and we cannot tell it: without it the deletion would be less than was asked.
        return Doubt.ANSWER_UNUSABLE
    return why


def _doubt_of_kind(connection: Connection, source: SourceWork, row: AnyRow, listing: Listing) -> Doubt | None:
    """Return what speaks against a request by its types: two kinds in one, or another one than it was taken for."""
    asked = asked_for(source.scope, listing.request_types)
    if asked is Asked.BOTH:
        return Doubt.BOTH_TYPES
    kind = decided(connection, row)
    return None if kind is None or kind_of(asked) is kind else Doubt.TYPE_CHANGED


def _joins(connection: Connection, row: AnyRow, listing: Listing, now: datetime) -> bool:
    """End a request that is here already, under another of its names; say whether that is so."""
    if not _is_waiting(row) or identities.was_begun(connection, row.id):
        return False
    other = twins.find(connection, row, listing.request_keys, listing.external)
    if other is None:
        return False
    twins.end(connection, row, other, now)
    if other.finished_at is None or other.finished_at < row.received_at:
        # Whoever called under the other name afterwards called for it again.
        call_again(connection, other, now, asked=True)
    return True


def _asks_for_less(source: SourceWork, row: AnyRow, listing: Listing) -> bool:
    """Say whether a delivery named a test or no erasure, where the source lists an erasure: nobody guesses which."""
    said = refusal_of(source.scope, is_test=row.is_test, request_types=row.request_types)
    listed = refusal_of(source.scope, is_test=listing.is_test, request_types=listing.request_types)
    return bool(said) and not listed


def _confirm(
    site: Site, connection: Connection, source: SourceWork, row: AnyRow, listing: Listing, now: datetime
) -> tuple[int, int]:
    """Take over what is listed; return how many answers look like a forgotten identity, and how many were dropped."""
    listed = list(_listed(source.rules, listing))
    found = [named(site, source.name, one) for one in listed]
    rehash.bring(connection, site.pseudonymiser, [row.id])
    dropped = 0
    if _is_first(row) and not identities.was_begun(connection, row.id):
        # What was delivered counts for nothing; it may have been mapped before its source was asked at all.
        identities.forget_unsubmitted(connection, [row.id])
        access.forget(connection, [row.id])
        dropped = confirmations.keep_only(connection, row, found, now)
    elif row.state is not RequestState.DELIVERING:
        # What was read for an access request is not read again while it is handed over.
        requests.add_identities(connection, row.id, found, now)
    due = due_date(row.received_at, listing.due_at, source.regulation, listing.country or row.country)
    if listing.due_at is None and row.due_basis == "platform":
        # Paused: the source shows no date meanwhile. The last one is kept, so that nothing is forgotten.
        values = {}
    else:
        values = {"due_at": due.at, "due_basis": due.basis}
    unnamed = sum(looks_like_an_identity(one.value) for one in listing.answers if not _is_known(source.rules, one.kind))
    confirmations.write_listing(
        connection,
        row,
        now,
        external={**row.external, **listing.external},
        request_types=list(listing.request_types),
        country=listing.country or row.country,
        is_test=listing.is_test,
        unnamed=unnamed,
        **values,
    )
    if _is_waiting(row):
        requests.move_request(connection, row, RequestState.RECEIVED, now)
    return unnamed, dropped


def _listed(rules: RuleSet, listing: Listing) -> Iterator[Identity]:
    """Return what counts as an identity: by its place, or by a label that a rule names. The rest are attributes."""
    seen: set[tuple[str, str]] = set()
    for one in (*listing.identities, *(one for one in listing.answers if _is_known(rules, one.kind))):
        # The address stands in its own place and often in the form as well.
        key = (kind_key(one.kind), one.value.reveal())
        if key not in seen:
            seen.add(key)
            yield one


def _is_known(rules: RuleSet, label: str) -> bool:
    key = kind_key(label)
    return key in rules.by_kind or key in rules.ignored


def _is_first(row: AnyRow) -> bool:
    """Say whether a request waits for its first listing: all that is known of it is what was delivered.

    One that was mapped before its source was asked, and is not doubted, keeps what it has.
    """
    return row.confirmed_at is None and _is_waiting(row)


def _is_waiting(row: AnyRow) -> bool:
    """Say whether a request waits for nothing but its listing."""
    return row.state is RequestState.UNCONFIRMED or (row.state is RequestState.HELD and row.reason in set(Doubt))


def _hold(connection: Connection, rules: ListingRules, row: AnyRow, why: Doubt, now: datetime) -> bool:
    """Hold a request of which nothing was submitted, and ask again later: what is doubtful now may be put right there.

    What was begun goes on: it is not broken off because somebody tidied up. Say whether it was held.
    """
    mapped_only = row.state is RequestState.HELD and not identities.was_begun(connection, row.id)
    if not (_is_waiting(row) or mapped_only or row.state in _NOTHING_DONE):
        confirmations.leave(connection, row, answered_at=now)
        return False
    confirmations.hold(connection, row, why, now)
    confirmations.ask_again(connection, row, next_look(row.confirm_tries, now, rules.again))
    return True


def _take_refusal(
    site: Site, connection: Connection, rules: ListingRules, row: AnyRow, error: Refused, now: datetime
) -> Say:
    """Hold what is not listed, or not as it was named. A new request may take its time to be listed."""
    new = row.state is RequestState.UNCONFIRMED and now < row.received_at + rules.visible_within
    waits = new and isinstance(error, NotFound)
    why = _why(error)
    if waits:
        confirmations.ask_again(connection, row, next_look(row.confirm_tries, now, _SOON))
    elif _hold(connection, rules, row, why, now):
        return lambda: site.log.warning(
            "request_doubted", source=row.source, request_id=row.id, reason=why, code=error.code
        )
    return lambda: site.log.warning("read_back_failed", source=row.source, request_id=row.id, code=error.code)


def _why(error: Refused) -> Doubt:
    if isinstance(error, NotFound):
        return Doubt.NOT_LISTED
    return Doubt.IDS_DIFFER if error.code is Code.SUBTASK_NOT_IDENTIFIED else Doubt.NOT_READABLE


def _take_failure(
    site: Site, connection: Connection, rules: ListingRules, row: AnyRow, error: ConnectorError, now: datetime
) -> Say:
    """Ask again later. Never given up: nothing of it may be forgotten, and nothing deleted."""
    next_at = next_try(row.confirm_tries, error, now, site.rng, site.report_retry, due_at=row.due_at)
    next_at = next_at or now + timedelta(seconds=rules.again.max_s)
    confirmations.ask_again(connection, row, next_at, counted=is_counted(error))
    late = row.due_at if passes(next_at, now, row.due_at) else None
    return lambda: site.log.warning(
        "read_back_failed", source=row.source, request_id=row.id, code=error.code, next_at=next_at, due_at=late
    )
