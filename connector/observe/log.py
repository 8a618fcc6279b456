"""Structured logs: one `action` word per record, and only fields that are on the list below.

A field that is not on the list, or whose value is not a plain number, word or time, is dropped and counted. Records of
libraries are reduced to logger, level and exception class: their texts may quote a URL, a row or a header.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import datetime
from enum import Enum
from typing import Any, Final, TextIO

import structlog

from connector.ports import Log

# Field → what it holds. Documented in docs/logs.md.
FIELDS: Final[dict[str, str]] = {
    "action": "what happened; one word of the table of actions",
    "level": "info, warning or error",
    "timestamp": "when, UTC, ISO 8601",
    "role": "which process: web, worker, dashboard or cli",
    "source": "the source's name in the configuration",
    "account": "the account's name in the configuration",
    "request_id": "our id of a request",
    "follow_on_id": "our id of a request that deletes somebody again",
    "submission_id": "our id of a bulk call",
    "operation_id": "our id of an operation at Lytics",
    "report_id": "our id of a report",
    "code": "a reason code; see docs/errors.md",
    "state": "the state that something is in now",
    "status": "an HTTP status, or the status reported to the source",
    "reason": "why, as one word",
    "step": "the step of the life cycle",
    "table": "a table of the account's schema, as the mapping names it",
    "field": "a field of that table, as the mapping names it",
    "count": "how many",
    "accepted": "how many values Lytics accepted",
    "refused": "how many values Lytics refused",
    "unconfirmed": "how many values Lytics did not mention",
    "contradictory": "how many values Lytics both accepted and refused",
    "foreign": "how many values Lytics named that were never sent",
    "unnamed": "how many answers of the source's form look like an identity and are named by no rule",
    "unlisted": "how many identities only a delivery named, and not the source; they were dropped",
    "limit": "how many values may be handed to Lytics within the window",
    "normal": "how many values are normal within the window",
    "window_s": "over how long a fuse counts, in seconds",
    "waiting": "how many requests wait behind a blown fuse",
    "duplicate": "whether a delivery added nothing",
    "attempt": "the number of this try",
    "channel": "the name of a way to tell operators, in the configuration",
    "kind": "what an alert is about",
    "setting": "the name of a setting",
    "follow_up": "what else a source was to be told after a report",
    "age_s": "seconds since the request was received, or since the value, operation or report began to wait",
    "next_at": "when it is tried or looked at again",
    "due_at": "the due date that will have passed by then",
    "user": "the name of a user of the dashboard",
    "client": "the name of a client of the API",
    "scope": "what a client of the API did",
    "secret_id": "the reference of the secret that matched, never the secret",
    "correlation_id": "the remote system's id of a call, for its support",
    "error_class": "the class of an exception",
    "place": "the file and line where an exception was raised",
    "logger": "the library that wrote the record",
    "dropped": "how many fields were left out of this record",
}

# Action → when it is written. Documented in docs/logs.md.
ACTIONS: Final[dict[str, str]] = {
    "delivery_accepted": "a delivery was verified and stored",
    "records_purged": "the records of requests were removed, as long after their end as retention.records_months says",
    "requests_shredded": "the data keys of ended requests were destroyed, and with them everything personal",
    "replays_pruned": "replay keys were forgotten whose deliveries the checks refuse by now",
    "delivery_answered": "a verified delivery asks for nothing, and was answered; `reason`: ping or other",
    "api_called": "a client of the API did what its `scope` allows",
    "api_refused": "a call of the API was answered with an error; `code` says why",
    "delivery_refused": "a delivery was answered with an error; `code` says why",
    "delivery_failed": "a defect while taking in a delivery; it was answered 500 and nothing was stored",
    "signed_in": "a user signed in to the dashboard",
    "sign_in_refused": "a sign-in to the dashboard was refused; `reason`: no_match or too_many",
    "dashboard_failed": "the dashboard could not answer; `code` or `error_class` says why",
    "token_granted": "a client showed its secret and was given a token for its source",
    "token_refused": "a request for a token was refused; `code` says why, which the client is not always told",
    "subscription_confirmed": "a sender asked us to confirm that we want its deliveries, and we did",
    "keys_not_fetched": "a sender's published keys could not be fetched; an older copy serves if there is one",
    "delivery_missed": "the source lists an open task that no delivery brought; it is taken in as if one had",
    "backstop_failed": "a source's list of open tasks could not be looked through; that is done again at `next_at`",
    "request_confirmed": "the source lists a request as it was delivered; its identities are taken from there",
    "request_doubted": "the source does not list a request as it was delivered; it is held, and asked about again",
    "request_joined": "the source lists a request as one that came under another name; `connector show` says which",
    "read_back_failed": "the source could not be asked about a request, or does not list it yet; it is asked again",
    "request_mapped": "a request's identities were mapped; `state` says whether it is queued, held or rejected",
    "request_finished": "a request reached its end and its report was put into the outbox",
    "request_left_out": "a request's source or account is no longer in the configuration; it waits",
    "fuse_blown": "more values were to be handed to Lytics than a fuse lets pass; what waits for it stays queued until "
    "`connector resume`. Said again every hour",
    "fuse_endangers": "requests that wait behind a blown fuse are due within seven days, the first at `due_at`",
    "request_tangled": "a profile has more identifiers that the request does not name than tangled_above; it is held. "
    "`count`: the most of one field",
    "hold_applied": "a request names somebody on the legal hold list; rejected, or held if something went before",
    "holds_illegible": "a pseudonym key of the legal hold list is missing; nothing is submitted in any account",
    "schema_wrong": "the account's schema lacks a mapped field, or does not use it as an identity; see schema_check",
    "schema_not_checked": "the account's schema could not be read, which keeps nobody from working",
    "approval_awaited": "values wait for a person to approve them; see `connector preview`",
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
    "operation_stuck": "an operation has been running for longer than alarm_after_days: a person has to ask Lytics",
    "operation_lost": "Lytics no longer knows an operation that it gave us",
    "poll_failed": "asking about an operation failed; it is asked again",
    "account_paused": "Lytics refused our credential or a permission; the account's work waits until `next_at`",
    "breaker_opened": "a remote system does not answer; it is left alone until `next_at`; `count` times in a row",
    "breaker_closed": "a remote system answers again",
    "report_sent": "the source took a report, or was in that state already",
    "report_conflict": "a person decided otherwise at the source; nothing was overwritten",
    "report_not_wanted": "the source takes no report of this kind; it was told nothing",
    "report_failed": "a report could not be delivered; it is tried again at `next_at`",
    "report_dead": "a report was given up; `code` says why",
    "access_held": "a profile lacks its personal fields, so its access request is held; it is read again every hour",
    "access_failed": "an access request could not be answered; the source is told so; `reason` says why",
    "access_answered": "the data of an access request waits to be handed over, or there is none; `state` says which",
    "access_filed": "the source took the file with the data of an access request",
    "access_exported": "an operator took the data of an access request; it was destroyed here",
    "access_shredded": "the data of an access request was destroyed here after its report was taken",
    "access_expired": "the data of an access request was kept for its longest time, and was destroyed here",
    "evidence_filed": "the source took the evidence file of a report",
    "evidence_refused": "the source took no evidence file; the report goes without, and says so",
    "follow_up_done": "what follows a report was done; `follow_up` says what",
    "follow_up_refused": "what follows a report was refused; the report itself was told. `follow_up` says what",
    "progress_told": "people at the source were told that a request is still under way",
    "progress_not_told": "they could not be told that; it is tried again the next day",
    "deadline_near": "a request is not over and its due date is near or past; `count` targets are still pending",
    "deadline_not_told": "people at the source could not be told that; `code` says why",
    "resolutions_not_checked": "a source could not be asked for its resolutions; they are asked for at the next start",
    "resolution_faulty": "a configured resolution is not listed at the source, or not for subtasks",
    "alert_sent": "operators were told by message of `kind`; `state`: firing or resolved",
    "alert_failed": "a channel did not take a message; it is tried again at `next_at`",
    "metrics_not_kept": "this process cannot keep what it counts, and goes on without",
    "metrics_not_served": "metrics are not served by this process: another one may do it at the same address",
    "receipt_issued": "a signed receipt was issued for an attempt of a request that ended",
    "receipt_impossible": "a receipt was owed of a request that is no longer in the store; there is none",
    "checkpoint_signed": "how the audit log stands was signed; `count` is the number of its entries",
    "checkpoint_stamped": "a time-stamping authority stamped the checkpoint over `count` entries",
    "stamp_failed": "the time-stamping authority gave no stamp, or one that does not hold; it is asked again at "
    "`next_at`; `code` and `reason` say why",
    "worker_started": "the worker runs its steps",
    "worker_stopped": "the worker has finished what was in hand",
    "worker_restarts": "a worker lost the database or its jobs, and begins anew at `next_at`; nothing is lost",
    "jobs_taken_over": "jobs of a worker that fell silent were given to the others",
    "sessions_ended": "database sessions of a process that stood still were ended; what they held locked is free",
    "profile_returned": "Lytics shows somebody again after their deletion, by `count` values; nothing is deleted, "
    "because the source has watch = alarm, or because it was deleted again too_often (`reason`)",
    "deletion_repeated": "Lytics shows somebody again after their deletion; request `follow_on_id` deletes them again",
    "return_ended": "a deletion of somebody who came back is over; `state` says how",
    "watches_ended": "people are not looked for any more; the values that were kept for it were destroyed",
    "suppressions_ended": "entries of the suppression list were removed, suppression.keep_months after the deletion",
    "step_failed": "a step ended with an error; the next tick takes up what was left",
    "uncaught": "a defect ended a process or a thread; `error_class` and `place` say where",
    "library_record": "a library wrote a warning or an error; its text is left out",
    "unlisted": "a defect: a record whose action is not on this list",
}

# What a record says whose own action is not on the list, and might be anything.
UNLISTED: Final = "unlisted"
MAX_TEXT_CHARS: Final = 200

_LEVELS: Final = {name: getattr(logging, name.upper()) for name in ("info", "warning", "error")}
# Their warnings are about ticks that come while a step still runs, which is by design.
_QUIET: Final = ("apscheduler.scheduler", "apscheduler.executors.default")
_NOT_PRINTABLE_ASCII: Final = re.compile(r"[^ -~]")
_UNFIT: Final = object()
# Made once: the library makes one for every record. What reaches it is plain.
_encode: Final = json.JSONEncoder().encode


def configure(role: str, level: str = "info", style: str = "json", stream: TextIO | None = None) -> Log:
    """Set up logging for this process and return the product's logger; a second call replaces the first.

    The records of libraries are taken over: every handler that was there is removed, in all loggers.

    Args:
        role: web, worker or cli.
        level: the least level written: info, warning or error.
        style: `json` or `console`.
        stream: what standard error is at the time of writing, by default.
    """
    renderer: Any = _as_json
    if style != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=False, event_key="action")
    log: Log = structlog.wrap_logger(
        _Lines(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("action"),
            keep_listed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
    ).bind(role=role)
    _take_over_libraries(log)
    return log


def _as_json(_logger: Any, _method: str, record: MutableMapping[str, Any]) -> str:
    return _encode(record)


def keep_listed(_logger: Any, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep what is on the lists and plain; count the rest."""
    kept: dict[str, Any] = {}
    dropped = 0
    for name, value in record.items():
        plain = _plain(value) if name in FIELDS else _UNFIT
        if name == "action" and plain not in ACTIONS:
            kept[name] = UNLISTED
            dropped += 1
        elif plain is _UNFIT:
            dropped += 1
        elif plain is not None:
            kept[name] = plain
    if dropped:
        kept["dropped"] = dropped
    return kept


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        # Has no form in JSON.
        return _UNFIT
    return value if value is None or isinstance(value, int | float) else _UNFIT


def _text(value: str) -> object:
    """Return a text bounded and in printable ASCII; one with an `@` is unfit, for nothing that is listed has one."""
    return _UNFIT if "@" in value else _NOT_PRINTABLE_ASCII.sub("?", value[:MAX_TEXT_CHARS])


class _Lines:
    """Writes lines, each whole. A log that cannot be written, on a full disk say, must not stop the work."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        stream = self._stream or sys.stderr
        with self._lock, suppress(OSError, ValueError, AttributeError):
            stream.write(f"{line}\n")
            stream.flush()

    info = warning = error = msg


def _take_over_libraries(log: Log) -> None:
    root = logging.getLogger()
    for one in (root, *root.manager.loggerDict.values()):
        if isinstance(one, logging.Logger):
            # Servers bring handlers that write a record's whole text.
            one.handlers = []
            one.propagate = True
    root.handlers = [_LibraryHandler(log)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


class _LibraryHandler(logging.Handler):
    """Passes on that a library wrote a warning or an error, and nothing of what it wrote."""

    def __init__(self, log: Log) -> None:
        # No level here: a library that finds no handler for its own level brings one along.
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        least = logging.ERROR if record.name in _QUIET else logging.WARNING
        if record.levelno < least:
            return
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        raised = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
        write("library_record", logger=record.name, error_class=raised.__name__ if raised else None)
