"""`python -m tests.support.killed WORDS NUMBER ARGUMENT…`: a `connector` command that is killed at a named point.

It is killed by SIGKILL right before the statement that holds these words for the NUMBERth time. `COMMIT after WORDS`
means the commit that follows such a statement at once. Rows are copied in small parts, so that a small store has many
points.

With `-` as WORDS they are read from standard input, a line each: the same command is killed at one point after the
other, and what it ended with is written as a line each. So the interpreter starts only once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from connector.cli.main import main
from connector.services import rehash, rewrap
from connector.store import copy, sums
from tests.support.processes import ROOT

PART_ROWS = 4
COMMIT = "COMMIT after "


def kill_before(words: str, number: int) -> None:
    left, last = number, ""

    def kill_if(reached: bool) -> None:
        nonlocal left
        left -= reached
        if reached and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "before_cursor_execute")
    def _look(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal last
        last = statement
        kill_if(not words.startswith(COMMIT) and words in statement)

    @event.listens_for(Engine, "commit")
    def _look_behind(_connection: Any) -> None:
        kill_if(words.startswith(COMMIT) and words.removeprefix(COMMIT) in last)


@contextmanager
def killed_again_and_again(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[Callable[[str], int]]:
    """Give a function that runs a command of the product until the statement with these words, and returns its end."""
    command = [sys.executable, "-m", "tests.support.killed", "-", "1", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as each:
        assert each.stdin is not None
        assert each.stdout is not None
        asked, told = each.stdin, each.stdout

        def killed_before(words: str) -> int:
            asked.write(f"{words}\n")
            asked.flush()
            return int(told.readline())

        yield killed_before
        asked.close()


def _one_after_the_other(number: int) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            # Standard output is for what the children ended with.
            os.dup2(2, 1)
            kill_before(line.rstrip("\n"), number)
            main()
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    copy.PART_ROWS = sums.PART_ROWS = PART_ROWS
    rewrap._AT_ONCE = rehash._AT_ONCE = 2
    words, number, *arguments = sys.argv[1:]
    sys.argv = ["connector", *arguments]
    if words == "-":
        _one_after_the_other(int(number))
    else:
        kill_before(words, int(number))
        main()
