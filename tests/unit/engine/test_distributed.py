"""The distributed engine, part by part: what is deferred when, who takes what over, and how a worker begins anew."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from procrastinate.periodic import PeriodicDeferrer
from procrastinate.schema import SchemaManager
from procrastinate.testing import InMemoryConnector
from sqlalchemy import select, text

from connector.codes import Code
from connector.engine import distributed
from connector.engine.choose import engine_of
from connector.engine.distributed import DistributedEngine
from connector.engine.embedded import EmbeddedEngine
from connector.engine.schedule import STEPS, Per, Step
from connector.errors import Misconfigured, Temporary
from connector.services.site import Site
from connector.states import SubmissionState
from connector.store import migrations, schema
from connector.store.database import Database
from connector.store.jobs import Wake
from connector.store.tables import submissions
from tests.support.processes import until
from tests.support.site import Bench
from tests.unit.engine.test_embedded import INTENT
from tests.unit.engine.threads import LIMIT_S, InThread
from tests.unit.web.receiver import receiving

# Once a year, and what was missed for long is left out.
NEVER = "0 0 1 1 *"
PINNED = Path(next(iter(migrations.__path__))) / "sql" / "procrastinate_3_10.sql"


def never(_: int) -> None:
    raise AssertionError("nothing was to begin anew")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with receiving(f"sqlite:///{tmp_path / 'store.db'}") as made:
        yield made.site
        made.site.stop.set()


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Bench]:
    made = Bench(postgres_url)
    yield made
    made.site.stop.set()
    made.database.close()


class Worker(InThread):
    def __init__(self, site: Site) -> None:
        own = replace(site, stop=threading.Event())
        self.restarts: list[int] = []
        self.engine = DistributedEngine(own, 1, self.restarts.append)
        super().__init__(own, self.engine)


def use(monkeypatch: pytest.MonkeyPatch, **steps: Callable[[Site], bool]) -> None:
    """Run these functions as steps instead of the real ones; one that is named as a real one is divided like it."""
    real = {one.name: one.per for one in STEPS}
    made = tuple(Step(name, run, per=real.get(name, Per.SITE)) for name, run in steps.items())
    monkeypatch.setattr(distributed, "STEPS", made)


def counting(calls: Counter[str], name: str, error: Exception | None = None) -> Callable[[Site], bool]:
    def step(_: Site) -> bool:
        calls[name] += 1
        if error is not None:
            raise error
        return False

    return step


def write(database: Database, statement: str, **values: Any) -> Any:
    with database.write() as connection:
        found = connection.execute(text(statement), values)
        return found.scalar() if found.returns_rows else None


def job_rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT * FROM procrastinate_jobs ORDER BY id")).all())


class TestPairing:
    def test_a_store_of_one_file_is_refused(self, site: Site) -> None:
        with pytest.raises(Misconfigured) as refusal:
            DistributedEngine(site, 5, never)
        assert refusal.value.code is Code.ENGINE_MISMATCH

    def test_the_store_chooses_the_engine(self, site: Site) -> None:
        assert isinstance(engine_of(site, 5, never), EmbeddedEngine)

    @pytest.mark.postgres
    def test_postgresql_is_driven_by_this_one(self, shared: Bench) -> None:
        assert isinstance(engine_of(shared.site, 5, never), DistributedEngine)


class TestSchema:
    def test_it_is_the_schema_of_the_library_that_is_installed(self) -> None:
        assert PINNED.read_text(encoding="utf-8").endswith(SchemaManager.get_schema())

    @pytest.mark.postgres
    def test_it_can_be_taken_back(self, shared: Bench) -> None:
        from alembic import command

        config = schema._config()
        with shared.database.write() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0002")
            left = connection.execute(
                text(
                    "SELECT relname FROM pg_class WHERE relname LIKE 'procrastinate%' UNION ALL "
                    "SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%' UNION ALL "
                    "SELECT typname FROM pg_type WHERE typname LIKE '%procrastinate%'"
                )
            ).all()
        assert left == []
        schema.upgrade(shared.database)


class TestSlots:
    def test_every_part_of_every_step_is_deferred_and_carries_names_only(self, site: Site) -> None:
        memory = InMemoryConnector()
        engine = DistributedEngine(site, 5, never, connector=memory)

        async def tick() -> None:
            deferrer = PeriodicDeferrer(engine.app.periodic_registry)
            async with engine.app.open_async():
                await deferrer.defer_jobs(deferrer.get_previous_tasks(1_793_577_600.5))

        asyncio.run(tick())
        named = [one for one in memory.jobs.values() if one["task_name"] == "step"]
        assert [(one["args"]["step"], one["args"]["name"]) for one in named] == [
            (step.name, name) for step in STEPS for name in step.names(site)
        ]
        assert {tuple(one["args"]) for one in named} == {("step", "name", "timestamp")}
        rest = {one["task_name"]: (one["lock"], one["priority"]) for one in memory.jobs.values() if one not in named}
        assert rest == {"take_over": (None, 10), "remove_old": (None, 10)}

    @pytest.mark.postgres
    def test_each_slot_is_deferred_once_by_two_workers(self, shared: Bench) -> None:
        engines = [DistributedEngine(shared.site, 5, never) for _ in range(2)]
        start = 1_793_577_600.0

        async def tick() -> None:
            async with AsyncExitStack() as stack:
                deferrers = []
                for one in engines:
                    await stack.enter_async_context(one.app.open_async())
                    deferrers.append(PeriodicDeferrer(one.app.periodic_registry))
                for second in range(0, 16, 5):
                    await asyncio.gather(
                        *(one.defer_jobs(one.get_previous_tasks(start + second + 0.5)) for one in deferrers)
                    )
                    # Taken at once, so that none is left out because an earlier one still waits.
                    await asyncio.to_thread(
                        write, shared.database, "UPDATE procrastinate_jobs SET status = 'succeeded', lock = NULL"
                    )

        asyncio.run(tick())
        slots = Counter(
            (one.args.get("step", one.task_name), one.args["timestamp"]) for one in job_rows(shared.database)
        )
        assert set(slots.values()) == {1}
        assert [moment - start for step, moment in slots if step == "submit"] == [0, 5, 10, 15]


class TestWork:
    @pytest.fixture(autouse=True)
    def no_ticks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(distributed, "cron", lambda _: NEVER)

    def work_off(self, engine: DistributedEngine, *jobs: tuple[str, str]) -> None:
        async def work() -> None:
            async with engine.app.open_async():
                for step, name in jobs:
                    await engine.app.configure_task("step", queue="connector").defer_async(step=step, name=name)
                await engine.app.run_worker_async(
                    queues=["connector"], wait=False, install_signal_handlers=False, listen_notify=False
                )

        asyncio.run(work())

    def test_a_job_runs_its_part_until_there_is_no_more(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[list[str]] = []

        def submit(part: Site) -> bool:
            seen.append(list(part.accounts))
            return len(seen) < 3

        use(monkeypatch, submit=submit)
        self.work_off(DistributedEngine(site, 5, never, connector=InMemoryConnector()), ("submit", "main"))
        assert seen == [["main"]] * 3

    def test_a_call_whose_answer_could_not_be_written_is_looked_into_before_the_next_one(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[object] = []

        def submit(_: Site) -> bool:
            if not seen:
                with site.database.write() as connection:
                    connection.execute(submissions.insert().values(**INTENT, intended_at=site.clock.now()))
            with site.database.read() as connection:
                seen.append(connection.scalar(select(submissions.c.state)))
            raise Temporary(Code.STORE_UNAVAILABLE)

        use(monkeypatch, submit=submit)
        engine = DistributedEngine(site, 5, never, connector=InMemoryConnector())
        self.work_off(engine, ("submit", "main"), ("submit", "main"))
        assert seen == [SubmissionState.INTENDED, SubmissionState.UNKNOWN]

    def test_a_part_makes_room_for_others_after_its_turn(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: Counter[str] = Counter()

        def endless(_: Site) -> bool:
            calls["endless"] += 1
            return True

        use(monkeypatch, endless=endless, other=counting(calls, "other"))
        monkeypatch.setattr(distributed, "_TURN_S", 0.05)
        engine = DistributedEngine(site, 5, never, connector=InMemoryConnector())
        self.work_off(engine, ("endless", ""), ("other", ""))
        assert calls["other"] == 1

    @pytest.mark.parametrize(("step", "name"), [("of_a_newer_version", ""), ("submit", "elsewhere")])
    def test_what_is_not_known_here_is_left_to_others(self, site: Site, step: str, name: str) -> None:
        memory = InMemoryConnector()
        self.work_off(DistributedEngine(site, 5, never, connector=memory), (step, name))
        assert [one["status"] for one in memory.jobs.values()] == ["succeeded"]

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (Temporary(Code.STORE_UNAVAILABLE, "OperationalError"), {"code": "store_unavailable"}),
            (KeyError("canary@example.com"), {"error_class": "KeyError"}),
        ],
    )
    def test_an_error_ends_one_run_of_one_step_and_shows_nobody(
        self,
        site: Site,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        error: Exception,
        told: dict[str, str],
    ) -> None:
        calls: Counter[str] = Counter()
        use(monkeypatch, broken=counting(calls, "broken", error), sound=counting(calls, "sound"))
        self.work_off(DistributedEngine(site, 5, never, connector=InMemoryConnector()), ("broken", ""), ("sound", ""))
        log = capsys.readouterr().err
        assert "canary" not in log
        (failed,) = [one for one in map(json.loads, log.splitlines()) if one["action"] == "step_failed"]
        assert told.items() <= failed.items()
        assert (failed["step"], calls) == ("broken", {"broken": 1, "sound": 1})


@pytest.mark.postgres
class TestWorkers:
    def test_a_job_of_an_accepted_delivery_is_begun_at_once(
        self, shared: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: Counter[str] = Counter()
        use(monkeypatch, map=counting(calls, "map"))
        monkeypatch.setattr(distributed, "cron", lambda _: NEVER)
        with Worker(shared.site) as worker:
            until(lambda: "worker_started" in shared.log.actions, "it works")
            with worker.site.database.write() as connection:
                Wake("map")(connection)
            until(lambda: calls["map"] == 1, "the job was carried out")
        assert worker.restarts == []
        assert shared.log.actions[-1] == "worker_stopped"
        assert job_rows(shared.database) == []

    def test_two_workers_are_never_at_the_same_account_at_once(
        self, shared: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lock, go_on = threading.Lock(), threading.Event()
        running, most = [0], [0]
        calls: Counter[str] = Counter()

        def step(_: Site) -> bool:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            go_on.wait(LIMIT_S)
            with lock:
                running[0] -= 1
                calls["all"] += 1
            return False

        def waiting() -> int:
            return sum(one.status == "todo" and one.lock == "account:main" for one in job_rows(shared.database))

        use(monkeypatch, look_up=step, submit=step, poll=step, confirm=step)
        with Worker(shared.site), Worker(shared.site):
            until(lambda: waiting() == 4, "one is held up, and another for each step waits")
            assert (running, calls) == ([1], {})
            go_on.set()
            until(lambda: calls["all"] >= 8, "the steps go on")
        assert most == [1]

    def dead_worker_with(self, database: Database, **job: str) -> int:
        """Leave a job behind as a worker does that was killed a minute ago; return the job's id."""
        worker = write(
            database,
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute') RETURNING id",
        )
        found = write(
            database,
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status, worker_id)"
            " VALUES ('connector', 'step', :lock, :key, CAST(:args AS jsonb), 'doing', :worker) RETURNING id",
            worker=worker,
            args=json.dumps({"step": job["step"], "name": job["name"]}),
            key=f"{job['step']}:{job['name']}",
            lock=job["lock"],
        )
        assert isinstance(found, int)
        return found

    @pytest.mark.parametrize("another_waits", [False, True])
    def test_jobs_of_a_dead_worker_are_taken_over_and_its_calls_looked_into(
        self, shared: Bench, monkeypatch: pytest.MonkeyPatch, another_waits: bool
    ) -> None:
        calls: Counter[str] = Counter()
        names = ("submit", "reconcile")
        use(monkeypatch, **{name: counting(calls, name) for name in names})
        monkeypatch.setattr(distributed, "cron", lambda every_s: "* * * * * *" if every_s == 2.0 else NEVER)
        self.dead_worker_with(shared.database, step="submit", name="main", lock="account:main")
        if another_waits:
            write(
                shared.database,
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args) VALUES"
                " ('connector', 'step', 'account:main', 'submit:main', '{\"step\": \"submit\", \"name\": \"main\"}')",
            )
        ahead = shared.clock.now().replace(second=59)
        with shared.database.write() as connection:
            connection.execute(submissions.insert().values(**INTENT, intended_at=ahead))
        with Worker(shared.site):
            until(lambda: calls["submit"] == 1 and calls["reconcile"] == 1, "both were carried out once")
        with shared.database.read() as connection:
            assert connection.scalar(select(submissions.c.state)) is SubmissionState.UNKNOWN
        assert "jobs_taken_over" in shared.log.actions
        assert [one for one in job_rows(shared.database) if one.task_name == "step"] == []

    def test_a_job_that_was_taken_over_is_not_finished_by_its_former_holder(
        self, shared: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone: list[int] = []

        class BeganAnew(Exception):
            """Stands for the new process, in which nothing of the old one goes on."""

        def restart(number: int) -> None:
            gone.append(number)
            raise BeganAnew

        use(monkeypatch, submit=lambda _: False)
        engine = DistributedEngine(shared.site, 5, restart)
        job_id = self.dead_worker_with(shared.database, step="submit", name="main", lock="account:main")
        (row,) = job_rows(shared.database)
        carried_out = engine._held.job(job_id, row.worker_id)
        carried_out.__enter__()
        assert gone == []
        write(shared.database, "SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)", id=job_id)
        write(shared.database, "UPDATE procrastinate_jobs SET worker_id = NULL")
        with pytest.raises(BeganAnew):
            carried_out.__exit__(None, None, None)
        assert gone == [1]
        assert shared.log.records[-1] == ("worker_restarts", {"attempt": 1, "reason": "jobs_taken_over"})


class TestBeginningAnew:
    @pytest.mark.postgres
    @pytest.mark.parametrize(("before", "pause_s"), [(0, 0.5), (1, 1.0), (5, 16.0), (6, 30.0), (99, 30.0)])
    def test_without_a_database_it_tries_again_after_a_growing_pause(
        self, monkeypatch: pytest.MonkeyPatch, shared: Bench, before: int, pause_s: float
    ) -> None:
        waited: list[float] = []
        began: list[int] = []
        away = Database("postgresql+psycopg://nobody:word-canary@127.0.0.1:1/none?connect_timeout=2")
        site = replace(shared.site, database=away)
        monkeypatch.setattr(site.stop, "wait", lambda timeout: waited.append(timeout) or False)
        with away:
            DistributedEngine(site, 5, began.append, before).run()
        assert (waited, began) == ([pause_s], [before + 1])
        (action, fields) = shared.log.records[-1]
        assert (action, fields["code"], fields["attempt"]) == ("worker_restarts", "store_unavailable", before + 1)
        assert (fields["next_at"] - shared.clock.now()).total_seconds() == pause_s

    @pytest.mark.postgres
    def test_a_stop_during_the_pause_ends_it(self, shared: Bench) -> None:
        away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
        site = replace(shared.site, database=away, stop=threading.Event())
        threading.Timer(0.2, site.stop.set).start()
        with away:
            DistributedEngine(site, 5, never, 20).run()
        assert shared.log.actions[-1] == "worker_stopped"

    @pytest.mark.postgres
    def test_an_outdated_schema_is_said_and_not_waited_for(self, postgres_url: str) -> None:
        with receiving(postgres_url, with_schema=False) as made:
            with pytest.raises(Misconfigured) as refusal:
                DistributedEngine(made.site, 5, never).run()
            assert refusal.value.code is Code.STORE_OUTDATED
