"""A delivery comes in: verify, parse, then claim and store. The answer is given after the commit, and not before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser, identity_scope
from connector.errors import ConnectorError, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import Call, Identity, Purpose, Verified
from connector.policy.deadlines import due_date
from connector.private import Private
from connector.services.arrivals import Arrival, store_together
from connector.services.kinds import refusal_of, refusal_to_begin
from connector.services.names import Names
from connector.services.site import Site, SourceWork
from connector.states import RequestState
from connector.store import keys, pseudonym_keys
from connector.store.claims import Claim, Replay
from connector.store.requests import NewIdentity


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the sender is told.

    Attributes:
        duplicate: this call added nothing.
        confirmed: it was no request, but asked us to confirm a subscription, which was done; nothing was stored.
        purpose: what it was for; only a request is stored, and has an id.
        external: the source's own ids, which the answer may repeat.
    """

    request_id: str
    duplicate: bool
    confirmed: bool = False
    purpose: Purpose = Purpose.REQUEST
    external: Mapping[str, str] = field(default_factory=dict)


def find_source(site: Site, name: str) -> SourceWork:
    """Return an enabled source; unknown and disabled ones are refused alike."""
    source = site.sources.get(name)
    if source is None or not source.enabled:
        raise Rejected(Code.SOURCE_NOT_ALLOWED)
    return source


def receive(site: Site, source: SourceWork, inbound: Inbound) -> Accepted:
    """Take in one delivery.

    Raises:
        Rejected: with the code and status to answer; nothing was stored.
        Temporary: it could not be stored, or a subscription not be confirmed; the sender has to repeat it.
    """
    now = site.clock.now()
    verified = verify(site, source, inbound, now)
    if verified.confirm_url is not None:
        return _confirm(site, source, verified, verified.confirm_url)
    call = source.dialect.parse(verified.payload, inbound)
    if call.purpose is not Purpose.REQUEST:
        site.log.info("delivery_answered", source=source.name, reason=call.purpose, secret_id=verified.secret_id)
        return Accepted("", duplicate=False, purpose=call.purpose, external=call.external)
    site.reached("verified")
    accepted = replace(_store(site, source, verified, call, now), external=call.external)
    site.log.info(
        "delivery_accepted",
        source=source.name,
        request_id=accepted.request_id,
        duplicate=accepted.duplicate,
        secret_id=verified.secret_id,
    )
    return accepted


def verify(site: Site, source: SourceWork, inbound: Inbound, now: datetime) -> Verified:
    """Verify one call, and note which secrets it was made with: also of a call that cannot be used in the end.

    Raises:
        Rejected: with a 401 code.
        Temporary: the sender's published keys cannot be had, or the use cannot be noted.
    """
    try:
        verified = source.verifier.verify(inbound, now)
    except Rejected as error:
        if error.secret_id:
            # Whoever rotates a secret has to see that the old one still arrives after its end.
            note_use(site, source.name, error.secret_id, now)
        raise
    for secret_id in verified.secret_ids:
        note_use(site, source.name, secret_id, now)
    return verified


def note_use(site: Site, source: str, secret_id: str, now: datetime) -> None:
    """Write down that a secret of a source was used, once a minute; `Temporary` if the store cannot be written."""
    if site.key_uses.is_due(source, secret_id, now):
        with site.database.write() as connection:
            keys.note_use(connection, source, secret_id[: keys.MAX_ID_CHARS], now)


def _confirm(site: Site, source: SourceWork, verified: Verified, url: Private) -> Accepted:
    """Call the address once. A replay of the delivery calls it again, which changes nothing."""
    try:
        site.confirm(url)
    except ConnectorError as error:
        # Of the inner error only what it is: the answer goes to the sender.
        raise Temporary(Code.SUBSCRIPTION_UNCONFIRMED, error.code) from None
    site.log.info("subscription_confirmed", source=source.name, secret_id=verified.secret_id)
    return Accepted("", duplicate=False, confirmed=True)


def _store(site: Site, source: SourceWork, verified: Verified, call: Call, now: datetime) -> Accepted:
    note_pseudonyms(site, now)
    names = [_names(one, source, verified, call) for one in site.pseudonymiser.all]
    present, former = names[0], names[1:]
    due = due_date(now, platform_due=call.due_at, regulation=source.regulation, country=call.country)
    claim = Claim(
        source=source.name,
        claim_key=present.claim_key,
        body_digest=present.body_digest,
        received_at=now,
        sender_time=verified.sender_time,
        principal=verified.principal,
        secret_id=verified.secret_id,
        hash_key=site.pseudonymiser.id,
        former_digests=frozenset(one.body_digest for one in former),
    )
    replay = None
    if present.replay_hash:
        replay = Replay(source.name, present.replay_hash, present.body_digest, verified.replay_until)
    values = {
        "source": source.name,
        "request_key": present.request_key,
        "external": dict(call.external),
        "request_types": list(call.request_types),
        "country": call.country,
        "is_test": call.is_test,
        "received_at": now,
        "due_at": due.at,
        "due_basis": due.basis,
        "callback_url": call.callback_url,
        # What its source has to list is not looked at before that.
        "state": RequestState.UNCONFIRMED if source.read_back else RequestState.RECEIVED,
        "confirm_at": now if source.read_back else None,
        "hash_key": site.pseudonymiser.id,
    }
    new = [named(site, source.name, one) for one in call.identities]
    arrival = Arrival(claim, values, replay, new, bool(call.event_id), now, names)
    stored = site.arrivals.put(arrival, partial(store_together, site))
    return Accepted(stored.request_id, stored.duplicate)


def _apart(source: SourceWork, call: Call) -> str:
    if not refusal_of(source.scope, is_test=call.is_test, request_types=call.request_types):
        return ""
    refusal = refusal_to_begin(source.scope, is_test=call.is_test, request_types=call.request_types)
    return "refused:" if refusal else "access:"


def _names(key: Pseudonymiser, source: SourceWork, verified: Verified, call: Call) -> Names:
    """Return what a delivery goes by under one pseudonym key."""
    digest = key.of_bytes(f"body:{source.name}", verified.payload)
    # What would not be carried out, such as a test or an access request, never joins an erasure that goes by the same
    # id, and never stands in its way.
    # Where the source itself is asked, its word counts.
    apart = "" if source.read_back is not None else _apart(source, call)
    request_key = apart + (call.request_key or f"body:{digest}")
    # What tells a delivery without an event id from others is its body and its request. A request id may stand in a
    # header: then the same words come for two requests when somebody asks once more.
    content = f"event:{call.event_id}" if call.event_id else ""
    content = content or "body:" + key.of_bytes("claim", f"{request_key}\n{digest}".encode())
    replay = key.of_bytes(f"replay:{source.name}", verified.replay_key.encode()) if verified.replay_key else ""
    return Names(request_key, apart + content, digest, replay)


def named(site: Site, source: str, identity: Identity) -> NewIdentity:
    """Return an identity with the keyed hashes under which it is known within its request."""
    value_hash, *former = site.pseudonymiser.each(identity_scope(source, identity.kind), identity.value)
    return NewIdentity(identity.kind, identity.value, value_hash, frozenset(former))


def note_pseudonyms(site: Site, now: datetime) -> None:
    """Write down, once a minute, under which key deliveries are hashed.

    Raises:
        Misconfigured: `PSEUDONYM_KEY_MISSING`: others hash under a key that this process does not know. What they took
            in would be taken in once more here.
    """
    key = keys.PSEUDONYMS, site.pseudonymiser.id
    if not site.key_uses.is_due(*key, now):
        return
    try:
        with site.database.write() as connection:
            pseudonym_keys.require(connection, site.pseudonymiser.ids, needed_by_lists=False)
            pseudonym_keys.note_use(connection, [one.id for one in site.pseudonymiser.all], now)
    except BaseException:
        # Nothing was written down: the next delivery asks again.
        site.key_uses.noted.pop(key, None)
        raise
