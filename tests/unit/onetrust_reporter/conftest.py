"""A tenant at a made-up address: tokens, one subtask, and errors that are checked for what they must not show."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime

import pytest
import responses

from connector.clock import FixedClock
from connector.errors import ConnectorError
from connector.outbound import Client, Limits
from connector.private import Secret
from connector.sandbox.defaults import ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET
from connector.sandbox.onetrust import FakeOneTrust
from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.reporter import OneTrustReporter
from connector.sources.onetrust.token import TokenSource
from tests.support.contracts import as_the_vendors_describe

__all__ = ["as_the_vendors_describe"]

BASE = "https://app-eu.example.com"
TOKEN_URL = f"{BASE}/api/access/v1/oauth/token"
SUBTASK = "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"
REF = "K7Q2M9XW4D"
NAME = "CDP erasure connector"
SUBTASK_URL = f"{BASE}/api/datasubject/v2/subtasks/{SUBTASK}"
LIST_URL = f"{BASE}/api/datasubject/v2/requestqueues/{REF}/subtasks"


class Tenant:
    """Makes token sources and reporters, and catches their errors."""

    def __init__(self):
        self.clock = FixedClock(datetime(2026, 11, 2, 9, 0, tzinfo=UTC))

    def tokens(self, **options):
        secret = Secret("client-very-secret", "env:ONETRUST_CLIENT_SECRET")
        return TokenSource(self.client(), "client-1", secret, clock=self.clock, **options)

    def client(self):
        return Client(BASE, clock=self.clock)

    def reporter(self, **options):
        return OneTrustReporter(OneTrustApi(self.client(), self.tokens()), **options)

    def failure(self, call, *arguments, **options):
        with pytest.raises(ConnectorError) as caught:
            call(*arguments, **options)
        text = ("".join(traceback.format_exception(caught.value)) + repr(caught.value)).lower()
        assert not [one for one in ("very-secret", "token-", "ana@", SUBTASK, REF.lower()) if one in text]
        return caught.value


@pytest.fixture
def tenant():
    return Tenant()


@pytest.fixture
def http():
    """Answers, all of which must be used."""
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        yield mock


@pytest.fixture
def fake_clock():
    return FixedClock(datetime(2026, 11, 2, 9, 0, tzinfo=UTC))


@pytest.fixture
def fake(fake_clock):
    """The fake OneTrust, on the tests' own clock."""
    with FakeOneTrust(clock=lambda: fake_clock.now().timestamp()) as made:
        yield made


@pytest.fixture
def fake_http(fake, fake_clock):
    http = Client(fake.url, clock=fake_clock, limits=Limits(connect_s=5, read_s=5, total_s=5))
    yield http
    http.close()


@pytest.fixture
def api(fake_http, fake_clock):
    """The product's calls, to the fake."""
    secret = Secret(ONETRUST_CLIENT_SECRET, "env:S")
    return OneTrustApi(fake_http, TokenSource(fake_http, ONETRUST_CLIENT_ID, secret, clock=fake_clock))


@pytest.fixture
def asked(fake):
    return fake.add_request("ana@example.com", comment_required=True)


@pytest.fixture
def external(asked):
    return {"subtask_id": asked.subtask_id, "request_ref": asked.ref_id, "request_id": asked.queue_id}
