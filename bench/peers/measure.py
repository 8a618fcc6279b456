"""All receivers in turn, round by round, so that each ratio is taken between neighbours in time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench import single, slow_disk, stage
from bench.callbacks import Callbacks
from bench.peers import fastify
from bench.peers.receiver import Pace, Receiver, Setup, ids_of_deliveries, ids_of_requests
from bench.peers.report import Result
from bench.stage import CONFIG, Cores
from connector.cli.context import Context

_SECRET: Final = CONFIG.parent / "sandbox" / "webhook.secret"
# A load that is busier than this may itself be what limits a figure.
_TOO_BUSY: Final = 0.9


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured and for how long; `seconds` are those of each loop of a round."""

    rounds: int = 5
    seconds: float = 3.0
    connections: int = 32
    rate: float = 600.0
    slow_disk_ms: float = 0.0
    servers: tuple[str, ...] = ("granian", "gunicorn")
    with_fastify: bool = True
    pinned: bool = True


def measure(plan: Plan) -> Result:
    """Measure every receiver.

    Raises:
        BenchError: one did not come up, did not answer 202, or the disk cannot be slowed down here.
    """
    cores = stage.choose_cores(plan.pinned)
    left_out, peer = [], plan.with_fastify
    if peer:
        try:
            fastify.install()
        except fastify.Unavailable as reason:
            peer = False
            left_out.append(f"fastify was left out: {reason}")
    with stage.folder() as place:
        slow = slow_disk.environment(place, plan.slow_disk_ms)
        sync_ms = slow_disk.sync_ms(place, slow)
        with ExitStack() as lives:
            receivers = [
                _started(setup, place, cores, series, lives)
                for series, setup in enumerate(_setups(plan, place, slow, peer=peer), start=os.getpid())
            ]
            with stage.on_cores(cores.counterpart):
                _play(plan, receivers)
            complaints = [one for receiver in receivers for one in receiver.complaints()]
    complaints += [
        f"{one.name}: the load itself was busy for {one.busy:.0%} of a round and may be the bound"
        for one in receivers
        if one.busy > _TOO_BUSY
    ]
    return Result(
        receivers=receivers,
        setting=f"{plan.connections} connections, 2 KB callbacks, rounds: {plan.rounds} of twice {plan.seconds:g} s "
        f"in turn, {cores.told}; a 4 KiB write with fsync takes {sync_ms:.2f} ms",
        rate=plan.rate,
        sync_ms=sync_ms,
        peer=fastify.versions() if peer else "",
        left_out=left_out,
        complaints=complaints,
    )


def _play(plan: Plan, receivers: Sequence[Receiver]) -> None:
    pace = Pace(plan.connections, plan.seconds, plan.rate)
    for number in range(plan.rounds):
        # Nobody always comes first, or always after the same neighbour's checkpoint.
        start = number % len(receivers)
        for receiver in (*receivers[start:], *receivers[:start]):
            receiver.play(pace)


def _started(setup: Setup, place: Path, cores: Cores, series: int, lives: ExitStack) -> Receiver:
    (port,) = stage.free_ports(1)
    checks = setup.context.config.sources[stage.SOURCE].verify
    log = place / f"{setup.name.replace(', ', '-').replace(' ', '-')}.log"
    receiver = Receiver(setup, port, log, cores, Callbacks(checks, series))
    lives.callback(receiver.stop)
    receiver.start()
    return receiver


def _setups(plan: Plan, place: Path, slow: Mapping[str, str], *, peer: bool) -> Iterator[Setup]:
    for server in plan.servers:
        context = _context(place / f"ours-{server}.db")
        stage.make_store(context)
        yield Setup(
            f"ours, {server}", context, _wsgi(server, "connector.wsgi"), slow, partial(ids_of_requests, context)
        )
    for server in plan.servers:
        file = place / f"single-{server}.db"
        extra = {**slow, single.VARIABLE: str(file)}
        stored = partial(ids_of_deliveries, file)
        yield Setup(f"one commit each, {server}", _context(file), _wsgi(server, "bench.single"), extra, stored)
    for server in plan.servers:
        yield Setup(f"bare 202, {server}", _context(place / "unused.db"), _wsgi(server, "bench.bare"), slow, None)
    if peer:
        file = place / "fastify.db"
        command = partial(fastify.command, file, _SECRET)
        yield Setup("fastify", _context(file), command, slow, partial(ids_of_deliveries, file))


def _wsgi(server: str, module: str) -> Callable[[int], Sequence[str]]:
    return partial(stage.server_command, server, f"{module}:create_app")


def _context(file: Path) -> Context:
    return stage.context_with(
        store__url=f"sqlite:///{file}", log__format="json", sources__onetrust__max_deliveries_per_minute=10**6
    )
