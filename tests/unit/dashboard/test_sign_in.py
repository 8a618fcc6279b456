"""Who comes in, for how long, and what the browser is told on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from connector.errors import Misconfigured
from connector.private import Private
from connector.services.users import Role, UserFile
from connector.web.dashboard import sessions as kept
from tests.unit.dashboard.office import IDLE, LONGEST, PASSWORD, PER_MINUTE, Office, csrf_of, sign_in

OTHER = "another long password"


@pytest.mark.parametrize(("name", "password"), [("viewer", OTHER), ("viewer", ""), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_name_or_password_does_not_come_in(office: Office, name: str, password: str) -> None:
    office.hire(Role.VIEWER)
    browser = office.browser()
    answer = sign_in(browser, name, password)
    assert answer.status_code == 403
    assert "No user has this name and password" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert browser.get("/").status_code == 303
    assert ("sign_in_refused", {"reason": "no_match"}) in office.bench.log.records


def test_a_password_that_is_only_the_beginning_of_another_is_wrong(office: Office) -> None:
    office.hire(Role.VIEWER, "p" * 256)
    assert sign_in(office.browser(), "viewer", "p" * 257).status_code == 403
    assert sign_in(office.browser(), "viewer", "p" * 256).status_code == 303


@pytest.mark.parametrize(
    ("host", "secure"),
    [("localhost:8090", False), ("127.0.0.1", False), ("[::1]:8090", False), ("a.example.com", True)],
)
def test_the_cookie_is_for_this_site_alone(office: Office, host: str, secure: bool) -> None:
    cookie = sign_in(office.browser(), office.hire(Role.VIEWER), Host=host).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert ("Secure" in cookie) == secure
    assert "Domain" not in cookie
    assert "Expires" not in cookie


@pytest.mark.parametrize(
    ("header", "value"),
    [("Origin", "https://evil.example.com"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
)
def test_another_site_s_form_does_not_sign_anybody_in(office: Office, header: str, value: str) -> None:
    name = office.hire(Role.VIEWER)
    assert sign_in(office.browser(), name, **{header: value}).status_code == 403
    assert sign_in(office.browser(), name, Origin="http://localhost").status_code == 303


def test_a_quiet_session_ends(office: Office) -> None:
    browser = office.signed_in()
    for _ in range(3):
        office.bench.clock.advance(seconds=IDLE.total_seconds() - 1)
        assert browser.get("/").status_code == 200
    office.bench.clock.advance(seconds=IDLE.total_seconds())
    assert browser.get("/").status_code == 303


def test_a_busy_session_ends_too(office: Office) -> None:
    browser = office.signed_in()
    step = timedelta(minutes=10)
    for _ in range(LONGEST // step - 1):
        office.bench.clock.advance(minutes=10)
        assert browser.get("/").status_code == 200
    office.bench.clock.advance(minutes=10)
    assert browser.get("/").status_code == 303


def test_a_sign_out_is_final(office: Office) -> None:
    browser = office.signed_in()
    word = browser.get_cookie("connector_session")
    assert word is not None
    assert browser.post("/sign-out", data={"csrf": csrf_of(browser)}).status_code == 303
    browser.set_cookie("connector_session", word.value)
    assert browser.get("/").status_code == 303


def test_another_sign_in_ends_what_the_browser_had(office: Office) -> None:
    browser = office.signed_in()
    word = browser.get_cookie("connector_session")
    assert word is not None
    sign_in(browser, "viewer")
    before = office.browser()
    before.set_cookie("connector_session", word.value)
    assert (browser.get("/").status_code, before.get("/").status_code) == (200, 303)


def test_a_new_password_another_role_and_a_removal_end_what_is_open(office: Office) -> None:
    browser = office.signed_in()
    office.hire(Role.VIEWER, OTHER)
    assert browser.get("/").status_code == 303
    sign_in(browser, "viewer", OTHER)
    assert browser.get("/").status_code == 200
    office.users.put("viewer", Role.ADMIN, Private(OTHER))
    assert browser.get("/").status_code == 303
    sign_in(browser, "viewer", OTHER)
    assert office.users.remove("viewer")
    assert browser.get("/").status_code == 303


def test_tries_of_one_name_are_bounded_and_others_are_not_kept_out(office: Office) -> None:
    office.hire(Role.VIEWER)
    office.hire(Role.ADMIN)
    answers = [sign_in(office.browser(), "viewer", OTHER).status_code for _ in range(PER_MINUTE + 1)]
    assert answers == [403] * PER_MINUTE + [429]
    assert sign_in(office.browser(), "viewer").status_code == 429, "even the right one, or a guess would show"
    assert sign_in(office.browser(), "admin").status_code == 303
    office.bench.clock.advance(minutes=1)
    assert sign_in(office.browser(), "viewer").status_code == 303


def test_tries_of_any_number_of_names_are_bounded(office: Office) -> None:
    throttle = kept.Throttle(2, office.bench.clock)
    assert [throttle.passes(f"user{number}") for number in range(21)] == [True] * 20 + [False]


def test_the_session_that_was_quiet_for_longest_makes_room(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_SESSIONS", 2)
    first, second = office.signed_in(), office.browser()
    office.bench.clock.advance(seconds=1)
    sign_in(second, "viewer")
    third = office.browser()
    sign_in(third, "viewer")
    assert [one.get("/").status_code for one in (first, second, third)] == [303, 200, 200]


def test_every_answer_forbids_scripts_frames_and_keeping(office: Office) -> None:
    for browser, path in (
        (office.browser(), "/sign-in"),
        (office.signed_in(), "/"),
        (office.browser(), "/nowhere"),
        (office.browser(), "/style.css"),
    ):
        answer = browser.get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert ("no-store" in answer.headers.get("Cache-Control", "")) == (path != "/style.css")


def test_a_broken_file_lets_nobody_in_and_says_so(office: Office, tmp_path: Path) -> None:
    browser = office.signed_in()
    (tmp_path / "users.json").write_text('{"users": 1}', encoding="utf-8")
    assert browser.get("/").status_code == 503
    assert ("dashboard_failed", {"code": "config_invalid"}) in office.bench.log.records


def test_the_file_is_its_owner_s_and_holds_no_password(tmp_path: Path) -> None:
    users = UserFile(tmp_path / "deeper" / "users.json")
    assert users.put("ann", Role.APPROVER, Private(PASSWORD))
    assert not users.put("ann", Role.VIEWER, Private(PASSWORD))
    assert not users.remove("bob")
    path = tmp_path / "deeper" / "users.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in path.read_text(encoding="utf-8")
    row = json.loads(path.read_text(encoding="utf-8"))["users"]["ann"]
    assert row["role"] == "viewer"
    assert row["password"].startswith("$argon2id$")


@pytest.mark.parametrize(("name", "password"), [("ann", "short"), ("ann", "p" * 257), ("ann@example.com", PASSWORD)])
def test_a_weak_password_and_an_address_as_a_name_are_refused(tmp_path: Path, name: str, password: str) -> None:
    with pytest.raises(Misconfigured):
        UserFile(tmp_path / "users.json").put(name, Role.VIEWER, Private(password))
    assert not (tmp_path / "users.json").exists()
