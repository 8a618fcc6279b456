"""An engine in a thread of its own, which ends with the test."""

from __future__ import annotations

import threading
from typing import Protocol, Self

from connector.services.site import Site

LIMIT_S = 20.0


class Engine(Protocol):
    def run(self) -> None: ...


class InThread:
    """Runs an engine until it is left, and requires that it ends then."""

    def __init__(self, site: Site, engine: Engine) -> None:
        self.site = site
        self.thread = threading.Thread(target=engine.run)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.site.stop.set()
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()
