"""The error tree: what each error carries and says."""

from __future__ import annotations

import inspect

import pytest

from connector import errors
from connector.catalogue import CATALOGUE
from connector.codes import Code, Family
from connector.errors import (
    ConnectorError,
    IllegalMove,
    Misconfigured,
    NotFound,
    RateLimited,
    Refused,
    Rejected,
    Temporary,
)


def tree() -> list[type[ConnectorError]]:
    return [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, ConnectorError)]


def test_the_tree_is_the_one_that_the_docstring_draws() -> None:
    drawn = inspect.getdoc(errors)
    assert drawn is not None
    for one in tree():
        assert f" {one.__name__} " in drawn or f"{one.__name__}\n" in drawn


@pytest.mark.parametrize(("narrow", "wide"), [(RateLimited, Temporary), (NotFound, Refused)])
def test_a_narrow_error_is_caught_as_the_wide_one(narrow: type, wide: type) -> None:
    assert issubclass(narrow, wide)


@pytest.mark.parametrize(
    ("one", "other"),
    [(Rejected, Temporary), (Temporary, Misconfigured), (Misconfigured, Refused), (Refused, Rejected)],
)
def test_errors_that_decide_otherwise_do_not_catch_each_other(one: type, other: type) -> None:
    assert not issubclass(one, other)
    assert not issubclass(other, one)


@pytest.mark.parametrize("code", list(Code))
def test_a_message_is_title_detail_and_mend(code: Code) -> None:
    entry = CATALOGUE[code]
    assert str(ConnectorError(code)) == f"{entry.title}. {entry.mend}"
    error = ConnectorError(code, "what was found")
    assert str(error) == f"{entry.title}: what was found. {entry.mend}"
    assert (error.code, error.detail, error.entry) == (code, "what was found", entry)


def test_a_temporary_error_says_whether_the_call_may_have_been_carried_out() -> None:
    plain = Temporary(Code.REMOTE_UNREACHABLE)
    assert (plain.retry_after_s, plain.outcome_unknown) == (None, False)
    told = RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=7.0, outcome_unknown=True)
    assert (told.retry_after_s, told.outcome_unknown) == (7.0, True)


def test_an_illegal_move_names_the_move() -> None:
    error = IllegalMove("RequestState", "held", "completed")
    assert error.code is Code.ILLEGAL_MOVE
    assert "RequestState: held → completed" in str(error)
    assert error.entry.family is Family.DEFECT


def test_every_code_has_its_entry() -> None:
    assert set(CATALOGUE) == set(Code)
    assert all(one.title and one.mend.endswith(".") for one in CATALOGUE.values())
