"""`users` and `dashboard`: passwords come from a prompt or a file, every change is recorded, nothing is half done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from connector.private import Private
from connector.services.users import Role, UserFile
from connector.store import audit
from connector.wsgi import create_dashboard
from tests.acceptance.journey import ROOT, logging_as_it_was
from tests.support.site import Bench
from tests.unit.cli.conftest import Run

PASSWORD = "correct horse battery staple"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.json"


@pytest.fixture
def settings(file: Path, store_url: str) -> tuple[str, ...]:
    Bench(store_url).database.close()
    return (f'dashboard.users_file="{file}"',)


def test_a_user_is_added_changed_listed_and_removed(
    run: Run, settings: tuple[str, ...], file: Path, tmp_path: Path, store_url: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\nnot this line\n", encoding="utf-8")
    add = ("users", "add", "ann", "--password-file", str(secret), "--by", "ada", "--role")
    assert run(*add, "viewer", settings=settings).out == "user ann added: viewer\n"
    assert run(*add, "approver", settings=settings).out == "user ann changed: approver\n"
    user = UserFile(file).signed_in("ann", Private(PASSWORD))
    assert user is not None
    assert user.role is Role.APPROVER
    listed = run("users", "list", "--json", settings=settings).out
    assert json.loads(listed) == [{"name": "ann", "role": "approver"}]
    assert "approver" in run("users", "list", settings=settings).out
    assert run("users", "remove", "ann", "--by", "ada", settings=settings).out == "user ann removed\n"
    assert run("users", "remove", "ann", settings=settings).status == 2
    bench = Bench(store_url)
    with bench.database.read() as connection:
        noted = [(one.actor, one.action, one.subject, one.reason) for one in audit.latest(connection, 9)]
    bench.database.close()
    assert noted == [
        ("ada", "user_removed", "ann", "removed"),
        ("ada", "user_set", "ann", "role approver"),
        ("ada", "user_set", "ann", "role viewer"),
    ]


@pytest.mark.parametrize(
    ("content", "name"), [(b"short", "ann"), (b"\xff" * 20, "ann"), (PASSWORD.encode(), "ann@example.com")]
)
def test_what_cannot_be_a_user_is_not_kept(
    run: Run, settings: tuple[str, ...], file: Path, tmp_path: Path, content: bytes, name: str
) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(content)
    ended = run("users", "add", name, "--role", "viewer", "--password-file", str(secret), settings=settings)
    assert ended.status == 2
    assert "short" not in ended.out + ended.err
    assert not file.exists()


def test_the_password_is_asked_for_without_a_file(
    run: Run, settings: tuple[str, ...], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, hide_input, confirmation_prompt: PASSWORD)
    assert run("users", "add", "ann", "--role", "viewer", settings=settings).status == 0
    assert UserFile(file).signed_in("ann", Private(PASSWORD)) is not None


def test_the_dashboard_is_served_on_its_own_port(
    run: Run, settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _path, arguments, _environment: called.append(arguments))
    run("dashboard", settings=(*settings, "dashboard.port=9191"))
    (arguments,) = called
    assert arguments[arguments.index("--port") + 1] == "9191"
    assert arguments[arguments.index("--workers") + 1] == "1", "its sessions are kept in its one process"
    assert arguments[-1] == "connector.wsgi:create_dashboard"


@pytest.mark.parametrize(("chosen", "said"), [((), "no such table"), (("dashboard.port=8080",), "it is server.port")])
def test_there_is_no_dashboard_without_its_table_nor_on_the_receiver_s_port(
    run: Run, chosen: tuple[str, ...], said: str
) -> None:
    ended = run("dashboard", settings=chosen)
    assert ended.status == 2
    assert said in ended.err


def test_the_application_is_built_from_the_configuration(
    settings: tuple[str, ...], store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(ROOT / "config/connector.toml"))
    monkeypatch.setenv("CONNECTOR_SET", json.dumps([f'store.url="{store_url}"', *settings]))
    with logging_as_it_was():
        browser = create_dashboard().test_client()
    assert browser.get("/sign-in").status_code == 200
    assert browser.post("/webhooks/onetrust").status_code == 404, "senders have nothing to do here"
