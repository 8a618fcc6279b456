"""Map the identities of received requests to targets. What cannot be mapped is held, never silently narrowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from connector.errors import Temporary
from connector.mapping.apply import apply_rules
from connector.model import Identity, MappingResult, SourceStatus
from connector.services import comments
from connector.services.settle import settle
from connector.services.site import Scope, Site
from connector.states import FINISHED_REQUESTS, IdentityState, RequestState
from connector.store import identities, overview, reports, requests
from connector.store.columns import AnyRow, Connection

# How often it is said that something waits for a source or an account that is not configured any more.
_REMIND = timedelta(hours=1)


def map_requests(site: Site) -> bool:
    """Map what is to be mapped, most urgent first; say whether there may be more."""
    _say_what_is_left_out(site)
    digests = {one.name: one.rules.digest for one in site.sources.values()}
    with site.database.read() as connection:
        rows = requests.to_map(connection, digests, site.budgets.map)
    mapped = 0
    for row in rows:
        if site.stop.is_set():
            return False
        mapped += _map_safely(site, row)
    return mapped > 0 and len(rows) == site.budgets.map


def _say_what_is_left_out(site: Site) -> None:
    """Say what no step will ever touch, because its source or account is gone from the configuration."""
    now = site.clock.now()
    if site.pauses.hold("left_out", now):
        return
    site.pauses.set("left_out", now + _REMIND)
    with site.database.read() as connection:
        found = overview.left_out(connection, site.sources, site.accounts)
    for what, name, number in found:
        site.log.warning("request_left_out", **{what: name}, count=number)


def _map_safely(site: Site, row: AnyRow) -> bool:
    """Map one request, and say whether that went well: a defect in one must not keep all others waiting."""
    try:
        with site.database.write() as connection:
            state = _map_one(site, connection, row.id, site.clock.now())
        site.reached("mapped")
    except Temporary:
        raise
    except Exception as error:  # noqa: BLE001 - the next request is not to blame
        _say_failed(site, row, error)
        return False
    if state is not None:
        site.log.info("request_mapped", request_id=row.id, source=row.source, state=state)
    return True


def _say_failed(site: Site, row: AnyRow, error: Exception) -> None:
    # The class alone: text and traceback may quote the person.
    site.log.error("step_failed", step="map", request_id=row.id, error_class=type(error).__name__)


def _map_one(site: Site, connection: Connection, request_id: str, now: datetime) -> RequestState | None:
    """Map one request and return its new state; None if it was finished meanwhile."""
    row = requests.lock(connection, request_id)
    if row is None or row.state in FINISHED_REQUESTS:
        return None
    source = site.sources[row.source]
    received = row.state is RequestState.RECEIVED
    refusal = refusal_of(source.scope, is_test=row.is_test, request_types=row.request_types) if received else ""
    if refusal:
        requests.move_request(connection, row, RequestState.REJECTED, now, reason=refusal, finished_at=now)
        reports.owe(connection, [(row, SourceStatus.REJECTED, comments.rejected(refusal))], now)
        return RequestState.REJECTED
    known = identities.of_request(connection, request_id)
    result = apply_rules(source.rules, [Identity(one.kind, one.value) for one in known])
    started = _write_mapping(site, connection, row, known, result, now)
    state = _next_state(row.state, result, started=started)
    digest = source.rules.digest
    if state is row.state:
        requests.note_mapping(connection, request_id, reason=result.hold_reason, mapping_digest=digest)
    else:
        requests.move_request(connection, row, state, now, reason=result.hold_reason, mapping_digest=digest)
    if not reports.has_progress(connection, request_id, row.attempt):
        reports.owe(connection, [(row, SourceStatus.IN_PROGRESS, comments.in_progress(result))], now)
    settle(site, connection, [request_id], now)
    return state


def refusal_of(scope: Scope, *, is_test: bool, request_types: Iterable[str]) -> str:
    """Return why nothing may be deleted for a request, as a key of `comments.REFUSALS`; empty if it may."""
    if is_test and not scope.allow_test_requests:
        return "test_request"
    said = {plain(one) for one in request_types}
    if said and not said & scope.deletion_types:
        return "not_an_erasure"
    return ""


def plain(request_type: str) -> str:
    """Return a request type as it is compared: without case and spacing."""
    return " ".join(request_type.casefold().split())


def _write_mapping(
    site: Site, connection: Connection, row: AnyRow, known: Sequence[AnyRow], result: MappingResult, now: datetime
) -> bool:
    """Write down what each identity became; say whether something of this request was submitted before.

    Once something was submitted, what was mapped stays mapped as it was: only the others may change.
    """
    account = site.sources[row.source].account
    started = not identities.forget_unsubmitted(connection, row.id)
    new = []
    for identity, mapped in zip(known, result.mapped, strict=True):
        if started and identity.state is IdentityState.MAPPED:
            continue
        identities.record(connection, identity, mapped)
        for target in mapped.targets:
            scope = f"target:{account}:{target.table}:{target.field}"
            new.append((identity.id, target, site.pseudonymiser.of(scope, target.value)))
    identities.add_targets(connection, row, account, new, now)
    return started


def _next_state(old: RequestState, result: MappingResult, *, started: bool) -> RequestState:
    if result.hold_reason:
        return RequestState.HELD
    if old is RequestState.RECEIVED or not started:
        return RequestState.QUEUED
    return RequestState.WORKING if old is RequestState.HELD else old
