"""The step that tells operators what is wrong: look, decide what is new, and send what waits.

It never keeps a request waiting: it only reads their rows, and a channel that fails has a time of its own. A process
that dies between sending a message and noting that sends it once more, under the same id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from connector.alerting import Alert, Channel, Kind, Scope
from connector.codes import Code
from connector.errors import ConnectorError, Temporary
from connector.ids import new_id
from connector.policy.alerts import Fact, Verdict, judge
from connector.policy.retry import RetryPolicy, next_try
from connector.services.alarms import whose
from connector.services.site import Site
from connector.states import WatchState
from connector.store import alerts, pulse, upkeep

# Seconds. A channel is never given up: what it missed is one message for each trouble, the latest.
_RETRY: Final = RetryPolicy(first_s=30.0, max_s=3600.0, misconfigured_s=900.0)


def alert(site: Site) -> bool:
    """Tell operators what is wrong, what grew, and what is over. There is never more to do at once."""
    if not site.alarms.channels:
        return False
    _decide(site)
    _send(site)
    return False


def facts(
    site: Site, seen: pulse.Pulse, there_again: Mapping[tuple[str, WatchState], int], now: datetime
) -> Iterator[Fact]:
    """Give everything that is wrong now.

    Args:
        there_again: how many values of people who were deleted are there again, by source and state of the watch.
    """
    yield from _of_requests(seen)
    # Those that are being deleted again too: somebody collects what was erased.
    for name, number in _by_source(there_again).items():
        yield Fact(Kind.WATCH_FIND, Scope.SOURCE, name, number)
    yield from _of_keys(site, seen, now)
    for system, since in seen.refusals.items():
        yield Fact(Kind.CREDENTIAL_REFUSED, *whose(system), 1, since)
    for (scope, name), since in seen.fuses.items():
        yield Fact(Kind.FUSE_BLOWN, Scope(scope), name, 1, since)


def _of_requests(seen: pulse.Pulse) -> Iterator[Fact]:
    for name, due in seen.due.items():
        if due.late:
            yield Fact(Kind.DEADLINE_LATE, Scope.SOURCE, name, due.late, due.next)
        if due.near:
            yield Fact(Kind.DEADLINE_AT_RISK, Scope.SOURCE, name, due.near)
    for name, number in (Counter(seen.dead_reports) + Counter(seen.unfulfilled)).items():
        yield Fact(Kind.DEAD_LETTER, Scope.SOURCE, name, number)
    for name, number in _by_source(seen.held).items():
        yield Fact(Kind.HELD, Scope.SOURCE, name, number)


def _by_source(counted: Mapping[tuple[str, Any], int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (name, _), number in counted.items():
        found[name] += number
    return found


def _of_keys(site: Site, seen: pulse.Pulse, now: datetime) -> Iterator[Fact]:
    alarms = site.alarms
    for name, use in seen.keys.items():
        # One that nothing ever came from may not have been set up yet.
        enabled = name in site.sources and site.sources[name].enabled
        if enabled and alarms.silent_after is not None and now - use.last >= alarms.silent_after:
            yield Fact(Kind.SOURCE_SILENT, Scope.SOURCE, name, 1, use.last)
    ending = Counter(name for (name, _), end in alarms.key_ends.items() if end <= now + alarms.key_ends_within)
    for name, number in ending.items():
        yield Fact(Kind.KEY_ENDING, Scope.SOURCE, name, number)


def _decide(site: Site) -> None:
    """Decide what operators are told, and let each message wait for its channel, in one commit."""
    now, alarms = site.clock.now(), site.alarms
    with site.database.read() as connection:
        seen = pulse.take(connection, now, site.accounts, site.sources, alarms.at_risk)
        there_again = upkeep.there_again(connection)
    wrong = {(one.kind, one.scope, one.name): one for one in facts(site, seen, there_again, now)}
    with site.database.write() as connection:
        before = alerts.told(connection, lock=True)
        verdicts = {
            whose: judge(wrong.get(whose), before.get(whose), now, alarms.interval) for whose in {**before, **wrong}
        }
        changed = {one: said.standing for one, said in verdicts.items() if said.standing != before.get(one)}
        alerts.remember(connection, changed, before)
        for (kind, scope, name), said in verdicts.items():
            for channel in alarms.channels if said.phase is not None else ():
                if kind in channel.kinds:
                    alerts.put(connection, channel.name, _message(kind, scope, name, said, now))


def _message(kind: Kind, scope: Scope, name: str, said: Verdict, now: datetime) -> Alert:
    assert said.phase is not None
    return Alert(new_id(now), kind, said.phase, scope, name, said.count, said.since or now, now)


def _send(site: Site) -> None:
    channels = {one.name: one for one in site.alarms.channels}
    failed: set[str] = set()
    with site.database.read() as connection:
        rows = alerts.waiting(connection, site.clock.now())
    for row in rows:
        if site.stop.is_set():
            return
        channel = channels.get(row.channel)
        if row.channel in failed:
            continue
        if channel is not None and not _sends(site, channel, alerts.alert_of(row), row.tries):
            failed.add(row.channel)
            continue
        # Taken, or of a channel that is no longer configured.
        with site.database.write() as connection:
            alerts.sent(connection, row.id)


def _outcome(channel: Channel, message: Alert) -> ConnectorError | None:
    try:
        channel.send(message)
    except ConnectorError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a defect in one channel must not keep the others from being told
        return Temporary(Code.INTERNAL_ERROR, type(error).__name__)
    return None


def _sends(site: Site, channel: Channel, message: Alert, tries: int) -> bool:
    """Send one message, and say whether it was taken."""
    error = _outcome(channel, message)
    if error is not None:
        now = site.clock.now()
        # A no may be about this moment as well: an address that is being moved, a list that is being mended.
        next_at = next_try(tries, error, now, site.rng, _RETRY) or now + timedelta(seconds=_RETRY.max_s)
        with site.database.write() as connection:
            alerts.try_again(connection, channel.name, next_at)
        site.log.warning("alert_failed", channel=channel.name, code=error.code, next_at=next_at)
        return False
    site.log.info("alert_sent", channel=channel.name, kind=message.kind, state=message.phase)
    return True
