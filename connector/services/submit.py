"""Form batches on schedule and submit them: intent first, then the call, then its answer, value by value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.model import SubmitAnswer
from connector.policy.batching import Batch
from connector.policy.polling import next_look
from connector.policy.retry import next_try, passes
from connector.services import approvals, guards, rehash, schema
from connector.services.batches import batches_of
from connector.services.operation import end_at_once
from connector.services.remote import HALTING, Verdict
from connector.services.rules import LookUp
from connector.services.settle import settle
from connector.services.site import AccountWork, Site
from connector.states import OperationState, SubmissionState, TargetState
from connector.store import requests, submissions, targets
from connector.store.columns import AnyRow, Connection

# Lytics' clock and ours, and those of two workers, may differ by this much when times are compared.
SKEW = timedelta(seconds=120)
# Rows read per run, in full batches: enough to fill some, few enough to be forgotten soon.
_BATCHES_PER_RUN = 10


@dataclass(frozen=True, slots=True)
class Attempt:
    """One bulk call that is under way: its intent is committed."""

    submission_id: str
    batch: Batch
    members: Sequence[AnyRow]

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.members]


def submit(site: Site) -> bool:
    """Submit what is due for each account; say whether there may be more."""
    more = [_submit_account(site, account) for account in site.active_accounts()]
    return any(more)


def _submit_account(site: Site, account: AccountWork) -> bool:
    if _must_wait(site, account) or (waiting := guards.who_waits(site, account)) is None:
        return False
    limit = account.batch_max_values * _BATCHES_PER_RUN
    looked_up = account.look_up is LookUp.BEFORE_AND_AFTER
    needed = approvals.must_be_approved(site, account)
    limit = limit if needed.everything else approvals.rules_of(site, account).most(limit)
    with site.database.read() as connection:
        now = site.clock.now()
        rows = targets.to_submit(
            connection,
            account.name,
            now,
            limit,
            looked_up=looked_up,
            without=waiting,
            approved=needed.everything,
            asking=needed.sources,
            whole=account.tangle is not None,
        )
    if not rows or not schema.allows(site, account):
        return False
    rows = [rehash.target(site.pseudonymiser, account.name, row) for row in rows]
    batches = batches_of(account, rows, now)
    for batch, members in batches:
        if site.stop.is_set():
            return False
        with site.calls_to(account)() as ended:
            # Asked before the intent is written: what is not called must not look as if it had been.
            if ended is None or not _submit_batch(site, account, batch, members, ended):
                return False
        if _must_wait(site, account):
            return False
    return bool(batches) and len(rows) == limit


def _must_wait(site: Site, account: AccountWork) -> bool:
    """Say whether nothing may be submitted now.

    An outcome that was lost is looked for by size and time. While that goes on no further call is made that looks like
    it; one that can never be told from others does not hold up the account for ever.
    """
    if account.observes or not site.may_ask(account):
        return True
    if account.api.repeat_is_safe:
        return False
    # However short the wait is set: until then a new call could be taken for the lost one.
    alike = timedelta(seconds=account.stale_intent_s) + 2 * SKEW
    since = site.clock.now() - max(timedelta(seconds=account.unknown_wait_s), alike)
    with site.database.read() as connection:
        return submissions.any_open(connection, account.name, since)


def _submit_batch(site: Site, account: AccountWork, batch: Batch, members: Sequence[AnyRow], ended: Verdict) -> bool:
    """Make one bulk call; say whether the account may be sent the next one."""
    guard = guards.Guard(site, account, site.clock.now())
    with site.database.write() as connection:
        submission_id, mine = submissions.intend(
            connection,
            account=account.name,
            deletion_api=account.api_name,
            lytics_table=batch.table,
            field=batch.field,
            members=members,
            now=guard.now,
            admit=guard.admit,
        )
        site.reached("counted")
    guard.speak()
    if not mine:
        return True
    values = list(dict.fromkeys(one.value for one in mine))
    attempt = Attempt(submission_id, Batch(batch.table, batch.field, values), mine)
    site.reached("intended")
    try:
        answer = account.api.submit(batch.table, batch.field, values)
    except ConnectorError as error:
        ended(error)
        _take_error(site, account, attempt, error)
        return not isinstance(error, Temporary)
    ended(answer)
    site.reached("called")
    with site.database.write() as connection:
        record_answer(site, connection, account, attempt, answer)
    site.reached("answered")
    _log_answer(site, account, attempt, answer)
    return True


def _log_answer(site: Site, account: AccountWork, attempt: Attempt, answer: SubmitAnswer) -> None:
    site.log.info(
        "batch_submitted",
        account=account.name,
        submission_id=attempt.submission_id,
        count=len(attempt.batch.values),
        accepted=len(answer.accepted),
        refused=len(answer.refused),
        unconfirmed=len(answer.unconfirmed),
        correlation_id=answer.correlation_id,
        age_s=(site.clock.now() - min(one.entered_at for one in attempt.members)).total_seconds(),
    )
    if answer.contradictory or answer.foreign:
        site.log.warning(
            "answer_contradictory",
            account=account.name,
            submission_id=attempt.submission_id,
            contradictory=answer.contradictory,
            foreign=answer.foreign,
        )


def record_answer(
    site: Site, connection: Connection, account: AccountWork, attempt: Attempt, answer: SubmitAnswer
) -> None:
    """Write down what Lytics answered, value by value: accepted, refused with a reason, or to be sent again."""
    now = site.clock.now()
    if not submissions.end_submission(
        connection, attempt.submission_id, SubmissionState.ACCEPTED, now, correlation_id=answer.correlation_id
    ):
        return
    operations = submissions.follow(
        connection,
        account=account.name,
        submission_id=attempt.submission_id,
        remote_ids=set(answer.accepted.values()),
        now=now,
        first_look_at=next_look(0, now, account.polling),
    )
    requests.hold_all(connection, {one.request_id for one in attempt.members})
    by_remote_id: dict[str, list[AnyRow]] = defaultdict(list)
    ended: set[str] = set()
    for one in attempt.members:
        if one.value in answer.accepted:
            by_remote_id[answer.accepted[one.value]].append(one)
        elif one.value in answer.refused:
            reason = answer.refused[one.value]
            targets.end(connection, [one.id], TargetState.SUBMITTING, TargetState.REFUSED, now, reason[:200])
            ended.add(one.request_id)
        else:
            _queue_again(site, connection, account, [one], now, reason="unconfirmed")
    for remote_id, members in by_remote_id.items():
        operation, ids = operations[remote_id], [one.id for one in members]
        targets.begin_following(connection, ids, operation.id, now)
        if operation.state is not OperationState.RUNNING:
            end_at_once(connection, account, operation, ids, now)
            ended |= {one.request_id for one in members}
    settle(site, connection, ended, now)


def _queue_again(
    site: Site,
    connection: Connection,
    account: AccountWork,
    members: Sequence[AnyRow],
    now: datetime,
    *,
    reason: str,
    error: ConnectorError | None = None,
    batch_cap: int | None = None,
) -> datetime:
    """Put values back into the queue, and return when they may be sent again."""
    cause = error or Temporary(Code.REMOTE_ANSWER_UNREADABLE)
    tries = max(one.tries for one in members)
    due_at = min(one.due_at for one in members)
    # Halves need not wait: each is smaller than what was refused, so this comes to an end.
    wait_s = 0.0 if batch_cap is not None else account.retry.max_s
    next_at = next_try(tries, cause, now, site.rng, account.retry, due_at=due_at) or now + timedelta(seconds=wait_s)
    targets.queue_again(
        connection,
        [one.id for one in members],
        TargetState.SUBMITTING,
        now,
        next_at,
        reason=reason,
        batch_cap=batch_cap,
    )
    return next_at


def _take_error(site: Site, account: AccountWork, attempt: Attempt, error: ConnectorError) -> None:
    """Decide what a failed call means for its targets: nothing happened, nobody knows, or a final no."""
    size = len(attempt.batch.values)
    now = site.clock.now()
    due_at = min(one.due_at for one in attempt.members)
    next_at = None
    if isinstance(error, HALTING):
        site.pause_account(account, error)
    if isinstance(error, Misconfigured):
        next_at = _give_back(site, account, attempt, error)
    elif isinstance(error, Refused) and size > 1:
        # The call as a whole was refused, which says nothing about the single value: halve until it does.
        next_at = _give_back(site, account, attempt, error, batch_cap=size // 2)
    elif isinstance(error, Refused):
        _refuse(site, attempt, error)
    elif _surely_not_done(account, error):
        next_at = _give_back(site, account, attempt, error)
    else:
        with site.database.write() as connection:
            submissions.end_submission(
                connection, attempt.submission_id, SubmissionState.UNKNOWN, site.clock.now(), reason=error.code
            )
    is_late = next_at is not None and passes(next_at, now, due_at)
    log = site.log.error if is_late else site.log.warning
    log(
        "batch_failed",
        account=account.name,
        submission_id=attempt.submission_id,
        code=error.code,
        count=size,
        next_at=next_at,
        due_at=due_at if is_late else None,
    )


def _surely_not_done(account: AccountWork, error: ConnectorError) -> bool:
    """Say whether the values may simply be submitted again: nothing reached Lytics, or a repeat is documented safe."""
    if account.api.repeat_is_safe or isinstance(error, RateLimited):
        return True
    return isinstance(error, Temporary) and not error.outcome_unknown


def _give_back(
    site: Site, account: AccountWork, attempt: Attempt, error: ConnectorError, batch_cap: int | None = None
) -> datetime | None:
    now = site.clock.now()
    with site.database.write() as connection:
        if submissions.end_submission(
            connection, attempt.submission_id, SubmissionState.ABANDONED, now, reason=error.code
        ):
            return _queue_again(
                site, connection, account, attempt.members, now, reason=error.code, error=error, batch_cap=batch_cap
            )
    return None


def _refuse(site: Site, attempt: Attempt, error: ConnectorError) -> None:
    now = site.clock.now()
    with site.database.write() as connection:
        if submissions.end_submission(
            connection, attempt.submission_id, SubmissionState.REFUSED, now, reason=error.code
        ):
            requests.hold_all(connection, {one.request_id for one in attempt.members})
            targets.end(connection, attempt.ids, TargetState.SUBMITTING, TargetState.REFUSED, now, error.code)
            settle(site, connection, {one.request_id for one in attempt.members}, now)
