"""Map the identities of received requests to targets. What cannot be mapped is held, never silently narrowed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from connector.mapping.apply import apply_rules
from connector.model import Identity, MappingResult, SourceStatus
from connector.private import Private
from connector.services import access_comments, comments, follow_on, holds, map_access, rehash
from connector.services.kinds import Asked, asked_for, refusal_to_begin
from connector.services.observing import observes
from connector.services.settle import settle
from connector.services.site import Site
from connector.services.together import together
from connector.states import FINISHED_REQUESTS, IdentityState, RequestKind, RequestState
from connector.store import identities, overview, reports, requests
from connector.store.columns import AnyRow, Connection
from connector.store.holds import LEGAL_HOLD

# How often it is said that something waits for a source or an account that is not configured any more.
_REMIND = timedelta(hours=1)
# Requests that share the statements and the commit of one transaction. On SQLite a delivery may wait for it.
_TOGETHER = 50


def map_requests(site: Site) -> bool:
    """Map what is to be mapped, most urgent first; say whether there may be more."""
    _say_what_is_left_out(site)
    digests = {one.name: one.rules.digest for one in site.sources.values()}
    with site.database.read() as connection:
        rows = requests.to_map(connection, digests, site.budgets.map)
    mapped = 0
    for start in range(0, len(rows), _TOGETHER):
        if site.stop.is_set():
            return False
        mapped += _map_together(site, rows[start : start + _TOGETHER])
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


def _map_together(site: Site, rows: Sequence[AnyRow]) -> int:
    """Map requests, and return for how many that went well."""

    def work(connection: Connection, some: Sequence[AnyRow]) -> list[tuple[RequestState | None, bool]]:
        states, named = _map_all(site, connection, [row.id for row in some], site.clock.now())
        return [(states.get(row.id), row.id in named) for row in some]

    done = together(site, "map", rows, lambda row: row.id, work, point="mapped")
    for row, (state, is_named) in done:
        if state is not None:
            age_s = (site.clock.now() - row.received_at).total_seconds()
            site.log.info("request_mapped", request_id=row.id, source=row.source, state=state, age_s=age_s)
            holds.say(site, {row.id: state} if is_named else {})
    return len(done)


def _map_all(
    site: Site, connection: Connection, request_ids: Sequence[str], now: datetime
) -> tuple[dict[str, RequestState], set[str]]:
    """Map requests; return their new states, and those that a legal hold met. One finished meanwhile has none."""
    rows = [row for row in requests.lock_all(connection, request_ids) if row.state not in FINISHED_REQUESTS]
    # What comes from nobody's words is not mapped by anybody's rules.
    ours, rows = follow_on.divide(connection, rows)
    refused: dict[str, list[AnyRow]] = defaultdict(list)
    wanted: list[AnyRow] = []
    for row in rows:
        scope = site.sources[row.source].scope
        received = row.state is RequestState.RECEIVED
        refusal = refusal_to_begin(scope, is_test=row.is_test, request_types=row.request_types) if received else ""
        (refused[refusal] if refusal else wanted).append(row)
    # From here on the two kinds have nothing in common: what maps an access makes no target.
    erasures, accesses, doubted = map_access.divide(site, connection, wanted, now)
    states, named = _apply_all(site, connection, erasures, now)
    states |= map_access.apply(site, connection, accesses, now) | doubted
    again, named_again = follow_on.map_again(site, connection, ours, now)
    states, named = states | again, named | named_again
    for refusal, those in refused.items():
        requests.move_requests(connection, those, RequestState.REJECTED, now, reason=refusal, finished_at=now)
        reports.owe(connection, [(row, SourceStatus.REJECTED, _refused(site, row, refusal)) for row in those], now)
        states |= dict.fromkeys((row.id for row in those), RequestState.REJECTED)
    return states, named


def _apply_all(
    site: Site, connection: Connection, rows: Sequence[AnyRow], now: datetime
) -> tuple[dict[str, RequestState], set[str]]:
    """Apply the rules to locked requests and write down what they say; return as `_map_all` does."""
    rehash.bring(connection, site.pseudonymiser, [row.id for row in rows])
    known = identities.of_requests(connection, [row.id for row in rows])
    results = {
        row.id: apply_rules(site.sources[row.source].rules, [Identity(one.kind, one.value) for one in known[row.id]])
        for row in rows
    }
    started = identities.forget_unsubmitted(connection, [row.id for row in rows])
    named = holds.named_by(site, connection, {one: _values(known[one], results[one]) for one in results})
    refused = [row for row in rows if row.id in named - started and row.state is not RequestState.WORKING]
    holds.refuse(connection, refused, now)
    rows = [row for row in rows if row not in refused]
    reasons = {row.id: LEGAL_HOLD if row.id in named else results[row.id].hold_reason for row in rows}
    _write_mapping(site, connection, rows, known, results, started, now)
    states = {row.id: _next_state(row.state, reasons[row.id], started=row.id in started) for row in rows}
    alike: dict[tuple[RequestState, bool, str, str], list[AnyRow]] = defaultdict(list)
    for row in rows:
        state, digest = states[row.id], site.sources[row.source].rules.digest
        alike[state, state is row.state, reasons[row.id], digest].append(row)
    for (state, stays, reason, digest), those in alike.items():
        if stays:
            requests.note_mapping(connection, those, RequestKind.ERASURE, reason=reason, mapping_digest=digest)
        else:
            values = {"mapping_digest": digest, "kind": RequestKind.ERASURE}
            requests.move_requests(connection, those, state, now, reason=reason, **values)
    told = reports.with_progress(connection, rows)
    owed = [
        (row, SourceStatus.IN_PROGRESS, _comment(site, row, results[row.id], is_stopped=row.id in named))
        for row in rows
        if row.id not in told
    ]
    reports.owe(connection, owed, now)
    settle(site, connection, [one for one, state in states.items() if state is RequestState.WORKING], now)
    return states | {row.id: RequestState.REJECTED for row in refused}, named


def _refused(site: Site, row: AnyRow, refusal: str) -> str:
    asked = asked_for(site.sources[row.source].scope, row.request_types)
    return access_comments.TEST if asked is Asked.ACCESS else comments.rejected(refusal)


def _values(said: Sequence[AnyRow], result: MappingResult) -> list[Private]:
    """Return everything that a request holds about somebody: as the source said it, and as it would be sent."""
    return [one.value for one in said] + [target.value for one in result.mapped for target in one.targets]


def _comment(site: Site, row: AnyRow, result: MappingResult, *, is_stopped: bool) -> str:
    if is_stopped:
        return comments.stopped()
    return comments.in_progress(result, observed=observes(site, site.sources[row.source]))


def _write_mapping(
    site: Site,
    connection: Connection,
    rows: Sequence[AnyRow],
    known: Mapping[str, Sequence[AnyRow]],
    results: Mapping[str, MappingResult],
    started: Collection[str],
    now: datetime,
) -> None:
    """Write down what each identity became.

    Once something was submitted, what was mapped stays mapped as it was: only the others may change.

    Args:
        started: the requests of which something was submitted before.
    """
    recorded, new = [], []
    for row in rows:
        account = site.sources[row.source].account
        for identity, mapped in zip(known[row.id], results[row.id].mapped, strict=True):
            if row.id in started and identity.state is IdentityState.MAPPED:
                continue
            recorded.append((identity, mapped))
            for target in mapped.targets:
                value_hash = site.pseudonymiser.of_target(account, target.table, target.field, target.value)
                new.append(identities.NewTarget(row, identity.id, account, target, value_hash))
    identities.record(connection, recorded)
    identities.add_targets(connection, new, now)


def _next_state(old: RequestState, hold_reason: str, *, started: bool) -> RequestState:
    if hold_reason:
        return RequestState.HELD
    if old is RequestState.RECEIVED or not started:
        return RequestState.QUEUED
    return RequestState.WORKING if old is RequestState.HELD else old
