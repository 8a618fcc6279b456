"""What may differ between a sender and the settings, as data: what was assumed, who changes what, and whether it helps.

Texts name settings, headers and encodings, never a value that came in or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound

#: Names of headers beyond this are not repeated: who sends them may write anything into them.
_LONGEST_NAME = 64
#: With these a check says that credential and key fit, only not at this time.
_FITS_AT_ANOTHER_TIME = frozenset({Code.TIMESTAMP_TOO_OLD, Code.TIMESTAMP_IN_FUTURE, Code.CREDENTIAL_EXPIRED})


class Side(StrEnum):
    """Who has to change something."""

    SENDER = "sender"
    BETWEEN = "proxy or gateway"
    CONNECTOR = "connector"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One difference.

    Attributes:
        tried: what was assumed in place of what the settings say.
        change: what to change on that side.
    """

    tried: str
    side: Side
    change: str


@dataclass(frozen=True, slots=True)
class Hint:
    """Differences that together explain a refusal.

    Attributes:
        matches: whether it was tried out and the credential fits then; else it is only something that stands out.
        secret_id: of the secret that fits.
    """

    mistakes: tuple[Mistake, ...]
    matches: bool = False
    secret_id: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for the mistake came to.

    Attributes:
        tried: in words, what was tried altogether.
    """

    hints: tuple[Hint, ...] = ()
    tried: str = ""

    @property
    def has_match(self) -> bool:
        return any(one.matches for one in self.hints)


def fits(error: Rejected | None) -> bool:
    """Say whether a check found credential and key to fit, though perhaps not at this time."""
    return error is None or error.code in _FITS_AT_ANOTHER_TIME


def header_names(inbound: Inbound) -> tuple[str, ...]:
    """Return the names of the headers that came, each once, as far as they may be shown."""
    return tuple({name.lower(): name for name, _ in inbound.headers if may_be_shown(name)}.values())


def may_be_shown(name: str) -> bool:
    """Say whether the name of a header or parameter may be repeated."""
    return 0 < len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable()
