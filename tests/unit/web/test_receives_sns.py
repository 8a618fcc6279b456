"""Amazon SNS through the front door: subscribed, believed, known again, and not taken back when it says goodbye."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from connector.config.checks import verifier_of
from connector.private import Private
from connector.wiring import web_app
from tests.support.documents import PublishedDocuments
from tests.unit.verify.sns.messages import CONFIRM, FAREWELL, FILE, NOTIFICATION, SUBSCRIPTION, TOPIC, signed, signer
from tests.unit.web.receiver import GOOD, PATH, Receiver, receiving

NOW = "2026-11-02T09:00:00.000Z"


class Subscribed:
    """A receiver whose source is subscribed to a topic; `confirmed` holds the addresses that it called."""

    def __init__(self, receiver: Receiver) -> None:
        source = receiver.site.sources["onetrust"]
        documents = PublishedDocuments({FILE: signer().pem})
        checked = dataclasses.replace(
            source, verifier=verifier_of(receiver.config.sources["onetrust"].verify, documents)
        )
        self.confirmed: list[Private] = []
        self.receiver = receiver
        site = dataclasses.replace(receiver.site, sources={"onetrust": checked}, confirm=self.confirmed.append)
        self.client = web_app(receiver.config, site).test_client()

    def post(self, message: Mapping[str, Any]) -> TestResponse:
        body = json.dumps(signed({**message, "Timestamp": NOW})).encode()
        return self.client.post(PATH, data=body, content_type="text/plain; charset=UTF-8")


def test_a_subscription_is_confirmed_and_its_messages_are_taken_in_once(tmp_path: Path) -> None:
    check = f'sources.onetrust.verify=[{{check="sns", topics=["{TOPIC}"]}}]'
    with receiving(f"sqlite:///{tmp_path / 'store.db'}", check) as receiver:
        topic = Subscribed(receiver)

        answer = topic.post(SUBSCRIPTION)
        assert answer.status_code == 200
        assert topic.confirmed == [Private(CONFIRM)]
        assert receiver.row_counts()["requests"] == 0

        erasure = {**NOTIFICATION, "Message": GOOD.decode()}
        first, again = topic.post(erasure), topic.post(erasure)
        assert (first.status_code, first.get_json()["duplicate"]) == (202, False)
        assert again.get_json() == first.get_json() | {"duplicate": True}
        assert receiver.row_counts()["requests"] == 1

        assert 400 <= topic.post(FAREWELL).status_code < 500
        assert receiver.row_counts()["requests"] == 1
        assert topic.confirmed == [Private(CONFIRM)]
