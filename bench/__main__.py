"""`python -m bench`: what needs nothing but the product; with a name such as `accept` or `peers`: one measurement."""

from __future__ import annotations

import json
import random
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final, Protocol

import click
from rich.console import Console, RenderableType

from bench import accept, drain, drained, growth, pipeline, proving, sealing, soak, through, throughput, verify
from bench.peers import measure as peers
from bench.stage import BenchError
from connector.errors import ConnectorError


class Measured(Protocol):
    """What every measurement gives."""

    complaints: list[str]

    @property
    def table(self) -> RenderableType: ...

    def as_dict(self) -> dict[str, Any]: ...


# Of a table in a file or a pipe; a terminal tells its own.
_WIDTH: Final = 120
_ACCEPT: Final = accept.Plan()
_PIPELINE: Final = pipeline.Plan()
_PEERS: Final = peers.Plan()
_SOAK: Final = soak.Plan()
_THROUGH: Final = through.Plan()
_DRAIN: Final = drained.Plan()
_as_json = click.option("--json", "machine", is_flag=True, help="Print the figures as JSON.")
_unpinned = click.option("--unpinned", is_flag=True, help="Leave the choice of cores to the system.")


@click.group(invoke_without_command=True)
@_as_json
@click.pass_context
def main(context: click.Context, machine: bool) -> None:
    """Measure the product on this machine, beside floors measured in turn with it.

    Only loopback is used, but for what `peers` installs with npm.
    """
    # The children have sessions of their own: without this they would outlive a SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if context.invoked_subcommand is None:
        _show(
            machine,
            accept=lambda: accept.measure(_ACCEPT),
            pipeline=lambda: pipeline.measure(_PIPELINE),
            verify=lambda: verify.measure(verify.Plan()),
        )


@main.command("accept")
@click.option("--server", type=click.Choice(["granian", "gunicorn"]), default="granian", show_default=True)
@click.option("--store", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=_ACCEPT.rounds, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1), default=_ACCEPT.seconds, show_default=True, help="Per round.")
@click.option("--connections", type=click.IntRange(1), default=_ACCEPT.connections, show_default=True)
@_unpinned
@_as_json
def accept_command(
    server: str, store: str, rounds: int, seconds: float, connections: int, unpinned: bool, machine: bool
) -> None:
    """Callbacks per second and their latency, beside a receiver that verifies and stores nothing."""
    plan = accept.Plan(server, store, rounds, seconds, connections, not unpinned)
    _show(machine, accept=lambda: accept.measure(plan))


@main.command("pipeline")
@click.option("--requests", "number", type=click.IntRange(1), default=_PIPELINE.requests, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=_PIPELINE.rounds, show_default=True)
@click.option("--api", type=click.Choice(["identity-delete", "identity-queue"]), default=_PIPELINE.deletion_api)
@_unpinned
@_as_json
def pipeline_command(number: int, rounds: int, api: str, unpinned: bool, machine: bool) -> None:
    """Identities per second from stored to reported, beside the bare remote calls for them."""
    plan = pipeline.Plan(number, rounds, api, not unpinned)
    _show(machine, pipeline=lambda: pipeline.measure(plan))


@main.command("peers")
@click.option("--server", "servers", type=click.Choice(["granian", "gunicorn"]), multiple=True, default=_PEERS.servers)
@click.option("--rounds", type=click.IntRange(1), default=_PEERS.rounds, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1), default=_PEERS.seconds, show_default=True, help="Per loop.")
@click.option("--connections", type=click.IntRange(1), default=_PEERS.connections, show_default=True)
@click.option("--rate", type=click.FloatRange(50), default=_PEERS.rate, show_default=True, help="Of the open loop.")
@click.option(
    "--slow-disk",
    type=click.FloatRange(0),
    default=0,
    metavar="MS",
    help="Make every fsync so much longer (Linux, cc).",
)
@click.option("--without-fastify", is_flag=True, help="Leave out the peer that needs Node.js and npm.")
@_unpinned
@_as_json
def peers_command(
    servers: tuple[str, ...],
    rounds: int,
    seconds: float,
    connections: int,
    rate: float,
    slow_disk: float,
    without_fastify: bool,
    unpinned: bool,
    machine: bool,
) -> None:
    """The accept path beside a peer in Node.js, a receiver with a commit each, and one that stores nothing."""
    plan = peers.Plan(rounds, seconds, connections, rate, slow_disk, servers, not without_fastify, not unpinned)
    _show(machine, peers=lambda: peers.measure(plan))


@main.command("growth")
@click.option("--identities", type=click.IntRange(growth.LEAST), default=growth.Plan().identities, show_default=True)
@_as_json
def growth_command(identities: int, machine: bool) -> None:
    """One run of each step, and one delivery, with a million identities waiting, beside the same with few."""
    _show(machine, growth=lambda: growth.measure(growth.Plan(identities)))


@main.command("throughput")
@click.option("--callbacks", type=click.IntRange(1), default=_THROUGH.callbacks, show_default=True)
@click.option("--connections", type=click.IntRange(1), default=_THROUGH.connections, show_default=True)
@click.option("--faults", type=click.FloatRange(0, 0.5), default=_THROUGH.faults, help="Share of calls that fail.")
@_as_json
def throughput_command(callbacks: int, connections: int, faults: float, machine: bool) -> None:
    """Callbacks through two receivers and two workers on PostgreSQL, from the first to the last report, with faults."""
    plan = through.Plan(callbacks, connections, faults)
    _show(machine, throughput=lambda: throughput.measure(plan))


@main.command("drain")
@click.option("--identities", type=click.IntRange(drained.LEAST), default=_DRAIN.identities, show_default=True)
@click.option("--window", type=click.FloatRange(2), default=_DRAIN.window_s, help="Seconds at each of two limits.")
@_as_json
def drain_command(identities: int, window: float, machine: bool) -> None:
    """A million identities carried to their end by one worker: its memory, its cost, and who is the bound."""
    _show(machine, drain=lambda: drain.measure(drained.Plan(identities, window_s=window)))


@main.command("sealing")
@click.option("--rounds", type=click.IntRange(1), default=sealing.Plan().rounds, show_default=True)
@_as_json
def sealing_command(rounds: int, machine: bool) -> None:
    """What sealing, the audit log and receipts cost: a cipher alone, and a request's life without them and with."""
    _show(
        machine,
        sealing=lambda: sealing.measure(sealing.Plan(rounds)),
        proving=lambda: proving.measure(proving.Plan(rounds)),
    )


@main.command("verify")
@click.argument("names", nargs=-1)
@click.option("--rounds", type=click.IntRange(1), default=verify.Plan().rounds, show_default=True)
@_as_json
def verify_command(names: tuple[str, ...], rounds: int, machine: bool) -> None:
    """What verifying a 2 KiB delivery costs, beside the bare operation; NAMES are ways of signing, all by default."""
    _show(machine, verify=lambda: verify.measure(verify.Plan(rounds, names)))


@main.command("soak")
@click.option("--store", type=click.Choice(soak.STORES), default=_SOAK.store, show_default=True)
@click.option("--kills", type=click.IntRange(1), default=_SOAK.kills, show_default=True)
@click.option(
    "--every",
    type=click.FloatRange(0.1),
    default=_SOAK.every_s,
    show_default=True,
    help="Mean seconds between two kills.",
)
@click.option("--rate", type=click.FloatRange(0.1), default=_SOAK.rate, show_default=True, help="Callbacks a second.")
@click.option("--api", type=click.Choice(soak.APIS), default=_SOAK.deletion_api, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Of all random choices; another one each time if not given.")
@_as_json
def soak_command(store: str, kills: int, every: float, rate: float, api: str, seed: int | None, machine: bool) -> None:
    """Kill receivers and workers at random moments under load, then look whether anything was lost or done twice."""
    seed = random.randrange(1_000_000) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    plan = soak.Plan(kills, store, api, seed, every, rate)
    _show(machine, has_bar=True, soak=lambda: soak.measure(plan))


def _show(machine: bool, *, has_bar: bool = False, **measurements: Callable[[], Measured]) -> None:
    """Measure, print, and exit with status 1 if something measured did not do its work."""
    console = Console(stderr=machine)
    if not console.is_terminal:
        console = Console(stderr=machine, width=_WIDTH)
    found: dict[str, Any] = {}
    complaints: list[str] = []
    for name, measure in measurements.items():
        try:
            with nullcontext() if has_bar else console.status(f"measuring: {name}"):
                result = measure()
        except (BenchError, ConnectorError) as error:
            complaints.append(f"{name}: {error}")
            continue
        found[name] = result.as_dict()
        complaints += [f"{name}: {one}" for one in result.complaints]
        if not machine:
            console.print(result.table)
    for one in complaints:
        click.echo(one, err=True)
    if machine:
        click.echo(json.dumps(found | {"complaints": complaints}, indent=2))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main(prog_name="python -m bench")
