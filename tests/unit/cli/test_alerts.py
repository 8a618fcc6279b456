"""`alerts test`, `alerts list` and `metrics`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.alerting import Alert, Kind, Phase, Scope
from connector.policy.alerts import Standing
from connector.store import alerts
from connector.store.database import Database
from tests.support.mail_server import Post, mail_server
from tests.support.processes import free_port
from tests.support.stores import bring_up_to_date
from tests.unit.cli.conftest import Run

NOW = datetime.now(UTC)
HELD = (Kind.HELD, Scope.SOURCE, "onetrust")


@pytest.fixture
def post() -> Iterator[Post]:
    with mail_server() as serving:
        yield serving


def mail(name: str, port: int) -> str:
    address = f'sender="connector@example.com", to=["ops@example.com"], host="127.0.0.1", port={port}'
    return f'{{name="{name}", {address}, encryption="none"}}'


def test_a_test_goes_by_every_channel_and_says_what_became_of_each(run: Run, post: Post) -> None:
    channels = f"alerts.mail=[{mail('works', post.port)}, {mail('deaf', free_port())}]"
    done = run("alerts", "test", settings=(channels,))
    works, deaf = done.out.splitlines()
    assert works.startswith("works: sent, message ")
    assert deaf.startswith("deaf: not sent. remote_unreachable: ")
    assert done.status == 1
    assert "nothing is wrong" in post.mails[0][2]


def test_one_channel_alone_can_be_tried(run: Run, post: Post) -> None:
    channels = f"alerts.mail=[{mail('works', post.port)}, {mail('deaf', free_port())}]"
    done = run("alerts", "test", "--channel", "works", settings=(channels,))
    assert (done.status, len(post.mails)) == (0, 1)


@pytest.mark.parametrize("arguments", [(), ("--channel", "other")])
def test_nobody_to_tell_is_a_mistake(run: Run, arguments: tuple[str, ...]) -> None:
    done = run("alerts", "test", *arguments)
    assert done.status == 2
    assert "no channel of that name is configured" in done.err


@pytest.fixture
def told(store_url: str) -> None:
    """Operators were told of one trouble, which goes on, and of one that is over; a channel has not taken it."""
    with Database(store_url, pool_size=1) as database:
        bring_up_to_date(database)
        with database.write() as connection:
            over = (Kind.FUSE_BLOWN, Scope.ACCOUNT, "main")
            alerts.remember(connection, {HELD: Standing(NOW, NOW, 3), over: Standing(NOW, NOW, 0)}, ())
            message = Alert("1" * 32, Kind.HELD, Phase.FIRING, Scope.SOURCE, "onetrust", 3, NOW, NOW)
            alerts.put(connection, "deaf", message)
            alerts.try_again(connection, "deaf", NOW + timedelta(minutes=1))


@pytest.mark.usefixtures("told")
def test_what_was_told_and_is_not_over_is_listed_with_what_was_not_taken(run: Run) -> None:
    done = run("alerts", "list")
    assert done.status == 0
    assert "held" in done.out
    assert "deaf" in done.out
    assert "fuse_blown" not in done.out
    said = json.loads(run("alerts", "list", "--json").out)
    assert [(one["kind"], one["name"], one["told_count"]) for one in said["told"]] == [("held", "onetrust", 3)]
    assert [(one["channel"], one["tries"]) for one in said["waiting"]] == [("deaf", 1)]


def test_metrics_are_printed_once(run: Run, store_url: str, tmp_path: Path) -> None:
    with Database(store_url, pool_size=1) as database:
        bring_up_to_date(database)
    done = run("metrics", "--once", settings=(f'metrics.directory="{tmp_path}/metrics"',))
    assert done.status == 0
    assert "\nconnector_store_up 1.0\n" in done.out
    assert 'connector_requests_late{source="onetrust"} 0.0' in done.out


def test_a_store_that_is_not_there_is_a_number_too(run: Run, tmp_path: Path) -> None:
    done = run("metrics", "--once", settings=(f'metrics.directory="{tmp_path}/metrics"',))
    assert "\nconnector_store_up 0.0\n" in done.out
    assert "connector_requests_late{" not in done.out


def test_metrics_that_nobody_counts_are_not_served(run: Run) -> None:
    done = run("metrics")
    assert done.status == 2
    assert "metrics.directory is not set" in done.err


def test_a_folder_that_cannot_be_used_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("metrics", settings=(f'metrics.directory="{tmp_path}/file"',))
    assert done.status == 2
    assert "metrics.directory cannot be used (NotADirectoryError)" in done.err
