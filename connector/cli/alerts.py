"""`alerts test`, `alerts list`, and `metrics`: what operators are told, and what Prometheus reads."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import asdict
from typing import Final

import click
from rich.console import Console

from connector.alerting import Alert, Kind, Phase, Scope
from connector.cli.context import Context, pass_context, print_json
from connector.cli.inspect import as_json, grid
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured
from connector.ids import new_id
from connector.observe.exposition import registry_of, serve, text_of
from connector.store import alerts as store_alerts
from connector.wiring.alarms import alarms_of
from connector.wiring.meters import gauges, look_at

_STOPS: Final = (signal.SIGTERM, signal.SIGINT)


@click.group()
def alerts() -> None:
    """Messages to operators: late deadlines, dead letters, refused credentials."""


@alerts.command()
@click.option("--channel", "chosen", help="Only this channel.")
@pass_context
def test(context: Context, chosen: str | None) -> None:
    """Send a test message by every channel, and say what became of it."""
    channels = [one for one in alarms_of(context.config, context.clock).channels if chosen in {None, one.name}]
    if not channels:
        raise click.UsageError("no channel of that name is configured; see [alerts] in docs/configuration.md")
    now = context.clock.now()
    name = min(context.config.sources)
    failed = False
    for one in channels:
        message = Alert(new_id(now), Kind.HELD, Phase.TEST, Scope.SOURCE, name, 1, now, now)
        try:
            one.send(message)
        except ConnectorError as error:
            failed = True
            click.echo(f"{one.name}: not sent. {error.code}: {error}")
        else:
            click.echo(f"{one.name}: sent, message {message.id}")
    sys.exit(1 if failed else 0)


@alerts.command("list")
@as_json
@pass_context
def list_alerts(context: Context, machine: bool) -> None:
    """Show what operators were told and is not over, and the messages that a channel has not taken yet."""
    with context.open_site() as site, site.database.read() as connection:
        told = store_alerts.told(connection)
        waiting = store_alerts.all_waiting(connection)
    open_ones = [(whose, standing) for whose, standing in told.items() if standing.told_count]
    if machine:
        shown = [
            {"kind": kind, "scope": scope, "name": name, **asdict(standing)}
            for (kind, scope, name), standing in open_ones
        ]
        unsent = [{"channel": one.channel, "kind": one.kind, "tries": one.tries} for one in waiting]
        print_json({"told": shown, "waiting": unsent})
        return
    console = Console()
    rows = ((*whose, one.told_count, one.since, one.told_at) for whose, one in open_ones)
    console.print(grid("Told, and not over", ("kind", "scope", "name", "number", "since", "told"), rows))
    unsent_rows = ((one.channel, one.kind, one.name, one.phase, one.tries, one.next_at) for one in waiting)
    console.print(grid("Not sent yet", ("channel", "kind", "name", "phase", "tries", "next try"), unsent_rows))


@click.command()
@click.option("--once", is_flag=True, help="Print what would be served, and end.")
@pass_context
def metrics(context: Context, once: bool) -> None:
    """Serve metrics, on a machine where no worker does it."""
    of = context.config.metrics
    if of.folder is None:
        raise Misconfigured(Code.CONFIG_INVALID, "metrics.directory is not set, so that nothing is counted")
    site = context.site()
    with site.database, look_at(of.folder):
        registry = registry_of(of.folder, gauges(context.config, site))
        if once:
            click.echo(text_of(registry), nl=False)
            return
        stop = threading.Event()
        for number in _STOPS:
            signal.signal(number, lambda *_: stop.set())
        try:
            end = serve(registry, of.host, of.port)
        except OSError as error:
            where = f"metrics.port {of.port} cannot be listened on ({type(error).__name__})"
            raise Misconfigured(Code.CONFIG_INVALID, where) from None
        click.echo(f"metrics on http://{of.host}:{of.port}/metrics; stop with Ctrl-C")
        stop.wait()
        end()


COMMANDS = (alerts, metrics)
