"""The Data Rights Protocol's signed message: Base64 of an Ed25519 signature and the JSON behind it, from a known agent.

Data Rights Protocol 1.0 section 3.07: the bearer token says which agent is calling, and the checks follow in the order
that section 3.07 prescribes. The token alone never suffices, and neither does the signature of another agent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.clock import require_aware
from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import pick_live, require_header_text, require_secrets
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.key_format import MAX_SECRET_BYTES, MIN_SECRET_BYTES, KeyFormat, make_key
from connector.verify.keys import Algorithm, Key
from connector.verify.shared import after_scheme
from connector.verify.stamp import TimeUnit, Tolerance
from connector.verify.strict_json import read_object

MAX_LIFETIME_S: Final = 86_400
MAX_TOLERANCE_S: Final = 300

_CHECK: Final = "nacl-combined"
_SIGNATURE_BYTES: Final = 64
_HEX_KEY_CHARS: Final = 64
_MESSAGE: Final = "the message"
# Only reads; the limits of this protocol are its own.
_ISO_8601: Final = Tolerance(TimeUnit.ISO8601)


@dataclass(frozen=True, slots=True)
class Agent:
    """An authorized agent of the network and what it shows.

    Attributes:
        id: its id in the service directory.
        tokens: the bearer tokens that were given to this agent and to no other.
        keys: its verify keys, 32 bytes in Base64 or, as before version 0.9.1, in hexadecimal.

    Raises:
        Misconfigured: no id, no token, no key, or one that cannot be read; names its id.
    """

    id: str
    tokens: tuple[Secret, ...]
    keys: tuple[Secret, ...]
    _keys: tuple[Key, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.id:
            raise Misconfigured(Code.CONFIG_INVALID, f"{_CHECK}: an agent has no id")
        object.__setattr__(self, "tokens", require_secrets(self.tokens, _CHECK))
        for token in self.tokens:
            require_header_text(token.reveal(), f"{_CHECK}: secret {token.id}")
        object.__setattr__(self, "keys", tuple(self.keys))
        if not self.keys:
            raise Misconfigured(Code.CONFIG_INVALID, f"{_CHECK}: agent {self.id} has no key")
        object.__setattr__(self, "_keys", tuple(_key(one) for one in self.keys))

    def signed(self, signature: bytes, message: bytes) -> list[Secret]:
        """Return the keys of this agent that made the signature."""
        # Every key is tried, so that the time taken does not tell which one it was.
        return [one for one, key in zip(self.keys, self._keys, strict=True) if key.matches(signature, message)]


@dataclass(frozen=True, slots=True)
class NaclCombined:
    """A message of one of the agents, addressed to one of our businesses, within its time.

    The payload is the JSON message.

    Attributes:
        business_ids: our ids in the service directory; the message has to name one.
        max_lifetime_s: how long after `issued-at` a message may expire; the protocol recommends ten minutes.
        tolerance_s: how far `issued-at` may lie in the future, for clocks that differ, and how much longer than
            `max_lifetime_s` a message may live. The protocol itself knows none.

    Raises:
        Misconfigured: no agent, no business, an agent or a token that stands twice, or a limit that is none.
    """

    agents: tuple[Agent, ...]
    business_ids: frozenset[str]
    max_lifetime_s: float = 600
    tolerance_s: float = 30

    def __post_init__(self) -> None:
        object.__setattr__(self, "agents", tuple(self.agents))
        object.__setattr__(self, "business_ids", frozenset(self.business_ids))
        if not self.agents or not self.business_ids or "" in self.business_ids:
            raise Misconfigured(Code.CONFIG_INVALID, f"{_CHECK}: name at least one agent and one business id")
        _require_distinct((one.id for one in self.agents), "two agents have the same id")
        # Else nobody could say whose key a message has to be signed with.
        _require_distinct((token.reveal() for one in self.agents for token in one.tokens), "two tokens are the same")
        if not 1 <= self.max_lifetime_s <= MAX_LIFETIME_S or not 0 <= self.tolerance_s <= MAX_TOLERANCE_S:
            raise Misconfigured(
                Code.CONFIG_INVALID,
                f"{_CHECK}: a lifetime has 1 to {MAX_LIFETIME_S} seconds, a tolerance 0 to {MAX_TOLERANCE_S}",
            )

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        agent, token = self._caller(inbound, now)
        signature, payload = _parts(inbound.body)
        key = pick_live(agent.signed(signature, payload), now, f"{_MESSAGE}: the signature of agent {agent.id}")
        message = read_object(payload)
        if message is None:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"{_MESSAGE} is not a JSON object of which every name is unique")
        if message.get("agent-id") != agent.id:
            raise Rejected(Code.CLAIM_WRONG, f"{_MESSAGE}: agent-id is not the agent of the token")
        business = message.get("business-id")
        if not isinstance(business, str) or business not in self.business_ids:
            raise Rejected(Code.CLAIM_WRONG, f"{_MESSAGE}: business-id is none of ours")
        issued_at, expires_at = (_moment(message, name) for name in ("issued-at", "expires-at"))
        self._require_in_time(issued_at, expires_at, now)
        return Verified(
            payload=payload,
            principal=_CHECK,
            secret_ids=(token.id, key.id),
            sender_time=issued_at,
            # Not `agent-request-id`: it names the request, which an agent may send again in a message of a later date.
            replay_key=f"sha256:{hashlib.sha256(payload).hexdigest()}",
            replay_until=expires_at,
        )

    def _caller(self, inbound: Inbound, now: datetime) -> tuple[Agent, Secret]:
        given = after_scheme(inbound, "bearer")
        # Every token is compared, so that the time taken does not tell which one it was.
        hits = [(agent, token) for agent in self.agents for token in agent.tokens if token.matches(given)]
        token = pick_live([one for _, one in hits], now, "header Authorization")
        return next(agent for agent, one in hits if one is token), token

    def _require_in_time(self, issued_at: datetime, expires_at: datetime, now: datetime) -> None:
        now, tolerance = require_aware(now), timedelta(seconds=self.tolerance_s)
        # Differences only: the first and the last moment of all have nothing before and behind them.
        if issued_at - now > tolerance:
            raise Rejected(Code.TIMESTAMP_IN_FUTURE, f"{_MESSAGE}: issued-at, more than {self.tolerance_s:g} s")
        if now > expires_at:
            raise Rejected(Code.TIMESTAMP_TOO_OLD, f"{_MESSAGE}: expires-at has passed")
        if not timedelta(0) <= expires_at - issued_at <= timedelta(seconds=self.max_lifetime_s) + tolerance:
            raise Rejected(
                Code.CLAIM_WRONG, f"{_MESSAGE}: expires-at is not 0 to {self.max_lifetime_s:g} s after issued-at"
            )


def _parts(body: bytes) -> tuple[bytes, bytes]:
    """Return the signature and the message: libsodium's combined mode, in Base64 that may be broken into lines."""
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    signed = decode(text.replace("\r", "").replace("\n", ""), SignatureEncoding.BASE64)
    if signed is None or len(signed) <= _SIGNATURE_BYTES:
        raise Rejected(Code.CREDENTIAL_MALFORMED, "the body is not Base64 of a signature and a message")
    return signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]


def _moment(message: dict[str, object], name: str) -> datetime:
    where = f"{_MESSAGE}: {name}"
    text = message.get(name)
    if text is None or text == "":
        raise Rejected(Code.TIMESTAMP_MISSING, where)
    if not isinstance(text, str):
        raise Rejected(Code.TIMESTAMP_MALFORMED, f"{where} is not text")
    try:
        return _ISO_8601.read(text).astimezone(UTC)
    except Rejected as error:
        raise Rejected(error.code, f"{where}: {error.detail}") from None


def _key(secret: Secret) -> Key:
    # Base64 of 32 bytes has 44 characters, with or without padding never the 64 of hexadecimal.
    form = KeyFormat.HEX if len(secret.reveal()) == _HEX_KEY_CHARS else KeyFormat.BASE64
    return make_key(secret, Algorithm.ED25519, form, MIN_SECRET_BYTES, MAX_SECRET_BYTES)


def _require_distinct(texts: Iterable[str], fault: str) -> None:
    given = list(texts)
    if len(set(given)) != len(given):
        raise Misconfigured(Code.CONFIG_INVALID, f"{_CHECK}: {fault}")
