"""The suppression list for others: whether somebody is on it, and a filter of it that names nobody.

What is asked is hashed at once, and neither kept nor logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.crypto.pseudonym import target_scope
from connector.errors import Misconfigured, Rejected
from connector.mapping.apply import apply_rules
from connector.mapping.rules import RuleSet, kind_key
from connector.model import Identity, Target
from connector.policy import bloom
from connector.services.site import Site
from connector.store import audit, leftovers, suppressions
from connector.store.audit import Decision
from connector.store.columns import Connection

#: Of those who are not in a filter, so many are found in it all the same.
FALSE_POSITIVES: Final = 0.001
_AT_ONCE: Final = 500


def check(site: Site, account: str, identities: Sequence[Identity]) -> list[bool]:
    """Say of each identity, in order, whether it is on an account's list.

    Raises:
        Rejected: `FIELD_INVALID`: no source of the account maps such a kind, so that nobody can be known by it.
        Misconfigured: `SUPPRESSION_ILLEGIBLE`: some entries recognise nobody.
    """
    hashes = [_hashes(site, account, one, place) for place, one in enumerate(identities)]
    with site.database.read() as connection:
        _require_legible(site, connection)
        known = suppressions.known(connection, account, {each for those in hashes for each in those})
    return [any(each in known for each in those) for those in hashes]


def _hashes(site: Site, account: str, identity: Identity, place: int) -> set[str]:
    """Return the hashes under which an identity would be on the list; none for what nobody could be known by."""
    rule_sets = _rule_sets(site, account)
    kind = kind_key(identity.kind)
    if not any(kind in rules.by_kind for rules in rule_sets):
        # Neither the kind nor the value is repeated: a caller may have mixed them up.
        raise Rejected(Code.FIELD_INVALID, f"identities[{place}].kind: no source of the account maps it")
    targets = {
        target for rules in rule_sets for mapped in apply_rules(rules, [identity]).mapped for target in mapped.targets
    }
    return {each for one in targets for each in site.pseudonymiser.each(_scope(account, one), one.value)}


def _rule_sets(site: Site, account: str) -> list[RuleSet]:
    return [one.rules for one in site.sources.values() if one.account == account]


def _scope(account: str, target: Target) -> str:
    return target_scope(account, target.table, target.field)


def _require_legible(site: Site, connection: Connection) -> None:
    if not suppressions.keys_in_use(connection) <= site.pseudonymiser.checks:
        raise Misconfigured(Code.SUPPRESSION_ILLEGIBLE)


@dataclass(frozen=True, slots=True)
class Exported:
    """A filter.

    Attributes:
        left_out: entries that were made without the present shared key, and are not in it.
    """

    content: bytes
    entries: int
    left_out: int


def export(site: Site, account: str, now: datetime, false_positives: float = FALSE_POSITIVES) -> Exported:
    """Make a filter of an account's list.

    Raises:
        Rejected: `ROUTE_UNKNOWN`: there is no shared key, so that nobody could ask it.
    """
    share = site.suppression.share
    if share is None:
        raise Rejected(Code.ROUTE_UNKNOWN, "there is no suppression.share_key")
    with site.database.read() as connection:
        number = suppressions.count(connection, account, share.id)
        left_out = suppressions.count(connection, account) - number
        made = bloom.build(suppressions.shared(connection, account, share.id), number, false_positives)
    about = {"account": account, "key": share.id, "made_at": now.isoformat(), "false_positives": false_positives}
    return Exported(bloom.encode(made, about), made.entries, left_out)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of entries that an operator gave."""

    done: int
    unknown: int


def end(site: Site, account: str, identities: Sequence[Identity], ids: Sequence[str], decision: Decision) -> Ended:
    """End entries, given by identities or by their ids, and destroy whatever is watched of them.

    Whoever came back by their own will is neither dropped nor deleted again from then on.
    """
    hashes = [_hashes(site, account, one, place) for place, one in enumerate(identities)]
    with site.database.write() as connection:
        known = suppressions.known(connection, account, {each for those in hashes for each in those})
        found = [[known[each] for each in those if each in known] for those in hashes]
        there = set(suppressions.there(connection, ids))
        found += [[one] if one in there else [] for one in ids]
        ended = _end(connection, sorted({one for those in found for one in those}), decision)
    leftovers.truncate_log(site.database)
    return Ended(ended, sum(not those for those in found))


def end_illegible(site: Site, decision: Decision) -> Ended:
    """End all entries that were made under a pseudonym key that is not configured."""
    ended = 0
    while True:
        with site.database.write() as connection:
            ids = suppressions.under_other_keys(connection, site.pseudonymiser.checks, _AT_ONCE)
            ended += _end(connection, ids, decision)
        if len(ids) < _AT_ONCE:
            leftovers.truncate_log(site.database)
            return Ended(ended, 0)


def _end(connection: Connection, ids: Sequence[str], decision: Decision) -> int:
    for one in ids:
        audit.note(connection, decision, "suppression_ended", one)
    return suppressions.end(connection, ids)
