"""The distributed engine: Procrastinate, on the PostgreSQL that holds our state. Any number of workers, on any hosts.

A job is one part of one step: `submit` for one account, `report` for one source. A lock keeps two workers from being at
the same account or source at once. The truth stays in our tables: a job that comes twice, late or never costs time.

A worker that falls silent loses its jobs after `SILENT_S`. If it was not dead but paused, it finds that out before its
next call to a remote system, or before it could finish what is no longer its own, and begins anew. So it does when
PostgreSQL was away: Procrastinate's loop ends then, with or without an error
(https://github.com/procrastinate-org/procrastinate/issues/1116).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status

from connector.codes import Code
from connector.engine.cron import cron
from connector.engine.held import Held
from connector.engine.schedule import STEPS, Step
from connector.errors import ConnectorError, Misconfigured
from connector.services.reconcile import mark_orphans
from connector.services.site import Site
from connector.store import jobs, schema

# Seconds. A worker that has not been heard of for so long has lost its jobs; the database's clock decides.
SILENT_S: Final = 6.0
_HEARTBEAT_S: Final = 1.0
_TAKE_OVER_EVERY_S: Final = 2.0
# After so long a part makes room for others, even if it has more to do; its next job goes on.
_TURN_S: Final = 10.0
_LOOK_S: Final = 0.2
_MOST_THREADS: Final = 24
# Pauses before a new beginning grow to this, and are short again after a worker has worked for as long.
_LONGEST_PAUSE_S: Final = 30.0
_KEEP_HOURS: Final = 24 * 7
# Before every other job, and whatever this machine's clock says.
_URGENT: Final = 10
_AT_ONCE: Final = datetime(2000, 1, 1, tzinfo=UTC)

Restart = Callable[[int], None]
T = TypeVar("T")


class DistributedEngine:
    """One worker of several.

    Args:
        site: what the steps work with.
        tick_s: seconds between two looks for work; whole seconds from 1 upwards are meant.
        restart: begins this process anew, told how often that happened in a row. It does not come back.
        restarts: how often that happened before.
        connector: in place of the store's PostgreSQL, for tests.
    """

    def __init__(
        self, site: Site, tick_s: float, restart: Restart, restarts: int = 0, connector: BaseConnector | None = None
    ) -> None:
        if connector is None and site.database.is_sqlite:
            raise Misconfigured(Code.ENGINE_MISMATCH)
        self._outer = site
        self._halt = threading.Event()
        self._site = replace(site, stop=self._halt)
        self._steps = {one.name: one for one in STEPS}
        self._restart = restart
        self._restarts = restarts
        self._began = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held = Held(site.database, self._lost)
        site.lease.confirm_by(self._held.confirm)
        self.app = App(connector=connector or _connector(site))
        self._register(tick_s)

    def run(self) -> None:
        """Work until asked to stop; begin anew whenever the work ends by itself, which is when PostgreSQL goes away."""
        code = error_class = None
        try:
            schema.require_current(self._site.database)
            asyncio.run(self._work())
        except Misconfigured:
            raise
        except ConnectorError as error:
            code = error.code
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever ended it, the work goes on
            error_class = type(error).__name__
        if self._outer.stop.is_set():
            self._site.log.info("worker_stopped")
            return
        self._begin_anew(code, error_class)

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        parts = [(step, name) for step in STEPS for name in step.names(self._site)]
        threads = min(len({step.lock(name) for step, name in parts}), _MOST_THREADS)
        # Its own default is made for the number of cores; these threads wait for the network.
        self._loop.set_default_executor(ThreadPoolExecutor(threads + 4, thread_name_prefix="step"))
        async with self.app.open_async():
            self._site.log.info("worker_started", count=len(parts))
            worker = asyncio.ensure_future(
                self.app.run_worker_async(
                    queues=[jobs.QUEUE],
                    # Housekeeping finds a place even if every part is busy here.
                    concurrency=threads + 2,
                    fetch_job_polling_interval=_HEARTBEAT_S,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                    update_heartbeat_interval=_HEARTBEAT_S,
                    stalled_worker_timeout=SILENT_S * 2,
                )
            )
            while not worker.done() and not self._outer.stop.is_set():
                await asyncio.wait({worker}, timeout=_LOOK_S)
            # Steps look at it between two calls, so this waits for at most one call each.
            self._halt.set()
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    def _begin_anew(self, code: Code | None, error_class: str | None) -> None:
        now = time.monotonic()
        restarts = 0 if now - self._began > _LONGEST_PAUSE_S else self._restarts
        pause_s = min(0.5 * 2.0 ** min(restarts, 10), _LONGEST_PAUSE_S)
        next_at = self._site.clock.now() + timedelta(seconds=pause_s)
        self._site.log.warning(
            "worker_restarts", attempt=restarts + 1, next_at=next_at, code=code, error_class=error_class
        )
        if self._outer.stop.wait(pause_s):
            self._site.log.info("worker_stopped")
            return
        self._restart(restarts + 1)

    def _register(self, tick_s: float) -> None:
        """Register the tasks, and when each is deferred: once per slot, whoever of the workers is first."""
        task = self.app.task(name=jobs.TASK, queue=jobs.QUEUE, pass_context=True)(self._carry_out)
        for step in STEPS:
            for name in step.names(self._site):
                self.app.periodic(
                    cron=cron(tick_s * step.every),
                    periodic_id=step.key(name),
                    lock=step.lock(name),
                    queueing_lock=step.key(name),
                    task_kwargs={"step": step.name, "name": name},
                )(task)
        for housekeeping, every_s in ((self._take_over, _TAKE_OVER_EVERY_S), (self._remove_old, 3600.0)):
            name = housekeeping.__name__.lstrip("_")
            # No lock: it would stay locked for ever if its holder died, and nobody would be left to take it over.
            kept = self.app.task(name=name, queue=jobs.QUEUE, queueing_lock=name, priority=_URGENT)(housekeeping)
            self.app.periodic(cron=cron(every_s))(kept)

    def _carry_out(self, context: JobContext, timestamp: int = 0, *, step: str, name: str) -> None:  # noqa: ARG002
        """Carry out one part of one step; an error ends this run of it. The next tick takes up what was left."""
        chosen = self._steps.get(step)
        part = chosen.part(self._site, name) if chosen is not None else None
        if chosen is None or part is None:
            # Of a newer version or another configuration, whose own workers do it.
            return
        with self._held.job(context.job.id, context.job.worker_id):
            try:
                if step == "submit":
                    # The lock is ours, so whoever had it could not write the answer: the store was full or locked.
                    mark_orphans(part)
                _take_turn(part, chosen)
            except ConnectorError as error:
                self._failed(step, code=error.code)
            except Exception as error:  # noqa: BLE001 - the worker must outlive a defect in one step
                self._failed(step, error_class=type(error).__name__)

    def _failed(self, step: str, **fields: object) -> None:
        # The class or code alone: a traceback could quote a row.
        self._site.log.error("step_failed", step=step, **fields)

    def _lost(self) -> None:
        """Begin anew: others took this worker for dead. To finish their job would set its lock free too early."""
        self._site.log.warning("worker_restarts", attempt=1, reason="jobs_taken_over")
        self._restart(1)

    def _take_over(self, timestamp: int) -> None:  # noqa: ARG002 - given to every periodic task
        """Give the jobs of silent workers to whoever is there, and what they hold locked. One does it at a time."""
        with suppress(ConnectorError, ConnectorException, TimeoutError):
            with jobs.only_one_takes_over(self._site.database) as mine:
                stalled = self._here(self._stalled()) if mine else []
                for job in stalled:
                    self._mark_lost_calls(job)
                    self._here(self._free(job))
            if stalled:
                self._site.log.warning("jobs_taken_over", count=len(stalled))
            if mine and (ended := jobs.end_paused_sessions(self._site.database)):
                self._site.log.warning("sessions_ended", count=ended)

    def _here(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something of the library's, which lives in the worker's loop, from a step's thread."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_LONGEST_PAUSE_S)

    async def _stalled(self) -> list[Job]:
        return list(await self.app.job_manager.get_stalled_jobs(queue=jobs.QUEUE, seconds_since_heartbeat=SILENT_S))

    def _mark_lost_calls(self, job: Job) -> None:
        """Say of the bulk calls of a dead worker that their outcome is unknown, while its lock keeps others out."""
        name = str(job.task_kwargs.get("name", ""))
        if job.task_kwargs.get("step") == "submit" and (part := self._steps["submit"].part(self._site, name)):
            mark_orphans(part)

    async def _free(self, job: Job) -> None:
        """Queue a stalled job again, or drop it if another for the same part waits already."""
        manager = self.app.job_manager
        with suppress(ConnectorException):
            try:
                # The default would be this machine's time, which may be ahead of the database's.
                await manager.retry_job(job, retry_at=_AT_ONCE)
            except UniqueViolation:
                await manager.finish_job(job, Status.FAILED, delete_job=True)
        if job.task_kwargs.get("step") == "submit":
            name = str(job.task_kwargs["name"])
            step = self._steps["reconcile"]
            deferrer = self.app.configure_task(
                jobs.TASK, queue=jobs.QUEUE, lock=step.lock(name), queueing_lock=step.key(name)
            )
            with suppress(AlreadyEnqueued, ConnectorException):
                await deferrer.defer_async(step=step.name, name=name)

    async def _remove_old(self, timestamp: int) -> None:  # noqa: ARG002 - given to every periodic task
        """Forget jobs that ended otherwise than well; the others are deleted as they end."""
        with suppress(ConnectorException):
            await self.app.job_manager.delete_old_jobs(
                nb_hours=_KEEP_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
            )


def _take_turn(site: Site, step: Step) -> None:
    until = time.monotonic() + _TURN_S
    while step.run(site) and not site.stop.is_set() and time.monotonic() < until:
        continue


def _connector(site: Site) -> PsycopgConnector:
    arguments: dict[str, Any] = jobs.connect_arguments(site.database)
    return PsycopgConnector(kwargs=arguments, configure=jobs.prepare, min_size=1, max_size=4, timeout=10.0)
