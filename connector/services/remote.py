"""Calls to remote systems: who is left alone for now, and several calls at a time.

Two things keep calls from being made. A pause: the system refused our credential or asked us to slow down, and said
by that how long. A breaker: it does not answer, and one call now and then finds out whether it does again. Neither
uses anything up: what is not called waits for the next run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Temporary
from connector.policy import breaker as rules
from connector.policy.breaker import CLOSED, Breaker, BreakerPolicy

# After one of these every further call to the same system would fail the same way.
Halting: TypeAlias = Misconfigured | RateLimited
HALTING: Final = (Misconfigured, RateLimited)


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


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to make one call.

    Attributes:
        probing_since: set if this is the call that finds out whether the system answers again.
    """

    key: str
    probing_since: datetime | None


@dataclass(slots=True)
class Breakers:
    """One breaker for each remote system, shared by all steps of this process."""

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    _held: dict[str, Breaker] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, key: str) -> Breaker:
        with self._lock:
            return self._held.get(key, CLOSED)

    def hold(self, key: str, now: datetime) -> bool:
        """Say whether no call may be made now: the breaker is open, or its probe is under way."""
        return not rules.may_pass(self.of(key), now, self.policy)

    def enter(self, key: str, now: datetime) -> Pass | None:
        """Begin a call; None if it must not be made. Of many at the same time, only one is the probe."""
        with self._lock:
            held = self._held.get(key, CLOSED)
            if not rules.may_pass(held, now, self.policy):
                return None
            self._held[key] = begun = rules.began(held, now)
            return Pass(key, begun.probing_since)

    def end(self, one: Pass, outcome: object, now: datetime) -> tuple[Breaker, Breaker]:
        """Take in what became of a call: its result, or its error. Return the breaker before and after."""
        with self._lock:
            held = self._held.get(one.key, CLOSED)
            if rules.is_outage(outcome):
                after = rules.failed(held, now, self.policy, probe=self._is_probe(one, held))
            elif rules.is_about_us(outcome):
                after = held
            else:
                after = rules.answered()
            self._held[one.key] = after
            return held, after

    def leave(self, one: Pass) -> None:
        """Give a pass back. A probe whose end nobody took in is free for the next call."""
        with self._lock:
            held = self._held.get(one.key, CLOSED)
            if self._is_probe(one, held):
                self._held[one.key] = rules.released(held)

    @staticmethod
    def _is_probe(one: Pass, held: Breaker) -> bool:
        return one.probing_since is not None and one.probing_since == held.probing_since


# Takes in what became of a call: its result, or its error.
Verdict: TypeAlias = Callable[[object], None]
# Entered around each call; gives None where the call must not be made.
Gate: TypeAlias = Callable[[], AbstractContextManager[Verdict | None]]

Item = TypeVar("Item")
Result = TypeVar("Result")


def call_each(
    items: Iterable[Item], call: Callable[[Item], Result], concurrency: int, stop: threading.Event, gate: Gate
) -> list[tuple[Item, Result | ConnectorError]]:
    """Make one remote call per item, a few at a time, and pair each item with its result or typed error.

    Items are left out, to be taken up by the next run, once the process is asked to stop, the breaker opens, or a call
    shows that every further one would fail the same way: an operator has to act, or we have to slow down. A defect in
    one call is that item's error, so that it cannot keep the others from being done.
    """
    halted = threading.Event()

    def one(item: Item) -> tuple[Item, Result | ConnectorError] | None:
        if stop.is_set() or halted.is_set():
            return None
        with gate() as ended:
            if ended is None:
                return None
            outcome = _outcome_of(call, item)
            ended(outcome)
        if isinstance(outcome, HALTING):
            halted.set()
        return item, outcome

    if concurrency == 1:
        done = [one(item) for item in items]
    else:
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="remote") as pool:
            done = list(pool.map(one, items))
    return [pair for pair in done if pair is not None]


def _outcome_of(call: Callable[[Item], Result], item: Item) -> Result | ConnectorError:
    try:
        return call(item)
    except ConnectorError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever it is, it may have been carried out
        return Temporary(Code.INTERNAL_ERROR, type(error).__name__, outcome_unknown=True)
