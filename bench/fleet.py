"""Processes of the product that are killed, and started again at once, as whatever supervises them would do."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from bench import stage
from bench.stage import Process
from connector.cli.context import Context

RECEIVER: Final = "receiver"
WORKER: Final = "worker"
_COMMANDS: Final = {RECEIVER: "web", WORKER: "worker"}


@dataclass(slots=True)
class Member:
    """One place in the fleet: whoever holds it now writes to the same log, and listens on the same port."""

    kind: str
    context: Context
    log: Path
    port: int = 0
    running: Process | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        command = [sys.executable, "-m", "connector", _COMMANDS[self.kind]]
        self.running = self._stack.enter_context(stage.process(self.context, command, self.log, None))

    def kill(self) -> None:
        """End it in the middle of whatever it does, with all that it started."""
        if self.running is not None:
            self.running.kill()
        self._stack.close()

    def ended_with(self) -> int | None:
        """Return the exit status of one that has ended by itself."""
        return self.running.child.poll() if self.running is not None else None

    def ask_to_stop(self) -> None:
        if self.running is not None:
            self.running.child.terminate()

    def stop(self) -> None:
        self._stack.close()
        self.running = None


class Fleet:
    """Receivers and workers on one store.

    Args:
        place: where their logs go.
        context: their configuration, but for the receivers' ports.
    """

    def __init__(self, place: Path, context: Context, receivers: int, workers: int) -> None:
        self.kills: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.members = [
            Member(RECEIVER, _with_port(context, port), place / f"{RECEIVER}-{number}.log", port)
            for number, port in enumerate(stage.free_ports(receivers), start=1)
        ]
        self.members += [Member(WORKER, context, place / f"{WORKER}-{number}.log") for number in range(1, workers + 1)]

    @property
    def urls(self) -> list[str]:
        """Return where deliveries are taken."""
        return [f"http://127.0.0.1:{one.port}/webhooks/{stage.SOURCE}" for one in self.members if one.port]

    def kill(self, member: Member) -> None:
        member.kill()
        self.kills[member.kind] += 1
        member.start()

    def look_after(self) -> None:
        """Start again whatever ended without having been killed, and keep in mind that it did."""
        for one in self.members:
            if (status := one.ended_with()) is not None:
                self.complaints.append(f"{one.log.stem} ended by itself with status {status}")
                one.kill()
                one.start()

    def records(self) -> Iterator[dict[str, Any]]:
        """Give every record that any of them ever wrote."""
        for one in self.members:
            for line in one.log.read_text(encoding="utf-8", errors="replace").splitlines():
                # A record breaks off where its process was killed.
                if line.startswith("{") and line.endswith("}"):
                    yield json.loads(line)

    def __enter__(self) -> Self:
        try:
            for one in self.members:
                one.start()
            for one in self.members:
                if one.port and one.running is not None:
                    stage.until_answered(one.port, "/health/ready", one.running)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        for one in self.members:
            one.ask_to_stop()
        for one in self.members:
            one.stop()


def _with_port(context: Context, port: int) -> Context:
    return Context(context.config_path, (*context.overrides, f"server.port={port}"))
