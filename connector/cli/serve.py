"""Processes: `run` (web and worker together), `web`, `worker`, and the group `db`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final, NoReturn

import click

from connector.cli.context import Context, pass_context
from connector.cli.copy import db_copy
from connector.engine.choose import engine_of
from connector.errors import ConnectorError
from connector.observe.uncaught import log_uncaught
from connector.services.own_keys import note_own_keys
from connector.services.resolutions import check_resolutions
from connector.services.schema import check_schemas
from connector.services.site import Site
from connector.store import schema
from connector.wiring import open_database
from connector.wiring.meters import serve_metrics

# Seconds that a child gets to finish what is in hand before it is killed, and of these the web server's own processes.
GRACE_S = 30.0
_SERVER_GRACE_S = 10
_LOOK_S = 0.2
_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
# How often a worker began anew in a row; set by itself alone.
_RESTARTS_VARIABLE: Final = "CONNECTOR_WORKER_RESTARTS"


def web_command(context: Context) -> list[str]:
    """Return the command line of the web server; the Procfile has the same for a fixed configuration."""
    server = context.config.server
    return server_command(server.host, server.port, server.threads, "connector.wsgi:create_app")


def server_command(host: str, port: int, threads: int, factory: str) -> list[str]:
    """Return the command line that serves the application which `factory` builds, in one process."""
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--factory",
        "--host",
        host,
        "--port",
        str(port),
        "--workers",
        "1",
        "--blocking-threads",
        str(threads),
        "--backpressure",
        str(max(64, threads * 4)),
        # Without it, a stop that comes while the server is still starting is waited for without an end.
        "--workers-kill-timeout",
        str(_SERVER_GRACE_S),
        "--no-access-log",
        # Its one warning is about the number of threads, which is meant: they wait for the store.
        "--log-level",
        "error",
        factory,
    ]


@click.command()
@pass_context
def web(context: Context) -> None:
    """Receive deliveries (a production WSGI server)."""
    require_schema(context)
    arguments = web_command(context)
    os.execve(arguments[0], arguments, context.environment)  # noqa: S606 - our own interpreter, no shell


@click.command()
@pass_context
def worker(context: Context) -> None:
    """Carry requests on: map, submit, follow, confirm, report. One on SQLite, any number on PostgreSQL."""
    site = context.site(role="worker")
    log_uncaught(site.log)
    for number in _STOPS:
        signal.signal(number, lambda *_: site.stop.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    before = os.environ.get(_RESTARTS_VARIABLE, "0")
    restarts = int(before) if before.isdecimal() else 0
    # Beside the work, which does not wait for it.
    threading.Thread(target=_look_around, args=(context, site), daemon=True).start()
    end = serve_metrics(context.config, site)
    try:
        engine_of(site, context.config.engine.tick_s, partial(_begin_anew, context), restarts).run()
    finally:
        end()


def _look_around(context: Context, site: Site) -> None:
    """Say at once what would only show later; where the store is not ready, the engine says that."""
    with suppress(ConnectorError):
        schema.require_current(site.database)
        # Closed at once: what the steps write with is theirs.
        with open_database(context.config) as database:
            note_own_keys(replace(site, database=database))
        check_schemas(site)
    check_resolutions(site)


def _begin_anew(context: Context, restarts: int) -> NoReturn:
    """Become a new process under the same id: nothing is left of what the old one believed to hold."""
    environment = {**context.environment, _RESTARTS_VARIABLE: str(restarts)}
    # Whoever asks to stop meanwhile is heard as soon as the new one listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    os.execve(sys.executable, [sys.executable, "-m", "connector", "worker"], environment)  # noqa: S606 - our own


@click.command()
@pass_context
def run(context: Context) -> None:
    """Run web and worker together on one machine; the schema is brought up to date first."""
    with open_database(context.config) as database:
        schema.upgrade(database)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = context.config.server
    click.echo(f"receiving on http://{server.host}:{server.port}/webhooks/<source>; stop with Ctrl-C")
    sys.exit(supervise(context, stop))


def supervise(context: Context, stop: threading.Event) -> int:
    """Run both processes until asked to stop or one of them ends; return the exit status.

    One that ends by itself takes the other along, so that whatever supervises us sees it and starts both again.
    """
    command = [sys.executable, "-m", "connector"]
    children = [
        subprocess.Popen([*command, name], env=context.environment, start_new_session=True)  # noqa: S603 - our own
        for name in ("web", "worker")
    ]
    while not stop.is_set() and all(child.poll() is None for child in children):
        stop.wait(_LOOK_S)
    by_itself = not stop.is_set()
    for child in children:
        child.terminate()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        _end(child, deadline)
    return 1 if by_itself else 0


def _end(child: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait until a child that was asked to stop has ended, or end it, with everything that it started."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(max(0.0, deadline - time.monotonic()))
    # A server process outlives a master that was killed, and would keep the port. Each child leads a group of its own.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@click.group()
def db() -> None:
    """The store."""


@db.command("upgrade")
@pass_context
def db_upgrade(context: Context) -> None:
    """Bring the schema up to date; safe to repeat."""
    with open_database(context.config) as database:
        before, after = schema.upgrade(database)
    click.echo(f"schema {before or 'none'} → {after}" if before != after else f"schema {after} is current")


db.add_command(db_copy)


def require_schema(context: Context) -> None:
    """Raise `Misconfigured` unless the store is up to date."""
    with open_database(context.config) as database:
        schema.require_current(database)


COMMANDS = (run, web, worker, db)
