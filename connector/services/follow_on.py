"""Requests of our own, which delete again whoever came back. They are carried out as all others are, by the same steps.

No source asked for them, so none is told; and no mapping made them, so none is applied to them again: their values are
in the form in which Lytics has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector.ids import new_id
from connector.model import Mapped, Target
from connector.services import holds
from connector.services.settle import settle
from connector.services.site import Site
from connector.states import IdentityState, RequestKind, RequestState
from connector.store import follow_ons, identities, requests
from connector.store.columns import AnyRow, Connection
from connector.store.holds import LEGAL_HOLD
from connector.store.identities import NewTarget
from connector.store.requests import NewIdentity

#: No law counts this time; it is what the shortest of them gives for a request.
DUE_WITHIN: Final = timedelta(days=30)


def begin(site: Site, connection: Connection, watch: AnyRow, found: Sequence[Target], now: datetime) -> str:
    """Begin a request that deletes again what was found of one request; return its id.

    Args:
        watch: one of their rows.
        found: where each was found.
    """
    values = {
        "source": watch.source,
        # Drawn, so that no sender can name it.
        "request_key": f"follow-on:{new_id(now)}",
        "state": RequestState.QUEUED,
        "kind": RequestKind.ERASURE,
        "external": {},
        "request_types": [],
        "country": None,
        "is_test": False,
        "received_at": now,
        "due_at": now + DUE_WITHIN,
        "due_basis": "follow_on",
        "mapping_digest": site.sources[watch.source].rules.digest,
        "warned_at": now,
        "hash_key": site.pseudonymiser.id,
    }
    row, _ = requests.find_or_insert(connection, values, now)
    follow_ons.follow(connection, row.id, watch.request_id)
    # Lytics' own names, which no mapping has as a kind.
    targets = {site.pseudonymiser.of_target(watch.account, one.table, one.field, one.value): one for one in found}
    new = [NewIdentity(f"{one.table}.{one.field}", one.value, value_hash) for value_hash, one in targets.items()]
    requests.add_identities(connection, row.id, new, now, look=False)
    known = identities.of_requests(connection, [row.id])[row.id]
    identities.record(connection, [(one, Mapped(IdentityState.MAPPED, (targets[one.value_hash],))) for one in known])
    made = [NewTarget(row, one.id, watch.account, targets[one.value_hash], one.value_hash) for one in known]
    identities.add_targets(connection, made, now)
    return str(row.id)


def map_again(
    site: Site, connection: Connection, rows: Sequence[AnyRow], now: datetime
) -> tuple[dict[str, RequestState], set[str]]:
    """Do for locked follow-ons what the mapping does for others: note the rules, ask the legal hold list, let go on.

    Return their new states, and those whom the list names.
    """
    ids = [row.id for row in rows]
    named = holds.named_by(site, connection, identities.values_of(connection, ids))
    begun = {one for one in ids if identities.was_begun(connection, one)}
    states: dict[str, RequestState] = {}
    for row in rows:
        if row.id in named and row.id not in begun and row.state is not RequestState.WORKING:
            holds.refuse(connection, [row], now)
            states[row.id] = RequestState.REJECTED
            continue
        states[row.id], reason = _next(row, is_named=row.id in named, begun=row.id in begun)
        _bring(site, connection, row, states[row.id], reason, now)
    settle(site, connection, [one for one, state in states.items() if state is RequestState.WORKING], now)
    return states, named


def _next(row: AnyRow, *, is_named: bool, begun: bool) -> tuple[RequestState, str]:
    if is_named:
        return RequestState.HELD, LEGAL_HOLD
    if row.state is RequestState.HELD and row.reason != LEGAL_HOLD:
        # A person has to let it go.
        return RequestState.HELD, row.reason
    if row.state is RequestState.RECEIVED or not begun:
        return RequestState.QUEUED, ""
    return (RequestState.WORKING if row.state is RequestState.HELD else row.state), ""


def _bring(site: Site, connection: Connection, row: AnyRow, state: RequestState, reason: str, now: datetime) -> None:
    digest = site.sources[row.source].rules.digest
    if state is row.state:
        requests.note_mapping(connection, [row], RequestKind.ERASURE, reason=reason, mapping_digest=digest)
        return
    values: dict[str, Any] = {"mapping_digest": digest}
    requests.move_request(connection, row, state, now, reason=reason, **values)


def divide(connection: Connection, rows: Sequence[AnyRow]) -> tuple[list[AnyRow], list[AnyRow]]:
    """Return the follow-ons among requests, and the others."""
    ours = follow_ons.among(connection, [row.id for row in rows])
    return [row for row in rows if row.id in ours], [row for row in rows if row.id not in ours]
