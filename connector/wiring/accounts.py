"""A Lytics account, from its settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connector.clock import Clock
from connector.config.account import AccountSettings
from connector.config.fuse import SourceFuseSettings
from connector.config.models import Config, SourceSettings
from connector.lease import Lease
from connector.lytics.account import Account, DeletionApiName, open_account
from connector.lytics.identity_delete import BodyKeys
from connector.lytics.lookup import LookUpCall
from connector.outbound import Client, Told, tell_nobody
from connector.policy.approval import Approval, ApprovalMode, Approvals
from connector.policy.fuse import FusePolicy
from connector.policy.polling import PollPolicy
from connector.policy.retry import RetryPolicy
from connector.policy.tangle import TangleRule
from connector.services.rules import LookUp, SchemaRule
from connector.services.site import AccountWork
from connector.wiring.limits import limits_of, pace_of

# How a failed call is tried again. Waits in seconds.
_LYTICS_RETRY = RetryPolicy(first_s=2.0, max_s=300.0, misconfigured_s=300.0)
_LONGEST_CONFIRM_S = 3600.0


def lytics_account(name: str, settings: AccountSettings, http: Client) -> Account:
    """Build the calls of one account on a client for its base URL."""
    body = settings.body
    return open_account(
        name,
        http,
        settings.token,
        DeletionApiName(settings.deletion_api),
        account_id=settings.account_id,
        body_keys=BodyKeys(body.table_key, body.field_key, body.values_key),
        look_up_call=LookUpCall(settings.look_up_call),
    )


def approval_of(settings: AccountSettings | SourceSettings) -> Approval:
    """Return what a person has to approve of an account, or of a source."""
    return Approval(ApprovalMode(settings.approval), settings.approval_above)


def approvals_of(config: Config) -> dict[str, Approvals]:
    """Return the rules that hold in each account."""
    by_account = {name: Approvals(approval_of(one)) for name, one in config.accounts.items()}
    for name, source in config.sources.items():
        rules = by_account[source.account]
        by_account[source.account] = replace(rules, sources={**rules.sources, name: approval_of(source)})
    return by_account


def account_work(
    name: str, settings: AccountSettings, clock: Clock, lease: Lease, told: Told = tell_nobody
) -> AccountWork:
    """Build what the steps work with for one account."""
    pace = pace_of(settings.requests_per_second, settings.concurrency, lease)
    http = Client(settings.base_url, clock=clock, limits=limits_of(settings.timeout_s), slot=pace.slot, told=told)
    account = lytics_account(name, settings, http)
    return AccountWork(
        name=name,
        api_name=settings.deletion_api,
        observes=settings.mode == "observe",
        api=account.api,
        profiles=account.profiles,
        reader=account.reader,
        approval=approval_of(settings),
        schema=account,
        schema_rule=SchemaRule(settings.schema_check),
        look_up=LookUp(settings.look_up),
        concurrency=settings.concurrency,
        batch_max_values=settings.batch_max_values,
        batch_max_bytes=settings.batch_max_bytes,
        batch_wait_s=settings.batch_wait_s,
        polling=PollPolicy(settings.poll_first_s, settings.poll_factor, settings.poll_max_s),
        confirming=PollPolicy(settings.confirm_first_s, 2.0, _LONGEST_CONFIRM_S),
        confirm_for_s=settings.confirm_for_s,
        warn_after=timedelta(days=settings.warn_after_days),
        alarm_after=timedelta(days=settings.alarm_after_days),
        # A call ends before this, whatever happens to it: its time limits add up to less.
        stale_intent_s=settings.timeout_s * 4 + 60,
        unknown_wait_s=settings.unknown_wait_s,
        retry=_LYTICS_RETRY,
        fuse=fuse_policy(settings.fuse),
        tangle=tangle_rule(settings),
    )


def tangle_rule(settings: AccountSettings) -> TangleRule | None:
    """Build what decides when a profile may be several people's; None where nobody is looked up before."""
    if LookUp(settings.look_up) is not LookUp.BEFORE_AND_AFTER:
        return None
    return TangleRule(settings.tangled_above, frozenset(settings.tangled_fields))


def fuse_policy(settings: SourceFuseSettings) -> FusePolicy | None:
    """Build what decides when a fuse blows; None if there is none."""
    if not settings.enabled:
        return None
    window = timedelta(hours=settings.window_hours)
    return FusePolicy(window, settings.max_values, settings.times_normal, settings.normal_at_least)
