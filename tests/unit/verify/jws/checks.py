"""The check of tokens as these tests build it, from few words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.key_format import KeyFormat
from connector.verify.token.body import InToken
from connector.verify.token.claims import ClaimRules
from connector.verify.token.configured_keys import static_keys
from connector.verify.token.jwk import TokenAlgorithm
from connector.verify.token.jws import Jws
from connector.verify.token.place import InHeader
from tests.support.tokens import Signer, signer

NOW: Final = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
AT: Final = int(NOW.timestamp())
HEADER: Final = "X-Token"
FREE: Final = ClaimRules(expires=False)
SENDER: Final = signer("key-1", "ES256")


def secret_of(key: Signer) -> str:
    """Return a key as it is configured."""
    return json.dumps(key.jwk()) if isinstance(key.key, bytes) else key.pem


def keys_of(*keys: Signer | Secret | str, algorithms: str = "ES256", form: str = "utf8") -> Any:
    """Return configured keys: those of a sender, or as they are written in the settings."""
    secrets = [
        one if isinstance(one, Secret) else Secret(one if isinstance(one, str) else secret_of(one), f"test:{number}")
        for number, one in enumerate(keys)
    ]
    return static_keys(secrets, {TokenAlgorithm(one) for one in algorithms.split()}, KeyFormat(form))


def check(algorithms: str = "ES256", keys: Any = None, **more: Any) -> Jws:
    """Return a check of a token in a header, by default of the one sender and of a payload that is the content."""
    given = {"place": InHeader(HEADER), "claims": FREE, "body": InToken(), **more}
    wanted = frozenset(TokenAlgorithm(one) for one in algorithms.split())
    return Jws(algorithms=wanted, keys=keys or keys_of(SENDER, algorithms=algorithms), **given)


def call(token: str, body: bytes = b"{}", header: str = HEADER) -> Inbound:
    return Inbound("POST", "https://connector.example.com/webhooks/privacy", ((header, token),), body)


def refused(verifier: Jws, inbound: Inbound, now: datetime = NOW) -> Code:
    with pytest.raises(Rejected) as caught:
        verifier.verify(inbound, now)
    assert caught.value.entry.status == 401
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    for value in (*(value for _, value in inbound.headers), inbound.body.decode(errors="replace")):
        assert len(value) < 12 or value not in str(caught.value)
    return caught.value.code


def token(claims: Any = None, **header: Any) -> str:
    """Return a token of the one sender."""
    return SENDER.token("ES256", {} if claims is None else claims, **header)
