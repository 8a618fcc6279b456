"""Planted values go through every path of a life; none is seen where people, logs or the source can read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, IllegalMove, Refused, Rejected, Temporary
from connector.observe.words import ACTIONS, FIELDS
from connector.store import overview
from connector.store import tables as t
from connector.store.columns import Personal
from tests.support.site import Bench

EMAIL = "canary-7f3a@example.com"
LOYALTY = "canary-99117"
LATE = "canary-late-size"
CANARIES = (EMAIL, LOYALTY, LATE, "canary")


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


def a_life_with_every_turn(bench: Bench) -> None:
    """Refused, failed, lost, still present, held, revived: as many branches as one life can take."""
    both = ("email", EMAIL), ("loyalty id", LOYALTY)
    bench.knows(EMAIL)
    bench.lytics.look_up_errors = [Temporary(Code.REMOTE_FAULT), Refused(Code.REMOTE_REFUSED)]
    bench.lytics.errors = [Temporary(Code.REMOTE_UNREACHABLE), Refused(Code.REMOTE_REFUSED)]
    bench.lytics.after = Temporary(Code.REMOTE_FAULT, outcome_unknown=True)
    bench.lytics.stays = {EMAIL}
    bench.deliver("s1", *both, event="e1")
    bench.run_to_end(30, minutes=7)
    assert bench.state() in ("failed", "partial")
    bench.lytics.stays = set()
    bench.deliver("s1", *both, event="e2")
    bench.pass_time(minutes=1)
    bench.deliver("s1", *both, ("shoe size", LATE), event="e3")
    bench.reporter.answers = [Temporary(Code.REMOTE_FAULT), Refused(Code.REMOTE_REFUSED)]
    bench.lytics.status_errors = [Temporary(Code.REMOTE_FAULT), ValueError(EMAIL)]
    bench.run_to_end(12, minutes=7)
    assert bench.state() == "held"


def shown(value: Any) -> str:
    return json.dumps(value, default=repr)


def test_no_log_record_no_comment_and_no_column_but_the_sealed_ones_names_anybody(bench: Bench) -> None:
    a_life_with_every_turn(bench)
    seen = [shown(bench.log.records), shown([(one.comment, dict(one.external)) for one in bench.reporter.tried])]
    for table in t.metadata.sorted_tables:
        open_columns = [one.name for one in table.columns if not isinstance(one.type, Personal)]
        seen += [shown([getattr(row, name) for name in open_columns]) for row in bench.rows(table)]
    assert not [canary for canary in CANARIES for text in seen if canary in text]
    # The test would be worth nothing if the values were nowhere.
    assert {row.value.reveal() for row in bench.rows(t.identities)} == {EMAIL, LOYALTY, LATE}


def test_what_an_operator_is_shown_names_nobody(bench: Bench) -> None:
    a_life_with_every_turn(bench)
    dossier = bench.dossier()
    parts = (dossier.history, dossier.deliveries, dossier.identities, dossier.targets, dossier.reports)
    text = shown([overview.as_dict(dossier.request), [[overview.as_dict(row) for row in rows] for rows in parts]])
    assert "canary" not in text
    assert "value" not in overview.as_dict(dossier.targets[0])


def test_every_record_uses_listed_actions_and_fields(bench: Bench) -> None:
    a_life_with_every_turn(bench)
    assert {action for action, _ in bench.log.records} <= set(ACTIONS)
    assert {name for _, fields in bench.log.records for name in fields} <= set(FIELDS)


def test_no_typed_error_of_a_step_names_anybody(bench: Bench) -> None:
    bench.deliver("s1", ("email", EMAIL), event="e1")
    with pytest.raises(Rejected) as conflict:
        bench.deliver("s1", ("email", EMAIL), ("loyalty id", LOYALTY), event="e1")
    bench.run_to_end()
    with pytest.raises(Rejected) as finished:
        bench.deliver("s1", ("loyalty id", LOYALTY), event="e2")
    errors: list[ConnectorError] = [conflict.value, finished.value, IllegalMove("TargetState", "a", "b")]
    for error in errors:
        assert "canary" not in f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
