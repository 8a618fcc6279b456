"""Copy a SQLite store into an empty PostgreSQL database, from which the life of its requests then goes on.

It may be killed at any point: the same call goes on. It reads as many rows of the source again as the target says to
have. If they have the same digest, nothing was changed meanwhile and the copy goes on behind them, else it starts over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Table, func, select, tuple_

from connector.codes import Code
from connector.errors import Misconfigured, Temporary
from connector.store import copy_target, schema, seal
from connector.store.columns import AnyRow
from connector.store.database import Database
from connector.store.sums import PART_ROWS, Sum, sum_of
from connector.store.tables import metadata


class Phase(StrEnum):
    """What a copy is doing."""

    RETRACING = "reading again what was copied"
    COPYING = "copying"
    COMPARING = "comparing both stores"


# Told: what is being done, in which table, how many rows of this phase are done, of how many.
Tell = Callable[[Phase, str, int, int], None]


@dataclass(frozen=True, slots=True)
class Compared:
    """A table on both sides."""

    table: str
    source: Sum
    target: Sum

    @property
    def is_equal(self) -> bool:
        return self.source == self.target


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of a copy.

    Attributes:
        went_on: an unfinished copy of the same store was carried on.
        started_over: the source had been changed since, so that all was copied again.
    """

    tables: tuple[Compared, ...]
    went_on: bool
    started_over: bool

    @property
    def is_equal(self) -> bool:
        return all(one.is_equal for one in self.tables)


def copy_store(source: Database, target: Database, tell: Tell) -> Copied:
    """Copy a store, or carry an unfinished copy on; then compare both.

    If they are equal, the source is closed for good and the target opened. If not, the target is marked as unusable and
    the source stays as it is.

    Raises:
        Misconfigured: somebody works on one of them, or they are not fit for it.
        Temporary: one of them cannot be reached; the same call goes on.
    """
    with _held_alone(source, target):
        went_on = _prepare(source, target)
        # Nobody writes to the source from here until it is closed: this transaction has the turn of all writers.
        with source.write() as connection:
            done = _retrace(connection, target, tell)
            if done is None:
                copy_target.start_over(target)
            _copy(connection, target, done or {}, tell)
            tables = _compare(connection, target, tell)
            result = Copied(tables, went_on, started_over=done is None)
            if result.is_equal:
                seal.close(connection)
        if result.is_equal:
            # Last of all: opened before the source is closed, there would be two stores that take deliveries.
            copy_target.open_store(target)
        else:
            copy_target.give_up(target)
        return result


@contextmanager
def _held_alone(source: Database, target: Database) -> Iterator[None]:
    """Keep workers and other copies away from both stores; refuse if a receiver has the source open."""
    if not source.is_sqlite:
        raise Misconfigured(Code.COPY_REFUSED, "the configured store is no SQLite file")
    if target.is_sqlite:
        raise Misconfigured(Code.COPY_REFUSED, "the target is no PostgreSQL database")
    with source.only_holder() as held:
        if not held:
            found = "`connector worker`, `connector run` or another copy works on the source"
            raise Misconfigured(Code.WORKER_ALREADY_RUNNING, found)
        if seal.is_open_elsewhere(source):
            found = (
                "another process has the SQLite file open; stop `connector web` or `connector run`, and any shell on it"
            )
            raise Misconfigured(Code.COPY_REFUSED, found)
        if _is_in_use(target):
            raise Misconfigured(Code.COPY_REFUSED, "somebody else is connected to the target; stop what uses it")
        with target.only_holder() as held_too:
            if not held_too:
                raise Misconfigured(Code.COPY_REFUSED, "a worker or another copy works on the target; stop it")
            yield


def _is_in_use(target: Database) -> bool:
    try:
        return copy_target.is_in_use(target)
    except Temporary as error:
        # Of the two stores, this is the one with an address that may be wrong.
        raise Temporary(error.code, f"the target cannot be reached ({error.detail})") from None


def _prepare(source: Database, target: Database) -> bool:
    """Make sure that both are fit, and that the target is begun; say whether it was before."""
    # A copy that was killed after it had closed the source goes on; a store that was moved is not moved again.
    moved = schema.current(source) == schema.MOVED and schema.current(target) == schema.COPYING
    if not moved:
        schema.require_current(source)
    with source.write() as connection:
        number = seal.identity(connection)
    went_on = copy_target.holds_part_of(target, number)
    if moved:
        with source.write() as connection:
            seal.open_again(connection)
    if not went_on:
        copy_target.begin(target, number)
    return went_on


def _retrace(source: Connection, target: Database, tell: Tell) -> Mapping[str, Sum] | None:
    """Return what the target holds if the source still begins with it; None if the source was changed."""
    done = copy_target.copied_so_far(target)
    meter = _Meter(tell, Phase.RETRACING, sum(one.rows for one in done.values()))
    for table in metadata.sorted_tables:
        copied = done.get(table.name)
        if copied is not None and sum_of(source, table, meter.of(table), most=copied.rows) != copied:
            return None
    return done


def _copy(source: Connection, target: Database, done: Mapping[str, Sum], tell: Tell) -> None:
    """Copy table by table, those first that others refer to."""
    meter = _Meter(tell, Phase.COPYING, _count(source))
    for table in metadata.sorted_tables:
        copied = done.get(table.name, Sum())
        notice = meter.of(table)
        notice(copied.rows)
        for rows in _behind(source, table, copied.rows):
            copied = copied.extended(rows)
            copy_target.put(target, table, rows, copied)
            notice(len(rows))


def _behind(source: Connection, table: Table, done: int) -> Iterator[list[AnyRow]]:
    """Give the rows behind the first `done` ones in parts, in the order of the primary key."""
    keys = list(table.primary_key)
    query = select(table).order_by(*keys).limit(PART_ROWS)
    last: tuple[Any, ...] | None = None
    if done:
        last = tuple(source.execute(select(*keys).order_by(*keys).offset(done - 1).limit(1)).one())
    while rows := source.execute(query if last is None else query.where(tuple_(*keys) > last)).all():
        yield [*rows]
        last = tuple(rows[-1]._mapping[one] for one in keys)  # noqa: SLF001 - the underscore keeps it apart from columns


def _compare(source: Connection, target: Database, tell: Tell) -> tuple[Compared, ...]:
    """Read everything once more, on both sides alike and in another way than it was copied."""
    meter = _Meter(tell, Phase.COMPARING, 2 * _count(source))
    found = []
    for table in metadata.sorted_tables:
        notice = meter.of(table)
        with target.read() as connection:
            found.append(Compared(table.name, sum_of(source, table, notice), sum_of(connection, table, notice)))
    return tuple(found)


def _count(connection: Connection) -> int:
    counts = (select(func.count()).select_from(table) for table in metadata.sorted_tables)
    return sum(connection.scalar(one) or 0 for one in counts)


class _Meter:
    """Counts the rows of a phase."""

    def __init__(self, tell: Tell, phase: Phase, total: int) -> None:
        self._tell, self._phase, self._total = tell, phase, total
        self._done = 0

    def of(self, table: Table) -> Callable[[int], None]:
        def notice(rows: int) -> None:
            self._done += rows
            self._tell(self._phase, table.name, self._done, self._total)

        return notice
