"""What holds for the suppression list of the whole site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from connector.crypto.share import ShareKey


@dataclass(frozen=True, slots=True)
class Suppression:
    """How long entries stay, and for whom they are hashed.

    Attributes:
        keep: since the last deletion; None for ever.
        share: what collectors' filters are made under; None if there are none.
    """

    keep: timedelta | None = None
    share: ShareKey | None = None
