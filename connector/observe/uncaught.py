"""What ends a process or a thread is logged by class and place; Python's own report quotes values and texts."""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

from connector.ports import Log


def log_uncaught(log: Log) -> None:
    """Replace Python's reports of uncaught exceptions in this process; Ctrl-C stays what it is."""

    def of_process(cls: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(cls, KeyboardInterrupt):
            sys.__excepthook__(cls, error, trace)
            return
        log.error("uncaught", error_class=cls.__name__, place=place(trace))

    def of_thread(told: threading.ExceptHookArgs) -> None:
        log.error("uncaught", error_class=told.exc_type.__name__, place=place(told.exc_traceback))

    sys.excepthook = of_process
    threading.excepthook = of_thread


def place(trace: TracebackType | None) -> str:
    """Return the file and line where an exception was raised, without the folder."""
    frames = traceback.extract_tb(trace)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
