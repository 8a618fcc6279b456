"""The schedule as data: every step of the life cycle, and the protocol that an engine fulfils."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from connector.services.alerts import alert
from connector.services.backstop import backstop
from connector.services.confirm import confirm
from connector.services.fetch import fetch_profiles
from connector.services.forget import forget
from connector.services.hand_over import expire
from connector.services.ledger import keep_ledger
from connector.services.look_up import look_up_before
from connector.services.map import map_requests
from connector.services.poll import poll
from connector.services.progress import progress
from connector.services.prune import prune
from connector.services.read_back import read_back
from connector.services.reconcile import reconcile
from connector.services.report import report
from connector.services.shred import shred
from connector.services.site import Site
from connector.services.stamping import stamp
from connector.services.submit import submit
from connector.services.warn import warn
from connector.services.watch import watch


class Per(StrEnum):
    """What a step may be carried out for separately, on several workers at the same time."""

    SITE = "site"
    ACCOUNT = "account"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. It returns whether there may be more to do at once.

    Attributes:
        every: how many ticks lie between two runs.
        per: into what it can be divided.
    """

    name: str
    run: Callable[[Site], bool]
    every: int = 1
    per: Per = Per.SITE

    def names(self, site: Site) -> list[str]:
        """Return the names of its parts: accounts, sources, or one empty name for a step that is not divided."""
        return {Per.SITE: [""], Per.ACCOUNT: list(site.accounts), Per.SOURCE: list(site.sources)}[self.per]

    def key(self, name: str) -> str:
        """Return what tells this part from all others."""
        return f"{self.name}:{name}" if name else self.name

    def lock(self, name: str) -> str:
        """Return what only one worker may hold at a time to be in this part.

        All steps of an account share one, those of a source another: a remote system then hears from one worker at a
        time, which keeps within the rate that was agreed.
        """
        return self.name if self.per is Per.SITE else f"{self.per}:{name}"

    def part(self, site: Site, name: str) -> Site | None:
        """Return the site with nothing but the named account or source; None if it is not configured here."""
        if name not in self.names(site):
            return None
        if self.per is Per.ACCOUNT:
            return replace(site, accounts={name: site.accounts[name]})
        if self.per is Per.SOURCE:
            return replace(site, sources={name: site.sources[name]})
        return site


# What a delivery that was just accepted begins with: the one if its source lists requests, else the other.
READ_BACK: Final = Step("read_back", read_back, per=Per.SOURCE)
MAP: Final = Step("map", map_requests)

# In the order of a request's life, so that one pass through the table can carry it a long way.
STEPS: Final[tuple[Step, ...]] = (
    Step("backstop", backstop, every=5, per=Per.SOURCE),
    READ_BACK,
    MAP,
    Step("look_up", look_up_before, per=Per.ACCOUNT),
    Step("reconcile", reconcile, every=5, per=Per.ACCOUNT),
    Step("submit", submit, per=Per.ACCOUNT),
    Step("poll", poll, per=Per.ACCOUNT),
    Step("confirm", confirm, per=Per.ACCOUNT),
    Step("ledger", keep_ledger),
    Step("fetch", fetch_profiles, per=Per.ACCOUNT),
    Step("report", report, per=Per.SOURCE),
    # With the source's lock, so that nothing is destroyed that is being handed over.
    Step("expire", expire, every=60, per=Per.SOURCE),
    Step("progress", progress, every=60, per=Per.SOURCE),
    Step("warn", warn, every=60, per=Per.SOURCE),
    Step("prune", prune, every=60),
    Step("shred", shred, every=60),
    Step("stamp", stamp, every=12),
    # Before the look, so that whoever is not to be watched any more is not looked for.
    Step("forget", forget, every=12),
    Step("watch", watch, every=12, per=Per.ACCOUNT),
    Step("alert", alert, every=6),
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


def run_parts(site: Site) -> None:
    """Run every part of every step once, in order: the same, divided as among several workers."""
    for step in STEPS:
        for name in step.names(site):
            part = step.part(site, name)
            assert part is not None
            run_step(part, step)
