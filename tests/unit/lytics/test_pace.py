"""Pace: so many calls per second, so many at once, and nobody waits once the process stops."""

from __future__ import annotations

import threading

import pytest

from connector.errors import Temporary
from connector.lease import Lease
from connector.lytics.pace import Pace, RateLimit


class Time:
    """Seconds that pass only by waiting."""

    def __init__(self):
        self.now = 1000.0
        self.waits = []

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


def limit(per_second, time, stop=None):
    return RateLimit(per_second, stop=stop or threading.Event(), monotonic=time, wait=time.wait)


@pytest.mark.parametrize(
    ("per_second", "window_s", "most"), [(5, 1.0, 5), (0.5, 2.0, 1), (2.5, 0.8, 2), (1000, 1.0, 1000)]
)
def test_no_window_holds_more_than_its_share_and_none_is_wasted(per_second, window_s, most):
    time = Time()
    one = limit(per_second, time)
    taken = []
    for _ in range(4 * most):
        one.acquire()
        taken.append(time.now)
    assert max(sum(1 for t in taken if start <= t < start + window_s - 1e-6) for start in taken) == most
    assert taken[-1] - taken[0] == pytest.approx(3 * window_s, rel=0.02)


def test_what_is_long_past_is_forgotten():
    time = Time()
    one = limit(1000, time)
    for _ in range(5000):
        one.acquire()
        time.now += 0.01
    assert one._bucket.count() < 200


def test_waiting_for_a_turn_ends_when_the_process_stops():
    time, stop = Time(), threading.Event()
    one = limit(1, time, stop)
    one.acquire()
    stop.set()
    with pytest.raises(Temporary) as caught:
        one.acquire()
    assert not caught.value.outcome_unknown
    assert time.waits == []


def test_a_free_turn_is_given_also_while_the_process_stops():
    stop = threading.Event()
    stop.set()
    limit(1, Time(), stop).acquire()


def test_no_more_calls_than_places_run_at_the_same_time():
    stop, most, running, lock = threading.Event(), [0], [0], threading.Lock()
    pace = Pace(limit(1000, Time()), 2, lease=Lease(stop))
    both = threading.Barrier(2)

    def call():
        for _ in range(3):
            with pace.slot():
                with lock:
                    running[0] += 1
                    most[0] = max(most[0], running[0])
                both.wait(10)
                with lock:
                    running[0] -= 1

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most[0] == 2


def test_waiting_for_a_place_ends_when_the_process_stops():
    stop = threading.Event()
    pace = Pace(limit(1000, Time()), 1, lease=Lease(stop))
    with pace.slot():
        stop.set()
        with pytest.raises(Temporary), pace.slot():
            pytest.fail("the place is taken")


def test_a_place_is_free_again_after_a_call_that_failed():
    pace = Pace(limit(1000, Time()), 1, lease=Lease())
    for _ in range(3):
        with pytest.raises(KeyError), pace.slot():
            raise KeyError
