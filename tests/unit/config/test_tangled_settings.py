"""What an account may say about profiles that may be several people's."""

from __future__ import annotations

from typing import Any

import pytest

from connector.config.account import AccountSettings
from connector.policy.tangle import TangleRule
from connector.wiring.accounts import tangle_rule
from tests.unit.config.trial import Place, Trial, spoilt

ACCOUNT: Place = ("accounts", "main")


def settings(trial: Trial, **given: Any) -> AccountSettings:
    return trial.load(spoilt(*(((*ACCOUNT, name), value) for name, value in given.items()))).accounts["main"]


def test_by_default_two_identifiers_of_a_field_are_let_pass(trial: Trial) -> None:
    assert tangle_rule(settings(trial)) == TangleRule(2)


def test_limit_and_fields_are_the_account_s(trial: Trial) -> None:
    rule = tangle_rule(settings(trial, tangled_above=7, tangled_fields=["user_id"]))
    assert rule == TangleRule(7, frozenset({"user_id"}))


@pytest.mark.parametrize("when", ["after", "off"])
def test_without_a_look_up_before_nothing_is_counted(trial: Trial, when: str) -> None:
    assert tangle_rule(settings(trial, look_up=when)) is None


@pytest.mark.parametrize("when", ["after", "off"])
@pytest.mark.parametrize("given", [{"tangled_above": 2}, {"tangled_fields": ["email"]}])
def test_a_limit_that_could_hold_nobody_is_refused(trial: Trial, when: str, given: dict[str, Any]) -> None:
    (name,) = given
    changes = [((*ACCOUNT, one), value) for one, value in ({"look_up": when} | given).items()]
    (line,) = trial.lines(spoilt(*changes))
    assert line.startswith("accounts.main")
    assert f'{name} needs look_up = "before_and_after"' in line


@pytest.mark.parametrize(
    ("name", "value"), [("tangled_above", -1), ("tangled_above", "many"), ("tangled_fields", ["e-mail"])]
)
def test_what_is_no_limit_or_field_is_refused(trial: Trial, name: str, value: Any) -> None:
    (line,) = trial.lines(spoilt(((*ACCOUNT, name), value)))
    assert line.startswith(f"accounts.main.{name}")
