"""The legal hold list: nothing is deleted of whoever is on it, whatever a source asks for.

A request that names somebody on the list, by whatever it holds, is refused as a whole: a person's values belong
together, and a part of them would be gone for good. One of which something was handed to Lytics before that is held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.mapping.rules import DEFAULT_JUNK
from connector.model import SourceStatus
from connector.policy.sameness import forms_of, loose_form
from connector.private import Private
from connector.services import comments
from connector.services.site import Site
from connector.states import RequestState
from connector.store import audit, holds, identities, reports, requests
from connector.store.audit import Decision
from connector.store.columns import AnyRow, Connection
from connector.store.holds import LEGAL_HOLD

_REMIND: Final = timedelta(hours=1)
# Shorter ones are in too many identities' place: nobody is named by them.
LEAST_CHARS: Final = 3
_SCOPE: Final = "hold"
# Requests whose values are in memory at the same time, and holds that share a commit.
_TOGETHER: Final = 500


def hashes_of(site: Site, form: Private) -> tuple[str, ...]:
    """Return the hashes of a loose form, as it may stand on the list: the one under the present key first."""
    return site.pseudonymiser.each(_SCOPE, form)


def may_be_read(site: Site) -> bool:
    """Say whether everybody on the list would be recognised; say in the log if not.

    Without the pseudonym key that they were listed under nobody would. Nothing is submitted then, in any account.
    """
    with site.database.read() as connection:
        keys = holds.keys_in_use(connection)
    if are_legible(site, keys):
        return True
    now = site.clock.now()
    if not site.pauses.hold("holds", now):
        site.pauses.set("holds", now + _REMIND)
        site.log.error("holds_illegible")
    return False


def are_legible(site: Site, keys: Collection[str]) -> bool:
    """Say whether all keys are configured under which these holds were made."""
    return site.pseudonymiser.checks.issuperset(keys)


def named_by(site: Site, connection: Connection, values: Mapping[str, Iterable[Private]]) -> set[str]:
    """Return which of the requests hold a value that is on the list.

    Args:
        values: of each request everything that it holds, as its source said it and as it would be sent.
    """
    if not holds.keys_in_use(connection):
        return set()
    of_hash: dict[str, set[str]] = defaultdict(set)
    for request_id, those in values.items():
        for form in {loose_form(one) for one in those}:
            for one in hashes_of(site, form):
                of_hash[one].add(request_id)
    return {request_id for one in holds.known(connection, of_hash) for request_id in of_hash[one]}


def keep_back(site: Site, connection: Connection, owners: Sequence[AnyRow], now: datetime) -> dict[str, RequestState]:
    """Stop those of the locked requests that name somebody on the list; return their new states.

    Called in the transaction that writes the intent of a call.
    """
    known = identities.values_of(connection, [row.id for row in owners])
    named = named_by(site, connection, known)
    rows = [row for row in owners if row.id in named]
    started = identities.forget_unsubmitted(connection, named)
    # Working means begun, even if nothing is left of it.
    refused = [row for row in rows if row.id not in started and row.state is RequestState.QUEUED]
    stopped = [row for row in rows if row not in refused]
    refuse(connection, refused, now)
    requests.move_requests(connection, stopped, RequestState.HELD, now, reason=LEGAL_HOLD)
    return {row.id: RequestState.HELD for row in stopped} | {row.id: RequestState.REJECTED for row in refused}


def refuse(connection: Connection, rows: Sequence[AnyRow], now: datetime) -> None:
    """Refuse locked requests of which nothing was submitted, and owe their sources the word of it."""
    requests.move_requests(connection, rows, RequestState.REJECTED, now, reason=LEGAL_HOLD, finished_at=now)
    reports.owe(connection, [(row, SourceStatus.REJECTED, comments.rejected(LEGAL_HOLD)) for row in rows], now)


def say(site: Site, states: Mapping[str, RequestState]) -> None:
    """Say in the log which requests the list stopped, once that is committed."""
    for request_id, state in states.items():
        log = site.log.error if state is RequestState.HELD else site.log.warning
        log("hold_applied", request_id=request_id, state=state)


@dataclass(frozen=True, slots=True)
class Listed:
    """What became of identities that an operator gave; `done` of them changed the list."""

    done: int
    already: int


def fault_in(value: Private) -> str:
    """Say what is wrong with a value that is to stand for somebody; empty if nothing is."""
    form = loose_form(value).reveal()
    if form in DEFAULT_JUNK:
        return "it names nobody"
    return f"it is shorter than {LEAST_CHARS} characters" if len(form) < LEAST_CHARS else ""


def add(site: Site, values: Collection[Private], decision: Decision) -> Listed:
    """Put identities on the list. Committed, it stops every call that was not being made by then."""
    rule_sets = [one.rules for one in site.sources.values()]
    check, new = site.pseudonymiser.check, 0
    hashed = [
        (hashes_of(site, loose_form(one)), {hashes_of(site, form)[0] for form in forms_of(one, rule_sets)})
        for one in values
    ]
    # Nobody who delivers has to wait for a long list. Killed in between, the same list again adds the rest.
    for start in range(0, len(hashed), _TOGETHER):
        with site.database.write() as connection:
            holds.let_nobody_submit(connection)
            for hashes, forms in hashed[start : start + _TOGETHER]:
                hold_id, is_new = holds.add(connection, hashes, forms, check, decision)
                new += is_new
                if is_new:
                    audit.note(connection, decision, "hold_added", hold_id)
    return Listed(new, len(hashed) - new)


def begun(site: Site, values: Collection[Private]) -> list[str]:
    """Return the requests that name one of these, and of which something is with Lytics already: no hold calls it back.

    It reads everything that is with Lytics.
    """
    rule_sets = [one.rules for one in site.sources.values()]
    forms = {form for one in values for form in forms_of(one, rule_sets)}
    found: list[str] = []
    with site.database.read() as connection:
        working = requests.in_state(connection, RequestState.WORKING)
        for start in range(0, len(working), _TOGETHER):
            known = identities.values_of(connection, working[start : start + _TOGETHER])
            found += [one for one, those in known.items() if not forms.isdisjoint(map(loose_form, those))]
    return found


def remove(site: Site, values: Collection[Private], hold_ids: Collection[str], decision: Decision) -> Listed:
    """Take identities off the list, given by themselves or by their holds; what it had stopped is looked at again."""
    with site.database.write() as connection:
        found = [holds.find(connection, hashes=hashes_of(site, loose_form(one))) for one in values]
        found += [holds.find(connection, hold_id=one) for one in hold_ids]
        return _remove(connection, found, decision)


def remove_illegible(site: Site, decision: Decision) -> Listed:
    """Take off the list whatever was put there under a pseudonym key that is not configured: it recognises nobody."""
    with site.database.write() as connection:
        old = holds.under_other_keys(connection, site.pseudonymiser.checks)
        return _remove(connection, [[one] for one in old], decision)


def _remove(connection: Connection, found: Sequence[Sequence[str]], decision: Decision) -> Listed:
    gone = list(dict.fromkeys(hold_id for ids in found for hold_id in ids))
    for hold_id in gone:
        holds.remove(connection, hold_id, decision.at)
        audit.note(connection, decision, "hold_removed", hold_id)
    if gone:
        holds.look_again(connection)
    return Listed(len(gone), sum(not ids for ids in found))
