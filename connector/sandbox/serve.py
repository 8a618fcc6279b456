"""Run both fakes together, for a rehearsal against a connector in another process."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from connector.sandbox.defaults import (
    LYTICS_PORT,
    LYTICS_TOKEN,
    ONETRUST_CLIENT_ID,
    ONETRUST_CLIENT_SECRET,
    ONETRUST_PORT,
    WEBHOOK_SECRET,
)
from connector.sandbox.lytics import APIS, FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_credentials import Credential, Hmac
from connector.sandbox.onetrust_outbound import Workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def populate(lytics: FakeLytics, onetrust: FakeOneTrust, people: int) -> list[str]:
    """Make up people with a request each; every tenth has no profile. Returns the ids of their subtasks."""
    subtask_ids = []
    for number in range(1, people + 1):
        email = f"person-{number:05d}@example.com"
        if number % 10:
            lytics.seed("user", "email", email, user_id=f"u-{number:05d}")
        subtask_ids.append(onetrust.add_request(email).subtask_id)
    return subtask_ids


def serve(
    lytics_port: int = LYTICS_PORT,
    onetrust_port: int = ONETRUST_PORT,
    receiver_url: str = "",
    *,
    people: int = 0,
    finish_after_s: float = 5.0,
    lytics_token: str = LYTICS_TOKEN,
    client_id: str = ONETRUST_CLIENT_ID,
    client_secret: str = ONETRUST_CLIENT_SECRET,
    credentials: tuple[Credential, ...] = (Hmac(WEBHOOK_SECRET, prefix="sha256="),),
    api: Collection[str] = APIS,
    clock: Callable[[], float] = time.time,
    stop: threading.Event,
    ready: Callable[[FakeLytics, FakeOneTrust], None] | None = None,
) -> None:
    """Serve both fakes until `stop` is set. `ready` is called once, when both answer.

    `receiver_url` is where callbacks go; without one the workflow is set later over `/_sandbox/workflow`.
    """
    workflow = Workflow(receiver_url, credentials=credentials) if receiver_url else None
    with (
        FakeLytics(lytics_port, lytics_token, finish_after_s, clock, api) as lytics,
        FakeOneTrust(onetrust_port, client_id, client_secret, clock, workflow=workflow) as onetrust,
    ):
        populate(lytics, onetrust, people)
        if ready is not None:
            ready(lytics, onetrust)
        stop.wait()
