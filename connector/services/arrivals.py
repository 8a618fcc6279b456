"""Store what arrived: one delivery, or those of many senders in one commit. Every duplicate is decided here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from connector.codes import Code
from connector.errors import ConnectorError, Rejected, Temporary
from connector.services import names, rehash
from connector.services.names import Names
from connector.services.site import Site
from connector.states import FINISHED_REQUESTS, RequestState
from connector.store import addresses, arrivals, claims, confirmations, reports, requests, twins
from connector.store.claims import Claim, Replay
from connector.store.columns import AnyRow, Connection
from connector.store.recognising import Known
from connector.store.requests import NewIdentity

# Ended, but not well: a further call of the source is a deliberate new attempt.
_MAY_START_AGAIN: Final = frozenset({RequestState.PARTIAL, RequestState.FAILED})
# Whoever is named only now would be left out of it without a word.
_TAKES_NOBODY_MORE: Final = FINISHED_REQUESTS - _MAY_START_AGAIN | {RequestState.DELIVERING}
# What a driver calls the error of a store that cannot be worked with at all: every further delivery would fail as well.
_STORE_DOWN: Final = frozenset(
    {
        "OperationalError",
        "InterfaceError",
        "TimeoutError",
        "OSError",
        # PostgreSQL's: stopped, full, locked by somebody, turned into a standby.
        "AdminShutdown",
        "CrashShutdown",
        "CannotConnectNow",
        "DiskFull",
        "LockNotAvailable",
        "ReadOnlySqlTransaction",
    }
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified delivery as it is to be stored.

    Attributes:
        values: of the request's row.
        has_event_id: whether the sender gave this one delivery an id.
        names: what it goes by under every pseudonym key, first under the present one, as everything else says it.
    """

    claim: Claim
    values: Mapping[str, Any] = field(repr=False)
    replay: Replay | None
    identities: Sequence[NewIdentity] = field(repr=False)
    has_event_id: bool
    at: datetime
    names: Sequence[Names] = ()

    @property
    def keys(self) -> tuple[tuple[str, str, str], ...]:
        """What it shares with other deliveries of the same request, event or signed content."""
        source = self.claim.source
        keys = ("request", source, self.values["request_key"]), ("claim", source, self.claim.claim_key)
        return keys if self.replay is None else (*keys, ("replay", source, self.replay.replay_hash))

    def known_as(self, known: Known) -> Arrival:
        """Return it under the names by which it is known, so that the unique indexes decide about it as ever."""
        source, values, claim, replay = self.claim.source, self.values, self.claim, self.replay
        for one in self.names[1:]:
            if (source, one.request_key) in known.requests:
                values = {**values, "request_key": one.request_key}
            if (source, one.claim_key) in known.claims:
                claim = replace(claim, claim_key=one.claim_key)
            if replay is not None and (source, one.replay_hash) in known.replays:
                replay = replace(replay, replay_hash=one.replay_hash)
        return replace(self, values=values, claim=claim, replay=replay)

    @property
    def row(self) -> arrivals.New:
        return self.values, self.claim, self.replay, self.identities, self.at


@dataclass(frozen=True, slots=True)
class Stored:
    """The request that a delivery belongs to, and whether the delivery added nothing to it."""

    request_id: str
    duplicate: bool


def store_together(site: Site, arrived: Sequence[Arrival]) -> Sequence[Stored | ConnectorError]:
    """Store deliveries in one commit, and say of each what became of it.

    If that fails because of one of them, each is stored by itself, so that it fails alone.
    """
    try:
        with site.database.write() as connection:
            outcomes = _store_all(site, connection, arrived)
            told = zip(arrived, outcomes, strict=True)
            brought = {one.claim.source for one, what in told if isinstance(what, Stored) and not what.duplicate}
            if brought:
                site.wake(connection, brought)
            site.reached("claimed")
    except Temporary as error:
        if len(arrived) == 1 or error.detail in _STORE_DOWN:
            return [error] * len(arrived)
        return _store_each(site, arrived)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others' deliveries are stored
        # What only one of them can be at fault for, such as a value that a column cannot take, is that one's alone.
        if len(arrived) == 1:
            return [Temporary(Code.STORE_UNAVAILABLE, type(error).__name__)]
        return _store_each(site, arrived)
    site.reached("committed")
    return outcomes


def _store_each(site: Site, arrived: Sequence[Arrival]) -> list[Stored | ConnectorError]:
    outcomes: list[Stored | ConnectorError] = []
    for one in arrived:
        outcomes += store_together(site, [one])
        last = outcomes[-1]
        if isinstance(last, Temporary) and last.detail in _STORE_DOWN:
            return outcomes + [last] * (len(arrived) - len(outcomes))
    return outcomes


def _store_all(site: Site, connection: Connection, arrived: Sequence[Arrival]) -> list[Stored | ConnectorError]:
    """Store what has nothing to do with the others at once, then the rest in its order: as if one after the other."""
    if any(len(one.names) > 1 for one in arrived):
        known = names.find(connection, [(one.claim.source, one.names) for one in arrived])
        arrived = [one.known_as(known) for one in arrived]
    counted = Counter(key for one in arrived for key in one.keys)
    unrelated = [one for one in arrived if all(counted[key] == 1 for key in one.keys)]
    # In one order in every process, so that two that store the same requests do not wait for each other in a circle.
    unrelated.sort(key=lambda one: one.keys[0])
    inserted = arrivals.insert_new(connection, [one.row for one in unrelated])
    new = {id(one): request_id for one, request_id in zip(unrelated, inserted, strict=True) if request_id is not None}
    twins.lock_known(connection, {one.keys[0][1:] for one in arrived if id(one) not in new})
    return [
        Stored(new[id(one)], duplicate=False) if id(one) in new else _store_known(site, connection, one)
        for one in arrived
    ]


def _store_known(site: Site, connection: Connection, arrival: Arrival) -> Stored | ConnectorError:
    """Store a delivery of a request that is there already; a refusal leaves no trace of it."""
    savepoint = connection.begin_nested()
    try:
        stored = _add(site, connection, arrival)
    except Rejected as refusal:
        savepoint.rollback()
        return refusal
    savepoint.commit()
    return stored


def _add(site: Site, connection: Connection, arrival: Arrival) -> Stored:
    now, claim = arrival.at, arrival.claim
    named, fresh = requests.find_or_insert(connection, arrival.values, now)
    row = twins.followed(connection, named, lock=True)
    same = {named.id, row.id}
    seen = claims.claim_replay(connection, arrival.replay, row.id) if arrival.replay is not None else None
    if seen is not None:
        # The very same delivery once more, by the sender or by somebody who recorded it.
        if not claim.has_body(seen.body_digest) or seen.request_id not in same:
            raise Rejected(Code.DELIVERY_REPLAYED)
        assert arrival.replay is not None
        # A retry under the same id has a later time: it would be let in for longer than the first.
        claims.keep_replay(connection, arrival.replay)
        return Stored(row.id, duplicate=True)
    earlier = claims.claim(connection, claim, row.id)
    if earlier is not None:
        if not claim.has_body(earlier.body_digest) or earlier.request_id not in same:
            raise Rejected(Code.EVENT_CONFLICT)
        # Without an event id nothing tells a replay from a source that asks again on purpose, with the same bytes.
        # It is taken for the latter: that starts something only if the request failed, and then nothing new.
        if arrival.has_event_id:
            return Stored(row.id, duplicate=True)
    # Where the source lists what counts, a delivery adds nothing to what was listed; it makes us ask once more.
    asked = arrival.values["confirm_at"] is not None
    counts = row.confirmed_at is None or not asked
    if row.shredded_at is not None:
        if row.state not in _MAY_START_AGAIN:
            return _known_shredded(connection, row, arrival, counts=counts)
        requests.begin_anew(connection, row)
    if counts and not fresh:
        # What is added is hashed under the present key, so what is there has to be as well.
        rehash.bring(connection, site.pseudonymiser, [row.id])
    added = requests.add_identities(connection, row.id, arrival.identities, now, look=not fresh) if counts else 0
    if fresh:
        return Stored(row.id, duplicate=False)
    _take_over(connection, row, arrival)
    if added and row.state in _TAKES_NOBODY_MORE:
        raise Rejected(Code.REQUEST_FINISHED)
    # Bytes that come again are a sender's retry, unless the source lists its tasks and is read before it is told.
    began = call_again(connection, row, now, asked=asked, anew=asked or arrival.has_event_id)
    return Stored(row.id, duplicate=not began and (added == 0 or row.state in _MAY_START_AGAIN))


def _known_shredded(connection: Connection, row: AnyRow, arrival: Arrival, *, counts: bool) -> Stored:
    """Answer a further call for a request that is over and of which nothing personal is left."""
    if counts and not requests.knows(connection, row.id, arrival.identities):
        raise Rejected(Code.REQUEST_FINISHED)
    return Stored(row.id, duplicate=True)


def call_again(connection: Connection, row: AnyRow, now: datetime, *, asked: bool, anew: bool = True) -> bool:
    """Do what a further call for a locked request is for; say whether that begins a new attempt.

    Args:
        asked: whether its source is asked what it lists.
        anew: whether it surely is another call, so that what was told is told again, as after a reprocess.
    """
    if asked:
        confirmations.ask_now(connection, row, now)
    if row.state in _MAY_START_AGAIN:
        requests.begin_anew(connection, row)
        reports.supersede(connection, [row.id], now)
        return requests.start_again(connection, row, now, asked=asked)
    if row.state in FINISHED_REQUESTS:
        # The source asks again: the last report is sent once more, also if it was sent before. Nothing is deleted.
        reports.revive(connection, row.id, row.attempt, now, told=anew)
    return False


def _take_over(connection: Connection, row: AnyRow, arrival: Arrival) -> None:
    """Take over what a later delivery knows of where its request is told: further ids, another address."""
    missing = {name: value for name, value in arrival.values["external"].items() if name not in row.external}
    before = addresses.address_of(connection, row)
    callback_url = arrival.values["callback_url"] or before
    if missing or callback_url != before:
        addresses.set_addresses(connection, row.id, row.external | missing, callback_url)
