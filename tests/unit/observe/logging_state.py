"""What `connector.observe.log.configure` changes in this process, put back afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def logging_restored() -> Iterator[None]:
    """Put every logger's handlers, level and propagation back, and the way of warnings."""
    root = logging.getLogger()
    loggers = [one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    before = [(one, list(one.handlers), one.level, one.propagate) for one in (root, *loggers)]
    try:
        yield
    finally:
        for one, handlers, level, propagate in before:
            one.handlers = handlers
            one.setLevel(level)
            one.propagate = propagate
        logging.captureWarnings(capture=False)
