from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connector.policy.deadlines import COUNTRIES, PERIODS, DueDate, Regulation, due_date


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# 5 March and 31 August are the examples of the EDPB Guidelines 01/2022 on the right of access, section 5.3.
@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-03-05T09:30:00", "2026-04-05T09:30:00"),
        ("2026-08-31T09:30:00", "2026-09-30T09:30:00"),
        ("2026-01-28T12:00:00", "2026-02-28T12:00:00"),
        ("2026-01-29T12:00:00", "2026-02-28T12:00:00"),
        ("2026-01-31T12:00:00", "2026-02-28T12:00:00"),
        ("2028-01-29T12:00:00", "2028-02-29T12:00:00"),
        ("2028-01-31T12:00:00", "2028-02-29T12:00:00"),
        ("2028-02-29T12:00:00", "2028-03-29T12:00:00"),
        ("2100-01-31T12:00:00", "2100-02-28T12:00:00"),
        ("2026-02-28T12:00:00", "2026-03-28T12:00:00"),
        ("2026-03-31T12:00:00", "2026-04-30T12:00:00"),
        ("2026-12-31T23:59:59", "2027-01-31T23:59:59"),
        ("2026-12-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
@pytest.mark.parametrize("regulation", [Regulation.GDPR, Regulation.UK_GDPR])
def test_a_month_ends_on_the_same_date_or_the_last_of_the_month(
    regulation: Regulation, received: str, due: str
) -> None:
    assert due_date(at(received), regulation=regulation) == DueDate(at(due), regulation.value)


def test_a_weekend_does_not_move_the_date() -> None:
    due = due_date(at("2026-03-05T09:30:00"), regulation=Regulation.GDPR).at
    assert due.strftime("%A") == "Sunday"


@pytest.mark.parametrize(
    ("received", "due"),
    [("2026-01-01T08:00:00", "2026-02-15T08:00:00"), ("2028-01-31T08:00:00", "2028-03-16T08:00:00")],
)
@pytest.mark.parametrize("regulation", [Regulation.CCPA, Regulation.VCDPA, Regulation.CPA, Regulation.CTDPA])
def test_forty_five_days_are_calendar_days(regulation: Regulation, received: str, due: str) -> None:
    assert due_date(at(received), regulation=regulation) == DueDate(at(due), regulation.value)


@pytest.mark.parametrize(
    ("country", "basis"),
    [
        ("DE", "gdpr"),
        ("NO", "gdpr"),
        ("GB", "uk_gdpr"),
        ("US", "ccpa"),
        ("CH", "assumed_gdpr"),
        ("de", "assumed_gdpr"),
        ("", "assumed_gdpr"),
        (None, "assumed_gdpr"),
    ],
)
def test_the_country_decides_when_nothing_else_does(country: str | None, basis: str) -> None:
    assert due_date(at("2026-03-05T09:30:00"), country=country).basis == basis


def test_the_source_s_regulation_goes_before_the_country() -> None:
    due = due_date(at("2026-03-05T09:30:00"), regulation=Regulation.VCDPA, country="DE")
    assert due == DueDate(at("2026-04-19T09:30:00"), "vcdpa")


def test_the_platform_s_own_date_goes_before_everything_even_if_it_is_past() -> None:
    own = datetime(2026, 3, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    due = due_date(at("2026-03-05T09:30:00"), own, Regulation.CCPA, "DE")
    assert due == DueDate(at("2026-03-01T00:00:00"), "platform")
    assert due.at.tzinfo is UTC


def test_dates_are_counted_in_utc() -> None:
    received = datetime(2026, 2, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert due_date(received, country="DE").at == at("2026-02-28T23:30:00")


@pytest.mark.parametrize("regulation", [None, *Regulation])
def test_a_naive_time_is_a_defect(regulation: Regulation | None) -> None:
    naive = datetime(2026, 3, 5)  # noqa: DTZ001 - what is tested
    with pytest.raises(ValueError, match="naive"):
        due_date(naive, regulation=regulation)
    with pytest.raises(ValueError, match="naive"):
        due_date(at("2026-03-05T09:30:00"), platform_due=naive)


def test_each_regulation_has_one_period_and_its_rule() -> None:
    assert set(PERIODS) == set(Regulation)
    assert all((period.months > 0) != (period.days > 0) and period.rule for period in PERIODS.values())


def test_nobody_of_whom_nothing_is_known_waits_longer_than_anybody_else() -> None:
    for day in range(366):
        received = at("2028-01-01T00:00:00") + timedelta(days=day)
        shortest = min(due_date(received, regulation=one).at for one in Regulation)
        assert due_date(received).at == shortest


def test_the_countries_are_the_thirty_of_the_eea_and_two_more() -> None:
    by_law = {law: [code for code in COUNTRIES if COUNTRIES[code] is law] for law in set(COUNTRIES.values())}
    assert len(by_law[Regulation.GDPR]) == 27 + 3
    assert by_law[Regulation.UK_GDPR] == ["GB"]
    assert by_law[Regulation.CCPA] == ["US"]


def test_every_basis_fits_the_store() -> None:
    bases = [*Regulation, "platform", due_date(at("2026-03-05T09:30:00")).basis]
    assert max(map(len, bases)) <= 24
