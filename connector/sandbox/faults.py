"""Fault switches: what can be made to go wrong, how often and on which operation.

A switch is turned on by name. It may be limited to a number of uses, to one operation, to a share of the calls, may
start after some calls, and may carry a value. Names, operations and values that do not exist are refused, so that no
rehearsal silently tests nothing.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class UnknownFaultError(ValueError):
    """The switch, its operation or its value does not exist."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A row of the catalogue. `default` is the value when none is given; `choices` bounds it when not empty."""

    explanation: str
    default: Any = None
    choices: tuple[Any, ...] = ()

    def checked(self, name: str, value: Any) -> Any:
        """Return the value to use, or refuse it."""
        if value is None:
            return self.default
        if self.choices and value not in self.choices:
            raise UnknownFaultError(f"switch {name!r} takes one of {list(self.choices)}, not {value!r}")
        if isinstance(self.default, int | float) and not self.choices and not isinstance(value, int | float):
            raise UnknownFaultError(f"switch {name!r} takes a number, not {value!r}")
        return value


@dataclass(slots=True)
class Fault:
    """One switch that is on, for a `share` of the calls. `times` counts down; None means until it is turned off."""

    name: str
    value: Any = None
    times: int | None = None
    operation: str | None = None
    after: int = 0
    share: float = 1.0


class Faults:
    """Thread-safe registry of the switches of one fake."""

    def __init__(self, switches: Mapping[str, Switch]) -> None:
        self.switches = dict(switches)
        self.operations: set[str] = set()
        #: How often each switch has acted.
        self.used: Counter[str] = Counter()
        self._on: list[Fault] = []
        # Not a secret: the same calls in the same order meet the same faults.
        self._random = random.Random(1)  # noqa: S311
        self._lock = threading.Lock()

    @property
    def catalogue(self) -> dict[str, str]:
        """Every switch with its one-line explanation."""
        return {name: switch.explanation for name, switch in self.switches.items()}

    def turn_on(
        self,
        name: str,
        value: Any = None,
        *,
        times: int | None = None,
        operation: str | None = None,
        after: int = 0,
        share: float = 1.0,
    ) -> Fault:
        """Turn a switch on; `after` calls are let through first. Refuses what is not in the catalogue."""
        if name not in self.switches:
            raise UnknownFaultError(f"no switch {name!r}; there are: {', '.join(sorted(self.switches))}")
        if operation is not None and operation not in self.operations:
            raise UnknownFaultError(f"no operation {operation!r}; there are: {', '.join(sorted(self.operations))}")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise UnknownFaultError(f"times must be a whole number from 1, not {times!r}")
        if not isinstance(after, int) or after < 0:
            raise UnknownFaultError(f"after must be a whole number from 0, not {after!r}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise UnknownFaultError(f"share must be a number above 0 and at most 1, not {share!r}")
        fault = Fault(name, self.switches[name].checked(name, value), times, operation, after, share)
        with self._lock:
            self._on.append(fault)
        return fault

    def turn_off(self, name: str | None = None) -> int:
        """Turn one switch off, or all; returns how many were on."""
        if name is not None and name not in self.switches:
            raise UnknownFaultError(f"no switch {name!r}; there are: {', '.join(sorted(self.switches))}")
        with self._lock:
            kept = [fault for fault in self._on if name is not None and fault.name != name]
            removed = len(self._on) - len(kept)
            self._on = kept
        return removed

    def take(self, name: str, operation: str, *, unless_named: Collection[str] | None = None) -> Fault | None:
        """Use the switch once, if it is on for this operation.

        `unless_named`: where a switch without an operation applies; None means everywhere.
        """
        if not self._on:
            return None
        with self._lock:
            for fault in self._on:
                if fault.name != name or not _concerns(fault, operation, unless_named):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                if fault.share < 1 and self._random.random() >= fault.share:
                    continue
                self.used[name] += 1
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._on.remove(fault)
                return fault
        return None

    def value_of(self, name: str, default: Any) -> Any:
        """Return the value of a switch that lasts while it is on, without using it up; else the default."""
        with self._lock:
            return next((fault.value for fault in self._on if fault.name == name), default)

    def listed(self) -> list[dict[str, Any]]:
        """What is on, as plain data."""
        with self._lock:
            return [asdict(fault) for fault in self._on]

    def __bool__(self) -> bool:
        return bool(self._on)


def _concerns(fault: Fault, operation: str, unless_named: Collection[str] | None) -> bool:
    if fault.operation is not None:
        return fault.operation == operation
    return unless_named is None or operation in unless_named
