"""A worker looks once whether the configured resolutions are known, and says in the log which are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Temporary
from connector.services.resolutions import check_resolutions
from tests.support.site import Bench

FAULTY = "resolution_faulty"


@dataclass
class StandInCheck:
    answer: Mapping[str, str] | ConnectorError

    def faults(self) -> Mapping[str, str]:
        if isinstance(self.answer, ConnectorError):
            raise self.answer
        return self.answer


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


def said(bench: Bench, answer: Mapping[str, str] | ConnectorError) -> list[tuple[object, object]]:
    bench.beside(resolutions=StandInCheck(answer))
    check_resolutions(bench.site)
    return [(fields["setting"], fields["reason"]) for action, fields in bench.log.records if action == FAULTY]


def test_each_fault_is_a_line(bench: Bench) -> None:
    faults = {"completed": "not_listed", "rejected": "not_of_subtasks"}
    assert said(bench, faults) == list(faults.items())


def test_nothing_is_said_where_all_is_well(bench: Bench) -> None:
    assert said(bench, {}) == []
    assert bench.log.records == []


@pytest.mark.parametrize(
    "error",
    [Temporary(Code.REMOTE_FAULT), RateLimited(Code.REMOTE_RATE_LIMITED), Misconfigured(Code.TOKEN_REFUSED)],
    ids=lambda one: one.code.value,
)
def test_that_nobody_could_be_asked_is_said_and_keeps_nothing_waiting(bench: Bench, error: ConnectorError) -> None:
    assert said(bench, error) == []
    assert bench.log.records == [("resolutions_not_checked", {"source": "onetrust", "code": error.code})]
    assert bench.site.may_report(bench.source)


def test_a_source_without_resolutions_is_not_asked(bench: Bench) -> None:
    check_resolutions(bench.site)
    assert bench.log.records == []
