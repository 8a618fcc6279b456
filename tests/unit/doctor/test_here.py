"""What the doctor says of secrets and of the store, without asking anybody."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from connector.config import Config, load
from connector.crypto.keyring import Keyring
from connector.doctor import here
from connector.doctor.findings import Finding
from connector.private import Secret
from connector.sandbox.defaults import WEBHOOK_SECRET
from connector.sources.registry import PLATFORMS
from connector.store.database import Database
from tests.acceptance.journey import ROOT
from tests.support.sealing import KEYRING
from tests.support.site import START, Bench

GOOD = "f3a9c2b4d5e6071829304a5b6c7d8e9f"


def configured(tmp_path: Path, *settings: str) -> Config:
    return load(
        ROOT / "config/connector.toml", {}, [f'store.url="sqlite:///{tmp_path / "s.db"}"', *settings], PLATFORMS
    )


def check(tmp_path: Path, *secrets: dict[str, str]) -> str:
    """Return a check whose secrets are given as text, by the name `ref`, and as when they count."""
    tables = []
    for place, one in enumerate(secrets):
        path = tmp_path / f"{place}.secret"
        path.write_text(one["ref"])
        parts = {**one, "ref": f"file:{path}", "id": f"s{place}"}
        tables.append("{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in parts.items()) + " }")
    listed = ", ".join(tables)
    return f'sources.onetrust.verify=[{{ check = "header", name = "X-Secret", secrets = [{listed}] }}]'


def ids(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.id, one.subject, one.found) for one in found]


def secrets(config: Config) -> list[tuple[str, str, str]]:
    return ids([*here.secrets(config, START)])


def test_the_secrets_of_a_rehearsal_are_well_in_a_rehearsal(tmp_path: Path) -> None:
    assert secrets(configured(tmp_path)) == [("secrets_fine", "", "")]


def test_the_secrets_of_a_rehearsal_are_no_secrets_before_a_real_lytics(tmp_path: Path) -> None:
    found = secrets(configured(tmp_path, 'accounts.main.base_url="https://api.lytics.io"'))
    assert {one[0] for one in found} == {"secret_public"}
    assert len(found) == 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GOOD, ""),
        (GOOD[:31], "31 characters of 16 kinds"),
        ("abcdefghi" * 4, "36 characters of 9 kinds"),
        ("abcdefghij" * 4, ""),
    ],
)
def test_a_secret_that_is_short_or_monotonous_is_weak(tmp_path: Path, text: str, found: str) -> None:
    said = secrets(configured(tmp_path, check(tmp_path, {"ref": text})))
    assert said == ([("secret_weak", "s0", found)] if found else [("secrets_fine", "", "")])
    assert text not in str(said)


def test_the_secret_of_a_vendor_is_not_ours_to_judge_but_must_not_be_used_twice(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("at.1.short")
    assert secrets(configured(tmp_path, f'accounts.main.token="file:{tmp_path / "token"}"')) == [
        ("secrets_fine", "", "")
    ]
    (tmp_path / "token").write_text(WEBHOOK_SECRET)
    ((name, subject, _),) = secrets(configured(tmp_path, f'accounts.main.token="file:{tmp_path / "token"}"'))
    assert name == "secret_shared"
    assert "token" in subject


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        (None, timedelta(days=-1), [("secret_ended", "onetrust, check 1", "")]),
        (timedelta(days=1), None, [("secret_ended", "onetrust, check 1", "")]),
        (None, timedelta(days=14), [("secret_ending", "onetrust, check 1", "2026-11-16")]),
        (None, timedelta(days=14, seconds=1), [("secrets_fine", "", "")]),
    ],
)
def test_a_check_whose_last_secret_ends_is_told(
    tmp_path: Path, begin: timedelta | None, end: timedelta | None, found: list[tuple[str, str, str]]
) -> None:
    one = {"ref": GOOD}
    one |= {"not_before": (START + begin).isoformat()} if begin is not None else {}
    one |= {"not_after": (START + end).isoformat()} if end is not None else {}
    assert secrets(configured(tmp_path, check(tmp_path, one))) == found


def test_a_successor_without_an_end_is_enough(tmp_path: Path) -> None:
    old = {"ref": GOOD, "not_after": (START + timedelta(days=1)).isoformat()}
    assert secrets(configured(tmp_path, check(tmp_path, old, {"ref": GOOD[::-1]}))) == [("secrets_fine", "", "")]


def test_a_check_within_others_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "weak").write_text("0123456789abcdef")
    inner = f'{{ check = "header", name = "X-Secret", secrets = ["file:{tmp_path / "weak"}"] }}'
    other = f'{{ check = "bearer", secrets = ["file:{ROOT / "config/sandbox/webhook.secret"}"] }}'
    nested = f'sources.onetrust.verify=[{{ check = "any_of", checks = [{inner}, {other}] }}]'
    ((name, subject, _),) = secrets(configured(tmp_path, nested))
    assert (name, subject) == ("secret_weak", f"file:{tmp_path / 'weak'}")


class TestStore:
    def test_a_near_and_a_passed_deadline_are_told_with_their_time(self, sqlite_bench: Bench) -> None:
        sqlite_bench.deliver("s1")
        due = sqlite_bench.dossier("s1").request.due_at
        for now, name, told in (
            (due - timedelta(days=8), "deadlines_fine", f"the next {due:%Y-%m-%d}"),
            (due - timedelta(days=1), "deadline_near", f"1 of them, the next {due:%Y-%m-%d %H:%M}Z"),
            (due + timedelta(days=1), "deadline_passed", f"1 of them, the first since {due:%Y-%m-%d %H:%M}Z"),
        ):
            assert ids([*here.store(sqlite_bench.database, now)]) == [("store_fine", "", ""), (name, "", told)]

    def test_a_sealing_key_that_is_missing_is_told(self, sqlite_bench: Bench) -> None:
        sqlite_bench.deliver("s1")
        other = Keyring([Secret("another-sealing-key-of-good-length-000", "test:other")])
        with Database(sqlite_bench.store_url, keyring=other) as database:
            (found,) = here.store(database, START)
        assert found.id == "sealing_key_missing"
        assert KEYRING.current.id in found.found

    def test_a_store_that_does_not_answer_is_told(self) -> None:
        with Database("postgresql://127.0.0.1:9/nothing") as database:
            assert [one.id for one in here.store(database, START)] == ["store_unreachable"]

    def test_values_that_are_refused_alike_are_told_by_account(
        self, sqlite_bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(here.checkup, "refused_alike", lambda *_: [("main", 12)])
        assert ids([*here.store(sqlite_bench.database, START)])[-1] == ("values_refused_alike", "main", "12 values")
