"""Agents of the Data Rights Protocol, written from its section 3.07 on PyNaCl, which is libsodium."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from nacl.encoding import Base64Encoder, HexEncoder
from nacl.signing import SigningKey

from connector.private import Secret
from connector.verify.nacl_combined import Agent, NaclCombined
from tests.contract.subjects.subject import CURRENT, NOW, Sent, Subject

US: Final = "EXAMPLE_BUSINESS"
AGENT: Final = "EXAMPLE_AGENT"
OTHER_AGENT: Final = "OTHER_AGENT"
MESSAGE: Final = {
    "agent-id": AGENT,
    "business-id": US,
    "issued-at": "2026-11-02T09:14:00Z",
    "expires-at": "2026-11-02T09:24:00Z",
    "drp.version": "1.0",
    "agent-request-id": "c789ff35-7644-4ceb-9981-4b35c264aac3",
    "exercise": "deletion",
    "regime": "ccpa",
    "email": "subject@example.com",
}
CONTENT: Final = json.dumps(MESSAGE).encode()


def signing_key(name: str) -> SigningKey:
    return SigningKey(hashlib.sha256(f"agent {name}".encode()).digest())


def token(name: str) -> str:
    return hashlib.sha256(f"token {name}".encode()).hexdigest()


def verify_key(name: str, encoder: type = Base64Encoder) -> Secret:
    return Secret(signing_key(name).verify_key.encode(encoder).decode(), f"test:{name}")


def tokens(*names: str) -> tuple[Secret, ...]:
    return tuple(Secret(token(name), f"token:{name}") for name in names)


OTHER: Final = Agent(OTHER_AGENT, tokens("other"), (verify_key("other", HexEncoder),))


def of(*names: str) -> NaclCombined:
    agent = Agent(AGENT, tokens("shared"), tuple(verify_key(name) for name in names))
    return NaclCombined((OTHER, agent), frozenset({US}))


def of_tokens(*names: str) -> NaclCombined:
    return NaclCombined((Agent(AGENT, tokens(*names), (verify_key("one"),)), OTHER), frozenset({US}))


def sent(signed: bytes, bearer: str = "shared") -> Sent:
    headers = {"Authorization": f"Bearer {token(bearer)}", "Content-Type": "text/plain"}
    return Sent(headers, base64.b64encode(signed))


def send(key: str, content: bytes, at: datetime) -> Sent:
    return sent(bytes(signing_key(key).sign(content)))


def send_with_token(key: str, content: bytes, at: datetime) -> Sent:
    return sent(bytes(signing_key("one").sign(content)), key)


def saying(**changes: object) -> Callable[[], Sent]:
    """Return a message of the right agent with other claims; `None` leaves one out."""
    claims = {**MESSAGE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    content = json.dumps({name: value for name, value in claims.items() if value is not None})
    return lambda: send(CURRENT, content.encode(), NOW)


def signed_as(content: bytes) -> Callable[[], Sent]:
    return lambda: send(CURRENT, content, NOW)


def with_body(change: Callable[[bytes], bytes]) -> Callable[[], Sent]:
    good = send(CURRENT, CONTENT, NOW)
    return lambda: replace(good, body=change(good.body))


CONFUSED: Final[dict[str, Callable[[], Sent]]] = {
    "signed with the key of another agent": lambda: sent(bytes(signing_key("other").sign(CONTENT))),
    "the token of another agent": lambda: sent(bytes(signing_key(CURRENT).sign(CONTENT)), "other"),
    "token and key of another agent": lambda: sent(bytes(signing_key("other").sign(CONTENT)), "other"),
    "another agent-id": saying(agent_id=OTHER_AGENT),
    "agent-id in another case": saying(agent_id=AGENT.lower()),
    "agent-id in a list": saying(agent_id=[AGENT]),
    "no agent-id": saying(agent_id=None),
    "another business-id": saying(business_id="ANOTHER_BUSINESS"),
    "business-id in a list": saying(business_id=[US]),
    "business-id in an object": saying(business_id={US: True}),
    "no business-id": saying(business_id=None),
    "issued in the future": saying(issued_at="2026-11-02T09:15:04Z"),
    "expired": saying(issued_at="2026-11-02T09:04:32Z", expires_at="2026-11-02T09:14:32Z"),
    "valid for too long": saying(expires_at="2026-11-02T09:24:31Z"),
    "valid for ever": saying(expires_at="9999-12-31T23:59:59Z"),
    "expires before it was issued": saying(issued_at="2026-11-02T09:14:50Z", expires_at="2026-11-02T09:14:40Z"),
    "no issued-at": saying(issued_at=None),
    "no expires-at": saying(expires_at=None),
    "issued-at as a number": saying(issued_at=1_793_610_840),
    "issued-at without an offset": saying(issued_at="2026-11-02T09:14:00"),
    "issued-at that is no time": saying(issued_at="2026-13-45T09:14:00Z"),
    "issued-at at the end of time": saying(issued_at="0001-01-01T00:00:00+23:59"),
    "issued at the first moment of all": saying(issued_at="0001-01-01T00:00:00Z"),
    "expires at the first moment of all": saying(expires_at="0001-01-01T00:00:00Z"),
    "issued at the last moment of all": saying(issued_at="9999-12-31T23:59:59.999999Z"),
    "a claim twice": signed_as(CONTENT[:-1] + b', "agent-id": "EXAMPLE_AGENT"}'),
    "not JSON": signed_as(b"deletion"),
    "a list": signed_as(b"[" + CONTENT + b"]"),
    "too deep": signed_as(b"[" * 100_000),
    "not UTF-8": signed_as(CONTENT.replace(b"subject@", b"\xff")),
    "NaN": signed_as(CONTENT[:-1] + b', "x": NaN}'),
    "nothing signed": signed_as(b""),
    "the signature behind the message": lambda: sent(CONTENT + signing_key(CURRENT).sign(CONTENT).signature),
    "the signature alone": lambda: sent(signing_key(CURRENT).sign(CONTENT).signature),
    "the message alone": lambda: sent(CONTENT),
    "raw bytes": lambda: replace(send(CURRENT, CONTENT, NOW), body=bytes(signing_key(CURRENT).sign(CONTENT))),
    "hexadecimal": with_body(lambda body: base64.b64decode(body).hex().encode()),
    "Base64url": with_body(lambda body: base64.urlsafe_b64encode(b"\xff\xff" + base64.b64decode(body))),
    "without padding": with_body(lambda body: base64.b64encode(base64.b64decode(body) + b"  ").rstrip(b"=") + b"A"),
    "blanks within": with_body(lambda body: body[:40] + b" " + body[40:]),
    "Base64 twice": with_body(base64.b64encode),
    "no body": with_body(lambda body: b""),
    "a body that is no ASCII": with_body(lambda body: "皇".encode() + body),
}


def refused(**settings: object) -> Callable[[], object]:
    agent = Agent(AGENT, tokens("shared"), (verify_key(CURRENT),))
    return lambda: NaclCombined(**{"agents": (agent,), "business_ids": frozenset({US})} | settings)


MISCONFIGURED: Final[dict[str, Callable[[], object]]] = {
    "no agent": refused(agents=()),
    "no business": refused(business_ids=frozenset()),
    "an empty business": refused(business_ids=frozenset({""})),
    "no lifetime": refused(max_lifetime_s=0),
    "a negative tolerance": refused(tolerance_s=-1),
    "a tolerance of an hour": refused(tolerance_s=3_600),
    "one agent twice": refused(agents=(OTHER, replace(OTHER, tokens=tokens("third")))),
    "one token for two agents": refused(agents=(OTHER, Agent(AGENT, OTHER.tokens, OTHER.keys))),
    "an agent without id": lambda: Agent("", OTHER.tokens, OTHER.keys),
    "an agent without token": lambda: Agent(AGENT, (), OTHER.keys),
    "an agent without key": lambda: Agent(AGENT, OTHER.tokens, ()),
    "a short token": lambda: Agent(AGENT, (Secret("fifteen-chars-x", "test:short"),), OTHER.keys),
    "a token with a line feed": lambda: Agent(AGENT, (Secret(token("x") + "\n", "test:line"),), OTHER.keys),
    "a key that is no key": lambda: Agent(AGENT, OTHER.tokens, (Secret("no-key-of-ed25519", "test:odd"),)),
    "a key that is too short": lambda: Agent(
        AGENT, OTHER.tokens, (Secret(base64.b64encode(bytes(31)).decode(), "test:short"),)
    ),
    "an empty key": lambda: Agent(AGENT, OTHER.tokens, (Secret("", "test:empty"),)),
}

SUBJECTS: Final = (
    Subject(
        name="nacl combined",
        verifier=of,
        send=send,
        credentials=("Authorization",),
        content=CONTENT,
        primitive="ed25519",
        confused=CONFUSED,
        misconfigured=MISCONFIGURED,
    ),
    Subject(
        name="nacl combined, tokens",
        verifier=of_tokens,
        send=send_with_token,
        credentials=("Authorization",),
        secret_id=lambda key: f"token:{key}",
        content=CONTENT,
        primitive="ed25519",
    ),
)
