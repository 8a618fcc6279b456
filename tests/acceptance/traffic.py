"""Callbacks that go on while something happens to the store, and how one sees that nothing of them was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from connector.sandbox.onetrust_outbound import Delivery
from tests.acceptance.test_processes import Town, post_in_chunks
from tests.support.processes import Running, until

# Longer than a receiver may take to say no.
PATIENCE_S = 60.0
#: Seconds within which it has to say so: two rounds of waiting for the store, on a busy machine.
REFUSED_WITHIN_S = 45.0
REFUSALS = frozenset({"store_unavailable", "store_busy"})
_PAUSE_S = 0.2


class Traffic:
    """A platform that goes on calling, whatever it is answered, and keeps what was refused."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        workflow = town.onetrust.outbound.workflow
        assert workflow is not None
        workflow.timeout_s = PATIENCE_S
        self._spare = town.people(1)

    @property
    def deliveries(self) -> list[Delivery]:
        return list(self.town.onetrust.outbound.deliveries)

    @property
    def accepted(self) -> int:
        return sum(one.is_accepted for one in self.deliveries)

    @property
    def refused(self) -> int:
        return sum(one.status == 503 for one in self.deliveries)

    @property
    def completed(self) -> int:
        return self.town.statuses()["COMPLETED"]

    def grows(self, what: Callable[[], int], by: int) -> Callable[[], bool]:
        """Return a condition: a number has grown by so much since now."""
        wanted = what() + by
        return lambda: what() >= wanted

    @contextmanager
    def flowing(self) -> Iterator[None]:
        thread = threading.Thread(target=self._go_on, name="traffic")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        assert self._failed == []

    def _go_on(self) -> None:
        try:
            while not self._stop.wait(_PAUSE_S):
                self.town.onetrust.fire(self.town.people(2), threads=2)
        except BaseException as error:  # noqa: BLE001 - told where the traffic ends
            self._failed.append(error)

    def is_refused(self) -> None:
        """See that a delivery is answered by a problem document now; it is sent again in the end."""
        is_refusal(post_in_chunks(self.town, self._spare[0], PATIENCE_S))

    def ends_well(self, *running: Running) -> None:
        """Send what was refused again, and see everything end once: nothing lost, nothing twice."""
        outbound = self.town.onetrust.outbound
        self.town.onetrust.fire(self._spare)

        def is_delivered() -> bool:
            outbound.replay_dead_letters(threads=4)
            return not outbound.dead_letters

        until(is_delivered, "what was refused is taken", *running)
        until(self.town.all_completed, "everything is reported", *running, limit_s=120)
        number = len(self.town.onetrust.desk.subtasks)
        assert self.town.times_submitted() == {1: number}
        assert self.town.final_writes() == {1: number}
        assert self.town.lytics.profiles == []
        assert sum(self.town.counts().requests.values()) == number
        for one in self.deliveries:
            assert one.is_accepted or (one.status == 503 and one.answer["code"] in REFUSALS), one
            assert one.elapsed_s < REFUSED_WITHIN_S, one
        assert not any("person-" in one.text() for one in running)


def is_red(town: Town) -> bool:
    """Say whether the receiver says that it cannot take anything, and that it says so as it should."""
    answer = requests.get(f"{town.url}/health/ready", timeout=PATIENCE_S)
    if answer.status_code == 200:
        return False
    is_refusal(answer)
    return True


def is_refusal(answer: requests.Response) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert answer.json()["code"] in REFUSALS
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.elapsed.total_seconds() < REFUSED_WITHIN_S
