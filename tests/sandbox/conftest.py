"""Both fakes on free ports, a clock that is moved by hand, and sessions that are closed."""

import json

import pytest
import requests

from connector.sandbox.defaults import ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_outbound import Workflow
from connector.sandbox.server import LoopbackServer

START = 1_790_000_000.0


class Hands:
    """A clock that only moves when told."""

    def __init__(self):
        self.seconds = START

    def __call__(self):
        return self.seconds

    def advance(self, seconds):
        self.seconds += seconds


class Api:
    """One authenticated session against one fake."""

    def __init__(self, fake, authorization):
        self.fake = fake
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = authorization

    def __call__(self, method, path, **options):
        options.setdefault("timeout", 5)
        return self.session.request(method, self.fake.url + path, **options)


class Receiver(LoopbackServer):
    """Stands in for the connector: records calls, answers from a list of statuses (the last one repeats)."""

    def __init__(self):
        super().__init__(self._answer)
        self.calls = []
        self.statuses = [202]

    def _answer(self, environ, start_response):
        headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key[:5] == "HTTP_"}
        self.calls.append((headers | {"content-type": environ["CONTENT_TYPE"]}, environ["wsgi.input"].read()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        start_response(f"{status} Answer", [("Content-Type", "application/json")])
        return [b'{"accepted": true}']

    @property
    def bodies(self):
        return [json.loads(body) for _, body in self.calls]


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def lytics(clock):
    with FakeLytics(finish_after_s=100.0, clock=clock) as fake:
        yield fake


@pytest.fixture
def call(lytics):
    api = Api(lytics, lytics.token)
    yield api
    api.session.close()


@pytest.fixture
def onetrust(clock):
    with FakeOneTrust(clock=clock) as fake:
        yield fake


@pytest.fixture
def dsar(onetrust):
    api = Api(onetrust, "")
    form = {
        "grant_type": "client_credentials",
        "client_id": ONETRUST_CLIENT_ID,
        "client_secret": ONETRUST_CLIENT_SECRET,
    }
    del api.session.headers["Authorization"]
    token = api("POST", "/api/access/v1/oauth/token", data=form).json()["access_token"]
    api.session.headers["Authorization"] = f"Bearer {token}"
    yield api
    api.session.close()


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server


@pytest.fixture
def workflow(onetrust, receiver):
    onetrust.outbound.workflow = Workflow(receiver.url + "/hooks/onetrust")
    return onetrust.outbound.workflow
