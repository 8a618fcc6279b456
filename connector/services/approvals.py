"""What the next submissions would delete, shown to a person, and approved as exactly that.

A digest names a set: everything that waited in an account up to its last target. What comes later is no part of it; if
anything of it was held, dropped, submitted or mapped anew meanwhile, it is another set, and the digest is refused.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.model import Presence
from connector.policy.approval import Approval, ApprovalMode, Approvals, Needed
from connector.policy.masking import masked
from connector.policy.tangle import most_of
from connector.services.site import AccountWork, Site
from connector.store import approvals, audit, tangles
from connector.store.audit import Decision
from connector.store.columns import AnyRow, Connection
from connector.store.database import Database

_REMIND: Final = timedelta(hours=1)
_DIGEST_CHARS: Final = 16
# More are not counted.
_MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """What would be deleted by one field of one table.

    Attributes:
        values: distinct ones.
        known: values by what the look-up said of them; `not_looked_up` where it was not made yet.
        examples: some of the values, masked.
        strangers: identifiers on the profiles that the requests do not name: by their field, the most on one profile.
        tangled: values on whose profile there are such.
        not_shown: values of known people whose profile shows no identifier, so that nothing could be counted.
    """

    table: str
    field: str
    values: int
    requests: int
    known: dict[str, int]
    examples: list[str]
    strangers: dict[str, int]
    tangled: int
    not_shown: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What waits for approval, or would go next, in one account.

    Attributes:
        digest: to approve exactly this; empty if nothing waits.
        waits: whether it goes only once it is approved, or a part of it does.
        held: requests that are held because their profile may be several people's; no part of the digest.
    """

    account: str
    digest: str
    waits: bool
    next_due: datetime | None
    parts: list[Part]
    held: int = 0


def rules_of(site: Site, account: AccountWork) -> Approvals:
    """Return the rules that hold in an account."""
    sources = {one.name: one.approval for one in site.sources.values() if one.account == account.name}
    return Approvals(account.approval, sources)


def must_be_approved(site: Site, account: AccountWork) -> Needed:
    """Return what an account may be handed only once it was approved; says now and then what waits for that."""
    with site.database.read() as connection:
        needed = what_is_needed(connection, account.name, rules_of(site, account))
    now, key = site.clock.now(), f"approval:{account.name}"
    if needed and not site.pauses.hold(key, now):
        with site.database.read() as connection:
            count = _waiting(connection, account.name, needed)
        if count:
            site.pauses.set(key, now + _REMIND)
            site.log.warning("approval_awaited", account=account.name, count=count)
    return needed


def what_is_needed(connection: Connection, account: str, rules: Approvals) -> Needed:
    """Return what an account may be handed only once it was approved."""
    if _is_needed(connection, account, rules.account):
        return Needed(everything=True)
    asking = (name for name, rule in rules.sources.items() if _is_needed(connection, account, rule, name))
    return Needed(sources=frozenset(asking))


def _is_needed(connection: Connection, account: str, rule: Approval, source: str | None = None) -> bool:
    accepted, waiting = True, 0
    if rule.mode is ApprovalMode.FIRST_RUN:
        of_source = source is not None and approvals.ever_completed(connection, source)
        accepted = of_source if source is not None else approvals.ever_accepted(connection, account)
    if rule.mode is ApprovalMode.ABOVE:
        waiting = approvals.waiting(connection, account, rule.above + 1, source)
    return rule.is_needed(ever_accepted=accepted, waiting=waiting)


def awaited(connection: Connection, rules: Mapping[str, Approvals]) -> dict[str, int]:
    """Return how many values wait for approval, by account, where that is needed and some do."""
    needed = {name: what_is_needed(connection, name, of_account) for name, of_account in rules.items()}
    counted = {name: _waiting(connection, name, one) for name, one in needed.items()}
    return {name: number for name, number in counted.items() if number}


def _waiting(connection: Connection, account: str, needed: Needed) -> int:
    if needed.everything:
        return approvals.waiting(connection, account, _MOST)
    return sum(approvals.waiting(connection, account, _MOST, source) for source in needed.sources)


def preview(
    connection: Connection, account: AccountWork, examples: int, sources: Mapping[str, Approval] | None = None
) -> Preview:
    """Show what waits in an account; nothing is changed.

    Args:
        sources: the rules of the sources that delete in it.
    """
    needed = what_is_needed(connection, account.name, Approvals(account.approval, sources or {}))
    rows = approvals.waiting_until(connection, account.name)
    by_field: dict[tuple[str, str], list[AnyRow]] = defaultdict(list)
    for row in rows:
        by_field[row.lytics_table, row.field].append(row)
    return Preview(
        account.name,
        _digest(rows),
        needed.everything or any(approvals.waiting(connection, account.name, 1, source) for source in needed.sources),
        min((row.due_at for row in rows), default=None),
        [_part(table, name, those, examples) for (table, name), those in sorted(by_field.items())],
        tangles.held(connection, account.name),
    )


def _part(table: str, name: str, rows: Sequence[AnyRow], examples: int) -> Part:
    # By their values: while a pseudonym key is changed, some hashes are under another key than others.
    distinct = {row.value: row for row in rows}
    known = Counter((row.known_before or "not_looked_up") for row in distinct.values())
    shown = [masked(row.value) for row in list(distinct.values())[:examples]]
    words = {one.value if isinstance(one, Presence) else one: number for one, number in known.items()}
    return Part(
        table,
        name,
        len(distinct),
        len({row.request_id for row in rows}),
        words,
        shown,
        strangers=most_of(row.strangers_in or {} for row in rows),
        tangled=len({row.value for row in rows if row.strangers}),
        not_shown=len({row.value for row in rows if row.known_before is Presence.PRESENT and row.strangers is None}),
    )


def approve(database: Database, account: str, digest: str, decision: Decision) -> int:
    """Approve exactly the set that a digest names; return how many values that lets go, 0 if it is another set now."""
    last_id = digest.partition("-")[0]
    with database.write() as connection:
        rows = approvals.waiting_until(connection, account, last_id)
        # Nobody takes one of them away, or brings one back, until this is committed.
        approvals.keep(connection, {row.request_id for row in rows})
        rows = approvals.waiting_until(connection, account, last_id)
        if not rows or _digest(rows) != digest:
            return 0
        approvals.approve(connection, rows, decision.at)
        audit.note(connection, decision, "approved", f"account:{account}")
    return len(rows)


def _digest(rows: Sequence[AnyRow]) -> str:
    """Name a set by its last target and everything that would be sent of it."""
    if not rows:
        return ""
    lines = "\n".join(_line(row) for row in rows)
    return f"{rows[-1].id}-{hashlib.sha256(lines.encode()).hexdigest()[:_DIGEST_CHARS]}"


def _line(row: AnyRow) -> str:
    """Return what of a target is approved: what would be sent, and who else may go with it."""
    others = (f" {name}:{number}" for name, number in sorted((row.strangers_in or {}).items()))
    return f"{row.id} {row.lytics_table} {row.field} {row.value_hash}{''.join(others)}"
