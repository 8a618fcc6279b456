"""Metrics, joined: who counts, what is told of calls, and what the gauges are read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TextIO

from connector.codes import Code
from connector.config import Config
from connector.config.checks import leaves
from connector.errors import ConnectorError, Misconfigured
from connector.observe.exposition import Gauges, Sample, registry_of, serve
from connector.observe.meters import Meters
from connector.observe.metrics import vocabulary
from connector.observe.sharing import join
from connector.outbound import Told, tell_nobody
from connector.policy.rotation import group_end
from connector.ports import Log
from connector.services.alarms import whose
from connector.services.site import Site
from connector.states import OPEN_REQUESTS
from connector.store import pulse

# Those that live for long; what an operator's commands do would be counted by nobody.
_COUNTING: Final = frozenset({"web", "worker"})


def open_meters(config: Config, role: str, log: Log) -> Meters | None:
    """Return what this process counts with; None if nothing is to be counted, or it cannot be."""
    folder = config.metrics.folder
    if folder is None or role not in _COUNTING:
        return None
    try:
        held = join(folder, counts=True)
    except OSError as error:
        # Nobody's request waits for a number.
        log.warning("metrics_not_kept", error_class=type(error).__name__)
        return None
    return Meters(words(config), held=held)


def words(config: Config) -> dict[str, frozenset[str]]:
    """Return which values labels may have under a configuration."""
    checks = {place for source in config.sources.values() for place, _ in leaves(source.verify)}
    return vocabulary(config.sources, config.accounts, config.alerts.names, checks)


def told_by(meters: Meters | None, system: str, name: str = "") -> Told:
    """Return what is told of calls to a remote system."""
    return tell_nobody if meters is None else partial(meters.call, system, name)


def key_ends(config: Config) -> dict[tuple[str, str], datetime]:
    """Return for each check whose secrets all have an end when nothing is left that it accepts."""
    found: dict[tuple[str, str], datetime] = {}
    for name, source in config.sources.items():
        for place, check in leaves(source.verify):
            ends = [end for group in check.secret_groups if (end := group_end(group)) is not None]
            if ends:
                found[name, place] = min(ends)
    return found


def serve_metrics(config: Config, site: Site) -> Callable[[], None]:
    """Serve what the processes of this machine count, and the gauges; return what ends that.

    Another process may serve at the same address already: it tells the same, so this one says so and goes on.
    """
    folder = config.metrics.folder
    if folder is None:
        return lambda: None
    try:
        return serve(registry_of(folder, gauges(config, site)), config.metrics.host, config.metrics.port)
    except (OSError, ValueError) as error:
        site.log.warning("metrics_not_served", error_class=type(error).__name__)
        return lambda: None


def look_at(folder: Path) -> TextIO:
    """Let this process read what others count; return what has to be kept as long as it does."""
    try:
        return join(folder, counts=False)
    except OSError as error:
        where = f"metrics.directory cannot be used ({type(error).__name__})"
        raise Misconfigured(Code.CONFIG_INVALID, where) from None


def gauges(config: Config, site: Site) -> Gauges:
    """Return the gauges of a site."""
    return Gauges(partial(_read, config, site), words(config))


def _read(config: Config, site: Site) -> list[Sample]:
    now = site.clock.now()
    near = timedelta(days=config.alerts.at_risk_days)
    try:
        with site.database.read() as connection:
            seen = pulse.take(connection, now, site.accounts, site.sources, near)
    except ConnectorError:
        return [("store_up", {}, 0.0)]
    return [("store_up", {}, 1.0), *_nothing(site), *_samples(seen, now), *_ends(config, now)]


def _nothing(site: Site) -> Iterator[Sample]:
    """Give a zero for what may be missing below: a series that comes and goes tells nobody that it is over."""
    for source in site.sources:
        of: dict[str, object] = {"source": source}
        yield from (("requests_open", {**of, "state": state}, 0.0) for state in sorted(OPEN_REQUESTS))
        yield from (("dead_letters", {**of, "kind": kind}, 0.0) for kind in ("report", "request"))
        yield from (("requests_late", of, 0.0), ("requests_near", of, 0.0))
    scopes = [*(("source", name) for name in site.sources), *(("account", name) for name in site.accounts)]
    for scope, name in scopes:
        yield "fuse_blown", {"scope": scope, "name": name}, 0.0
        yield "credential_refused", {"scope": scope, "name": name}, 0.0


def _ends(config: Config, now: datetime) -> Iterator[Sample]:
    for (source, check), end in key_ends(config).items():
        yield "key_end_seconds", {"source": source, "check": check}, (end - now).total_seconds()


def _samples(seen: pulse.Pulse, now: datetime) -> Iterator[Sample]:
    def age(since: datetime) -> float:
        return (now - since).total_seconds()

    def crowd(prefix: str, counted: str, labels: dict[str, object], one: pulse.Crowd) -> Iterator[Sample]:
        yield f"{prefix}_{counted}", labels, float(one.number)
        if one.since is not None:
            yield f"{prefix}_oldest_age_seconds", labels, age(one.since)

    for (source, request_state), waiting in seen.requests.items():
        yield from crowd("requests", "open", {"source": source, "state": request_state}, waiting)
    for (account, target_state), waiting in seen.targets.items():
        yield from crowd("targets", "open", {"account": account, "state": target_state}, waiting)
    for account, waiting in seen.operations.items():
        yield from crowd("operations", "running", {"account": account}, waiting)
    for source, waiting in seen.reports.items():
        yield from crowd("reports", "waiting", {"source": source}, waiting)
    for (account, state), waiting in seen.submissions.items():
        yield "submissions_open", {"account": account, "state": state}, float(waiting.number)
    for source, due in seen.due.items():
        yield "requests_late", {"source": source}, float(due.late)
        yield "requests_near", {"source": source}, float(due.near)
        if due.next is not None:
            yield "deadline_slack_seconds", {"source": source}, -age(due.next)
    for kind, dead in (("report", seen.dead_reports), ("request", seen.unfulfilled)):
        for source, number in dead.items():
            yield "dead_letters", {"source": source, "kind": kind}, float(number)
    for of, fuse in seen.fuses:
        yield "fuse_blown", {"scope": of, "name": fuse}, 1.0
    for system in seen.refusals:
        scope, name = whose(system)
        yield "credential_refused", {"scope": scope, "name": name}, 1.0
    for source, use in seen.keys.items():
        yield "delivery_age_seconds", {"source": source}, age(use.last)
        yield "key_age_seconds", {"source": source}, age(use.first)
