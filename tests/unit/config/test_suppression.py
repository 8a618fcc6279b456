"""The table `[suppression]`, and `watch` of a source."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.policy.watching import Reaction, WatchRule
from tests.unit.config.trial import ENVIRON, SOURCE, Trial, spoilt

KEYS = {"SHARE": "canary-share-key-0123456789-0123456789", "SHORT": "canary-short"}


def test_people_are_looked_for_and_it_is_said_unless_something_else_is_written(trial: Trial) -> None:
    config = trial.load()
    assert {one.watch for one in config.sources.values()} == {"alarm"}
    assert config.suppression.rule("alarm") == WatchRule(Reaction.ALARM)
    assert config.suppression.rule("off") is None
    assert (config.suppression.keep_months, config.suppression.share_key) == (24, None)


def test_what_is_written_is_what_holds(trial: Trial) -> None:
    table = {"look_after_days": [2, 20.5], "delete_at_most": 1, "share_key": "env:SHARE", "keep_months": 0}
    of = trial.load(spoilt((("suppression",), table)), environ={**ENVIRON, **KEYS}).suppression
    assert of.rule("delete") == WatchRule(Reaction.DELETE, (timedelta(days=2), timedelta(days=20.5)), 1)
    assert of.share_key is not None
    assert of.share_key.id == "env:SHARE"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"look_after_days": []}, "suppression.look_after_days"),
        ({"look_after_days": [7, 1]}, "each later than the one before"),
        ({"look_after_days": [1, 1]}, "each later than the one before"),
        ({"look_after_days": [0]}, "suppression.look_after_days"),
        ({"delete_at_most": 0}, "suppression.delete_at_most"),
        ({"keep_months": -1}, "suppression.keep_months"),
        ({"share_key": "env:SHORT"}, "env:SHORT has fewer than 32 bytes"),
        ({"share_key": "canary-written-out-0123456789-0123456789"}, "expected a reference"),
    ],
)
def test_what_does_not_work_is_said_and_no_key_is_shown(trial: Trial, table: dict[str, Any], said: str) -> None:
    found = trial.refusal(spoilt((("suppression",), table)), environ={**ENVIRON, **KEYS})
    assert said in found
    assert "canary" not in found


def test_the_key_of_the_store_s_own_hashes_is_shared_with_nobody(trial: Trial) -> None:
    found = trial.refusal(spoilt((("suppression", "share_key"), "env:PSEUDONYM_KEY")))
    assert "suppression.share_key is a pseudonym key of the store" in found
    assert "canary" not in found


def test_nobody_is_looked_for_in_an_account_that_looks_nobody_up(trial: Trial) -> None:
    off = (("accounts", "main", "look_up"), "off")
    assert trial.load(spoilt(off)).sources["onetrust"].watch == "alarm"
    trial.load(spoilt(off, ((*SOURCE, "watch"), "off")))
    assert "look_up off" in trial.refusal(spoilt(off, ((*SOURCE, "watch"), "delete")))
