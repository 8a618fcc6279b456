"""A request is finished when everything asked for it is. Called in the commit that ends its last target."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime

from connector.model import SourceStatus
from connector.policy.outcome import Counts, outcome_of
from connector.services import comments
from connector.services.operation import NOT_LOOKED_UP
from connector.services.remember import remember
from connector.services.site import Site
from connector.states import TERMINAL_TARGETS, IdentityState, RequestState, TargetState
from connector.store import identities, reports, requests, targets
from connector.store.columns import AnyRow, Connection

# What OneTrust is told: it has no word for partial, and a part is not the whole.
STATUS_OF = {
    RequestState.COMPLETED: SourceStatus.COMPLETED,
    RequestState.PARTIAL: SourceStatus.FAILED,
    RequestState.FAILED: SourceStatus.FAILED,
}


def settle(site: Site, connection: Connection, request_ids: Collection[str], now: datetime) -> None:
    """End those of the requests whose targets have all ended, and put the final report into the outbox."""
    working = [row for row in requests.lock_all(connection, request_ids) if row.state is RequestState.WORKING]
    counted = identities.count_states(connection, [row.id for row in working])
    unseen = targets.requests_with_reason(connection, [row.id for row in working], NOT_LOOKED_UP)
    ended: dict[RequestState, list[AnyRow]] = defaultdict(list)
    owed = []
    for row in working:
        of_identities, of_targets = counted[row.id]
        waiting = set(of_targets) - TERMINAL_TARGETS
        if waiting or of_identities[IdentityState.RECEIVED]:
            continue
        counts = count(of_identities, of_targets)
        state = outcome_of(of_targets, counts)
        comment = comments.finished(state, counts, row.received_at, now, looked_up=row.id not in unseen)
        ended[state].append(row)
        owed.append((row, STATUS_OF[state], comment))
    for state, rows in ended.items():
        requests.finish(connection, rows, state, now)
        for row in rows:
            age_s = (now - row.received_at).total_seconds()
            site.log.info("request_finished", request_id=row.id, source=row.source, state=state, age_s=age_s)
    remember(site, connection, [row for rows in ended.values() for row in rows], now)
    reports.owe(connection, owed, now)


def count(of_identities: Counter[IdentityState], of_targets: Counter[TargetState]) -> Counts:
    """Return the counts of one request as they are reported."""
    return Counts(
        identities_received=of_identities.total(),
        mapped=of_identities[IdentityState.MAPPED],
        unmapped=of_identities[IdentityState.UNMAPPED],
        rejected=of_identities[IdentityState.REJECTED],
        targets=of_targets.total(),
        deleted=of_targets[TargetState.DELETED],
        not_found=of_targets[TargetState.NOT_FOUND],
        refused=of_targets[TargetState.REFUSED],
        failed=of_targets[TargetState.FAILED],
        pending=of_targets.total() - sum(of_targets[one] for one in TERMINAL_TARGETS),
    )
