"""What the steps work with: the store, the clock, the configured sources and accounts, all handed in by `wiring`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connector.clock import Clock
from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser
from connector.dialect.reply import Replies
from connector.errors import ConnectorError, Misconfigured, Refused
from connector.lease import Lease
from connector.mapping.rules import RuleSet
from connector.policy.approval import Approval
from connector.policy.deadlines import Regulation
from connector.policy.fuse import FusePolicy
from connector.policy.polling import PollPolicy
from connector.policy.retention import Retention
from connector.policy.retry import RetryPolicy, next_try
from connector.policy.tangle import TangleRule
from connector.policy.watching import WatchRule
from connector.ports import DeletionApi, Log, Profiles, Reporter, Schema, Source, Verifier
from connector.private import Private
from connector.profile import ProfileReader
from connector.services.alarms import Alarms, Refusals, system_of
from connector.services.extras import Extras
from connector.services.key_uses import KeyUses
from connector.services.proofs import Proofs
from connector.services.remote import Breakers, Gate, Halting, Pauses, Verdict
from connector.services.rules import BackstopRules, ListingRules, LookUp, SchemaRule, Scope
from connector.services.watch_rules import Suppression
from connector.stops import never
from connector.store.columns import Connection
from connector.store.database import Database
from connector.store.group import GroupCommit


@dataclass(frozen=True, slots=True)
class SourceWork:
    """A configured source, ready for work.

    Attributes:
        url: the address that the sender calls, without a query; empty if no check needs it.
        media_types: the content types of its deliveries.
        replies: what they are answered.
        read_back: what the source itself has to list before anything is deleted; None if it is not asked.
        backstop: how its own list of open tasks is looked through; None if it is not.
        fuse: how much of it may be handed to Lytics before a person has to look; None for no bound.
        approval: what a person has to approve of it, beside what its account asks for.
        watch: how its deletions are watched afterwards; None if they are not.
    """

    name: str
    account: str
    enabled: bool
    verifier: Verifier
    url: str
    media_types: frozenset[str]
    dialect: Source
    reporter: Reporter
    rules: RuleSet
    scope: Scope
    regulation: Regulation | None
    replies: Replies = field(default_factory=Replies)
    read_back: ListingRules | None = None
    backstop: BackstopRules | None = None
    extras: Extras = field(default_factory=Extras)
    fuse: FusePolicy | None = None
    approval: Approval = field(default_factory=Approval)
    watch: WatchRule | None = None


@dataclass(frozen=True, slots=True)
class AccountWork:
    """A configured Lytics account, ready for work. Times in seconds.

    Attributes:
        stale_intent_s: an intent older than this has lost its caller; its outcome is unknown.
        unknown_wait_s: how long an unknown outcome is searched for before the values may be submitted again.
        warn_after, alarm_after: from when on a deletion that Lytics still works on is warned of, and is an error.
        confirm_for_s: how long a profile that is still there is looked up again before the target fails.
        schema: tells whether the mapped fields are there; None if nothing does.
        approval: what a person has to approve before it is handed over.
        observes: whether nothing is deleted in it, whatever is asked.
        lost_after_s: how long Lytics may deny an operation that it gave us before it counts as lost.
        fuse: how much may be handed to it before a person has to look; None for no bound.
        tangle: when a request is held for other people on its profile; None where that is not looked at.
        reader: reads profiles for access requests; None if it reads none.
    """

    name: str
    api_name: str
    api: DeletionApi
    profiles: Profiles
    look_up: LookUp
    concurrency: int
    batch_max_values: int
    batch_max_bytes: int
    batch_wait_s: float
    polling: PollPolicy
    confirming: PollPolicy
    confirm_for_s: float
    warn_after: timedelta
    alarm_after: timedelta
    stale_intent_s: float
    unknown_wait_s: float
    retry: RetryPolicy
    schema: Schema | None = None
    schema_rule: SchemaRule = SchemaRule.REQUIRE
    approval: Approval = field(default_factory=Approval)
    observes: bool = False
    lost_after_s: float = 86_400.0
    fuse: FusePolicy | None = None
    tangle: TangleRule | None = None
    reader: ProfileReader | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much one run of a step may do, so that no step keeps the others waiting."""

    map: int = 500
    look_up: int = 500
    poll: int = 200
    report: int = 100
    read_back: int = 100
    watch: int = 100


def wake_nobody(_connection: Connection, _sources: Collection[str]) -> None:
    """Leave it to the next tick: the embedded engine looks for work by itself."""


def call_nobody(url: Private) -> None:  # noqa: ARG001 - the shape of `Site.confirm`
    """Refuse to call an address that a sender asks us to confirm."""
    raise Refused(Code.ADDRESS_REFUSED, "nothing is confirmed here")


@dataclass(frozen=True, slots=True)
class Site:
    """Everything a step needs.

    Attributes:
        arrivals: what shares the commits of deliveries that come in at the same time.
        lease: asked before every call to an account or a source.
        reached: called at every point of `connector.stops`.
        confirm: calls the address that a verified sender asks us to call before it delivers anything.
        wake: called last in a transaction that accepts deliveries, with their sources, so that a worker takes them up
            as soon as it is committed, and never if it is not.
    """

    database: Database
    clock: Clock
    pseudonymiser: Pseudonymiser
    sources: Mapping[str, SourceWork]
    accounts: Mapping[str, AccountWork]
    log: Log
    rng: Callable[[], float]
    report_retry: RetryPolicy
    budgets: Budgets = field(default_factory=Budgets)
    retention: Retention = field(default_factory=Retention)
    stop: threading.Event = field(default_factory=threading.Event)
    lease: Lease = field(default_factory=Lease)
    pauses: Pauses = field(default_factory=Pauses)
    breakers: Breakers = field(default_factory=Breakers)
    key_uses: KeyUses = field(default_factory=KeyUses)
    refusals: Refusals = field(default_factory=Refusals)
    alarms: Alarms = field(default_factory=Alarms)
    arrivals: GroupCommit[Any, Any] = field(default_factory=GroupCommit)
    reached: Callable[[str], None] = never
    proofs: Proofs = field(default_factory=Proofs)
    suppression: Suppression = field(default_factory=Suppression)
    confirm: Callable[[Private], None] = call_nobody
    wake: Callable[[Connection, Collection[str]], None] = wake_nobody

    def active_accounts(self) -> list[AccountWork]:
        """Return the accounts that may be asked now."""
        return [one for one in self.accounts.values() if self.may_ask(one)]

    def may_ask(self, account: AccountWork) -> bool:
        """Say whether an account may be asked now."""
        return self._is_free(account.name)

    def is_away(self, account: AccountWork) -> bool:
        """Say whether an account has not answered lately, whatever it was asked."""
        return not self.breakers.of(account.name).is_closed

    def pause_account(self, account: AccountWork, error: Halting) -> None:
        """Ask nothing more of an account for a while. Nothing is burned meanwhile."""
        until = self._pause(account.name, error, account.retry)
        log = self.log.error if isinstance(error, Misconfigured) else self.log.warning
        log("account_paused", account=account.name, code=error.code, next_at=until)

    def calls_to(self, account: AccountWork) -> Gate:
        """Return what every call to an account passes through."""
        return partial(self._through, account.name, account.name, None)

    def may_report(self, source: SourceWork) -> bool:
        """Say whether a source may be sent reports now."""
        return self._is_free(system_of(source.name))

    def pause_reports(self, source: SourceWork, error: Halting) -> None:
        """Send a source no reports for a while."""
        self._pause(system_of(source.name), error, self.report_retry)

    def reports_to(self, source: SourceWork) -> Gate:
        """Return what every report to a source passes through."""
        return partial(self._through, system_of(source.name), None, source.name)

    def _is_free(self, key: str) -> bool:
        now = self.clock.now()
        return not self.pauses.hold(key, now) and not self.breakers.hold(key, now)

    def _pause(self, key: str, error: Halting, policy: RetryPolicy) -> datetime:
        now = self.clock.now()
        until = next_try(0, error, now, self.rng, policy) or now + timedelta(seconds=policy.max_s)
        self.pauses.set(key, until)
        if isinstance(error, Misconfigured):
            self.refusals.note(self.database, key, error.code, now)
        return until

    @contextmanager
    def _through(self, key: str, account: str | None, source: str | None) -> Iterator[Verdict | None]:
        """Let one call through the breaker of a remote system, and say in the log when that opens or closes."""
        granted = self.breakers.enter(key, self.clock.now())
        if granted is None:
            yield None
            return

        def ended(outcome: object) -> None:
            now = self.clock.now()
            before, after = self.breakers.end(granted, outcome, now)
            if not isinstance(outcome, Exception):
                self.refusals.answered(self.database, key, now)
            if after.openings > before.openings and isinstance(outcome, ConnectorError):
                code, next_at, count = outcome.code, after.open_until, after.openings
                self.log.warning(
                    "breaker_opened", account=account, source=source, code=code, count=count, next_at=next_at
                )
            elif before.openings and after.is_closed:
                self.log.info("breaker_closed", account=account, source=source)

        try:
            yield ended
        finally:
            self.breakers.leave(granted)
