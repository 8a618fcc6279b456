"""Profiles that may be several people's: a request that would delete one is held, until a person lets it pass.

Lytics deletes the whole profile, whichever of its identifiers it is given. So what a look-up shows beyond the request
is counted, and nothing of the request is handed over while that is more than its account lets pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from connector.model import Target
from connector.policy.tangle import is_tangled, strangers
from connector.services.settle import settle
from connector.services.site import AccountWork, Site
from connector.sighting import Sighting
from connector.states import RequestState
from connector.store import audit, identities, requests, tangles
from connector.store.audit import Decision
from connector.store.columns import AnyRow, Connection
from connector.store.tangles import TANGLED
from connector.store.targets import FREE_REQUESTS

_NOT_HELD: Final = "it is not held"
_FOR_ANOTHER_REASON: Final = "it is held for another reason; `connector show` says which"


def look(site: Site, account: AccountWork) -> Callable[[Target], Sighting]:
    """Return the look-up of an account before a deletion as a function of one target."""
    rule = account.tangle
    if rule is None:
        return lambda target: Sighting(account.profiles.look_up(target.table, target.field, target.value))
    rule_sets = [one.rules for one in site.sources.values() if one.account == account.name]

    def closely(target: Target) -> Sighting:
        # What it was found by is asked for as well: seen there, it tells that identifiers can be seen at all.
        fields = rule.watched(rule_sets, target.table) | {target.field}
        return account.profiles.look_closely(target.table, target.field, target.value, fields)

    return closely


def count(
    site: Site, account: AccountWork, rows: Sequence[AnyRow], sightings: Mapping[Target, Sighting]
) -> dict[str, Mapping[str, int] | None]:
    """Count for each target what is on its profile beyond its request; None where that cannot be told.

    Args:
        rows: targets that were looked up.
    """
    rule = account.tangle
    if rule is None:
        return {}
    # Most profiles are known by nothing but what they were found by.
    rich = {target for target, seen in sightings.items() if seen.identifiers}
    concerned = [row for row in rows if target_of(row) in rich]
    with site.database.read() as connection:
        own = tangles.own_values(connection, {row.request_id for row in concerned}) if concerned else {}
    counted: dict[str, Mapping[str, int] | None] = {}
    for row in rows:
        target = target_of(row)
        prefix = f"{target.table}."
        named = own.get(row.request_id, {})
        of_table = {name.removeprefix(prefix): those for name, those in named.items() if name.startswith(prefix)}
        counted[row.id] = strangers(sightings[target], target.field, of_table)
    return counted


def target_of(row: AnyRow) -> Target:
    """Return what a row asks Lytics to delete."""
    return Target(row.lytics_table, row.field, row.value)


def keep_back(
    connection: Connection, account: AccountWork, request_ids: Collection[str], now: datetime
) -> dict[str, int]:
    """Hold those of the requests whose profile may be several people's; return the most that was counted of each.

    Called in the transaction that writes what was found, and in the one that writes the intent of a call.
    """
    rule = account.tangle
    if rule is None or not (found := tangles.findings(connection, request_ids, rule.above, account.name)):
        return {}
    owners = requests.lock_all(connection, found)
    passed = tangles.accepted(connection, found)
    stopped = [
        row
        for row in owners
        if row.state in FREE_REQUESTS and is_tangled(found[row.id], passed.get(row.id, {}), rule.above)
    ]
    requests.move_requests(connection, stopped, RequestState.HELD, now, reason=TANGLED)
    return {row.id: max(found[row.id].values()) for row in stopped}


def say(site: Site, account: AccountWork, stopped: Mapping[str, int]) -> None:
    """Say in the log which requests are held, once that is committed."""
    for request_id, number in stopped.items():
        site.log.warning("request_tangled", account=account.name, request_id=request_id, count=number)


def release(site: Site, request_id: str, decision: Decision) -> str:
    """Let a held request go on, whoever else is on its profile; return why not, or an empty text.

    What was found by now is let pass for good. If more is found later, it is held again.
    """
    with site.database.write() as connection:
        (row,) = requests.lock_all(connection, [request_id])
        if row.state is not RequestState.HELD:
            return _NOT_HELD
        if tangles.reason_of(connection, request_id) != TANGLED:
            return _FOR_ANOTHER_REASON
        found = tangles.findings(connection, [request_id], 0).get(request_id, {})
        tangles.accept(connection, request_id, found, decision.at)
        begun = identities.was_begun(connection, request_id)
        state = RequestState.WORKING if begun else RequestState.QUEUED
        requests.move_request(connection, row, state, decision.at, reason=f"released: {decision.reason}")
        audit.note(connection, decision, "tangle_released", f"request:{request_id}")
        if begun:
            settle(site, connection, [request_id], decision.at)
    return ""
