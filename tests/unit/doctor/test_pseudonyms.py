"""What the doctor says of pseudonym keys: which are missing, needed and until when, and which can go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.crypto.pseudonym import Pseudonymiser
from connector.doctor.findings import Finding
from connector.doctor.pseudonyms import keys
from connector.policy.needed_keys import Keeping, needed_until
from connector.policy.retention import MONTH
from connector.private import Secret
from connector.services import pseudonyms, rehash
from connector.store.audit import Decision
from connector.store.database import Database
from tests.support.site import KEY, START, Bench

NEW = Secret("n" * 32, "test:new")
CHANGED = Pseudonymiser(NEW, [KEY])
OLD_ID = Pseudonymiser(KEY).id
KEEPING = Keeping(24 * MONTH, 24 * MONTH)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path / 'store.db'}")
    made.deliver("s1")
    yield made
    made.database.close()


def found(bench: Bench, pseudonymiser: Pseudonymiser, keeping: Keeping = KEEPING) -> list[Finding]:
    return list(keys(bench.database, pseudonymiser, keeping))


def test_of_one_key_alone_nothing_is_said(bench: Bench) -> None:
    assert found(bench, Pseudonymiser(KEY)) == []


def test_a_key_that_is_missing_is_a_fault(bench: Bench) -> None:
    assert found(bench, Pseudonymiser(NEW)) == [
        Finding("pseudonym_key_missing", OLD_ID, "1 requests, calls of its time")
    ]


def test_a_former_key_is_told_with_what_it_is_needed_for_and_until_when(bench: Bench) -> None:
    assert found(bench, CHANGED) == [Finding("pseudonym_key_in_use", KEY.id, "1 requests, calls of its time")]
    rehash.rehash_all(bench.database, CHANGED, lambda _done, _total: None)
    (needed,) = found(bench, CHANGED)
    assert needed == Finding("pseudonym_key_needed", KEY.id, "calls of its time; not before 2028-11-01 can it go")
    assert found(bench, CHANGED, Keeping(None, None)) == [Finding("pseudonym_key_needed", KEY.id, "calls of its time")]


def test_one_that_recognises_nothing_can_go(bench: Bench) -> None:
    rehash.rehash_all(bench.database, CHANGED, lambda _done, _total: None)
    pseudonyms.give_up(bench.database, CHANGED, OLD_ID, Decision("operator", "a reason", START))
    assert found(bench, CHANGED) == [Finding("pseudonym_key_idle", KEY.id)]
    assert found(bench, Pseudonymiser(NEW)) == []


def test_where_the_store_cannot_be_read_others_say_so(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'empty.db'}", pool_size=1) as database:
        assert list(keys(database, CHANGED, KEEPING)) == []


@pytest.mark.parametrize(
    ("entries", "repeats", "keeping", "days"),
    [
        (True, True, Keeping(timedelta(days=3), timedelta(days=5)), 5),
        (True, False, Keeping(timedelta(days=3), None), 3),
        (False, True, Keeping(None, timedelta(days=5)), 5),
        (True, True, Keeping(None, timedelta(days=5)), None),
        (True, True, Keeping(timedelta(days=3), None), None),
        (False, False, Keeping(None, None), None),
    ],
)
def test_until_when_a_key_is_needed(*, entries: bool, repeats: bool, keeping: Keeping, days: int | None) -> None:
    until = needed_until(START, entries=entries, repeats=repeats, keeping=keeping)
    assert until == (None if days is None else START + timedelta(days=days))
    assert needed_until(None, entries=entries, repeats=repeats, keeping=keeping) is None
