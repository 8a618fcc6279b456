"""A delivery comes in: verify, parse, then claim and store in one commit. Nothing else happens before the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.codes import Code
from connector.errors import Rejected
from connector.model import Call, Verified
from connector.policy.deadlines import due_date
from connector.private import Private
from connector.services.site import Site, SourceWork
from connector.states import FINISHED_REQUESTS, RequestState
from connector.store import reports, requests
from connector.store.requests import Claim, NewIdentity

# Ended, but not well: a further call of the source is a deliberate new attempt.
_MAY_START_AGAIN = frozenset({RequestState.PARTIAL, RequestState.FAILED})


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the sender is told. `duplicate` means that this call added nothing."""

    request_id: str
    duplicate: bool


def find_source(site: Site, name: str) -> SourceWork:
    """Return an enabled source; unknown and disabled ones are refused alike."""
    source = site.sources.get(name)
    if source is None or not source.enabled:
        raise Rejected(Code.SOURCE_NOT_ALLOWED)
    return source


def receive(site: Site, source: SourceWork, method: str, headers: Mapping[str, str], body: bytes) -> Accepted:
    """Take in one delivery.

    Raises:
        Rejected: with the code and status to answer; nothing was stored.
        Temporary: it could not be stored; the sender has to repeat it.
    """
    now = site.clock.now()
    verified = source.verifier.verify(method, headers, body, now)
    call = source.dialect.parse(verified.payload)
    accepted = _store(site, source, verified, call, now)
    site.log.info(
        "delivery_accepted",
        source=source.name,
        request_id=accepted.request_id,
        duplicate=accepted.duplicate,
        secret_id=verified.secret_id,
    )
    return accepted


def _store(site: Site, source: SourceWork, verified: Verified, call: Call, now: datetime) -> Accepted:
    digest = site.pseudonymiser.of_bytes(f"body:{source.name}", verified.payload)
    due = due_date(now, platform_due=call.due_at, regulation=source.regulation, country=call.country)
    claim = Claim(
        source=source.name,
        claim_key=f"event:{call.event_id}" if call.event_id else f"body:{digest}",
        body_digest=digest,
        received_at=now,
        sender_time=verified.sender_time,
        principal=verified.principal,
        secret_id=verified.secret_id,
    )
    values = {
        "source": source.name,
        "request_key": call.request_key,
        "external": dict(call.external),
        "request_types": list(call.request_types),
        "country": call.country,
        "is_test": call.is_test,
        "received_at": now,
        "due_at": due.at,
        "due_basis": due.basis,
    }
    new = [
        NewIdentity(one.kind, one.value, identity_hash(site, source.name, one.kind, one.value))
        for one in call.identities
    ]
    with site.database.write() as connection:
        row, fresh = requests.find_or_insert(connection, values, now)
        earlier = requests.claim(connection, claim, row.id)
        if earlier is not None:
            if earlier.body_digest != digest:
                raise Rejected(Code.EVENT_CONFLICT)
            # Without an event id nothing tells a replay from a source that asks again on purpose, with the same bytes.
            # It is taken for the latter: that starts something only if the request failed, and then nothing new.
            if call.event_id or earlier.request_id != row.id:
                return Accepted(earlier.request_id, duplicate=True)
        added = requests.add_identities(connection, row.id, new, now, look=not fresh)
        if fresh:
            return Accepted(row.id, duplicate=False)
        missing = {name: value for name, value in call.external.items() if name not in row.external}
        if missing:
            requests.set_external(connection, row.id, row.external | missing)
        if row.state in _MAY_START_AGAIN:
            reports.supersede(connection, [row.id], now)
            return Accepted(row.id, duplicate=not requests.start_again(connection, row, now))
        if row.state in FINISHED_REQUESTS:
            if added:
                raise Rejected(Code.REQUEST_FINISHED)
            # The source asks again: a last report that never reached it is sent once more.
            reports.revive(connection, row.id, row.attempt, now)
        return Accepted(row.id, duplicate=added == 0)


def identity_hash(site: Site, source: str, kind: str, value: Private) -> str:
    """Return the keyed hash under which an identity is known within its request."""
    return site.pseudonymiser.of(f"identity:{source}:{kind.casefold()}", value)
