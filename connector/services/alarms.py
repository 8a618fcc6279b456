"""What operators want to be told and how, and what the processes tell each other about refused credentials."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connector.alerting import Channel, Scope
from connector.errors import ConnectorError
from connector.store import alerts
from connector.store.database import Database

# A call that is refused is made again within minutes. After so long without, and a call that went well, it is over.
_OVER_AFTER: Final = timedelta(minutes=15)
_LOOK_EVERY: Final = timedelta(minutes=1)
_REPORTS: Final = "report:"


@dataclass(frozen=True, slots=True)
class Alarms:
    """What operators are told, and how.

    Attributes:
        interval: the shortest time between two messages about trouble of one kind, of one source or account.
        at_risk: an open request that is due within this time is at risk.
        silent_after: a source that nothing came from for so long is silent; None if none ever is.
        key_ends_within: how long before its end a check's last secret is spoken of.
        key_ends: (source, place of the check) and when nothing is left that it accepts.
    """

    channels: Sequence[Channel] = ()
    interval: timedelta = timedelta(hours=1)
    at_risk: timedelta = timedelta(days=7)
    silent_after: timedelta | None = None
    key_ends_within: timedelta = timedelta(days=14)
    key_ends: Mapping[tuple[str, str], datetime] = field(default_factory=dict)


def system_of(source: str) -> str:
    """Return the name that calls to a source's platform have; an account's have its own."""
    return f"{_REPORTS}{source}"


def whose(system: str) -> tuple[Scope, str]:
    """Return whose the calls of that name are."""
    if system.startswith(_REPORTS):
        return Scope.SOURCE, system.removeprefix(_REPORTS)
    return Scope.ACCOUNT, system


@dataclass(slots=True)
class Refusals:
    """Remote systems that refuse our credential or a permission. The store knows them, so that every process does.

    Never called within a transaction. A store that cannot be written now is written at the next refusal.
    """

    _looked: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, database: Database, system: str, code: str, now: datetime) -> None:
        """Write down a refusal."""
        with suppress(ConnectorError), database.write() as connection:
            alerts.note_refusal(connection, system, code, now)

    def answered(self, database: Database, system: str, now: datetime) -> None:
        """Take in that a call went well, which is looked at once a minute: if it was refused before, that is over."""
        with self._lock:
            last = self._looked.get(system)
            if last is not None and abs(now - last) < _LOOK_EVERY:
                return
            self._looked[system] = now
        before = now - _OVER_AFTER
        with suppress(ConnectorError):
            with database.read() as connection:
                refused = alerts.is_refused(connection, system, before)
            if refused:
                with database.write() as connection:
                    alerts.forget_refusal(connection, system, before)
