"""What the steps work with: the store, the clock, the configured sources and accounts, all handed in by `wiring`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

from connector.clock import Clock
from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser
from connector.dialect.reply import Replies
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.mapping.rules import RuleSet
from connector.policy.deadlines import Regulation
from connector.policy.polling import PollPolicy
from connector.policy.retry import RetryPolicy, next_try
from connector.ports import DeletionApi, Log, Profiles, Reporter, Source, Verifier
from connector.private import Private
from connector.store.database import Database

# After one of these every further call to the same system would fail the same way.
Halting: TypeAlias = Misconfigured | RateLimited
_NOTE_USES_EVERY: Final = timedelta(minutes=1)
_MOST_NOTED: Final = 1_000
HALTING: Final = (Misconfigured, RateLimited)


class LookUp(StrEnum):
    """When an account's profiles are looked up."""

    BEFORE_AND_AFTER = "before_and_after"
    AFTER = "after"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests of a source are carried out.

    Attributes:
        deletion_types: the request types that mean erasure, as `services.map.plain` writes them.
    """

    deletion_types: frozenset[str]
    allow_test_requests: bool = False


@dataclass(frozen=True, slots=True)
class SourceWork:
    """A configured source, ready for work.

    Attributes:
        url: the address that the sender calls, without a query; empty if no check needs it.
        media_types: the content types of its deliveries.
        replies: what they are answered.
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


@dataclass(frozen=True, slots=True)
class AccountWork:
    """A configured Lytics account, ready for work. Times in seconds.

    Attributes:
        stale_intent_s: an intent older than this has lost its caller; its outcome is unknown.
        unknown_wait_s: how long an unknown outcome is searched for before the values may be submitted again.
        confirm_for_s: how long a profile that is still there is looked up again before the target fails.
        lost_after_s: how long Lytics may deny an operation that it gave us before it counts as lost.
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
    stale_intent_s: float
    unknown_wait_s: float
    retry: RetryPolicy
    lost_after_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much one run of a step may do, so that no step keeps the others waiting."""

    map: int = 500
    look_up: int = 500
    poll: int = 200
    report: int = 100


@dataclass(slots=True)
class Pauses:
    """Remote systems that refused our credential or asked us to slow down: they are left alone until the time given."""

    until: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, key: str, until: datetime) -> None:
        with self._lock:
            self.until[key] = max(until, self.until.get(key, until))

    def hold(self, key: str, now: datetime) -> bool:
        with self._lock:
            return key in self.until and self.until[key] > now


@dataclass(slots=True)
class KeyUses:
    """Which uses of secrets this process has written down lately: once a minute is enough to finish a rotation."""

    noted: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def is_due(self, source: str, secret_id: str, now: datetime) -> bool:
        """Say whether a use has to be written down, and take it that it will be."""
        last = self.noted.get((source, secret_id))
        if last is not None and abs(now - last) < _NOTE_USES_EVERY:
            return False
        if len(self.noted) >= _MOST_NOTED:
            # Ids of published keys are chosen by their publishers.
            self.noted.clear()
        self.noted[source, secret_id] = now
        return True


def call_nobody(url: Private) -> None:  # noqa: ARG001 - the shape of `Site.confirm`
    """Refuse to call an address that a sender asks us to confirm."""
    raise Refused(Code.ADDRESS_REFUSED, "nothing is confirmed here")


@dataclass(frozen=True, slots=True)
class Site:
    """Everything a step needs.

    Attributes:
        confirm: calls the address that a verified sender asks us to call before it delivers anything.
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
    stop: threading.Event = field(default_factory=threading.Event)
    pauses: Pauses = field(default_factory=Pauses)
    key_uses: KeyUses = field(default_factory=KeyUses)
    confirm: Callable[[Private], None] = call_nobody

    def active_accounts(self) -> list[AccountWork]:
        """Return the accounts that may be asked now."""
        now = self.clock.now()
        return [one for one in self.accounts.values() if not self.pauses.hold(one.name, now)]

    def pause_account(self, account: AccountWork, error: Halting) -> None:
        """Ask nothing more of an account for a while. Nothing is burned meanwhile."""
        until = self._pause(account.name, error, account.retry)
        log = self.log.error if isinstance(error, Misconfigured) else self.log.warning
        log("account_paused", account=account.name, code=error.code, next_at=until)

    def pause_reports(self, source: SourceWork, error: Halting) -> None:
        """Send a source no reports for a while."""
        self._pause(_reports_of(source), error, self.report_retry)

    def may_report(self, source: SourceWork) -> bool:
        """Say whether a source may be sent reports now."""
        return not self.pauses.hold(_reports_of(source), self.clock.now())

    def _pause(self, key: str, error: Halting, policy: RetryPolicy) -> datetime:
        now = self.clock.now()
        until = next_try(0, error, now, self.rng, policy) or now + timedelta(seconds=policy.max_s)
        self.pauses.set(key, until)
        return until


def _reports_of(source: SourceWork) -> str:
    return f"report:{source.name}"


Item = TypeVar("Item")
Result = TypeVar("Result")


def call_each(
    items: Iterable[Item], call: Callable[[Item], Result], concurrency: int, stop: threading.Event
) -> list[tuple[Item, Result | ConnectorError]]:
    """Make one remote call per item, a few at a time, and pair each item with its result or typed error.

    Items are left out, to be taken up by the next run, once the process is asked to stop or a call shows that every
    further one would fail the same way: an operator has to act, or we have to slow down. A defect in one call is that
    item's error, so that it cannot keep the others from being done.
    """
    halted = threading.Event()

    def one(item: Item) -> tuple[Item, Result | ConnectorError] | None:
        if stop.is_set() or halted.is_set():
            return None
        try:
            return item, call(item)
        except HALTING as error:
            halted.set()
            return item, error
        except ConnectorError as error:
            return item, error
        except Exception as error:  # noqa: BLE001 - whatever it is, it may have been carried out
            return item, Temporary(Code.INTERNAL_ERROR, type(error).__name__, outcome_unknown=True)

    if concurrency == 1:
        done = [one(item) for item in items]
    else:
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="remote") as pool:
            done = list(pool.map(one, items))
    return [pair for pair in done if pair is not None]
