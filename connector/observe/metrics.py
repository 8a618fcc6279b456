"""The list of metrics: what each counts, and which values its labels may have.

A label says at most: which configured source, account or channel, and which word of a fixed list. Anything else becomes
`other`, so that no identity, address or endless value gets into a label, whatever a sender writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.codes import Code
from connector.mapping.reasons import HoldReason
from connector.observe.words import ACTIONS
from connector.policy.agreement import Doubt
from connector.states import (
    OperationState,
    ReportState,
    RequestKind,
    RequestState,
    ReturnState,
    SubmissionState,
    TargetState,
    WatchState,
)

OTHER: Final = "other"
#: The kind of a request before it is mapped.
UNDECIDED: Final = "undecided"
PREFIX: Final = "connector_"

_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DAY: Final = 86_400.0
_LONG: Final = (10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, *(days * _DAY for days in (1, 3, 7, 14, 30, 45, 90)))


class Type(StrEnum):
    """What Prometheus takes it for."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Counters and histograms are kept by each process; gauges are read from the store when asked for."""

    type: Type
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


def _counter(meaning: str, *labels: str) -> Metric:
    return Metric(Type.COUNTER, labels, meaning)


def _gauge(meaning: str, *labels: str) -> Metric:
    return Metric(Type.GAUGE, labels, meaning)


# Name without its prefix → what it is. Documented in docs/metrics.md.
METRICS: Final[dict[str, Metric]] = {
    "events_total": _counter("records of the log, also of levels that are not written", "action"),
    "deliveries_total": _counter(
        "deliveries; `code` is accepted, duplicate, answered, or why one was refused", "source", "code"
    ),
    "requests_finished_total": _counter(
        "requests that a step brought to their end; undecided were refused when they were mapped, and those that a "
        "legal hold stopped later are missing",
        *("source", "kind", "state"),
    ),
    "submissions_total": _counter("bulk calls to Lytics; `code` is answered, or why one failed", "account", "code"),
    "values_total": _counter("values handed to Lytics, by what it answered to each", "account", "outcome"),
    "operations_ended_total": _counter("operations that ended at Lytics", "account", "state"),
    "reports_total": _counter(
        "reports to a source; `code` is sent, conflict, not_wanted, or why not", "source", "code"
    ),
    "retries_total": _counter("failures after which something is tried again", "step", "code"),
    "dead_letters_total": _counter("reports that were given up", "source", "code"),
    "remote_calls_total": _counter(
        "calls to remote systems; `code` is the class of the answer's status, or why there was none",
        *("system", "name", "code"),
    ),
    "remote_call_seconds": Metric(
        Type.HISTOGRAM, ("system",), "how long a call took, without the wait for its turn", _S
    ),
    "rate_limit_waits_total": _counter("calls that had to wait for their turn", "system", "name"),
    "rate_limit_wait_seconds_total": _counter("seconds that calls waited for their turn", "system", "name"),
    "step_age_seconds": Metric(
        Type.HISTOGRAM,
        ("step",),
        "time to each step: received to mapped, answered, and finished; for submitted, operation_ended and reported "
        "since the oldest value was queued, the operation began, the report was owed",
        _LONG,
    ),
    "step_failures_total": _counter("steps that ended with an error; the next tick takes up what was left", "step"),
    "access_total": _counter("what became of access requests and their data, by `event`", "source", "event"),
    "watch_finds_total": _counter(
        "values that Lytics shows again after their deletion; `event` is returned if that is only said, or deleting",
        *("source", "account", "event"),
    ),
    "returns_ended_total": _counter("values that were to be deleted again, by how that ended", "state"),
    "receipts_total": _counter("receipts, by `event`: issued, or impossible since the request is gone", "event"),
    "api_calls_total": _counter("calls of the API that were carried out", "client", "scope"),
    "alerts_total": _counter("messages of alerts; `code` is sent, or why one was not", "channel", "code"),
    "store_up": _gauge("1 if the store could be read for the gauges below, else 0; then the others are absent"),
    "requests_open": _gauge("open requests; undecided are those that are not mapped yet", "source", "kind", "state"),
    "requests_oldest_age_seconds": _gauge("since the oldest of them was received", "source", "kind", "state"),
    "requests_held": _gauge("requests that wait for a person, by why", "source", "reason"),
    "requests_late": _gauge("open requests past their due date", "source"),
    "requests_near": _gauge("open requests that are due within `alerts.at_risk_days`", "source"),
    "deadline_slack_seconds": _gauge("until the next due date of an open request; negative once it is past", "source"),
    "targets_open": _gauge("values on their way, by what they wait for", "account", "state"),
    "targets_oldest_age_seconds": _gauge("since the oldest of them began to wait", "account", "state"),
    "submissions_open": _gauge("bulk calls whose outcome is not known yet", "account", "state"),
    "operations_running": _gauge("operations that Lytics works on", "account"),
    "operations_oldest_age_seconds": _gauge("since the oldest of them began", "account"),
    "reports_waiting": _gauge("reports that a source is still owed", "source"),
    "reports_oldest_age_seconds": _gauge("since the oldest of them is owed", "source"),
    "fetches_waiting": _gauge("profiles that access requests ask for and that are not read yet", "account"),
    "fetches_oldest_age_seconds": _gauge("since the first of them could be read", "account"),
    "dead_letters": _gauge("what was given up and waits for a person, by kind: report or request", "source", "kind"),
    "fuse_blown": _gauge("1 while a fuse is blown", "scope", "name"),
    "credential_refused": _gauge("1 while a remote system refuses our credential or a permission", "scope", "name"),
    "delivery_age_seconds": _gauge("since the last verified delivery, to the minute", "source"),
    "key_age_seconds": _gauge("since the secret that a source used last was used first", "source"),
    "key_end_seconds": _gauge("until nothing is left that a check accepts, where that has an end", "source", "check"),
    "own_key_age_seconds": _gauge(
        "since a worker first ran with the key that seals, or signs, by `purpose`: sealing or signing", "purpose"
    ),
    "data_keys_former": _gauge("data keys that are not under the first of `store.sealing_keys` yet"),
    "watch_finds": _gauge(
        "values that Lytics showed again when they were looked for last: returned, or deleting while that goes on",
        *("source", "state"),
    ),
    "watch_due": _gauge("values that are due to be looked for again", "account"),
    "watch_oldest_age_seconds": _gauge("since the first of them was due", "account"),
    "receipts_owed": _gauge("receipts that are owed; they wait for a signing key if there is none"),
    "receipts_oldest_age_seconds": _gauge("since the oldest of them is owed, where there is a signing key"),
    "ledger_entries": _gauge("entries of the audit log"),
    "ledger_oldest_age_seconds": _gauge(
        "since the oldest move or decision that the audit log does not have yet; 0 if it has all"
    ),
}

_CALLS: Final = frozenset({"2xx", "3xx", "4xx", "5xx", *Code})
# Why a request is held, beside what its mapping and its source say.
_GUARDS: Final = frozenset({"legal_hold", "tangled_profile", "profile_redacted"})
# What each label may say beside the names that are configured.
_WORDS: Final[dict[str, frozenset[str]]] = {
    "action": frozenset(ACTIONS),
    "code": _CALLS | {"accepted", "duplicate", "answered", "sent", "conflict", "not_wanted"},
    "state": frozenset(
        {
            *(*RequestState, *TargetState, *SubmissionState, *OperationState, *ReportState),
            *(*WatchState, *ReturnState),
        },
    ),
    "outcome": frozenset({"accepted", "refused", "unconfirmed"}),
    "event": frozenset(
        {
            *("found", "nothing_held", "held", "failed", "filed", "exported", "destroyed", "expired"),
            *("returned", "deleting", "issued", "impossible"),
        }
    ),
    # The steps of the schedule, and what is timed or tried again beside them.
    "step": frozenset(
        {
            *("mapped", "submitted", "operation_ended", "answered", "finished", "reported", "keys"),
            *("read_back", "backstop", "map", "look_up", "submit", "reconcile", "poll", "confirm", "ledger", "fetch"),
            *("report", "expire", "progress", "warn", "prune", "alert", "shred", "forget", "watch", "stamp"),
        }
    ),
    "system": frozenset({"lytics", "source", "sender", "alert"}),
    "scope": frozenset({"source", "account", "preview", "approve", "suppression"}),
    "kind": frozenset({"report", "request", UNDECIDED, *RequestKind}),
    "reason": frozenset({*HoldReason, *Doubt}) | _GUARDS,
    "purpose": frozenset({"sealing", "signing"}),
    "name": frozenset({""}),
}


def vocabulary(
    sources: Collection[str],
    accounts: Collection[str],
    channels: Collection[str] = (),
    checks: Collection[str] = (),
    clients: Collection[str] = (),
) -> dict[str, frozenset[str]]:
    """Return which values each label may have, under a configuration; the empty one stands for none."""
    named = {
        "source": frozenset(sources),
        "account": frozenset(accounts),
        "channel": frozenset(channels),
        "check": frozenset(checks),
        "client": frozenset(clients),
        "name": frozenset({*sources, *accounts, *channels}),
    }
    return {label: named.get(label, frozenset()) | _WORDS.get(label, frozenset()) for label in {*named, *_WORDS}}


def labelled(metric: Metric, given: Mapping[str, object], words: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the values of a metric's labels in their order; what is on no list becomes `other`."""
    return tuple(_word(given.get(label), words[label]) for label in metric.labels)


def _word(value: object, words: frozenset[str]) -> str:
    text = str(value.value) if isinstance(value, StrEnum) else value
    return text if isinstance(text, str) and text in words else OTHER
