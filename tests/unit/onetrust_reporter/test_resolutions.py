"""Configured resolutions against the list of the fake OneTrust, and of answers that it does not give."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from connector.clock import SystemClock
from connector.codes import Code
from connector.errors import Temporary
from connector.outbound import Client
from connector.private import Secret
from connector.sandbox.defaults import ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_state import RESOLUTIONS
from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.resolutions import OneTrustResolutions
from connector.sources.onetrust.token import TokenSource
from tests.unit.onetrust_reporter.conftest import BASE, TOKEN_URL

ERASED, CLOSED = RESOLUTIONS[0].id, RESOLUTIONS[3].id
NOBODYS = "9f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
URL = f"{BASE}/api/datasubject/v2/resolutions"


def api(base_url: str) -> OneTrustApi:
    clock = SystemClock()
    http = Client(base_url, clock=clock)
    return OneTrustApi(
        http, TokenSource(http, ONETRUST_CLIENT_ID, Secret(ONETRUST_CLIENT_SECRET, "test:secret"), clock=clock)
    )


def faults(base_url: str, **configured: str) -> dict[str, str]:
    return {**OneTrustResolutions(api(base_url), configured).faults()}


def test_each_setting_is_compared_with_the_list() -> None:
    with FakeOneTrust() as fake:
        found = faults(fake.url, completed=ERASED.upper(), rejected=CLOSED, nothing_held=NOBODYS, other="")
        assert found == {"rejected": "not_of_subtasks", "nothing_held": "not_listed"}


def test_nobody_is_asked_where_nothing_is_configured() -> None:
    with FakeOneTrust() as fake:
        assert faults(fake.url, completed="") == {}
        assert not fake.calls


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([{"id": ERASED, "type": "20"}, "nonsense"], {}),
        ({"content": [{"id": ERASED, "type": 20}]}, {}),
        ([{"type": 20}], {"completed": "not_listed"}),
    ],
)
@responses.activate
def test_a_list_is_read_tolerantly(said: Any, found: dict[str, str]) -> None:
    responses.post(TOKEN_URL, json={"access_token": "t"})
    responses.get(URL, json=said)
    assert faults(BASE, completed=ERASED) == found


@responses.activate
def test_an_answer_that_is_no_list_proves_nothing() -> None:
    responses.post(TOKEN_URL, json={"access_token": "t"})
    responses.get(URL, json="nothing")
    with pytest.raises(Temporary) as caught:
        faults(BASE, completed=ERASED)
    assert caught.value.code is Code.REMOTE_ANSWER_UNREADABLE
