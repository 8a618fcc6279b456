"""The dashboard in a real browser: every page, the sign-in and the sign-out, with the style it has and no script."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.scene import CHROMIUM, MARKERS, Office, Scheme, Visit, office, visit

IN_CI = os.environ.get("CONNECTOR_CI", "") not in ("", "0")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    if CHROMIUM is None:
        (pytest.fail if IN_CI else pytest.skip)("no chromium on the PATH; Debian's package is called chromium")
    with office(tmp_path_factory.mktemp("office")) as opened:
        yield opened


def paths(at: Office) -> list[str]:
    return ["/", "/requests", "/requests?state=held", f"/requests/{at.completed}"]


def every_page(at: Office, seen: Visit, look: Callable[[str], None]) -> None:
    """Look at the sign-in and, signed in, at every other page."""
    seen.page.goto(f"{at.url}/sign-in")
    look("/sign-in")
    seen.sign_in()
    for path in paths(at):
        seen.page.goto(at.url + path)
        look(path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_quiet_stays_at_home_names_nobody_and_is_accessible(at: Office, scheme: Scheme) -> None:
    with visit(at, scheme) as seen:

        def look(path: str) -> None:
            found = Axe().run(seen.page).response["violations"]
            assert not found, (path, [(one["id"], one["nodes"][0]["html"]) for one in found])
            html = seen.page.content()
            assert not [one for one in MARKERS if one in html], path

        every_page(at, seen, look)
        assert seen.complaints == []
        assert seen.elsewhere == []


def test_a_phone_scrolls_no_page_sideways(at: Office) -> None:
    with visit(at, width=360) as seen:

        def look(path: str) -> None:
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360, path

        every_page(at, seen, look)


def test_everything_works_without_scripts(at: Office) -> None:
    with visit(at, scripts=False) as seen:
        seen.sign_in()
        seen.page.get_by_role("link", name="Requests").click()
        seen.page.get_by_label("Our id").fill(at.completed[:20])
        seen.page.get_by_role("button", name="Find").click()
        assert seen.page.url == f"{at.url}/requests/{at.completed}"
        seen.page.get_by_role("button", name="Sign out").click()
        seen.page.get_by_role("heading", name="Sign in").wait_for()
        seen.page.goto(f"{at.url}/requests")
        assert seen.page.url == f"{at.url}/sign-in"
        assert seen.complaints == []


def test_a_wrong_password_is_said_and_the_style_is_taken(at: Office) -> None:
    with visit(at) as seen:
        seen.page.goto(at.url)
        seen.page.get_by_label("Name").fill("ann")
        seen.page.get_by_label("Password").fill("wrong")
        seen.page.get_by_role("button", name="Sign in").click()
        assert "No user has this name" in seen.page.get_by_role("alert").inner_text()
        assert seen.page.evaluate("getComputedStyle(document.querySelector('.card')).display") == "grid"
