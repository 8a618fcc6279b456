"""The public keys are there for everybody, and only if there are any."""

from __future__ import annotations

import json

from connector.proof.keys import read_keys
from tests.unit.web.receiver import Receiver, receiving

PATH = "/.well-known/jwks.json"


def test_the_keys_that_sign_are_published(receiver: Receiver) -> None:
    answer = receiver.client.get(PATH)
    assert (answer.status_code, answer.content_type) == (200, "application/jwk-set+json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert read_keys(answer.data) == receiver.site.proofs.keys
    assert all("d" not in one for one in json.loads(answer.data)["keys"])


def test_without_keys_there_is_no_such_address(sqlite_url: str) -> None:
    with receiving(sqlite_url, "proof.signing_keys=[]") as bare:
        assert bare.client.get(PATH).status_code == 404
