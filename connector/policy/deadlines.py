"""By when a request has to be answered.

The platform knows when the person asked and whether the time was extended, so its own date always wins. Without one the
time runs from our receipt, which may be days after the person asked: let the callback carry the date.

Dates shown here are never later than the law's in the place where it applies, with one exception named below:

* A period that ends on a weekend or public holiday runs to the next working day (Regulation (EEC, Euratom) No 1182/71,
  Art. 3(4); EDPB Guidelines 01/2022, section 5.3). That is not applied. Holidays are national, and nobody was ever late
  by being early.
* A period of months ends with the last hour of its last day, in local time. Here it ends at the hour of receipt, since
  the product does not know whose midnight counts.
* Months are counted in UTC. West of it, the last hours of a month may fall into the next; the date shown can then be up
  to three days late. No member state's mainland is concerned.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connector.clock import require_aware


class Regulation(StrEnum):
    """The laws whose period for an answer is known here."""

    GDPR = "gdpr"
    UK_GDPR = "uk_gdpr"
    CCPA = "ccpa"
    VCDPA = "vcdpa"
    CPA = "cpa"
    CTDPA = "ctdpa"


@dataclass(frozen=True, slots=True)
class Period:
    """How long an answer may take, without any extension. Either months or calendar days.

    Attributes:
        rule: where the period is written.
    """

    rule: str
    months: int = 0
    days: int = 0


PERIODS: Final[Mapping[Regulation, Period]] = MappingProxyType(
    {
        Regulation.GDPR: Period("Regulation (EU) 2016/679, Art. 12(3)", months=1),
        Regulation.UK_GDPR: Period("UK GDPR, Art. 12(3)", months=1),
        Regulation.CCPA: Period("California Code of Regulations, title 11, § 7021(b)", days=45),
        Regulation.VCDPA: Period("Code of Virginia § 59.1-577", days=45),
        Regulation.CPA: Period("Colorado Revised Statutes § 6-1-1306(2)", days=45),
        Regulation.CTDPA: Period("General Statutes of Connecticut § 42-518(c)", days=45),
    }
)

_EU: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_REST_OF_THE_EEA: Final = "IS LI NO"

# ISO 3166-1 alpha-2 → the law assumed when neither the platform nor the source's settings say more.
COUNTRIES: Final[Mapping[str, Regulation]] = MappingProxyType(
    dict.fromkeys(f"{_EU} {_REST_OF_THE_EEA}".split(), Regulation.GDPR)
    | {"GB": Regulation.UK_GDPR, "US": Regulation.CCPA}
)

# The shortest of the periods above: right or too early for whoever we know nothing of.
_ASSUMED: Final = Regulation.GDPR


@dataclass(frozen=True, slots=True)
class DueDate:
    """A due date and where it comes from.

    Attributes:
        basis: `platform`, the name of a regulation, or `assumed_` and the name if nothing told which one applies.
    """

    at: datetime
    basis: str


def due_date(
    received_at: datetime,
    platform_due: datetime | None = None,
    regulation: Regulation | None = None,
    country: str | None = None,
) -> DueDate:
    """Return by when a request has to be answered.

    Args:
        regulation: as the source's settings name it; goes before the country.
        country: ISO 3166-1 alpha-2, upper case.
    """
    if platform_due is not None:
        return DueDate(require_aware(platform_due), "platform")
    law = regulation or COUNTRIES.get(country or "")
    if law is None:
        return DueDate(_end(received_at, PERIODS[_ASSUMED]), f"assumed_{_ASSUMED}")
    return DueDate(_end(received_at, PERIODS[law]), law.value)


def _end(received_at: datetime, period: Period) -> datetime:
    start = require_aware(received_at)
    if period.days:
        return start + timedelta(days=period.days)
    # Art. 3(2)(c): the same date in the last month, or that month's last day if it has no such date.
    years, month = divmod(start.month - 1 + period.months, 12)
    year = start.year + years
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)
