"""Settings reach the parts that they are about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.clock import FixedClock, SystemClock
from connector.errors import Misconfigured
from connector.policy.approval import ApprovalMode
from connector.policy.deadlines import Regulation
from connector.policy.polling import PollPolicy
from connector.policy.tangle import TangleRule
from connector.services.rules import LookUp
from connector.services.site import Site
from connector.wiring import build_site, load_config, loopback_client, open_database, reading_of
from tests.acceptance.journey import ROOT, START, load_shipped, logging_as_it_was


@pytest.fixture
def store_setting(tmp_path: Path) -> str:
    return f'store.url="sqlite:///{tmp_path / "store.db"}"'


@contextmanager
def built(*settings: str) -> Iterator[Site]:
    with logging_as_it_was():
        site = build_site(load_shipped(settings), "cli", FixedClock(START))
        try:
            yield site
        finally:
            site.database.close()


ACCOUNT: list[tuple[str, Callable[[Any], object], object]] = [
    ('deletion_api="identity-queue"', lambda one: (one.api_name, one.api.repeat_is_safe), ("identity-queue", True)),
    ('deletion_api="identity-delete"', lambda one: (one.api_name, one.api.repeat_is_safe), ("identity-delete", False)),
    ('look_up="off"', lambda one: one.look_up, LookUp.OFF),
    ("concurrency=7", lambda one: one.concurrency, 7),
    ("batch_max_values=9", lambda one: one.batch_max_values, 9),
    ("batch_max_bytes=2048", lambda one: one.batch_max_bytes, 2048),
    ("batch_wait_s=11", lambda one: one.batch_wait_s, 11),
    ("poll_first_s=3", lambda one: one.polling, PollPolicy(3, 2.0, 2.0)),
    ("poll_factor=4", lambda one: one.polling, PollPolicy(0.3, 4, 2.0)),
    ("poll_max_s=5", lambda one: one.polling, PollPolicy(0.3, 2.0, 5)),
    ("confirm_first_s=6", lambda one: one.confirming.first_s, 6),
    ("confirm_for_s=13", lambda one: one.confirm_for_s, 13),
    ("warn_after_days=1.5", lambda one: one.warn_after, timedelta(hours=36)),
    ("alarm_after_days=2.5", lambda one: one.alarm_after, timedelta(hours=60)),
    ("unknown_wait_s=17", lambda one: one.unknown_wait_s, 17),
    ("tangled_above=4", lambda one: one.tangle, TangleRule(4)),
    ('tangled_fields=["user_id"]', lambda one: one.tangle, TangleRule(2, frozenset({"user_id"}))),
    ('look_up="after"', lambda one: one.tangle, None),
]


@pytest.mark.parametrize(("setting", "read", "wanted"), ACCOUNT, ids=[row[0] for row in ACCOUNT])
def test_a_setting_of_an_account_reaches_it(
    store_setting: str, setting: str, read: Callable[[Any], object], wanted: object
) -> None:
    with built(store_setting, f"accounts.main.{setting}") as site:
        assert read(site.accounts["main"]) == wanted


def test_a_lost_caller_is_not_suspected_before_its_call_must_have_ended(store_setting: str) -> None:
    with built(store_setting, "accounts.main.timeout_s=50") as site:
        # Connecting, and the whole of the answer.
        assert site.accounts["main"].stale_intent_s > 10 + 2 * 50


SOURCE: list[tuple[str, Callable[[Any], object], object]] = [
    ("enabled=false", lambda one: one.enabled, False),
    ("allow_test_requests=true", lambda one: one.scope.allow_test_requests, True),
    ('regulation="ccpa"', lambda one: one.regulation, Regulation.CCPA),
    ('deletion_types=["Right to  be Forgotten"]', lambda one: one.scope.deletion_types, {"right to be forgotten"}),
    ('approval="first-run"', lambda one: one.approval.mode, ApprovalMode.FIRST_RUN),
    ("approval_above=7", lambda one: one.approval.above, 7),
    ("report.deadline_comment_days=3", lambda one: one.extras.warn_before, timedelta(days=3)),
    ("report.deadline_comment_days=0", lambda one: (one.extras.warner, one.extras.warn_before.days), (None, 7)),
    ("enabled=true", lambda one: (one.name, one.account), ("onetrust", "main")),
]


@pytest.mark.parametrize(("setting", "read", "wanted"), SOURCE, ids=[row[0] for row in SOURCE])
def test_a_setting_of_a_source_reaches_it(
    store_setting: str, setting: str, read: Callable[[Any], object], wanted: object
) -> None:
    with built(store_setting, f"sources.onetrust.{setting}") as site:
        assert read(site.sources["onetrust"]) == wanted


def test_budgets_reach_the_steps(store_setting: str) -> None:
    names = ("map_budget", "lookup_budget", "poll_budget", "report_budget")
    with built(store_setting, *(f"engine.{name}={place}" for place, name in enumerate(names, start=2))) as site:
        budgets = site.budgets
        assert (budgets.map, budgets.look_up, budgets.poll, budgets.report) == (2, 3, 4, 5)


def test_a_site_runs_by_the_machines_clock_unless_it_is_given_another(store_setting: str) -> None:
    with logging_as_it_was():
        site = build_site(load_shipped([store_setting]), "cli")
    site.database.close()
    assert isinstance(site.clock, SystemClock)


def test_what_reads_a_payload_needs_no_store(store_setting: str, tmp_path: Path) -> None:
    dialect, rules, scope = reading_of(load_shipped([store_setting]).sources["onetrust"])
    call = dialect.parse(b'{"subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32", "email": "a@example.com"}')
    assert [one.kind for one in call.identities] == ["email"]
    assert rules.digest
    assert scope.deletion_types == {"data deletion"}
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_file_and_settings(tmp_path: Path) -> None:
    config = load_config(
        {
            "CONNECTOR_CONFIG": str(ROOT / "config/connector.toml"),
            "CONNECTOR_SET": json.dumps([f'store.url="sqlite:///{tmp_path}/other.db"', "server.threads=3"]),
        }
    )
    assert config.server.threads == 3
    with open_database(config) as database:
        assert database.file == tmp_path / "other.db"


def test_a_client_for_this_machine_goes_nowhere_else() -> None:
    with pytest.raises(Misconfigured):
        loopback_client("http://example.com")
