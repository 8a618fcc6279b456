"""`connector demo`: the whole product on this machine, with real processes and real HTTP, judged by the two fakes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from connector.cli.context import Context, pass_context, print_json
from connector.cli.scene import LABELS, ROLES, Person, Verdict, calls_of, cast, judge
from connector.cli.serve import GRACE_S
from connector.cli.view import View, all_told
from connector.clock import SystemClock
from connector.codes import Code
from connector.config.checks.signed import SignatureCheck
from connector.errors import ConnectorError, Misconfigured
from connector.outbound import Client
from connector.store import overview as store_overview
from connector.store.database import Database
from connector.wiring import loopback_client

START_S = 30.0
_LOOK_S = 0.25
_SENDERS = 8
# Lines of the processes' log that are shown when the fakes disagree.
_LAST_WORDS = 15
# Enough people per call to be quick, few enough for a readable request.
_CHUNK = 100


@click.command()
@click.option("--callbacks", default=500, show_default=True, help="How many callbacks are sent.")
@click.option("--timeout", "timeout_s", default=180.0, show_default=True, help="Seconds until the demo gives up.")
@click.option("--api", type=click.Choice(["identity-delete", "identity-queue"]), default="identity-delete")
@click.option("--json", "machine", is_flag=True, help="Print the verdict as JSON.")
@pass_context
def demo(context: Context, callbacks: int, timeout_s: float, api: str, machine: bool) -> None:
    """Rehearse the main job: signed callbacks in, bulk deletes at Lytics, completion reported back.

    Starts a fake Lytics, a fake OneTrust, the receiver and the worker on free ports, sends the callbacks, and compares
    what the two fakes saw with what has to be true. Exit status 0 only if they agree.
    """
    console = Console(stderr=machine)
    # A stop from outside unwinds like Ctrl-C, so that no process of the demo stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="consent-connector-demo-") as folder, ExitStack() as stack:
        stage = stack.enter_context(_stage(context, Path(folder), api))
        people = cast(callbacks)
        console.print(f"sandbox, receiver and worker are up; {len(people)} people, {callbacks} callbacks")
        show = Show(stage, people, console)
        show.prepare()
        show.play(time.monotonic() + timeout_s)
        verdict = show.verdict()
        last_words = [] if verdict.agrees else _tail(stage.log, _LAST_WORDS)
    seconds = time.monotonic() - began
    if machine:
        lines = [{"what": what, "found": found, "expected": wanted} for what, found, wanted in verdict.lines]
        print_json({"agrees": verdict.agrees, "lines": lines, "seconds": round(seconds, 1)})
    else:
        console.print(_summary(verdict, seconds))
    for line in last_words:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    sys.exit(0 if verdict.agrees else 1)


@dataclass(frozen=True, slots=True)
class Stage:
    """The processes of a demo, all up."""

    lytics: Client
    onetrust: Client
    database: Database
    receiver_url: str
    secret: str
    log: Path


@contextmanager
def _stage(context: Context, folder: Path, api: str) -> Iterator[Stage]:
    lytics_port, onetrust_port, receiver_port = _free_ports(3)
    store = f"sqlite:///{folder / 'demo.db'}"
    context = Context(
        context.config_path,
        (
            *context.overrides,
            f"server.port={receiver_port}",
            f'store.url="{store}"',
            f'accounts.main.base_url="http://127.0.0.1:{lytics_port}"',
            f'accounts.main.deletion_api="{api}"',
            f'sources.onetrust.report.base_url="http://127.0.0.1:{onetrust_port}"',
            'log.level="warning"',
            # However many callbacks are asked for, nobody is at hand to look.
            "accounts.main.fuse.enabled=false",
            "sources.onetrust.fuse.enabled=false",
        ),
    )
    check = context.config.sources["onetrust"].verify[0]
    if not isinstance(check, SignatureCheck):
        raise Misconfigured(Code.CONFIG_INVALID, "the demo needs a source `onetrust` that is verified by hmac")
    secret = check.secrets[0].reveal()
    sandbox = ("sandbox", "--lytics-port", str(lytics_port), "--onetrust-port", str(onetrust_port), "--people", "0")
    receiver_url = f"http://127.0.0.1:{receiver_port}"
    lytics = loopback_client(f"http://127.0.0.1:{lytics_port}")
    onetrust = loopback_client(f"http://127.0.0.1:{onetrust_port}")
    log = folder / "processes.log"
    with ExitStack() as stack:
        children = [
            stack.enter_context(_process(context, log, *sandbox, "--finish-after", "0.5")),
            stack.enter_context(_process(context, log, "run")),
        ]
        for client, path in ((lytics, "/_sandbox/faults"), (onetrust, "/_sandbox/faults")):
            _wait(client, path, children, log)
        _wait(loopback_client(receiver_url), "/health/ready", children, log)
        with Database(store, pool_size=2) as database:
            yield Stage(lytics, onetrust, database, receiver_url, secret, log)


@contextmanager
def _process(context: Context, log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "connector", *arguments], env=context.environment, stdout=output, stderr=output
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(GRACE_S + 5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(client: Client, path: str, children: Sequence[subprocess.Popen[bytes]], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and all(child.poll() is None for child in children):
        try:
            if client.request("GET", path).status == 200:  # noqa: PLR2004
                return
        except ConnectorError:
            pass
        time.sleep(0.05)
    raise Misconfigured(Code.CONFIG_INVALID, "a process of the demo did not come up: " + " | ".join(_tail(log, 5)))


def _tail(log: Path, lines: int) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-lines:]


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass(slots=True)
class Show:
    """One performance: prepare the fakes, send the callbacks, watch until everything is reported."""

    stage: Stage
    people: Sequence[Person]
    console: Console
    subtask_of: dict[int, str] = field(default_factory=dict)
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self) -> None:
        for chunk in _chunks(self.people):
            profiles = [one.profile for one in chunk if one.role.known]
            if profiles:
                _post(self.stage.lytics, "/_sandbox/seed", {"profiles": profiles})
            made = _post(self.stage.onetrust, "/_sandbox/requests", {"requests": [one.request for one in chunk]})
            self.subtask_of |= {one.number: row["subtask_id"] for one, row in zip(chunk, made["requests"], strict=True)}
        hmac = {"kind": "hmac", "secret": self.stage.secret, "prefix": "sha256="}
        _post(
            self.stage.onetrust,
            "/_sandbox/workflow",
            {"url": f"{self.stage.receiver_url}/webhooks/onetrust", "labels": LABELS, "credentials": [hmac]},
        )

    def play(self, deadline: float) -> None:
        """Send everything and draw until it is reported or the time is over."""
        sender = threading.Thread(target=self._send_all, name="sender", daemon=True)
        sender.start()
        reported = sum(1 for one in self.people if one.role.answer == 202)  # noqa: PLR2004
        view = View(self.console, sum(calls_of(one.role) for one in self.people), reported)
        with view:
            while time.monotonic() < deadline:
                seen = self._look()
                view.draw(self.sent, seen)
                if not sender.is_alive() and all_told(seen, reported):
                    break
                time.sleep(_LOOK_S)
        sender.join(max(0.0, deadline - time.monotonic()))

    def verdict(self) -> Verdict:
        """Read both fakes and judge."""
        states = [_json(one.request("GET", "/_sandbox/state").body) for one in (self.stage.lytics, self.stage.onetrust)]
        return judge(self.people, self.subtask_of, *states)

    def _look(self) -> store_overview.Overview:
        with self.stage.database.read() as connection:
            return store_overview.overview(connection, SystemClock().now())

    def _send_all(self) -> None:
        # What could not be sent is missing from the verdict.
        with suppress(ConnectorError):
            self._send()

    def _send(self) -> None:
        for role in ROLES:
            mine = [one for one in self.people if one.role is role]
            for chunk in _chunks(mine):
                body = {
                    "subTaskIds": [self.subtask_of[one.number] for one in chunk],
                    "threads": _SENDERS,
                    "knobs": [role.knob] if role.knob else [],
                }
                _post(self.stage.onetrust, "/_sandbox/fire", body)
                with self._lock:
                    self.sent += len(chunk) * calls_of(role)


def _summary(verdict: Verdict, seconds: float) -> Table:
    title = "[bold green]both fakes agree[/]" if verdict.agrees else "[bold red]the fakes disagree[/]"
    table = Table(title=f"{title} after {seconds:.1f} s", title_justify="left")
    table.add_column("read back from the fakes")
    table.add_column("found", justify="right")
    table.add_column("expected", justify="right")
    for what, found, wanted in verdict.lines:
        style = "" if found == wanted else "bold red"
        table.add_row(what, str(found), str(wanted), style=style)
    return table


def _chunks(people: Sequence[Person]) -> Iterator[Sequence[Person]]:
    for start in range(0, len(people), _CHUNK):
        yield people[start : start + _CHUNK]


def _post(client: Client, path: str, body: Mapping[str, Any]) -> Any:
    return _json(client.request("POST", path, json=body).body)


_json: Callable[[bytes], Any] = json.loads

COMMANDS = (demo,)
