from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.trial import ENVIRON, SOURCE, VERIFY, Place, Trial, spoilt

TOKEN: Place = ("accounts", "main", "token")
KEY: Place = ("store", "pseudonym_key")
URL: Place = ("store", "url")
SECRET: Place = (*VERIFY, 0, "secrets", 0)
CLIENT_SECRET: Place = (*SOURCE, "report", "client_secret")
CLIENT_ID: Place = (*SOURCE, "report", "client_id")
EXPECTED = "expected a reference, env:NAME or file:PATH; the value itself does not belong into the file"


@pytest.mark.parametrize("place", [TOKEN, KEY, SECRET, CLIENT_SECRET], ids=str)
@pytest.mark.parametrize(
    "value", ["canary-plain-secret-77e0", "", "ENV:LYTICS_TOKEN", "env:", "vault:x", 12345678, True]
)
def test_a_secret_in_the_file_itself_is_refused_unseen(trial: Trial, place: Place, value: Any) -> None:
    (line,) = trial.lines(spoilt((place, value)))
    assert line.endswith(f": {EXPECTED}")
    assert "canary" not in line


@pytest.mark.parametrize("place", [TOKEN, KEY, SECRET, CLIENT_SECRET, URL, CLIENT_ID], ids=str)
def test_a_variable_that_is_not_set_is_named(trial: Trial, place: Place) -> None:
    (line,) = trial.lines(spoilt((place, "env:NOT_THERE")))
    assert line.endswith(": the environment variable NOT_THERE is not set")


@pytest.mark.parametrize("place", [TOKEN, KEY, SECRET, CLIENT_SECRET, URL, CLIENT_ID], ids=str)
def test_an_empty_variable_is_no_secret(trial: Trial, place: Place) -> None:
    (line,) = trial.lines(spoilt((place, "env:EMPTY")), environ={**ENVIRON, "EMPTY": "\n"})
    assert line.endswith(": env:EMPTY is empty")


@pytest.mark.parametrize(
    ("name", "why"), [("not-there", "FileNotFoundError"), (".", "IsADirectoryError"), ("bytes", "UnicodeDecodeError")]
)
def test_a_file_that_cannot_be_read_is_named(trial: Trial, name: str, why: str) -> None:
    (trial.folder / "bytes").write_bytes(b"\xff" * 40)
    (line,) = trial.lines(spoilt((TOKEN, f"file:{name}")))
    assert line == f"accounts.main.token: the file {name} cannot be read ({why})"


def test_a_file_may_end_in_a_line_feed_and_begin_with_a_byte_order_mark(trial: Trial) -> None:
    (trial.folder / "secrets").mkdir()
    (trial.folder / "secrets/token").write_bytes(b"\xef\xbb\xbfat.token with inner blank\r\n")
    token = trial.load(spoilt((TOKEN, "file:secrets/token"))).accounts["main"].token
    assert token.reveal() == "at.token with inner blank"
    assert token.id == "file:secrets/token"


def test_relative_files_start_at_the_configurations_folder(
    trial: Trial, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial.folder / "token").write_text("at.the-right-one")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "token").write_text("at.the-wrong-one")
    monkeypatch.chdir(elsewhere)
    assert trial.load(spoilt((TOKEN, "file:token"))).accounts["main"].token.reveal() == "at.the-right-one"
    absolute = trial.load(spoilt((TOKEN, f"file:{elsewhere / 'token'}")))
    assert absolute.accounts["main"].token.reveal() == "at.the-wrong-one"


def test_a_relative_database_lies_in_the_configurations_folder(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path("/"))
    for given in ("sqlite:///sub/../store.db", "env:DATABASE_URL"):
        config = trial.load(spoilt((URL, given)), environ={**ENVIRON, "DATABASE_URL": "sqlite:///store.db"})
        assert config.store.url.reveal() == f"sqlite:///{trial.folder / 'store.db'}"
        assert config.store.url.id == given
    assert trial.load(spoilt((URL, "sqlite:////tmp/x.db"))).store.url.reveal() == "sqlite:////tmp/x.db"


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (SECRET, "canary-of-15ch.", "env:WEAK has fewer than 16 characters; use a longer, random one"),
        (SECRET, "canary-of-15ch. ", "env:WEAK has fewer than 16 characters; use a longer, random one"),
        (CLIENT_SECRET, "canary-of-15ch.", "env:WEAK has fewer than 16 characters; use a longer, random one"),
        (KEY, "canary-key-of-31-bytes-9999999", "env:WEAK has fewer than 32 bytes; use a longer, random one"),
        (TOKEN, "Bearer canary-token", "env:WEAK starts with 'Bearer '; Lytics expects the bare token"),
        (TOKEN, "bearer canary-token", "env:WEAK starts with 'Bearer '; Lytics expects the bare token"),
        (TOKEN, "canary\ntoken", "env:WEAK cannot travel in a header: use printable ASCII, no blank ends"),
        (TOKEN, "canary-tökén", "env:WEAK cannot travel in a header: use printable ASCII, no blank ends"),
        (SECRET, " canary-webhook-secret", "env:WEAK cannot travel in a header: use printable ASCII, no blank ends"),
        (TOKEN, "${canary}", "env:WEAK holds an unresolved placeholder ${…}"),
        (KEY, "canary-\udc80-that-is-no-utf-8-at-all-at-all", "env:WEAK is not UTF-8 text"),
    ],
)
def test_a_secret_that_will_not_do_is_named_by_its_reference(trial: Trial, place: Place, value: str, why: str) -> None:
    (line,) = trial.lines(spoilt((place, "env:WEAK")), environ={**ENVIRON, "WEAK": value})
    assert line.endswith(f": {why}")


def test_secrets_of_just_the_right_length_pass(trial: Trial) -> None:
    raw = spoilt((SECRET, "env:SIXTEEN"), (KEY, "env:BYTES"))
    config = trial.load(raw, environ={**ENVIRON, "SIXTEEN": "x" * 16, "BYTES": "ö" * 16})
    assert len(config.store.pseudonym_key.reveal_bytes()) == 32


def test_a_client_id_may_be_given_or_referred_to(trial: Trial) -> None:
    for given, shown, found in (("client-1", "client-1", "client-1"), ("env:CLIENT_ID", "env:CLIENT_ID", "client-2")):
        config = trial.load(spoilt((CLIENT_ID, given)), environ={**ENVIRON, "CLIENT_ID": "client-2"})
        assert config.sources["onetrust"].report.client_id.reveal() == found
        assert config.describe()["sources"]["onetrust"]["report"]["client_id"] == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:canary-password@db.example.com/connector",
        "postgresql://user:canary/pass@word@db.example.com/connector",
        "postgresql+psycopg://:canary@db.example.com/connector",
        "postgresql://user@db.example.com/connector?password=canary",
        "postgresql://user@db.example.com/connector?sslmode=require&sslpassword=canary",
    ],
)
def test_a_password_in_a_url_belongs_behind_a_reference(trial: Trial, url: str) -> None:
    (line,) = trial.lines(spoilt((URL, url)))
    assert line == "store.url: the URL holds a password; give a reference instead, such as env:DATABASE_URL" or (
        # Or it is none at all, for a reader who follows the rules of URLs.
        line.startswith("store.url: expected sqlite:///PATH or postgresql://USER@HOST/NAME, ")
    )
    assert "canary" not in line
    if "/pass@" not in url:
        config = trial.load(spoilt((URL, "env:DATABASE_URL")), environ={**ENVIRON, "DATABASE_URL": url})
        assert config.store.url.reveal() == url
        assert "canary" not in f"{config!r} {config.describe()}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user@db.example.com:5432/connector",
        "postgresql+psycopg://db.example.com/connector?sslmode=require",
        "postgresql://user@[::1]/connector",
        "postgresql:///connector?host=/run/postgresql",
    ],
)
def test_a_url_without_a_password_may_stand_in_the_file(trial: Trial, url: str) -> None:
    config = trial.load(spoilt((URL, url)))
    assert config.store.url.reveal() == config.describe()["store"]["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://canary@example.com/x",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///store.db?mode=memory",
        "postgres://user@example.com/x",
        "postgresql://user@example.com",
        "postgresql://user@example.com:port/x",
        "postgresql://user:canary#1@example.com:x/y",
        "postgresql://a b@example.com/x",
        "canary",
        5,
    ],
)
def test_a_store_is_a_file_or_a_postgresql_database(trial: Trial, url: Any) -> None:
    expected = "store.url: expected sqlite:///PATH or postgresql://USER@HOST/NAME, or a reference to such a URL"
    (line,) = trial.lines(spoilt((URL, url)))
    assert line.startswith(expected)
    assert "canary" not in line
    if isinstance(url, str):
        (line,) = trial.lines(spoilt((URL, "env:DATABASE_URL")), environ={**ENVIRON, "DATABASE_URL": url})
        assert line.startswith(expected)
        assert "canary" not in line
