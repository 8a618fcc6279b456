"""A sender that asks us to confirm a subscription before it delivers anything."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Refused, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Private
from connector.web.app import create_app
from tests.unit.web.receiver import GOOD, PATH, Receiver

CANARY = "canary-token-77ac"
URL = f"https://sns.example.com/?Action=ConfirmSubscription&Token={CANARY}"


class Asking:
    """Stands for a check that found a genuine request to confirm."""

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        if inbound.has("X-Forged"):
            raise Rejected(Code.CREDENTIAL_WRONG)
        return Verified(inbound.body, "asking", ("test:key",), confirm_url=Private(URL))


Post = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture
def post(receiver: Receiver) -> Post:
    def call(confirm: Callable[[Private], None] | None = None, **headers: str) -> tuple[int, dict[str, object]]:
        source = dataclasses.replace(receiver.site.sources["onetrust"], verifier=Asking())
        site = dataclasses.replace(receiver.site, sources={"onetrust": source})
        if confirm is not None:
            site = dataclasses.replace(site, confirm=confirm)
        client = create_app(site, 10_000, {"onetrust": 100}).test_client()
        answer = client.post(PATH, data=GOOD, headers={"Content-Type": "application/json"} | headers)
        assert CANARY not in answer.get_data(as_text=True)
        return answer.status_code, answer.get_json()

    return call


def test_it_is_confirmed_once_and_nothing_is_stored(
    receiver: Receiver, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    called: list[str] = []
    assert post(lambda url: called.append(url.reveal())) == (200, {"confirmed": True})
    assert called == [URL]
    assert set(receiver.row_counts().values()) <= {0, 1}
    assert receiver.row_counts()["requests"] == receiver.row_counts()["deliveries"] == 0
    (record,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (record["action"], record["source"], record["secret_id"]) == (
        "subscription_confirmed",
        "onetrust",
        "test:key",
    )
    assert CANARY not in str(record)


def test_a_forged_one_calls_nobody(post: Post) -> None:
    called: list[object] = []
    status, said = post(called.append, **{"X-Forged": "1"})
    assert (status, said["code"], called) == (401, "credential_wrong", [])


@pytest.mark.parametrize(
    "error",
    [
        Refused(Code.ADDRESS_REFUSED, "its host and port are not on the list of allowed hosts"),
        Refused(Code.REMOTE_REFUSED, "answered with a redirect, status 302"),
        Temporary(Code.REMOTE_UNREACHABLE, "no connection; nothing was sent"),
    ],
)
def test_one_that_cannot_be_confirmed_is_asked_for_again_and_says_why(
    receiver: Receiver, post: Post, error: ConnectorError, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(url: Private) -> None:
        raise error

    status, said = post(fail)
    assert (status, said["code"]) == (503, "subscription_unconfirmed")
    assert str(error.code) in str(said["detail"])
    assert receiver.row_counts()["requests"] == 0
    assert CANARY not in capsys.readouterr().err


def test_as_shipped_no_sender_can_make_us_call_anybody(post: Post) -> None:
    status, said = post()
    assert (status, said["code"]) == (503, "subscription_unconfirmed")
    assert "address_refused" in str(said["detail"])
