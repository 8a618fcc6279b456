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

from connector.observe.words import ACTIONS, FIELDS
from connector.ports import Log

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
