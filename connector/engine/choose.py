"""Which engine drives the steps: the store's URL decides, so that the two always fit."""

from __future__ import annotations

from collections.abc import Callable

from connector.engine.embedded import EmbeddedEngine
from connector.engine.schedule import Engine
from connector.services.site import Site


def engine_of(site: Site, tick_s: float, restart: Callable[[int], None], restarts: int = 0) -> Engine:
    """Return the engine for the site's store: embedded on SQLite, distributed on PostgreSQL.

    Args:
        restart: begins this process anew; only a distributed worker calls it.
        restarts: how often that happened in a row before.
    """
    if site.database.is_sqlite:
        return EmbeddedEngine(site, tick_s)
    # Late, so that a store of one file loads nothing of it.
    from connector.engine.distributed import DistributedEngine

    return DistributedEngine(site, tick_s, restart, restarts)
