"""Published keys: how long a copy serves, how seldom a server is asked, and what happens when it does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Rejected, Temporary
from connector.model import KeyAddress
from connector.outbound import Answer
from connector.private import Secret
from connector.published import PublishedDocuments, lifetime_of
from tests.support.site import RecordingLog

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ADDRESS = KeyAddress("https://keys.example.com/jwks")
CANARY = "canary-api-key-5d1f"
DOWN = Temporary(Code.REMOTE_UNREACHABLE, "no connection; nothing was sent")


class Publisher:
    """Stands for the key servers: counts its calls, and answers as it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.error: Exception | None = None
        self.status = 200
        self.body: bytes | None = None
        self.answer_headers: dict[str, str] = {}
        self.meanwhile: Callable[[], object] = lambda: None

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        self.calls.append(url)
        self.headers.append(headers)
        number = len(self.calls)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return Answer(self.status, self.answer_headers, self.body if self.body is not None else b"keys %d" % number)


class Setting:
    def __init__(self, **options: Any) -> None:
        self.publisher = Publisher()
        self.clock = FixedClock(START)
        self.log = RecordingLog()
        self.documents = PublishedDocuments(self.publisher.get, self.log, **options)

    def get(self, address: KeyAddress = ADDRESS) -> bytes:
        return self.documents.get(address, self.clock.now()).body

    def renew(self, seen: Any) -> bytes | None:
        found = self.documents.renew(seen, self.clock.now())
        return None if found is None else found.body

    def seen(self) -> Any:
        return self.documents.get(ADDRESS, self.clock.now())

    @property
    def count(self) -> int:
        return len(self.publisher.calls)

    def failure(self, call: Callable[..., object], *given: object) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            call(*given)
        assert "example" not in str(caught.value)
        assert CANARY not in repr(caught.value)
        return caught.value


@pytest.fixture
def at() -> Setting:
    return Setting()


class TestLifetime:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, 3600),
            ({"cache-control": ""}, 3600),
            ({"cache-control": "public"}, 3600),
            ({"cache-control": "max-age=600"}, 600),
            ({"cache-control": "public, MAX-AGE = 600 , must-revalidate"}, 600),
            ({"cache-control": 'max-age="600"'}, 600),
            ({"cache-control": "max-age=600, max-age=9"}, 600),
            ({"cache-control": "s-maxage=9, max-age=600"}, 600),
            ({"cache-control": "s-maxage=600"}, 3600),
            ({"cache-control": "x-max-age=600"}, 3600),
            ({"cache-control": "max-age=600", "age": "100"}, 500),
            ({"cache-control": "max-age=600", "age": "soon"}, 600),
            ({"cache-control": "max-age=600", "age": "-5"}, 600),
            ({"cache-control": "max-age=0"}, 60),
            ({"cache-control": "max-age=59"}, 60),
            ({"cache-control": "max-age=60"}, 60),
            ({"cache-control": "max-age=600", "age": "9999"}, 60),
            ({"cache-control": "max-age=86400"}, 86_400),
            ({"cache-control": "max-age=86401"}, 86_400),
            ({"cache-control": f"max-age={'9' * 5000}"}, 86_400),
            ({"cache-control": "max-age=600", "age": "9" * 5000}, 60),
            ({"cache-control": "max-age=-1"}, 3600),
            ({"cache-control": "max-age=1.5"}, 3600),
            ({"cache-control": "max-age=soon"}, 3600),
            ({"cache-control": "max-age=\u0661\u0662"}, 3600),
            ({"cache-control": "no-store"}, 60),
            ({"cache-control": "No-Cache, max-age=600"}, 60),
        ],
    )
    def test_it_is_what_the_publisher_says_within_limits(self, headers: dict[str, str], seconds: int) -> None:
        assert lifetime_of(headers) == timedelta(seconds=seconds)

    def test_a_copy_serves_for_its_lifetime_and_no_longer(self, at: Setting) -> None:
        at.publisher.answer_headers = {"cache-control": "max-age=600"}
        assert at.get() == b"keys 1"
        at.clock.advance(seconds=599)
        assert (at.get(), at.count) == (b"keys 1", 1)
        at.clock.advance(seconds=1)
        assert (at.get(), at.count) == (b"keys 2", 2)

    def test_it_serves_for_an_hour_if_nothing_is_said(self, at: Setting) -> None:
        at.get()
        at.clock.advance(minutes=59)
        at.get()
        assert at.count == 1
        at.clock.advance(minutes=1)
        at.get()
        assert at.count == 2

    def test_a_clock_that_was_set_back_does_not_make_a_copy_immortal(self, at: Setting) -> None:
        at.get()
        at.clock.advance(days=-30)
        assert (at.get(), at.count) == (b"keys 2", 2)

    def test_the_document_says_where_and_when_it_was_fetched(self, at: Setting) -> None:
        document = at.seen()
        assert (document.address, document.fetched_at) == (ADDRESS, START)


class TestAddresses:
    def test_each_has_its_own_copy(self, at: Setting) -> None:
        other = KeyAddress("https://keys.example.org/jwks")
        assert [at.get(), at.get(other), at.get(), at.get(other)] == [b"keys 1", b"keys 2"] * 2

    def test_headers_that_the_publisher_wants_go_along(self, at: Setting) -> None:
        at.get(KeyAddress(ADDRESS.url, (("X-Api-Key", Secret(CANARY, "env:API_KEY")),)))
        assert at.publisher.headers == [{"X-Api-Key": CANARY, "Accept": "*/*"}]
        assert CANARY not in str(at.log.records)

    def test_any_form_of_keys_is_asked_for_unless_the_settings_say_otherwise(self, at: Setting) -> None:
        at.get()
        at.get(KeyAddress(ADDRESS.url, (("accept", Secret("application/jwk-set+json", "literal")),)))
        assert at.publisher.headers == [{"Accept": "*/*"}, {"accept": "application/jwk-set+json"}]

    def test_of_too_many_the_longest_unused_goes(self) -> None:
        at = Setting(max_addresses=3)
        first, second, third, fourth = (KeyAddress(f"https://k{n}.example.com/") for n in range(4))
        for address in (first, second, third, first, fourth):
            at.get(address)
        assert at.count == 4
        at.get(first)
        assert at.count == 4
        at.get(second)
        assert at.count == 5

    def test_addresses_that_gave_nothing_go_before_those_that_did(self) -> None:
        at = Setting(max_addresses=3)
        at.get()
        at.publisher.error = DOWN
        for number in range(10):
            at.failure(at.get, KeyAddress(f"https://k{number}.example.com/"))
        assert (at.get(), at.count) == (b"keys 1", 11)


FAILURES: list[tuple[str, dict[str, Any]]] = [
    ("unreachable", {"error": DOWN}),
    ("too slow", {"error": RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=3600)}),
    ("redirect", {"error": Refused(Code.REMOTE_REFUSED, "answered with a redirect")}),
    ("settings", {"error": Misconfigured(Code.CONFIG_INVALID)}),
    ("404", {"status": 404}),
    ("500", {"status": 500}),
    ("204", {"status": 204}),
    ("206", {"status": 206}),
    ("empty", {"body": b""}),
]


@pytest.fixture(params=[changes for _, changes in FAILURES], ids=[name for name, _ in FAILURES])
def fails(request: pytest.FixtureRequest) -> dict[str, Any]:
    changes: dict[str, Any] = request.param
    return changes


def let(publisher: Publisher, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(publisher, name, value)


class TestFailures:
    def test_without_a_copy_the_sender_is_asked_to_come_again(self, at: Setting, fails: dict[str, Any]) -> None:
        let(at.publisher, fails)
        error = at.failure(at.get)
        assert (type(error), error.code, error.entry.status) == (Temporary, Code.KEYS_UNAVAILABLE, 503)

    def test_an_older_copy_serves_for_a_day_beyond_its_lifetime(self, at: Setting, fails: dict[str, Any]) -> None:
        at.get()
        let(at.publisher, fails)
        at.clock.advance(hours=1)
        assert at.get() == b"keys 1"
        at.clock.advance(hours=23, minutes=59, seconds=59)
        assert at.get() == b"keys 1"
        at.clock.advance(seconds=1)
        assert at.failure(at.get).code is Code.KEYS_UNAVAILABLE

    def test_a_server_that_answers_again_is_believed_again(self, at: Setting) -> None:
        at.get()
        at.publisher.error = DOWN
        at.clock.advance(hours=2)
        at.get()
        at.publisher.error = None
        at.clock.advance(seconds=5)
        assert at.get() == b"keys 3"
        at.clock.advance(minutes=59)
        assert (at.get(), at.count) == (b"keys 3", 3)

    def test_the_pause_grows_from_five_seconds_to_a_minute(self, at: Setting) -> None:
        at.publisher.error = DOWN
        asked = []
        for second in range(400):
            before = at.count
            at.failure(at.get)
            if at.count > before:
                asked.append(second)
            at.clock.advance(seconds=1)
        assert asked == [0, 5, 15, 35, 75, 135, 195, 255, 315, 375]

    def test_a_long_outage_does_not_make_the_pause_overflow(self, at: Setting) -> None:
        at.publisher.error = DOWN
        for _ in range(2000):
            at.failure(at.get)
            at.clock.advance(minutes=1)
        assert at.count == 2000

    def test_success_makes_the_next_pause_short_again(self, at: Setting) -> None:
        at.publisher.error = DOWN
        for _ in range(5):
            at.failure(at.get)
            at.clock.advance(minutes=1)
        at.publisher.error = None
        at.get()
        at.publisher.error = DOWN
        at.clock.advance(hours=1)
        at.get()
        at.clock.advance(seconds=5)
        before = at.count
        at.get()
        assert at.count == before + 1

    def test_a_clock_that_was_set_back_does_not_prolong_a_pause(self, at: Setting) -> None:
        at.publisher.error = DOWN
        at.failure(at.get)
        at.publisher.error = None
        at.clock.advance(days=-1)
        assert at.get() == b"keys 2"

    def test_one_address_that_fails_does_not_pause_another(self, at: Setting) -> None:
        at.publisher.error = DOWN
        at.failure(at.get)
        at.publisher.error = None
        assert at.get(KeyAddress("https://keys.example.org/jwks")) == b"keys 2"

    def test_each_failed_fetch_is_one_record_without_its_address(self, at: Setting) -> None:
        at.publisher.status = 500
        at.failure(at.get)
        at.failure(at.get)
        at.clock.advance(seconds=5)
        at.publisher.error = DOWN
        at.failure(at.get)
        assert at.log.records == [
            (
                "keys_not_fetched",
                {
                    "code": Code.REMOTE_ANSWER_UNREADABLE,
                    "status": 500,
                    "attempt": 1,
                    "next_at": START + timedelta(seconds=5),
                },
            ),
            (
                "keys_not_fetched",
                {
                    "code": Code.REMOTE_UNREACHABLE,
                    "status": None,
                    "attempt": 2,
                    "next_at": START + timedelta(seconds=15),
                },
            ),
        ]

    def test_a_defect_is_not_swallowed_and_leaves_nothing_hanging(self, at: Setting) -> None:
        at.publisher.error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            at.get()
        assert at.failure(at.get).code is Code.KEYS_UNAVAILABLE
        at.publisher.error = None
        at.clock.advance(seconds=5)
        assert at.get() == b"keys 2"


class TestRefusedAddresses:
    def test_an_address_that_may_not_be_called_holds_no_key_that_is_known(self, at: Setting) -> None:
        at.publisher.error = Refused(Code.ADDRESS_REFUSED, "it is not https")
        for _ in range(2):
            error = at.failure(at.get)
            assert (type(error), error.code, error.entry.status) == (Rejected, Code.KEY_UNKNOWN, 401)
        assert at.count == 1

    def test_a_good_copy_outlives_a_name_that_leads_astray_for_a_while(self, at: Setting) -> None:
        at.get()
        at.publisher.error = Refused(Code.ADDRESS_REFUSED)
        at.clock.advance(hours=1)
        assert at.get() == b"keys 1"


class TestRenewal:
    def test_a_key_that_is_missing_is_looked_for_once(self, at: Setting) -> None:
        seen = at.seen()
        at.clock.advance(seconds=1)
        assert at.renew(seen) == b"keys 2"
        assert at.get() == b"keys 2"

    def test_it_is_looked_for_once_a_minute_at_most(self, at: Setting) -> None:
        at.seen()
        asked = []
        for second in range(1, 200):
            at.clock.advance(seconds=1)
            before = at.count
            found = at.renew(at.seen())
            assert (found is None) == (at.count == before)
            if at.count > before:
                asked.append(second)
        assert asked == [1, 61, 121, 181]

    def test_what_was_fetched_for_this_very_delivery_is_not_fetched_again(self, at: Setting) -> None:
        assert at.renew(at.seen()) is None
        assert at.count == 1

    def test_a_copy_that_is_newer_by_now_costs_no_call(self, at: Setting) -> None:
        old = at.seen()
        at.clock.advance(seconds=1)
        at.renew(old)
        assert (at.renew(old), at.count) == (b"keys 2", 2)

    def test_one_address_does_not_use_up_the_minute_of_another(self, at: Setting) -> None:
        other = at.documents.get(KeyAddress("https://keys.example.org/"), START)
        seen = at.seen()
        at.clock.advance(seconds=1)
        assert at.renew(seen) == b"keys 3"
        assert at.renew(other) == b"keys 4"

    def test_a_key_that_cannot_be_looked_for_is_not_called_unknown(self, at: Setting, fails: dict[str, Any]) -> None:
        seen = at.seen()
        let(at.publisher, fails)
        at.clock.advance(seconds=1)
        for _ in range(3):
            error = at.failure(at.renew, seen)
            assert (type(error), error.code) == (Temporary, Code.KEYS_UNAVAILABLE)
            at.clock.advance(seconds=19)
        assert at.count == 2
        # The keys that are known serve on.
        assert at.get() == b"keys 1"
        at.clock.advance(seconds=2)
        assert at.count == 2

    def test_a_renewal_that_failed_is_tried_again_after_a_minute(self, at: Setting) -> None:
        seen = at.seen()
        at.publisher.error = DOWN
        at.clock.advance(seconds=1)
        at.failure(at.renew, seen)
        at.publisher.error = None
        at.clock.advance(seconds=60)
        assert at.renew(seen) == b"keys 3"

    def test_a_server_that_is_left_alone_is_not_asked_for_a_key_either(self, at: Setting) -> None:
        at.get()
        at.publisher.error = DOWN
        at.clock.advance(hours=1)
        seen = at.seen()
        at.clock.advance(seconds=4)
        assert at.failure(at.renew, seen).code is Code.KEYS_UNAVAILABLE
        assert at.count == 2

    def test_a_clock_that_was_set_back_does_not_stretch_the_minute(self, at: Setting) -> None:
        seen = at.seen()
        at.clock.advance(seconds=1)
        at.renew(seen)
        at.clock.advance(days=-1)
        again = at.seen()
        at.clock.advance(seconds=1)
        assert at.renew(again) == b"keys 4"

    def test_a_copy_that_is_no_longer_kept_is_fetched(self) -> None:
        at = Setting(max_addresses=1)
        seen = at.seen()
        at.get(KeyAddress("https://keys.example.org/"))
        at.clock.advance(seconds=1)
        assert at.renew(seen) == b"keys 3"


class Crowd:
    """Threads that ask at the same time. The first one is held inside its call until the others had their chance."""

    def __init__(self, at: Setting) -> None:
        self.results: list[object] = []
        self._at = at
        self._inside = threading.Event()
        self._go_on = threading.Event()
        at.publisher.meanwhile = self._wait

    def _wait(self) -> None:
        self._inside.set()
        assert self._go_on.wait(10)

    def start(self, call: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                self.results.append(call())
            except ConnectorError as error:
                self.results.append(error.code)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def ask(self, first: Callable[[], object], others: Callable[[], object], count: int = 5) -> list[threading.Thread]:
        """Start the first, and when it is inside its call the others."""
        threads = [self.start(first)]
        assert self._inside.wait(10)
        return [*threads, *(self.start(others) for _ in range(count))]

    def let_go(self, threads: list[threading.Thread]) -> None:
        self._go_on.set()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


class TestThreads:
    def test_many_that_need_a_copy_make_one_call(self, at: Setting) -> None:
        crowd = Crowd(at)
        threads = crowd.ask(at.get, at.get)
        crowd.let_go(threads)
        assert (crowd.results, at.count) == ([b"keys 1"] * 6, 1)

    def test_many_that_miss_a_key_make_one_call(self, at: Setting) -> None:
        seen = at.seen()
        at.clock.advance(seconds=1)
        crowd = Crowd(at)
        threads = crowd.ask(lambda: at.renew(seen), lambda: at.renew(seen))
        crowd.let_go(threads)
        assert (crowd.results, at.count) == ([b"keys 2"] * 6, 2)

    def test_a_failure_is_everybodys(self, at: Setting) -> None:
        at.publisher.error = DOWN
        crowd = Crowd(at)
        threads = crowd.ask(at.get, at.get)
        crowd.let_go(threads)
        assert (crowd.results, at.count) == ([Code.KEYS_UNAVAILABLE] * 6, 1)

    def test_nobody_waits_longer_than_a_few_seconds(self) -> None:
        at = Setting(wait_s=0.02)
        crowd = Crowd(at)
        first, *others = crowd.ask(at.get, at.get)
        for thread in others:
            thread.join(10)
        assert crowd.results == [Code.KEYS_UNAVAILABLE] * 5
        crowd.let_go([first])
        assert (crowd.results[-1], at.count) == (b"keys 1", 1)

    def test_an_older_copy_serves_those_who_would_wait_too_long(self) -> None:
        at = Setting(wait_s=0.02)
        at.get()
        at.clock.advance(hours=1)
        crowd = Crowd(at)
        first, *others = crowd.ask(at.get, at.get)
        for thread in others:
            thread.join(10)
        assert crowd.results == [b"keys 1"] * 5
        crowd.let_go([first])
        assert crowd.results[-1] == b"keys 2"

    def test_nobody_waits_at_all_for_a_server_that_failed_before(self) -> None:
        at = Setting(wait_s=3600.0)
        at.publisher.error = DOWN
        at.failure(at.get)
        at.clock.advance(seconds=5)
        crowd = Crowd(at)
        first, *others = crowd.ask(at.get, at.get)
        for thread in others:
            thread.join(10)
            assert not thread.is_alive()
        assert crowd.results == [Code.KEYS_UNAVAILABLE] * 5
        crowd.let_go([first])
        assert at.count == 2

    def test_many_addresses_that_do_not_answer_hold_only_some_threads(self) -> None:
        at = Setting(max_fetches=1, max_addresses=10)
        crowd = Crowd(at)
        other = KeyAddress("https://keys.example.org/")
        threads = crowd.ask(at.get, lambda: at.get(other))
        for thread in threads[1:]:
            thread.join(10)
        assert crowd.results == [Code.KEYS_UNAVAILABLE] * 5
        crowd.let_go(threads)
        # Nothing was held against the address that was not asked.
        assert (at.get(other), at.count) == (b"keys 2", 2)

    def test_a_renewal_that_found_no_room_does_not_use_up_the_minute(self) -> None:
        at = Setting(max_fetches=1)
        seen = at.seen()
        at.clock.advance(seconds=1)
        other = KeyAddress("https://keys.example.org/")
        crowd = Crowd(at)
        threads = crowd.ask(lambda: at.get(other), lambda: at.renew(seen), count=1)
        threads[1].join(10)
        assert crowd.results == [Code.KEYS_UNAVAILABLE]
        crowd.let_go(threads)
        assert at.renew(seen) == b"keys 3"

    def test_other_addresses_are_served_meanwhile(self, at: Setting) -> None:
        other = KeyAddress("https://keys.example.org/")
        at.get(other)
        crowd = Crowd(at)
        threads = crowd.ask(at.get, lambda: at.get(other), count=1)
        threads[1].join(10)
        assert crowd.results == [b"keys 1"]
        crowd.let_go(threads)
