"""Processes of the product as an operator starts them: on free ports, with bounded waits, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Generous: the machine may be busy with other tests.
LIMIT_S = 40.0
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the process table."""

    pid: int
    parent: int
    group: int
    state: str
    command: str

    @property
    def is_zombie(self) -> bool:
        return self.state.startswith("Z")


class Running:
    """A process of the product, and everything that it started."""

    def __init__(self, popen: subprocess.Popen[bytes], output: Path) -> None:
        self.popen = popen
        self.output = output
        self._seen: dict[int, Listed] = {}

    def tree(self) -> list[Listed]:
        """Return the living processes below this one, nearest first; they are remembered for `left_behind`."""
        table = process_table()
        found: list[Listed] = []
        parents = {self.popen.pid}
        while children := [one for one in table if one.parent in parents and one not in found]:
            found += children
            parents = {one.pid for one in children}
        self._seen |= {one.pid: one for one in found}
        return found

    def below(self, words: str) -> list[Listed]:
        """Return the processes below this one whose command line holds the words, nearest first."""
        return [one for one in self.tree() if words in one.command]

    def left_behind(self) -> list[Listed]:
        """Return the processes that were seen below this one and are still there."""
        return [one for one in process_table() if one.pid in self._seen and one.command == self._seen[one.pid].command]

    def text(self) -> str:
        """Return what it and its children wrote so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def terminate(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.tree()
        self.popen.terminate()
        return self.wait()

    def wait(self) -> int:
        try:
            return self.popen.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {LIMIT_S:g} s: {self.text()[-2000:]}") from None

    def kill_everything(self) -> None:
        """End this process and all that it ever started, so that no test leaves anything behind."""
        self.tree()
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for one in self.left_behind():
            end(one.pid)


@contextmanager
def started(command: Sequence[str], folder: Path, **variables: str) -> Iterator[Running]:
    """Run a command from the top of the tree as long as the context lasts; its output goes to a file in `folder`."""
    output = folder / f"output-{len(list(folder.glob('output-*')))}.txt"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    with output.open("wb") as file:
        popen = subprocess.Popen(command, cwd=ROOT, env=inherited | variables, stdout=file, stderr=file)
    running = Running(popen, output)
    try:
        yield running
    finally:
        running.kill_everything()


def connector(*arguments: str, settings: Sequence[str] = ()) -> list[str]:
    """Return the command line of a `connector` command with settings of its own."""
    chosen = [part for one in settings for part in ("--set", one)]
    return [sys.executable, "-m", "connector", *chosen, *arguments]


def until(condition: Callable[[], object], what: str, *running: Running, limit_s: float = LIMIT_S) -> None:
    """Wait until a condition holds; it is an error if it does not in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            told = "\n".join(one.text()[-2000:] for one in running)
            raise AssertionError(f"not within {limit_s:g} s: {what}\n{told}")
        time.sleep(_LOOK_S)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def process_table() -> list[Listed]:
    """Return the processes of this machine."""
    return [*_from_proc()] if Path("/proc/self/stat").exists() else [*_from_ps()]


def _from_proc() -> Iterator[Listed]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name stands in brackets and may hold brackets itself; state, parent and group follow.
            state, parent, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it has ended meanwhile
        yield Listed(int(folder.name), int(parent), int(group), state, command)


def _from_ps() -> Iterator[Listed]:
    """Where there is no /proc, as on macOS."""
    told = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,pgid=,state=,command="], capture_output=True, text=True, check=True
    )
    for line in told.stdout.splitlines():
        pid, parent, group, state, command = [*line.split(None, 4), ""][:5]
        yield Listed(int(pid), int(parent), int(group), state, command)


def end(pid: int) -> None:
    """End one process at once; it may have ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
