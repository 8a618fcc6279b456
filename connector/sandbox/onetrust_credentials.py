"""What a workflow can put on its outbound call so that the receiver knows who is calling.

The header names and the text to sign of `Hmac` are this product's own convention: OneTrust publishes no signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

_WRONG: Final = "-but-wrong"


class Credential(Protocol):
    """Turns the body into headers. `spoil` uses a wrong secret, `now` is the time to sign with."""

    def headers(self, body: bytes, now: float, session: requests.Session, *, spoil: bool) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class StaticHeader:
    """A secret in a header of the administrator's choice."""

    value: str
    name: str = "X-OneTrust-Secret"

    def headers(self, body: bytes, now: float, session: requests.Session, *, spoil: bool) -> dict[str, str]:  # noqa: ARG002
        return {self.name: self.value + _WRONG * spoil}


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer` with a fixed token."""

    token: str

    def headers(self, body: bytes, now: float, session: requests.Session, *, spoil: bool) -> dict[str, str]:  # noqa: ARG002
        return {"Authorization": f"Bearer {self.token}{_WRONG * spoil}"}


@dataclass(frozen=True, slots=True)
class Basic:
    """`Authorization: Basic`."""

    username: str
    password: str

    def headers(self, body: bytes, now: float, session: requests.Session, *, spoil: bool) -> dict[str, str]:  # noqa: ARG002
        pair = f"{self.username}:{self.password}{_WRONG * spoil}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


@dataclass(frozen=True, slots=True)
class Hmac:
    """A signature over the raw body, alone or behind a timestamp in Unix seconds and a separator."""

    secret: str
    header: str = "X-OneTrust-Signature"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: Literal["body", "timestamp_body"] = "timestamp_body"
    separator: str = "."
    #: Empty: no timestamp header is sent.
    timestamp_header: str = "X-OneTrust-Timestamp"

    def headers(self, body: bytes, now: float, session: requests.Session, *, spoil: bool) -> dict[str, str]:  # noqa: ARG002
        stamp = str(int(now))
        text = body if self.signed == "body" else f"{stamp}{self.separator}".encode() + body
        digest = hmac.new((self.secret + _WRONG * spoil).encode(), text, getattr(hashlib, self.algorithm)).digest()
        shown = digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()
        sent = {self.header: self.prefix + shown}
        return sent | {self.timestamp_header: stamp} if self.timestamp_header else sent


@dataclass(slots=True)
class OAuth2:
    """Client credentials: fetches a token from `token_url` and sends it as a bearer token until it expires.

    `in_header`: the client shows its secret in Basic, with escapes (RFC 6749 section 2.3.1), and not in the form.
    """

    token_url: str
    client_id: str
    client_secret: str
    scope: str = ""
    in_header: bool = False
    _token: str = field(default="", repr=False)
    _expires_at: float = field(default=0.0, repr=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def headers(self, body: bytes, now: float, session: requests.Session, *, spoil: bool) -> dict[str, str]:  # noqa: ARG002
        if spoil:
            return {"Authorization": "Bearer not-a-token" + _WRONG}
        with self._lock:
            if now >= self._expires_at:
                self._fetch(now, session)
            return {"Authorization": f"Bearer {self._token}"}

    def _fetch(self, now: float, session: requests.Session) -> None:
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        pair = (quote_plus(self.client_id), quote_plus(self.client_secret)) if self.in_header else None
        if pair is None:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        response = session.post(self.token_url, data=form, auth=pair, timeout=10, allow_redirects=False)
        response.raise_for_status()
        body = response.json()
        self._token = str(body["access_token"])
        self._expires_at = now + float(body.get("expires_in", 60)) - 5


#: The kinds by name, for run-time settings.
KINDS: Final[dict[str, Callable[..., Credential]]] = {
    "static_header": StaticHeader,
    "bearer": Bearer,
    "basic": Basic,
    "hmac": Hmac,
    "oauth2": OAuth2,
}


def build(kind: str, **settings: Any) -> Credential:
    """Make a credential from plain settings; `ValueError` names what is wrong."""
    if kind not in KINDS:
        raise ValueError(f"no credential kind {kind!r}; there are: {sorted(KINDS)}")
    return KINDS[kind](**settings)
