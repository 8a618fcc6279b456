"""The schedule as data: every step of the life cycle, and the protocol that an engine fulfils."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from connector.services.confirm import confirm
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.services.poll import poll
from connector.services.prune import prune
from connector.services.reconcile import reconcile
from connector.services.report import report
from connector.services.site import Site
from connector.services.submit import submit


@dataclass(frozen=True, slots=True)
class Step:
    """One step. It returns whether there may be more to do at once.

    Attributes:
        every: how many ticks lie between two runs.
    """

    name: str
    run: Callable[[Site], bool]
    every: int = 1


# In the order of a request's life, so that one pass through the table can carry it a long way.
STEPS: Final[tuple[Step, ...]] = (
    Step("map", map_requests),
    Step("look_up", look_up_before),
    Step("reconcile", reconcile, every=5),
    Step("submit", submit),
    Step("poll", poll),
    Step("confirm", confirm),
    Step("report", report),
    Step("prune", prune, every=60),
)


class Engine(Protocol):
    """Runs the steps until it is asked to stop."""

    def run(self) -> None:
        """Block until the site's stop event is set; finish or release what is in hand, then return."""
        ...


def run_step(site: Site, step: Step) -> None:
    """Run one step until it has nothing more to do at once or the process is asked to stop."""
    while step.run(site) and not site.stop.is_set():
        continue


def run_pass(site: Site) -> None:
    """Run every step once, in order: for tests, rehearsals and draining by hand."""
    for step in STEPS:
        run_step(site, step)
