"""Statements are compiled once in a process of the run, and not once for every store that a test opens.

SQLAlchemy keeps compiled statements with the engine that compiled them, under a key in which its dialect stands. Every
test has a store of its own, and with it an engine; half of a short test's time went into compiling what the test before
had compiled. So all engines of one kind are given the dialect and the cache of the first one that was connected.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

from connector.store import database

_FIRST: dict[str, Engine] = {}


def compile_once() -> None:
    """Have every store that is opened from now on share compiled statements with the others of its kind."""
    original = database.create_engine

    def create_engine(*args: Any, **options: Any) -> Engine:
        engine = original(*args, **options)
        first = _FIRST.get(engine.name)
        if first is None:
            # A dialect knows what its server can do once it was connected, and is of no use to others before.
            event.listen(engine, "connect", lambda *_: _FIRST.setdefault(engine.name, engine))
        else:
            engine.dialect = first.dialect
            engine._compiled_cache = first._compiled_cache
        return engine

    database.create_engine = create_engine
