"""The embedded engine: APScheduler in one worker process.

The job store is in memory, because the truth is in the tables. A file lock beside the SQLite file keeps a second worker
out.
"""

from __future__ import annotations

from datetime import UTC

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from connector.codes import Code
from connector.engine.schedule import STEPS, Step, run_step
from connector.errors import ConnectorError, Misconfigured
from connector.services.reconcile import mark_orphans
from connector.services.site import Site
from connector.store import schema


class EmbeddedEngine:
    """Runs each step every `tick_s` seconds, never twice at the same time.

    Args:
        site: what the steps work with.
        tick_s: seconds between two looks for work.
    """

    def __init__(self, site: Site, tick_s: float) -> None:
        if not site.database.is_sqlite:
            # Workers on other machines would not see its lock.
            raise Misconfigured(Code.ENGINE_MISMATCH)
        self._site = site
        self._tick_s = tick_s

    def run(self) -> None:
        schema.require_current(self._site.database)
        with self._site.database.only_holder() as held:
            if not held:
                raise Misconfigured(Code.WORKER_ALREADY_RUNNING)
            mark_orphans(self._site)
            scheduler = BackgroundScheduler(
                timezone=UTC,
                executors={"default": ThreadPoolExecutor(len(STEPS))},
                job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            )
            for step in STEPS:
                scheduler.add_job(
                    self._guarded, "interval", args=[step], seconds=self._tick_s * step.every, id=step.name
                )
            scheduler.start()
            self._site.log.info("worker_started", count=len(STEPS))
            try:
                self._site.stop.wait()
            finally:
                # Steps look at the stop event between two calls, so this waits for at most one call each.
                scheduler.shutdown(wait=True)
                self._site.log.info("worker_stopped")

    def _guarded(self, step: Step) -> None:
        """Run a step; an error ends this run of it, not the worker. The next tick takes up what was left."""
        try:
            if step.name == "submit":
                # Nobody else submits, so this one's last run could not write the answer: the store was full or locked.
                mark_orphans(self._site)
            run_step(self._site, step)
        except ConnectorError as error:
            self._failed(step, code=error.code)
        except Exception as error:  # noqa: BLE001 - the worker must outlive a defect in one step
            self._failed(step, error_class=type(error).__name__)

    def _failed(self, step: Step, **fields: object) -> None:
        # The class or code alone: a traceback could quote a row.
        self._site.log.error("step_failed", step=step.name, **fields)
