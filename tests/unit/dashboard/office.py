"""The dashboard over a small site, and browsers of users of every role."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.private import Private
from connector.services.users import Role, UserFile
from connector.web.dashboard.app import create_dashboard
from tests.support.site import Bench

PASSWORD = "correct horse battery staple"
PER_MINUTE = 8
IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=8)


class Office:
    """A dashboard with one user of each role, named after it."""

    def __init__(self, bench: Bench, users_file: Path) -> None:
        self.bench = bench
        self.users = UserFile(users_file)
        self.app = create_dashboard(bench.site, self.users, IDLE, LONGEST, PER_MINUTE)

    def hire(self, role: Role, password: str = PASSWORD) -> str:
        self.users.put(role.word, role, Private(password))
        return role.word

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def signed_in(self, role: Role = Role.VIEWER) -> FlaskClient:
        browser = self.browser()
        answer = sign_in(browser, self.hire(role))
        assert answer.status_code == 303
        return browser


def sign_in(browser: FlaskClient, name: str, password: str = PASSWORD, **headers: str) -> TestResponse:
    return browser.post("/sign-in", data={"name": name, "password": password}, headers=headers)


def csrf_of(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/").text)
    return found[1] if found else ""
