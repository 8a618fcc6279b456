"""Jobs of the distributed engine, as far as they are written and read in our own transactions. PostgreSQL only.

The queue is Procrastinate's (`migrations/sql`). Only its published function is called here to add a job, and its table
is read, never written. A job carries the name of a step and of an account or source: nothing personal.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import AsyncConnection
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from connector.store.database import Database, session_bounds

QUEUE: Final = "connector"
TASK: Final = "step"
# Any number that nobody else uses in the same database.
_TAKE_OVER_LOCK: Final = 0x636F6E70
# A connection whose other end is gone without a word is given up after this, in seconds.
_KEEPALIVE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}

_IS_WAITING: Final = text(
    "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = :queueing_lock)"
)
_DEFER: Final = text(
    "SELECT procrastinate_defer_jobs_v1(CAST(ARRAY[ROW(:queue, :task, 0, :lock, :queueing_lock,"
    " CAST(:args AS jsonb), NULL)] AS procrastinate_job_to_defer_v1[]))"
)
_IS_HELD: Final = text(
    "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE id = :job_id AND worker_id = :worker_id AND status = 'doing')"
)
# PostgreSQL takes a session for active from the first statement that is sent in a pipeline until the client asks for
# the answers, and `idle_in_transaction_session_timeout` does not count then
# (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html). Every message of the client renews `state_change`;
# only the lines of a COPY do not.
_END_PAUSED: Final = text(
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity, pg_settings"
    " WHERE name = 'idle_in_transaction_session_timeout' AND CAST(setting AS integer) > 0"
    " AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
    " AND state = 'active' AND wait_event = 'ClientRead' AND query NOT ILIKE 'copy%'"
    " AND state_change < clock_timestamp() - CAST(setting AS integer) * interval '1 millisecond'"
)


class Wake:
    """Adds a job for a step within the transaction at hand: it exists if, and only if, that is committed.

    One job at most waits for each process that accepts. Were it one for all of them, each would have to wait for the
    others' commits, because a unique index decides.

    Args:
        step: the name of a step.
        part: of a step that is divided, the name of the account or source.
        lock: what the engine calls the lock of this part.
    """

    def __init__(self, step: str, part: str = "", lock: str = "") -> None:
        self._values = {
            "queue": QUEUE,
            "task": TASK,
            "lock": lock or step,
            "queueing_lock": f"{step}:{part}:{uuid.uuid4().hex}",
            "args": json.dumps({"step": step, "name": part}),
        }

    def __call__(self, connection: Connection) -> None:
        if connection.scalar(_IS_WAITING, self._values):
            # Should it be taken before our commit, the next tick finds what it has not seen.
            return
        try:
            with connection.begin_nested():
                connection.execute(_DEFER, self._values)
        except IntegrityError:
            # Another thread of this process was quicker. Its job serves both, and ours goes on.
            return


def is_held(connection: Connection, job_id: int, worker_id: int | None) -> bool:
    """Say whether a job is still this worker's, and not taken over by another that found it silent."""
    return bool(connection.scalar(_IS_HELD, {"job_id": job_id, "worker_id": worker_id}))


@contextmanager
def only_one_takes_over(database: Database) -> Iterator[bool]:
    """Give whether this is the one worker that may take over jobs now; the right ends with the transaction."""
    with database.write() as connection:
        yield bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _TAKE_OVER_LOCK}))


def end_paused_sessions(database: Database) -> int:
    """End sessions of this role whose process stands still between two statements of a pipeline; return how many.

    They hold locked what they have written, like one that is idle in a transaction, and nothing else would end them
    while the process is paused. The bound is the same one.
    """
    with database.read() as connection:
        return int(connection.scalar(_END_PAUSED) or 0)


def connect_arguments(database: Database) -> dict[str, Any]:
    """Return how the driver connects to the store, for a pool that is not ours; what the URL says comes first."""
    _, arguments = database.engine.dialect.create_connect_args(database.url)
    return {**_KEEPALIVE, "application_name": "connector-worker", **arguments}


async def prepare(connection: AsyncConnection[Any]) -> None:
    """Bound what a connection of that pool waits for, and others for it."""
    await connection.execute(session_bounds().encode())
    await connection.commit()
