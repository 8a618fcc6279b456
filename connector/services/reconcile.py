"""A call whose outcome was lost: find out before anything is sent again.

`identity-queue` documents that a repeat returns the original ids, so its values are simply queued again.
`identity-delete` documents nothing of the kind: the call is looked for in Lytics' list of recent operations, by time
and count, and only when it is absent after the configured wait are its values queued again, with the reason on record.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from connector.errors import Misconfigured, Refused, Temporary
from connector.model import Batch, RemoteOperation, SubmitAnswer
from connector.services.site import AccountWork, Site
from connector.services.submit import Attempt, record_answer
from connector.states import SubmissionState, TargetState
from connector.store import submissions, targets
from connector.store.columns import AnyRow

# Lytics' clock and ours may differ by this much when times are compared.
_SKEW = timedelta(seconds=120)
_FAR_FUTURE = timedelta(days=1)


def reconcile(site: Site) -> bool:
    """Look into every submission whose outcome is not known."""
    for account in site.active_accounts():
        _find_orphans(site, account)
        _reconcile_account(site, account)
    return False


def _find_orphans(site: Site, account: AccountWork) -> None:
    """Mark intents whose caller died between the commit and the answer."""
    now = site.clock.now()
    stale = now - timedelta(seconds=account.stale_intent_s)
    with site.database.write() as connection:
        for row in submissions.open_submissions(connection, account.name, SubmissionState.INTENDED, stale):
            submissions.end_submission(
                connection, row.id, SubmissionState.INTENDED, SubmissionState.UNKNOWN, now, reason="caller_lost"
            )
            site.log.warning("submission_unknown", account=account.name, submission_id=row.id)


def _reconcile_account(site: Site, account: AccountWork) -> None:
    now = site.clock.now()
    with site.database.read() as connection:
        rows = submissions.open_submissions(connection, account.name, SubmissionState.UNKNOWN, now + _FAR_FUTURE)
    if not rows:
        return
    if account.api.repeat_is_safe:
        for row in rows:
            _submit_again(site, account, row, "repeat_is_safe")
        return
    found = _recent(site, account)
    if found is None:
        return
    listed, absence = found
    for row in rows:
        candidates = _candidates(site, account, row, listed)
        waited = now - row.intended_at >= timedelta(seconds=account.unknown_wait_s)
        chosen = _choose(row, candidates)
        if chosen is not None:
            _adopt(site, account, row, chosen)
        elif not candidates and waited:
            _submit_again(site, account, row, absence)
        elif waited:
            # Several calls look alike and Lytics does not say which is which: a person has to decide.
            site.log.error("submission_ambiguous", account=account.name, submission_id=row.id, count=len(candidates))


def _recent(site: Site, account: AccountWork) -> tuple[Sequence[RemoteOperation], str] | None:
    """Return Lytics' list and what absence from it is called; None if it cannot be had now."""
    try:
        return account.api.recent(), "absent_from_recent_list"
    except Misconfigured as error:
        site.pause_account(account, error)
    except Refused:
        return [], "no_recent_list"
    except Temporary as error:
        site.log.warning("recent_failed", account=account.name, code=error.code)
    return None


def _candidates(
    site: Site, account: AccountWork, row: AnyRow, listed: Sequence[RemoteOperation]
) -> list[RemoteOperation]:
    """Return the listed operations that may be this call: not followed yet, of its size, not older than its intent."""
    with site.database.read() as connection:
        known = submissions.known_remote_ids(connection, account.name, [one.remote_id for one in listed])
    return [
        one
        for one in listed
        if one.remote_id not in known
        and one.status.requested in {None, row.size}
        and (one.submitted_at is None or one.submitted_at >= row.intended_at - _SKEW)
    ]


def _choose(row: AnyRow, candidates: Sequence[RemoteOperation]) -> RemoteOperation | None:
    """Return the one operation that this call must be, if it can be told by its size and its time."""
    plausible = [one for one in candidates if one.status.requested == row.size or one.submitted_at is not None]
    if len(plausible) != len(candidates) or not plausible:
        return None
    if len(plausible) == 1:
        return plausible[0]
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
        record_answer(site, connection, account, attempt, answer, SubmissionState.UNKNOWN)
    site.log.warning("submission_found", account=account.name, submission_id=row.id, count=len(values))


def _submit_again(site: Site, account: AccountWork, row: AnyRow, reason: str) -> None:
    now = site.clock.now()
    with site.database.write() as connection:
        if submissions.end_submission(
            connection, row.id, SubmissionState.UNKNOWN, SubmissionState.ABANDONED, now, reason=reason
        ):
            ids = [one.id for one in targets.of_submission(connection, row.id, TargetState.SUBMITTING)]
            targets.queue_again(connection, ids, TargetState.SUBMITTING, now, now, reason=reason)
    site.log.warning("submission_repeated", account=account.name, submission_id=row.id, reason=reason)
