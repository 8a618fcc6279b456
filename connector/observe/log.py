"""Structured logs: one `action` word per record, and only fields that are on the list below.

A field that is not on the list, or whose value is not a plain number, word or time, is dropped and counted. Records of
libraries are reduced to logger, level and exception class: their texts may quote a URL, a row or a header.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, TextIO

import structlog

# Field → what it holds. Documented in docs/logs.md.
FIELDS: Final[dict[str, str]] = {
    "action": "what happened; one word of the table of actions",
    "level": "info, warning or error",
    "timestamp": "when, UTC, ISO 8601",
    "role": "which process: web, worker or cli",
    "source": "the source's name in the configuration",
    "account": "the account's name in the configuration",
    "request_id": "our id of a request",
    "submission_id": "our id of a bulk call",
    "operation_id": "our id of an operation at Lytics",
    "report_id": "our id of a report",
    "code": "a reason code; see docs/errors.md",
    "state": "the state that something is in now",
    "status": "an HTTP status, or the status reported to the source",
    "reason": "why, as one word",
    "step": "the step of the life cycle",
    "count": "how many",
    "accepted": "how many values Lytics accepted",
    "refused": "how many values Lytics refused",
    "unconfirmed": "how many values Lytics did not mention",
    "contradictory": "how many values Lytics both accepted and refused",
    "foreign": "how many values Lytics named that were never sent",
    "duplicate": "whether a delivery added nothing",
    "attempt": "the number of this try",
    "next_at": "when it is tried or looked at again",
    "secret_id": "the reference of the secret that matched, never the secret",
    "correlation_id": "the remote system's id of a call, for its support",
    "error_class": "the class of an exception",
    "logger": "the library that wrote the record",
    "dropped": "how many fields were left out of this record",
}

# Action → when it is written. Documented in docs/logs.md.
ACTIONS: Final[dict[str, str]] = {
    "delivery_accepted": "a delivery was verified and stored",
    "delivery_refused": "a delivery was answered with an error; `code` says why",
    "delivery_failed": "a defect while taking in a delivery; it was answered 500 and nothing was stored",
    "request_mapped": "a request's identities were mapped; `state` says whether it is queued, held or rejected",
    "request_finished": "a request reached its end and its report was put into the outbox",
    "request_left_out": "a request's source or account is no longer in the configuration; it waits",
    "batch_submitted": "Lytics answered a bulk call; the counts say what became of its values",
    "batch_failed": "a bulk call failed; `code` says why",
    "answer_contradictory": "Lytics' answer named a value twice or one that was never sent",
    "submission_unknown": "the process died between a call and its answer; it is looked into",
    "submission_found": "a call whose outcome was lost was found at Lytics",
    "submission_repeated": "a call whose outcome was lost is made again; `reason` says why that is safe",
    "submission_ambiguous": "a call whose outcome was lost cannot be told from others; a person has to decide",
    "recent_failed": "Lytics' list of recent operations could not be read",
    "operation_ended": "Lytics finished or failed an operation",
    "operation_overdue": "an operation has been running for longer than warn_after_days",
    "operation_lost": "Lytics no longer knows an operation that it gave us",
    "poll_failed": "asking about an operation failed; it is asked again",
    "account_paused": "Lytics refused our credential or a permission; the account's work waits until `next_at`",
    "report_sent": "the source took a report, or was in that state already",
    "report_conflict": "a person decided otherwise at the source; nothing was overwritten",
    "report_failed": "a report could not be delivered; it is tried again at `next_at`",
    "report_dead": "a report was given up; `code` says why",
    "worker_started": "the worker runs its steps",
    "worker_stopped": "the worker has finished what was in hand",
    "step_failed": "a step ended with an error; the next tick takes up what was left",
    "library_record": "a library wrote a warning or an error",
}

_PLAIN: Final = (str, int, float, bool, type(None))
_LEVELS: Final = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")}
# Their warnings are about ticks that come while a step still runs, which is by design.
_QUIET: Final = ("apscheduler.scheduler", "apscheduler.executors.default")


def configure(role: str, level: str = "info", style: str = "json", stream: TextIO | None = None) -> Any:
    """Set up logging for this process and return the product's logger (`connector.ports.Log`).

    Args:
        role: web, worker or cli.
        level: the least level written.
        style: `json` or `console`.
        stream: standard error by default.
    """
    output = stream or sys.stderr
    renderer = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    if style != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=False, event_key="action")
    _route_libraries(role, level, output, renderer)
    return structlog.wrap_logger(
        structlog.PrintLogger(output),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("action"),
            keep_listed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
    ).bind(role=role)


def keep_listed(_logger: Any, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep what is on the list and plain; count the rest."""
    kept: dict[str, Any] = {}
    dropped = 0
    for name, value in record.items():
        plain = _plain(value)
        if name in FIELDS and plain is not _UNFIT:
            if plain is not None:
                kept[name] = plain
        else:
            dropped += 1
    if dropped:
        kept["dropped"] = dropped
    return kept


_UNFIT: Final = object()


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, _PLAIN) else _UNFIT


def _route_libraries(role: str, level: str, output: TextIO, renderer: Any) -> None:
    handler = logging.StreamHandler(output)
    handler.setFormatter(_LibraryFormatter(role, renderer))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, _LEVELS[level]))
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _LibraryFormatter(logging.Formatter):
    def __init__(self, role: str, renderer: Any) -> None:
        super().__init__()
        self._role = role
        self._renderer = renderer

    def format(self, record: logging.LogRecord) -> str:
        kept: dict[str, Any] = {
            "action": "library_record",
            "role": self._role,
            "logger": record.name,
            "level": record.levelname.lower(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            kept["error_class"] = record.exc_info[0].__name__
        return str(self._renderer(None, "", kept))
