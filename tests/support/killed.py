"""`python -m tests.support.killed WORDS NUMBER ARGUMENT…`: a `connector` command that is killed at a named point.

It is killed by SIGKILL right before the statement that holds these words for the NUMBERth time. Rows are copied in
small parts, so that a small store has many points.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

from connector.cli.main import main
from connector.store import copy, sums

PART_ROWS = 4


def kill_before(words: str, number: int) -> None:
    left = number

    @event.listens_for(Engine, "before_cursor_execute")
    def _look(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal left
        left -= words in statement
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    copy.PART_ROWS = sums.PART_ROWS = PART_ROWS
    words, number, *arguments = sys.argv[1:]
    kill_before(words, int(number))
    sys.argv = ["connector", *arguments]
    main()
