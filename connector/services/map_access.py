"""Map the identities of access requests to what is to be read. None of it can be submitted: it makes no targets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.mapping.apply import apply_rules
from connector.model import Identity, MappingResult, SourceStatus
from connector.policy.agreement import Doubt
from connector.services import access_comments, rehash
from connector.services.kinds import asked_for, decided, kind_of
from connector.services.site import Site
from connector.states import RequestKind, RequestState
from connector.store import access, identities, reports, requests
from connector.store.columns import AnyRow, Connection


def divide(
    site: Site, connection: Connection, rows: Sequence[AnyRow], now: datetime
) -> tuple[list[AnyRow], list[AnyRow], dict[str, RequestState]]:
    """Return the erasures and the accesses among locked requests; what was one and now reads as the other is held.

    Held it waits for a person: the types were changed at the source, or in the configuration.
    """
    erasures: list[AnyRow] = []
    accesses: list[AnyRow] = []
    doubted: dict[str, RequestState] = {}
    for row in rows:
        asked = kind_of(asked_for(site.sources[row.source].scope, row.request_types))
        kind = decided(connection, row)
        if kind is None or row.state is RequestState.WORKING or asked is kind:
            (accesses if (kind or asked) is RequestKind.ACCESS else erasures).append(row)
            continue
        digest = site.sources[row.source].rules.digest
        if row.state is RequestState.HELD:
            requests.note_mapping(connection, [row], kind, reason=Doubt.TYPE_CHANGED, mapping_digest=digest)
        else:
            requests.move_request(
                connection, row, RequestState.HELD, now, reason=Doubt.TYPE_CHANGED, mapping_digest=digest
            )
        doubted[row.id] = RequestState.HELD
    return erasures, accesses, doubted


def apply(site: Site, connection: Connection, rows: Sequence[AnyRow], now: datetime) -> dict[str, RequestState]:
    """Apply the rules to locked access requests, and note what is to be read; return their new states.

    A legal hold keeps nobody from learning what is held, so the list is not asked.
    """
    rehash.bring(connection, site.pseudonymiser, [row.id for row in rows])
    known = identities.of_requests(connection, [row.id for row in rows])
    # What is carried out as an access has no targets, not even those of an attempt that came to nothing.
    identities.forget_unsubmitted(connection, [row.id for row in rows])
    access.forget(connection, [row.id for row in rows])
    states: dict[str, RequestState] = {}
    owed = []
    told = reports.with_progress(connection, rows)
    for row in rows:
        rules = site.sources[row.source].rules
        result = apply_rules(rules, [Identity(one.kind, one.value) for one in known[row.id]])
        _note(site, connection, row, known[row.id], result, now)
        states[row.id] = state = RequestState.HELD if result.hold_reason else RequestState.FETCHING
        values = {"reason": result.hold_reason, "mapping_digest": rules.digest}
        if state is row.state:
            requests.note_mapping(connection, [row], RequestKind.ACCESS, **values)
        else:
            requests.move_requests(connection, [row], state, now, kind=RequestKind.ACCESS, **values)
        if row.id not in told:
            owed.append((row, SourceStatus.IN_PROGRESS, access_comments.in_progress(result)))
    reports.owe(connection, owed, now)
    return states


def _note(
    site: Site, connection: Connection, row: AnyRow, known: Sequence[AnyRow], result: MappingResult, now: datetime
) -> None:
    account = site.sources[row.source].account
    new = []
    for identity, mapped in zip(known, result.mapped, strict=True):
        for target in mapped.targets:
            value_hash = site.pseudonymiser.of_target(account, target.table, target.field, target.value)
            new.append(identities.NewTarget(row, identity.id, account, target, value_hash))
    identities.record(connection, list(zip(known, result.mapped, strict=True)))
    access.add(connection, new, now)
