"""What the world does to the product in a soak: OneTrust calls at a steady rate, and now and then something fails."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from connector.sandbox.defaults import WEBHOOK_SECRET
from connector.sandbox.fake import Fake
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_credentials import Hmac
from connector.sandbox.onetrust_outbound import Delivery, Outbound, Workflow

#: What nobody but the people of a soak has in an address.
MARK: Final = "soaked-"
_THREADS: Final = 4
_BREATH_S: Final = 0.05
# Seconds before a callback without a 2xx is sent again.
_AGAIN_S: Final = 2.0
_SENT_TWICE: Final = 0.05
_PATIENCE_S: Final = 60.0


class Caller:
    """OneTrust: a new callback whenever one is due, to one receiver or another, and again until it has had a 2xx.

    Args:
        urls: of the receivers.
        rate: new callbacks per second.
    """

    def __init__(
        self, lytics: FakeLytics, onetrust: FakeOneTrust, urls: Sequence[str], rate: float, rng: random.Random
    ) -> None:
        self._lytics = lytics
        self._onetrust = onetrust
        self._rate = rate
        self._rng = rng
        signature = Hmac(WEBHOOK_SECRET, prefix="sha256=")
        # One line to each receiver; all of them are the one OneTrust, with the same requests on its desk.
        self._lines = [
            Outbound(onetrust.desk, onetrust.faults, Workflow(url, credentials=(signature,))) for url in urls
        ]
        self._repeat_at = 0.0

    def run(self, over: threading.Event) -> None:
        """Call until it is over, then see to it that every callback has its 2xx."""
        began, asked = time.monotonic(), 0
        while not over.wait(_BREATH_S):
            due = int((time.monotonic() - began) * self._rate) - asked
            asked += due
            self._ask(due)
            self._repeat()
        deadline = time.monotonic() + _PATIENCE_S
        while any(one.dead_letters for one in self._lines) and time.monotonic() < deadline:
            time.sleep(_BREATH_S)
            self._repeat()

    @property
    def deliveries(self) -> list[Delivery]:
        """Return every call that was made, with its answer."""
        return [delivery for line in self._lines for delivery in line.deliveries]

    def _ask(self, number: int) -> None:
        subtasks = []
        for _ in range(number):
            email = f"{MARK}{len(self._onetrust.desk.subtasks)}@example.com"
            self._lytics.seed("user", "email", email)
            subtasks.append(self._onetrust.add_request(email).subtask_id)
        twice = {"duplicate": 2} if self._rng.random() < _SENT_TWICE else {}
        self._rng.choice(self._lines).fire(subtasks, threads=_THREADS, knobs=twice)

    def _repeat(self) -> None:
        """Send what had no 2xx through whichever line comes up, as a balancer would."""
        if time.monotonic() < self._repeat_at:
            return
        parked = [call for line in self._lines for call in line.dead_letters]
        for line in self._lines:
            line.dead_letters = []
        chosen = self._rng.choice(self._lines)
        # The first one shows whether anybody listens there.
        chosen.dead_letters, others = parked[:1], parked[1:]
        listens = all(one.is_accepted for one in chosen.replay_dead_letters())
        chosen.dead_letters += others
        if listens:
            chosen.replay_dead_letters(threads=_THREADS)
        self._repeat_at = time.monotonic() + _AGAIN_S


# Switch → its value.
_SWITCHES: Final[dict[str, Any]] = {
    "latency": 0.5,
    "slow_answer": 0.01,
    "rate_limited": 1,
    "drop_before": None,
    "drop_after": None,
    "server_error": 503,
    "server_error_after": None,
    "bad_gateway": None,
    "html_page": None,
    "empty_answer": None,
    "truncated_json": None,
    "short_body": None,
}
_AT_LYTICS: Final = {
    "identity-delete": ("lookup_post", "delete_submit", "delete_status", "delete_list"),
    "identity-queue": ("lookup_post", "queue_submit", "queue_status"),
}
_AT_ONETRUST: Final = ("token", "subtask_get", "subtask_status")


class Trouble:
    """One call in so many fails, each time in another way.

    Args:
        every_s: the mean time between two faults.
    """

    def __init__(
        self, lytics: FakeLytics, onetrust: FakeOneTrust, api: str, every_s: float, rng: random.Random
    ) -> None:
        self._places: list[tuple[Fake, str]] = [(lytics, one) for one in _AT_LYTICS[api]]
        self._places += [(onetrust, one) for one in _AT_ONETRUST]
        self._every_s = every_s
        self._rng = rng
        self._turned_on = 0

    def run(self, over: threading.Event) -> None:
        """Make trouble until it is over; what has not come to pass by then never will."""
        while not over.wait(self._rng.expovariate(1 / self._every_s)):
            fake, operation = self._rng.choice(self._places)
            name = self._rng.choice(list(_SWITCHES))
            # Some calls are rare: their faults must not pile up.
            if not any(one["operation"] == operation for one in fake.faults.listed()):
                fake.faults.turn_on(name, _SWITCHES[name], times=1, operation=operation)
                self._turned_on += 1
        self._turned_on -= sum(fake.faults.turn_off() for fake in {fake for fake, _ in self._places})

    @property
    def number(self) -> int:
        """Return how many calls went wrong."""
        return self._turned_on
