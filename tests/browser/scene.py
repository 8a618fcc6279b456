"""The running product with the sandbox behind it, and real browsers in front of its dashboard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from connector.private import Private
from connector.sandbox.server import LoopbackServer
from connector.services.users import Role, UserFile
from connector.wiring.dashboard import dashboard_app
from tests.acceptance.journey import journey, load_shipped

PASSWORD = "correct horse battery staple"
CHROMIUM = shutil.which("chromium")
#: Parts of the identities in the scene, as a page would show them.
MARKERS = ("marker.person", "00481516", "marker.unclear")
Scheme = Literal["light", "dark"]


@dataclass
class Office:
    """The dashboard's address, one request's page, and the browser."""

    url: str
    completed: str
    browser: Browser


@dataclass
class Visit:
    """One page of a browser, and what it complained about or asked of others."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def sign_in(self) -> None:
        self.page.goto(self.url)
        self.page.get_by_label("Name").fill("ann")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Overview").wait_for()


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """Run one deletion to its report, let another be held and a third wait; then open the dashboard."""
    users = folder / "users.json"
    UserFile(users).put("ann", Role.VIEWER, Private(PASSWORD))
    store_url = f"sqlite:///{folder / 'store.db'}"
    with journey(store_url) as life:
        life.knows("marker.person@example.com", loyalty_id="00481516")
        asked = life.ask("marker.person@example.com", identifiers={"Loyalty ID": "00481516"})
        unclear = life.ask("marker.unclear@example.com", identifiers={"Phone Number": "no number"})
        life.accept(asked, unclear)
        life.run_until_told(asked)
        life.accept(life.ask("another.person@example.com"))
        config = load_shipped((f'dashboard.users_file="{users}"', f'store.url="{store_url}"'))
        completed = life.dossier(asked).request.id
        with LoopbackServer(dashboard_app(config, life.site)) as server, sync_playwright() as driver:
            # A container's root has no other way; on a person's machine the sandbox stays.
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
            yield Office(server.url, completed, browser)
            browser.close()


@contextmanager
def visit(at: Office, scheme: Scheme = "light", width: int = 1280, *, scripts: bool = True) -> Iterator[Visit]:
    """Open a browser of its own and note what its console and its network say."""
    context = at.browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        java_script_enabled=scripts,
    )
    made = Visit(context.new_page(), at.url)
    made.page.on("console", lambda said: made.complaints.append(f"{said.type}: {said.text}"))
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    made.page.on(
        "request", lambda asked: made.elsewhere.append(asked.url) if not asked.url.startswith(at.url) else None
    )
    yield made
    context.close()
