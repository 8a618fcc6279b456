"""Every route by every role by no session, made from the routes that are served and the one table of their rules."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connector.services.users import Role
from connector.web.dashboard import access
from connector.web.dashboard import app as dashboard
from tests.unit.dashboard.office import IDLE, LONGEST, PER_MINUTE, Office, csrf_of

# Who may come in where, written down a second time: a rule that is loosened has to be loosened here too.
EVERYBODY = {"style", "icon", "live", "sign_in", "begin_session"}
FROM_VIEWER = {"overview", "requests", "one_request", "find_request", "end_session"}


def routes(app: Flask) -> list[tuple[str, str, str]]:
    found = []
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<request_id>", "0" * 32)
        assert "<" not in path, f"say here what stands for the arguments of {rule.rule}"
        found += [(rule.endpoint, method, path) for method in sorted(rule.methods - {"OPTIONS"})]
    return found


def test_each_route_has_the_rule_that_was_meant(office: Office) -> None:
    served = {endpoint for endpoint, _, _ in routes(office.app)}
    assert served == EVERYBODY | FROM_VIEWER == set(access.LEAST_ROLE)
    assert {one for one, least in access.LEAST_ROLE.items() if least is None} == EVERYBODY
    assert {one for one, least in access.LEAST_ROLE.items() if least is Role.VIEWER} == FROM_VIEWER


def test_nobody_comes_in_without_a_session(office: Office) -> None:
    for endpoint, method, path in routes(office.app):
        answer = office.browser().open(path, method=method)
        turned_away = answer.status_code == 303 and answer.location == "/sign-in"
        assert turned_away == (endpoint not in EVERYBODY), (endpoint, method)


@pytest.mark.parametrize("least", Role)
@pytest.mark.parametrize("role", Role)
def test_each_role_comes_in_where_it_may(
    office: Office, role: Role, least: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same routes with a rule of each height, so that the comparison itself is shown for every role.
    browser = office.signed_in(role)
    token = csrf_of(browser)
    monkeypatch.setattr(dashboard, "LEAST_ROLE", {one: rule and least for one, rule in access.LEAST_ROLE.items()})
    for endpoint, method, path in routes(office.app):
        if endpoint in EVERYBODY or endpoint == "end_session":
            continue
        answer = opened(browser, method, path, token)
        assert (answer == 403) == (role < least), (endpoint, method, answer)


def test_what_changes_something_needs_the_token_of_the_session(office: Office) -> None:
    browser = office.signed_in(Role.ADMIN)
    other = csrf_of(office.signed_in(Role.VIEWER))
    for endpoint, method, path in routes(office.app):
        if method == "POST" and endpoint not in EVERYBODY:
            assert [opened(browser, method, path, token) for token in ("", "é", other)] == [403, 403, 403], endpoint


def opened(browser: FlaskClient, method: str, path: str, token: str) -> int:
    data = {"csrf": token} if method == "POST" else None
    return browser.open(path, method=method, data=data).status_code


def test_a_route_without_a_rule_is_not_served(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "LEAST_ROLE", {k: v for k, v in access.LEAST_ROLE.items() if k != "one_request"})
    with pytest.raises(AssertionError, match="one_request"):
        dashboard.create_dashboard(office.bench.site, office.users, IDLE, LONGEST, PER_MINUTE)
