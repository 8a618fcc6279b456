"""`keys report`: from the store and the settings, without a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.store import keys
from connector.store.database import Database
from tests.support.stores import bring_up_to_date
from tests.unit.cli.conftest import Run

NOW = datetime.now(UTC).replace(microsecond=0)
VALUES = {name: f"canary-{name}-secret-of-good-length" for name in ("old", "new", "basic")}

Note = Callable[[str, str, float], None]


@pytest.fixture
def used(store_url: str) -> Note:
    """Write down that a secret was used so many days ago."""
    with Database(store_url, pool_size=1) as database:
        bring_up_to_date(database)

    def note(source: str, secret_id: str, days_ago: float) -> None:
        with Database(store_url, pool_size=1) as database, database.write() as connection:
            keys.note_use(connection, source, secret_id, NOW - timedelta(days=days_ago))

    return note


@pytest.fixture
def settings(tmp_path: Path) -> tuple[str, ...]:
    """Settings with two secrets in rotation, and a way of signing that was left behind beside them."""
    for name, value in VALUES.items():
        (tmp_path / name).write_text(value, encoding="utf-8")
    end = (NOW + timedelta(days=12, hours=1)).isoformat()
    header = (
        '{check="header", name="X-Key", secrets=['
        f'{{ref="file:{tmp_path}/new", id="partner-2"}}, '
        f'{{ref="file:{tmp_path}/old", id="partner-1", not_after="{end}"}}]}}'
    )
    basic = f'{{check="basic", user="u", passwords=[{{ref="file:{tmp_path}/basic", id="basic-1"}}]}}'
    return (f'sources.onetrust.verify=[{{check="any_of", checks=[{header}, {basic}]}}]',)


def test_people_get_a_table_with_what_to_do(run: Run, used: Note, settings: tuple[str, ...]) -> None:
    used("onetrust", "partner-1", 20)
    used("onetrust", "partner-1", 9)
    used("onetrust", "partner-2", 10)
    used("onetrust", "partner-2", 0)
    used("onetrust", "partner-0", 400)
    done = run("keys", "report", settings=settings)
    assert (done.status, done.err) == (0, "")
    rows = {line.split("│")[3].strip(): line for line in done.out.splitlines() if line.count("│") > 3}
    since = f"{NOW - timedelta(days=9):%Y-%m-%d}"
    assert f"no longer used since {since}: can be removed" in rows["partner-1"]
    assert "live, ends in 12 d" in rows["partner-1"]
    assert "in use" in rows["partner-2"]
    assert "never used" in rows["basic-1"]
    assert "not configured" in rows["partner-0"]
    assert "not used " in rows["partner-0"]
    for value in VALUES.values():
        assert value not in done.out


def test_a_machine_gets_a_list(run: Run, used: Note, settings: tuple[str, ...]) -> None:
    used("onetrust", "partner-1", 3)
    said = json.loads(run("keys", "report", "--json", settings=settings).out)
    assert [(one["secret_id"], one["check"], one["standing"], one["used_recently"]) for one in said] == [
        ("partner-2", "header", "live", False),
        ("partner-1", "header", "live", True),
        ("basic-1", "basic", "live", False),
    ]
    assert said[1]["advice"] == "12 days until it ends and nothing newer has been used"
    assert said[1]["last_used_at"] == str(NOW - timedelta(days=3))


def test_one_source_can_be_asked_for(run: Run, used: Note, settings: tuple[str, ...]) -> None:
    used("gone", "env:GONE", 1)
    everything = json.loads(run("keys", "report", "--json", settings=settings).out)
    assert {one["source"] for one in everything} == {"onetrust", "gone"}
    said = json.loads(run("keys", "report", "--source", "onetrust", "--json", settings=settings).out)
    assert {one["source"] for one in said} == {"onetrust"}
    done = run("keys", "report", "--source", "nobody", settings=settings)
    assert (done.status, done.out) == (2, "")


def test_the_secret_of_the_shipped_configuration_has_never_been_used(run: Run, used: Note) -> None:
    (line,) = json.loads(run("keys", "report", "--json").out)
    assert (line["secret_id"], line["check"], line["advice"]) == (
        "file:sandbox/webhook.secret",
        "signature",
        "never used",
    )


def test_keys_that_the_sender_publishes_are_listed_as_such(run: Run, used: Note) -> None:
    check = (
        '{check="jws", place="bearer", body="unsigned", algorithms=["RS256"], audiences=["connector"], '
        'keys_from="jwks", keys_url="https://keys.example.com/jwks.json"}'
    )
    used("onetrust", "keys.example.com#2026-1", 1)
    (line,) = json.loads(run("keys", "report", "--json", settings=(f"sources.onetrust.verify=[{check}]",)).out)
    assert (line["secret_id"], line["standing"], line["advice"]) == ("keys.example.com#2026-1", "published", "in use")


def test_the_keys_that_we_sign_tokens_with_take_no_place_of_the_clients_secret(
    run: Run, used: Note, tmp_path: Path
) -> None:
    """Both are in every token; a change of one must not look like a change of the other."""
    for name in ("client-2", "client-1", "signing-2", "signing-1"):
        (tmp_path / name).write_text(f"canary-{name}-of-a-length-that-is-enough", encoding="utf-8")
    secrets, keys_ = (
        ", ".join(f'"file:{tmp_path}/{kind}-{number}"' for number in (2, 1)) for kind in ("client", "signing")
    )
    check = f'{{check="issued-token", client_id="c", audience="a", secrets=[{secrets}], signing_keys=[{keys_}]}}'
    used("onetrust", f"file:{tmp_path}/client-1", 1)
    used("onetrust", f"file:{tmp_path}/signing-1", 20)
    used("onetrust", f"file:{tmp_path}/signing-2", 0)
    said = json.loads(run("keys", "report", "--json", settings=(f"sources.onetrust.verify=[{check}]",)).out)
    assert [(Path(one["secret_id"]).name, one["check"], one["advice"]) for one in said] == [
        ("client-2", "issued-token", "never used: the sender has not changed yet"),
        ("client-1", "issued-token", "still used: the sender has not changed yet"),
        ("signing-2", "issued-token", "in use"),
        ("signing-1", "issued-token", f"no longer used since {NOW - timedelta(days=20):%Y-%m-%d}: can be removed"),
    ]


def test_a_store_without_its_schema_is_told_how_to_mend(run: Run) -> None:
    done = run("keys", "report")
    assert done.status == 2
    assert done.err.startswith("store_outdated: ")
