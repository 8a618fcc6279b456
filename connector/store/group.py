"""Group commit: whoever waits for the disk shares one commit with all who wait at that moment.

The first to come carries out its own item and those that have queued up meanwhile, then hands over to the next that
waits. So there is one writer at a time and process, in the order of arrival, and no thread of its own that could die
unnoticed. The queue is bounded: whoever finds it full is told at once to come back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from connector.codes import Code
from connector.errors import ConnectorError, Temporary

MOST_AT_ONCE: Final = 256
MOST_WAITING: Final = 4_096
#: Seconds; longer than the store makes a writer wait. Whoever gives up is told that the outcome is not known.
PATIENCE_S: Final = 30.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Slot(Generic[Item, Result]):
    """One item on its way: its result once there is one, or the turn to write."""

    __slots__ = ("asleep", "item", "outcome", "turn")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: Result | ConnectorError | None = None
        self.turn = False
        # Held while its thread sleeps. A lock is a tenth of the price of an event, and there is one for each delivery.
        self.asleep = threading.Lock()
        self.asleep.acquire()

    def wake(self) -> None:
        self.asleep.release()


class GroupCommit(Generic[Item, Result]):
    """Shares commits between threads.

    Args:
        most_at_once: items in one commit.
        most_waiting: items that may wait; more are refused.
    """

    def __init__(
        self, most_at_once: int = MOST_AT_ONCE, most_waiting: int = MOST_WAITING, patience_s: float = PATIENCE_S
    ) -> None:
        self._most_at_once = most_at_once
        self._most_waiting = most_waiting
        self._patience_s = patience_s
        self._waiting: deque[_Slot[Item, Result]] = deque()
        self._lock = threading.Lock()
        self._busy = False

    def put(self, item: Item, carry_out: Callable[[Sequence[Item]], Sequence[Result | ConnectorError]]) -> Result:
        """Return the result of an item, once it is committed.

        Args:
            carry_out: does what is to be done with several items, commits, and returns a result or a typed error for
                each, in order. The same for all items.

        Raises:
            ConnectorError: this item's.
            Temporary: too many are waiting, the commit failed, or it took too long; the item may be stored then.
        """
        slot = _Slot[Item, Result](item)
        with self._lock:
            if len(self._waiting) >= self._most_waiting:
                raise Temporary(Code.STORE_BUSY, f"{len(self._waiting)} deliveries are waiting")
            if self._busy:
                self._waiting.append(slot)
            else:
                self._busy = slot.turn = True
        if not slot.turn:
            self._wait(slot)
        if slot.turn:
            self._write(slot, carry_out)
        # Read once: a writer may still put its result over the "too long" of one that gave up.
        outcome = slot.outcome
        if isinstance(outcome, ConnectorError):
            raise outcome
        assert outcome is not None
        return outcome

    def _wait(self, slot: _Slot[Item, Result]) -> None:
        try:
            if slot.asleep.acquire(timeout=self._patience_s):
                return
        except BaseException:
            self._leave(slot)
            raise
        with self._lock:
            if slot.turn or slot.outcome is not None:
                return
            if slot in self._waiting:
                self._waiting.remove(slot)
            slot.outcome = Temporary(Code.STORE_BUSY, "it took too long", outcome_unknown=True)

    def _leave(self, slot: _Slot[Item, Result]) -> None:
        """Let the others go on without one whose thread is ended while it waits, as by a signal."""
        with self._lock:
            if slot in self._waiting:
                self._waiting.remove(slot)
        if slot.turn:
            self._hand_over()

    def _write(
        self,
        first: _Slot[Item, Result],
        carry_out: Callable[[Sequence[Item]], Sequence[Result | ConnectorError]],
    ) -> None:
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most_at_once - 1))]
        slots = [first, *others]
        try:
            for slot, outcome in zip(slots, carry_out([one.item for one in slots]), strict=True):
                slot.outcome = outcome
        finally:
            # Also when this thread is ended in the middle: the others must not wait for it for ever.
            for slot in slots:
                if slot.outcome is None:
                    slot.outcome = Temporary(Code.STORE_UNAVAILABLE, "the commit failed", outcome_unknown=True)
            self._hand_over()
            for slot in others:
                slot.wake()

    def _hand_over(self) -> None:
        with self._lock:
            if not self._waiting:
                self._busy = False
                return
            following = self._waiting.popleft()
            following.turn = True
        following.wake()
