"""One way of signing under test: how its sender makes a delivery, and how our check of it is built.

The senders are written against the specification with the standard library, `cryptography` or another library, and
share no code with the checks. The suite over all subjects is `tests/contract/test_every_verifier.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from connector.inbound import Inbound
from connector.ports import Verifier

NOW: Final = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
URL: Final = "https://connector.example.com/webhooks/privacy?tenant=7"
CONTENT: Final = b'{"subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"}'
#: The three keys that every subject has. `next` is live beside `current` during a rotation; `retired` was taken out.
CURRENT, NEXT, RETIRED = "current", "next", "retired"


@dataclass(frozen=True)
class Sent:
    """A delivery, part by part. Header names are as the sender spells them."""

    headers: dict[str, str]
    body: bytes = CONTENT
    url: str = URL
    method: str = "POST"
    peer: str = "192.0.2.10"

    def inbound(self) -> Inbound:
        return Inbound(self.method, self.url, tuple(self.headers.items()), self.body, self.peer)


@dataclass(frozen=True)
class Subject:
    """One way of signing.

    Attributes:
        name: as the tests call it.
        verifier: builds the check with these keys live, e.g. `verifier("current", "next")`.
        send: makes a good delivery of a content, signed with a key at a time: `send("current", CONTENT, NOW)`.
        credentials: the headers that carry credential, id or time; each has to be there, once, unaltered. Empty if all
            of it stands in the body.
        secret_id: how the verdict names a key.
        content: a content that the format can carry.
        covers_body: whether the signature covers the content; false for shared values.
        window_s: how far the sender's time may lie in the past and in the future; None if no time is covered.
        ignores_case: headers whose value means the same in upper and lower case (hexadecimal).
        lists: headers that hold a list, in which one good entry among others suffices.
        ignores: parts of the body, as (start, end), that the format does not cover and the payload does not hold.
        primitive: the bare operation that `bench verify` holds the check's cost against: `hmac-sha256`, `ed25519`,
            `ecdsa-p256`, `ecdsa-p384`, `rsa-pkcs1`, `rsa-pss`, `compare`, ….
        confused: further deliveries that must be refused, by what is wrong with them: `alg none`, `foreign kid`, …
        misconfigured: settings that must be refused when the check is built, by what is wrong with them.
    """

    name: str
    verifier: Callable[..., Verifier]
    send: Callable[[str, bytes, datetime], Sent]
    credentials: tuple[str, ...]
    secret_id: Callable[[str], str] = lambda key: f"test:{key}"
    content: bytes = CONTENT
    covers_body: bool = True
    window_s: tuple[float, float] | None = None
    ignores_case: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    ignores: Callable[[bytes], tuple[tuple[int, int], ...]] = lambda body: ()
    primitive: str = "hmac-sha256"
    confused: Mapping[str, Callable[[], Sent]] = field(default_factory=dict)
    misconfigured: Mapping[str, Callable[[], object]] = field(default_factory=dict)
