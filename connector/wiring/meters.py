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
from connector.observe.metrics import UNDECIDED, vocabulary
from connector.observe.sharing import join
from connector.outbound import Told, tell_nobody
from connector.policy.rotation import group_end
from connector.ports import Log
from connector.services.alarms import whose
from connector.services.own_keys import in_use
from connector.services.site import Site
from connector.states import OPEN_REQUESTS, RequestKind, RequestState, WatchState
from connector.store import pulse, upkeep

# Those that live for long; what an operator's commands do would be counted by nobody.
_COUNTING: Final = frozenset({"web", "worker", "dashboard"})
_OF_ACCESS: Final = frozenset({RequestState.FETCHING, RequestState.DELIVERING, RequestState.ANSWERED})


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
    return vocabulary(config.sources, config.accounts, config.alerts.names, checks, config.api.clients)


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
            beside = upkeep.take(connection, now, site.accounts, in_use(site))
    except ConnectorError:
        return [("store_up", {}, 0.0)]
    return [
        ("store_up", {}, 1.0),
        *_nothing(site),
        *_samples(seen, now),
        *_beside(site, beside, now),
        *_ends(config, now),
    ]


def _nothing(site: Site) -> Iterator[Sample]:
    """Give a zero for what may be missing below: a series that comes and goes tells nobody that it is over."""
    for source in site.sources:
        of: dict[str, object] = {"source": source}
        for state in sorted(OPEN_REQUESTS):
            kind = RequestKind.ACCESS if state in _OF_ACCESS else RequestKind.ERASURE
            yield "requests_open", {**of, "kind": kind, "state": state}, 0.0
        yield from (
            ("watch_finds", {**of, "state": state}, 0.0) for state in (WatchState.RETURNED, WatchState.DELETING)
        )
        yield from (("dead_letters", {**of, "kind": kind}, 0.0) for kind in ("report", "request"))
        yield from (("requests_late", of, 0.0), ("requests_near", of, 0.0))
    scopes = [*(("source", name) for name in site.sources), *(("account", name) for name in site.accounts)]
    for scope, name in scopes:
        yield "fuse_blown", {"scope": scope, "name": name}, 0.0
        yield "credential_refused", {"scope": scope, "name": name}, 0.0


def _ends(config: Config, now: datetime) -> Iterator[Sample]:
    for (source, check), end in key_ends(config).items():
        yield "key_end_seconds", {"source": source, "check": check}, (end - now).total_seconds()


def _crowd(prefix: str, counted: str, labels: dict[str, object], one: pulse.Crowd, now: datetime) -> Iterator[Sample]:
    yield f"{prefix}_{counted}", labels, float(one.number)
    if one.since is not None:
        # What waits for a time to come has not waited yet.
        yield f"{prefix}_oldest_age_seconds", labels, max((now - one.since).total_seconds(), 0.0)


def _beside(site: Site, seen: upkeep.Upkeep, now: datetime) -> Iterator[Sample]:
    for account, waiting in seen.fetches.items():
        yield from _crowd("fetches", "waiting", {"account": account}, waiting, now)
    for account, waiting in seen.looks.items():
        yield from _crowd("watch", "due", {"account": account}, waiting, now)
    for (source, state), number in seen.there_again.items():
        yield "watch_finds", {"source": source, "state": state}, float(number)
    # Without a key they are owed until there is one, and that is nobody's fault.
    owed = seen.receipts if site.proofs.key is not None else pulse.Crowd(seen.receipts.number)
    yield from _crowd("receipts", "owed", {}, owed, now)
    yield "ledger_entries", {}, float(seen.entries)
    yield "ledger_oldest_age_seconds", {}, (now - (seen.not_logged_since or now)).total_seconds()
    yield "data_keys_former", {}, float(seen.former_data_keys)
    for purpose, first_at in seen.own_keys.items():
        yield "own_key_age_seconds", {"purpose": purpose}, (now - first_at).total_seconds()


def _of_requests(seen: pulse.Pulse, now: datetime) -> Iterator[Sample]:
    for (source, kind, state), waiting in seen.requests.items():
        of: dict[str, object] = {"source": source, "kind": kind or UNDECIDED, "state": state}
        yield from _crowd("requests", "open", of, waiting, now)
    for (source, reason), number in seen.held.items():
        yield "requests_held", {"source": source, "reason": reason}, float(number)
    for source, due in seen.due.items():
        yield "requests_late", {"source": source}, float(due.late)
        yield "requests_near", {"source": source}, float(due.near)
        if due.next is not None:
            yield "deadline_slack_seconds", {"source": source}, (due.next - now).total_seconds()
    for kind_of_letter, dead in (("report", seen.dead_reports), ("request", seen.unfulfilled)):
        for source, number in dead.items():
            yield "dead_letters", {"source": source, "kind": kind_of_letter}, float(number)


def _samples(seen: pulse.Pulse, now: datetime) -> Iterator[Sample]:
    def age(since: datetime) -> float:
        return (now - since).total_seconds()

    yield from _of_requests(seen, now)
    for (account, target_state), waiting in seen.targets.items():
        yield from _crowd("targets", "open", {"account": account, "state": target_state}, waiting, now)
    for account, waiting in seen.operations.items():
        yield from _crowd("operations", "running", {"account": account}, waiting, now)
    for source, waiting in seen.reports.items():
        yield from _crowd("reports", "waiting", {"source": source}, waiting, now)
    for (account, state), waiting in seen.submissions.items():
        yield "submissions_open", {"account": account, "state": state}, float(waiting.number)
    for of, fuse in seen.fuses:
        yield "fuse_blown", {"scope": of, "name": fuse}, 1.0
    for system in seen.refusals:
        scope, name = whose(system)
        yield "credential_refused", {"scope": scope, "name": name}, 1.0
    for source, use in seen.keys.items():
        yield "delivery_age_seconds", {"source": source}, age(use.last)
        yield "key_age_seconds", {"source": source}, age(use.first)
