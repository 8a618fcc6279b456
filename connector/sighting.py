"""What a closer look-up shows of a profile: whether it is there, and by which identifiers it is known."""

from __future__ import annotations

from dataclasses import dataclass

from connector.model import Presence
from connector.private import Private


@dataclass(frozen=True, slots=True)
class Sighting:
    """A profile as one look-up shows it.

    Attributes:
        identifiers: (field, value) of what was asked for and is on it. They may be other people's: they are counted and
            forgotten, never stored.
    """

    presence: Presence
    identifiers: frozenset[tuple[str, Private]] = frozenset()
