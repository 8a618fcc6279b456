"""The counters and histograms of this process, and what the log's records add to them.

The records are counted where they are written, before any level is left out: what is logged and what is counted cannot
differ, and no step has to say a thing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from connector.observe.metrics import METRICS, PREFIX, Type, labelled
from connector.ports import Log


@dataclass(frozen=True, slots=True)
class Count:
    """What a record adds to a counter.

    Attributes:
        labels: label → the record's field that it is taken from, or the word itself behind `=`.
        amount: the field with the number; one if it is empty.
        when: a field and the value that it has to have; anything if it is empty.
    """

    metric: str
    labels: Mapping[str, str]
    amount: str = ""
    when: tuple[str, object] = ("", None)


def _retry(step: str) -> Count:
    return Count("retries_total", {"step": f"={step}", "code": "code"})


_REFUSED: Final = Count("deliveries_total", {"source": "source", "code": "code"})
_REPORT: Final = {"source": "source"}


def _access(event: str, *, state: str = "") -> Count:
    return Count("access_total", {"source": "source", "event": f"={event}"}, when=_in(state))


def _ended(kind: str, as_: str = "", *, state: str = "") -> Count:
    """Count an end of requests: `as_` where the record does not say it, only those in `state` if that is given."""
    labels = {"source": "source", "kind": f"={kind}", "state": f"={as_}" if as_ else "state"}
    return Count("requests_finished_total", labels, when=_in(state))


def _in(state: str) -> tuple[str, object]:
    return ("state", state) if state else ("", None)


def _find(event: str) -> Count:
    labels = {"source": "source", "account": "account", "event": f"={event}"}
    return Count("watch_finds_total", labels, amount="count")


# Action → what it adds.
COUNTED: Final[dict[str, tuple[Count, ...]]] = {
    "delivery_accepted": (
        Count("deliveries_total", {"source": "source", "code": "=accepted"}, when=("duplicate", False)),
        Count("deliveries_total", {"source": "source", "code": "=duplicate"}, when=("duplicate", True)),
    ),
    "delivery_answered": (Count("deliveries_total", {"source": "source", "code": "=answered"}),),
    "delivery_refused": (_REFUSED,),
    "delivery_failed": (Count("deliveries_total", {"source": "source", "code": "=internal_error"}),),
    "request_mapped": (_ended("undecided", state="rejected"),),
    "request_finished": (_ended("erasure"),),
    "access_answered": (
        _access("found", state="delivering"),
        _access("nothing_held", state="answered"),
        _ended("access", state="answered"),
    ),
    "access_held": (_access("held"),),
    "access_failed": (_access("failed"), _ended("access", "failed")),
    "access_filed": (_access("filed"),),
    "access_exported": (_access("exported"),),
    # It ends with its report: answered, or failed if somebody else ended its task.
    "access_shredded": (_access("destroyed"), _ended("access")),
    "access_expired": (_access("expired"), _ended("access", state="failed")),
    "batch_submitted": (
        Count("submissions_total", {"account": "account", "code": "=answered"}),
        *(
            Count("values_total", {"account": "account", "outcome": f"={outcome}"}, amount=outcome)
            for outcome in ("accepted", "refused", "unconfirmed")
        ),
    ),
    "batch_failed": (Count("submissions_total", {"account": "account", "code": "code"}), _retry("submit")),
    "operation_ended": (Count("operations_ended_total", {"account": "account", "state": "state"}),),
    "operation_lost": (Count("operations_ended_total", {"account": "account", "state": "=lost"}),),
    "report_sent": (Count("reports_total", {**_REPORT, "code": "=sent"}),),
    "report_conflict": (Count("reports_total", {**_REPORT, "code": "=conflict"}),),
    "report_not_wanted": (Count("reports_total", {**_REPORT, "code": "=not_wanted"}),),
    "report_failed": (Count("reports_total", {**_REPORT, "code": "code"}), _retry("report")),
    "report_dead": (
        Count("reports_total", {**_REPORT, "code": "code"}),
        Count("dead_letters_total", {**_REPORT, "code": "code"}),
    ),
    "poll_failed": (_retry("poll"),),
    "recent_failed": (_retry("reconcile"),),
    "read_back_failed": (_retry("read_back"),),
    "backstop_failed": (_retry("backstop"),),
    "progress_not_told": (_retry("progress"),),
    "deadline_not_told": (_retry("warn"),),
    "step_failed": (Count("step_failures_total", {"step": "step"}),),
    "profile_returned": (_find("returned"),),
    "deletion_repeated": (_find("deleting"),),
    "return_ended": (Count("returns_ended_total", {"state": "state"}, amount="count"),),
    "receipt_issued": (Count("receipts_total", {"event": "=issued"}),),
    "receipt_impossible": (Count("receipts_total", {"event": "=impossible"}),),
    "api_called": (Count("api_calls_total", {"client": "client", "scope": "scope"}),),
    "keys_not_fetched": (_retry("keys"),),
    "alert_sent": (Count("alerts_total", {"channel": "channel", "code": "=sent"}),),
    "alert_failed": (Count("alerts_total", {"channel": "channel", "code": "code"}), _retry("alert")),
}
# Action → the step that its `age_s` is the time to.
TIMED: Final[dict[str, str]] = {
    "request_mapped": "mapped",
    "batch_submitted": "submitted",
    "operation_ended": "operation_ended",
    "access_answered": "answered",
    "request_finished": "finished",
    "report_sent": "reported",
}


@dataclass(slots=True)
class Meters:
    """The instruments of one process; any number of threads may use them.

    Args:
        words: which values each label may have, as `metrics.vocabulary` makes them.
        held: what has to live as long as they do.
    """

    words: Mapping[str, frozenset[str]]
    held: object = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _made: dict[str, Counter | Histogram] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, metric in METRICS.items():
            given: dict[str, Any] = {"labelnames": metric.labels, "registry": self.registry}
            if metric.type is Type.COUNTER:
                self._made[name] = Counter(PREFIX + name, metric.meaning, **given)
            elif metric.type is Type.HISTOGRAM:
                self._made[name] = Histogram(PREFIX + name, metric.meaning, buckets=metric.buckets, **given)

    def add(self, name: str, labels: Mapping[str, object], amount: float = 1.0) -> None:
        """Add to a counter."""
        made = self._made[name]
        assert isinstance(made, Counter)
        made.labels(*labelled(METRICS[name], labels, self.words)).inc(max(amount, 0.0))

    def observe(self, name: str, labels: Mapping[str, object], value: float) -> None:
        """Add one value to a histogram."""
        made = self._made[name]
        assert isinstance(made, Histogram)
        made.labels(*labelled(METRICS[name], labels, self.words)).observe(max(value, 0.0))

    def record(self, action: str, fields: Mapping[str, object]) -> None:
        """Take in a record of the log."""
        self.add("events_total", {"action": action})
        for one in COUNTED.get(action, ()):
            name, value = one.when
            if name and fields.get(name) != value:
                continue
            amount = fields.get(one.amount, 0) if one.amount else 1
            if isinstance(amount, int | float):
                self.add(one.metric, {key: _read(of, fields) for key, of in one.labels.items()}, amount)
        age = fields.get("age_s")
        if action in TIMED and isinstance(age, int | float):
            self.observe("step_age_seconds", {"step": TIMED[action]}, age)

    def call(self, system: str, name: str, code: str, waited_s: float, took_s: float) -> None:
        """Take in a call to a remote system; seconds."""
        of = {"system": system, "name": name}
        self.add("remote_calls_total", {**of, "code": code})
        self.observe("remote_call_seconds", of, took_s)
        if waited_s >= WAITED_S:
            self.add("rate_limit_waits_total", of)
            self.add("rate_limit_wait_seconds_total", of, waited_s)


# A shorter wait is what taking a place costs.
WAITED_S: Final = 0.01


def _read(of: str, fields: Mapping[str, object]) -> object:
    return of[1:] if of.startswith("=") else fields.get(of)


@dataclass(frozen=True, slots=True)
class CountedLog:
    """A log whose records are counted. What cannot be counted is logged all the same."""

    to: Log
    meters: Meters

    def _count(self, action: str, fields: Mapping[str, object]) -> None:
        with suppress(OSError, ValueError):
            self.meters.record(action, fields)

    def info(self, action: str, **fields: object) -> None:
        self._count(action, fields)
        self.to.info(action, **fields)

    def warning(self, action: str, **fields: object) -> None:
        self._count(action, fields)
        self.to.warning(action, **fields)

    def error(self, action: str, **fields: object) -> None:
        self._count(action, fields)
        self.to.error(action, **fields)
