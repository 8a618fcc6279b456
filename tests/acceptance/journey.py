"""The whole product in one process: both fakes on loopback, the receiver behind a real socket, steps driven by hand.

Time stands still until it is moved; the fakes read the same clock.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from connector.clock import FixedClock
from connector.config import Config, load
from connector.engine.schedule import run_pass
from connector.sandbox.defaults import ONETRUST_API_KEY, WEBHOOK_SECRET
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_credentials import Hmac
from connector.sandbox.onetrust_outbound import Delivery, Workflow
from connector.sandbox.onetrust_state import DsarRequest
from connector.sandbox.server import LoopbackServer
from connector.services.site import Site
from connector.sources.registry import PLATFORMS
from connector.store import overview
from connector.wiring import build_site, web_app
from tests.support.stores import bring_up_to_date

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LABELS = ("email", "Loyalty ID", "Phone Number", "First name")
# More passes than any of these journeys needs; one that is not over by then is stuck.
MOST_PASSES = 40
FINAL = frozenset({"COMPLETED", "FAILED", "REJECTED"})


class Journey:
    """A site as `connector.wiring` builds it from the configuration that we ship, and the two fakes around it."""

    def __init__(self, site: Site, clock: FixedClock, lytics: FakeLytics, onetrust: FakeOneTrust) -> None:
        self.site = site
        self.clock = clock
        self.lytics = lytics
        self.onetrust = onetrust

    def knows(self, email: str, **fields: str) -> None:
        """Let Lytics have a profile."""
        self.lytics.seed("user", "email", email, **fields)

    def ask(self, email: str = "", **given: Any) -> DsarRequest:
        """Let a person ask OneTrust for erasure."""
        return self.onetrust.add_request(email, **given)

    def fire(self, *asked: DsarRequest, knobs: Any = ()) -> list[Delivery]:
        return self.onetrust.fire([one.subtask_id for one in asked], knobs=knobs)

    def post(self, said: Mapping[str, Any]) -> int:
        """Send a callback that OneTrust never made, signed with the webhook's secret; return the status."""
        workflow = self.onetrust.outbound.workflow
        assert workflow is not None
        body = json.dumps(said).encode()
        with requests.Session() as session:
            (credential,) = workflow.credentials
            headers = credential.headers(body, self.onetrust.now(), session, spoil=False)
            headers |= {"Content-Type": "application/json"}
            return session.post(workflow.url, body, headers=headers, timeout=20).status_code

    def accept(self, *asked: DsarRequest, knobs: Any = ()) -> None:
        """Fire the callbacks, all of which have to be accepted."""
        assert {one.status for one in self.fire(*asked, knobs=knobs)} == {202}

    def pass_time(self, seconds: float = 5.0) -> None:
        self.clock.advance(seconds=seconds)
        run_pass(self.site)

    def run_until_told(self, *asked: DsarRequest, seconds: float = 5.0) -> None:
        """Let time pass until OneTrust was told the end of each request."""
        for _ in range(MOST_PASSES):
            if all(self.status(one) in FINAL for one in asked):
                return
            self.pass_time(seconds)
        raise AssertionError(f"not told within {MOST_PASSES} passes: {[self.status(one) for one in asked]}")

    def run_for(self, passes: int, seconds: float = 5.0) -> None:
        for _ in range(passes):
            self.pass_time(seconds)

    def status(self, asked: DsarRequest) -> str:
        return self.onetrust.subtask(asked.subtask_id).status

    def written(self, asked: DsarRequest) -> list[str]:
        """The statuses that we wrote, in order."""
        return [one["status"] for one in self.onetrust.history(asked.subtask_id) if one["by"] == "api"]

    def last_comment(self, asked: DsarRequest) -> str:
        return str(self.onetrust.history(asked.subtask_id)[-1]["comment"])

    def submitted(self) -> Counter[tuple[str, str]]:
        """How often each (field, value) was in an accepted deletion call."""
        rows = self.lytics.snapshot()["times_submitted"]
        return Counter({(one["field"], one["value"]): one["times"] for one in rows})

    def calls(self) -> list[dict[str, Any]]:
        """The accepted deletion calls."""
        found: list[dict[str, Any]] = self.lytics.snapshot()["submissions"]
        return found

    def dossier(self, asked: DsarRequest) -> overview.Dossier:
        with self.site.database.read() as connection:
            (row,) = overview.find(connection, asked.subtask_id)
            return overview.dossier(connection, row)

    def state(self, asked: DsarRequest) -> str:
        return str(self.dossier(asked).request.state)


def load_shipped(overrides: Sequence[str]) -> Config:
    """Load the configuration that we ship, with some settings of its own."""
    return load(ROOT / "config/connector.toml", {"WEBHOOK_TOKEN": ONETRUST_API_KEY}, overrides, PLATFORMS)


@contextmanager
def journey(
    store_url: str,
    *settings: str,
    finish_after_s: float = 0.0,
    role: str = "cli",
    around: Callable[[Any], Any] = lambda app: app,
) -> Iterator[Journey]:
    """Start the fakes and the receiver, and give the journey; `around` is laid around the receiver's application."""
    clock = FixedClock(START)
    with ExitStack() as stack:

        def seconds() -> float:
            return clock.now().timestamp()

        lytics = stack.enter_context(FakeLytics(finish_after_s=finish_after_s, clock=seconds))
        onetrust = stack.enter_context(FakeOneTrust(clock=seconds))
        config = load_shipped(
            (
                f"store.url={json.dumps(store_url)}",
                f'accounts.main.base_url="{lytics.url}"',
                f'sources.onetrust.report.base_url="{onetrust.url}"',
                'log.format="json"',
                *settings,
            )
        )
        stack.enter_context(logging_as_it_was())
        site = build_site(config, role, clock)
        stack.callback(site.database.close)
        bring_up_to_date(site.database)
        receiver = stack.enter_context(LoopbackServer(around(web_app(config, site))))
        signed = Hmac(WEBHOOK_SECRET, prefix="sha256=")
        onetrust.outbound.workflow = Workflow(f"{receiver.url}/webhooks/onetrust", credentials=(signed,), labels=LABELS)
        yield Journey(site, clock, lytics, onetrust)


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """`build_site` sets up the process's logging, which belongs to the test run."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
