"""A call whose outcome was lost: find out before anything is sent again.

`identity-queue` documents that a repeat returns the original ids, so its values are simply queued again.
`identity-delete` documents nothing of the kind: the call is looked for in Lytics' list of recent operations, by time
and count, and only when it is absent after the configured wait are its values queued again, with the reason on record.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.errors import ConnectorError, Refused, Temporary
from connector.model import RemoteOperation, SubmitAnswer
from connector.policy.batching import Batch
from connector.services.remote import HALTING
from connector.services.rules import LookUp
from connector.services.site import AccountWork, Site
from connector.services.submit import SKEW, Attempt, record_answer
from connector.states import SubmissionState, TargetState
from connector.store import submissions, targets
from connector.store.columns import AnyRow


def reconcile(site: Site) -> bool:
    """Look into every submission whose outcome is not known."""
    for account in site.active_accounts():
        _find_orphans(site, account, site.clock.now() - timedelta(seconds=account.stale_intent_s))
        _reconcile_account(site, account)
    return False


def mark_orphans(site: Site) -> None:
    """Mark every intent that has no answer. Only for whoever alone may submit to these accounts, before it does so."""
    for account in site.accounts.values():
        # Another machine's clock, by which it was intended, may be ahead.
        _find_orphans(site, account, site.clock.now() + SKEW)


def _find_orphans(site: Site, account: AccountWork, stale: datetime) -> None:
    """Mark intents from before `stale`: their caller died between the commit and the answer."""
    now = site.clock.now()
    with site.database.read() as connection:
        rows = submissions.in_state(connection, account.name, SubmissionState.INTENDED)
    for row in rows:
        if row.intended_at > stale:
            continue
        with site.database.write() as connection:
            marked = submissions.end_submission(connection, row.id, SubmissionState.UNKNOWN, now, reason="caller_lost")
        if marked:
            site.log.warning("submission_unknown", account=account.name, submission_id=row.id)


def _reconcile_account(site: Site, account: AccountWork) -> None:
    with site.database.read() as connection:
        rows = submissions.in_state(connection, account.name, SubmissionState.UNKNOWN)
    here = [row for row in rows if row.deletion_api == account.api_name]
    for row in rows:
        # The present API neither lists what the former one was asked nor knows its ids.
        if row not in here and _waited(site, account, row):
            _submit_again(site, account, row, "deletion_api_changed")
    if here and account.api.repeat_is_safe:
        for row in here:
            _submit_again(site, account, row, "repeat_is_safe")
    elif here and (found := _recent(site, account)) is not None:
        _search(site, account, here, *found)


def _waited(site: Site, account: AccountWork, row: AnyRow) -> bool:
    """Say whether a lost call was searched for long enough."""
    waited: timedelta = site.clock.now() - row.intended_at
    return waited >= timedelta(seconds=account.unknown_wait_s)


def _search(
    site: Site, account: AccountWork, rows: Sequence[AnyRow], listed: Sequence[RemoteOperation], absence: str
) -> None:
    """Look for each lost call among the listed operations, the oldest call first."""
    for row in rows:
        candidates = _candidates(site, account, row, listed)
        waited = _waited(site, account, row)
        # Where nobody is looked up afterwards, a wrong guess would go unnoticed.
        chosen = _choose(row, candidates, may_guess=account.look_up is not LookUp.OFF)
        if chosen is not None:
            _adopt(site, account, row, chosen)
        elif not candidates and waited:
            _submit_again(site, account, row, absence)
        elif waited:
            # Several calls look alike and Lytics does not say which is which: a person has to decide.
            site.log.error("submission_ambiguous", account=account.name, submission_id=row.id, count=len(candidates))


def _recent(site: Site, account: AccountWork) -> tuple[Sequence[RemoteOperation], str] | None:
    """Return Lytics' list and what absence from it is called; None if it cannot be had now."""
    with site.calls_to(account)() as ended:
        if ended is None:
            return None
        try:
            listed = account.api.recent()
        except ConnectorError as error:
            ended(error)
            if isinstance(error, HALTING):
                site.pause_account(account, error)
            elif isinstance(error, Refused):
                return [], "no_recent_list"
            elif isinstance(error, Temporary):
                site.log.warning("recent_failed", account=account.name, code=error.code)
            else:
                raise
            return None
        ended(listed)
    return listed, "absent_from_recent_list"


def _candidates(
    site: Site, account: AccountWork, row: AnyRow, listed: Sequence[RemoteOperation]
) -> list[RemoteOperation]:
    """Return the listed operations that may be this call: not followed yet, of its size and of its time."""
    earliest = row.intended_at - SKEW
    latest = row.intended_at + timedelta(seconds=account.stale_intent_s) + SKEW
    with site.database.read() as connection:
        known = submissions.known_remote_ids(connection, account.name, [one.remote_id for one in listed])
    return [
        one
        for one in listed
        if one.remote_id not in known
        and one.status.requested in {None, row.size}
        and (one.submitted_at is None or earliest <= one.submitted_at <= latest)
    ]


def _choose(row: AnyRow, candidates: Sequence[RemoteOperation], *, may_guess: bool) -> RemoteOperation | None:
    """Return the one operation that this call must be, if it can be told by its size and its time.

    Args:
        may_guess: whether the nearest in time may be taken if there are several.
    """
    plausible = [one for one in candidates if one.status.requested == row.size or one.submitted_at is not None]
    if len(plausible) != len(candidates) or not plausible:
        return None
    if len(plausible) == 1 or not may_guess:
        return plausible[0] if len(plausible) == 1 else None
    timed = [(abs(one.submitted_at - row.intended_at), one) for one in plausible if one.submitted_at is not None]
    timed.sort(key=lambda pair: pair[0])
    if len(timed) == len(plausible) and timed[0][0] < timed[1][0]:
        return timed[0][1]
    return None


def _adopt(site: Site, account: AccountWork, row: AnyRow, found: RemoteOperation) -> None:
    with site.database.write() as connection:
        members = targets.of_submission(connection, row.id, TargetState.SUBMITTING)
        values = list(dict.fromkeys(one.value for one in members))
        attempt = Attempt(row.id, Batch(row.lytics_table, row.field, values), members)
        answer = SubmitAnswer(accepted=dict.fromkeys(values, found.remote_id))
        record_answer(site, connection, account, attempt, answer)
    site.log.warning("submission_found", account=account.name, submission_id=row.id, count=len(values))


def _submit_again(site: Site, account: AccountWork, row: AnyRow, reason: str) -> None:
    now = site.clock.now()
    with site.database.write() as connection:
        ended = submissions.end_submission(connection, row.id, SubmissionState.ABANDONED, now, reason=reason)
        if ended:
            ids = [one.id for one in targets.of_submission(connection, row.id, TargetState.SUBMITTING)]
            targets.queue_again(connection, ids, TargetState.SUBMITTING, now, now, reason=reason)
    if ended:
        site.log.warning("submission_repeated", account=account.name, submission_id=row.id, reason=reason)
