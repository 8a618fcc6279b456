"""When this process wrote down last that a secret was used."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

_NOTE_USES_EVERY: Final = timedelta(minutes=1)
_MOST_NOTED: Final = 1_000


@dataclass(slots=True)
class KeyUses:
    """Which uses of secrets this process has written down lately: once a minute is enough to finish a rotation."""

    noted: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def is_due(self, source: str, secret_id: str, now: datetime) -> bool:
        """Say whether a use has to be written down, and take it that it will be."""
        last = self.noted.get((source, secret_id))
        if last is not None and abs(now - last) < _NOTE_USES_EVERY:
            return False
        if len(self.noted) >= _MOST_NOTED:
            # Ids of published keys are chosen by their publishers.
            self.noted.clear()
        self.noted[source, secret_id] = now
        return True
