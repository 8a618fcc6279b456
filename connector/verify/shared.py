"""Shared values: a static header, a bearer token, Basic authentication, a parameter of the URL.

These vouch for the caller and not for the body: whoever knows the value may say anything. They need TLS, and for
deletions the read-back at the source beside them.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import (
    decode_base64,
    malformed,
    pick_live,
    read_form,
    require_header_name,
    require_header_text,
    require_secrets,
)

_AUTHORIZATION: Final = "Authorization"


@dataclass(frozen=True, slots=True)
class StaticHeader:
    """A secret in a header of the operator's choice, behind an optional prefix that has to match exactly.

    Raises:
        Misconfigured: no secret, a short one, or one that a header cannot carry.
    """

    name: str
    secrets: tuple[Secret, ...]
    prefix: str = ""

    def __post_init__(self) -> None:
        require_header_name(self.name, "header")
        require_header_text(f"{self.prefix}.", "header: the prefix")
        object.__setattr__(self, "secrets", _header_secrets(self.secrets, "header"))

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        value = inbound.only(self.name)
        if not value.startswith(self.prefix):
            raise malformed(self.name, "the prefix is missing")
        secret = _match(self.secrets, value.removeprefix(self.prefix), now, f"header {self.name}")
        return Verified(inbound.body, "header", (secret.id,))


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer` with a fixed token (RFC 6750 section 2.1). The scheme's case does not matter (RFC 9110).

    Raises:
        Misconfigured: as `StaticHeader`.
    """

    secrets: tuple[Secret, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "secrets", _header_secrets(self.secrets, "bearer"))

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        token = after_scheme(inbound, "bearer")
        return Verified(inbound.body, "bearer", (_match(self.secrets, token, now, f"header {_AUTHORIZATION}").id,))


@dataclass(frozen=True, slots=True)
class Basic:
    """`Authorization: Basic` with one user and one or more live passwords, in UTF-8 (RFC 7617).

    Raises:
        Misconfigured: no password, a short one, or a user name that Basic cannot carry.
    """

    user: str
    passwords: tuple[Secret, ...]

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user or not self.user.isprintable():
            raise Misconfigured(
                Code.CONFIG_INVALID, "basic: the user name must be given, printable and without a colon"
            )
        object.__setattr__(self, "passwords", require_secrets(self.passwords, "basic"))

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        given = decode_base64(after_scheme(inbound, "basic"), _AUTHORIZATION)
        if b":" not in given:
            raise malformed(_AUTHORIZATION, "there is no colon between user and password")
        user = self.user.encode() + b":"
        # Every pair is compared, so that the time taken does not tell which one it was.
        matching = [one for one in self.passwords if hmac.compare_digest(given, user + one.reveal_bytes())]
        return Verified(inbound.body, "basic", (pick_live(matching, now, f"header {_AUTHORIZATION}").id,))


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A secret in a parameter of the URL, for senders that can send it nowhere else: URLs end up in logs on the way.

    Raises:
        Misconfigured: no name, no secret, or a short one.
    """

    name: str
    secrets: tuple[Secret, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise Misconfigured(Code.CONFIG_INVALID, "query: name the parameter")
        object.__setattr__(self, "secrets", require_secrets(self.secrets, "query"))

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        found = [value for name, value in query_pairs(inbound) if name == self.name]
        if not found or not found[0].strip():
            raise Rejected(Code.CREDENTIAL_MISSING, f"parameter {self.name}")
        if len(found) > 1:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"parameter {self.name} came more than once")
        return Verified(inbound.body, "query", (_match(self.secrets, found[0], now, f"parameter {self.name}").id,))


def query_pairs(inbound: Inbound) -> list[tuple[str, str]]:
    """Return the decoded parameters of the URL, in order; `credential_malformed` if they cannot be decoded."""
    pairs = read_form(inbound.query)
    if pairs is None:
        raise Rejected(Code.CREDENTIAL_MALFORMED, "the query cannot be read")
    return pairs


def _header_secrets(secrets: Iterable[Secret], check: str) -> tuple[Secret, ...]:
    live = require_secrets(secrets, check)
    for secret in live:
        require_header_text(secret.reveal(), f"{check}: secret {secret.id}")
    return live


def after_scheme(inbound: Inbound, scheme: str) -> str:
    """Return what follows the scheme in `Authorization` (RFC 9110 section 11.4); the scheme's case does not matter."""
    found, _, rest = inbound.only(_AUTHORIZATION).partition(" ")
    if found.lower() != scheme or not rest:
        raise malformed(_AUTHORIZATION, f"it is not of the scheme {scheme}")
    return rest


def _match(secrets: Iterable[Secret], candidate: str, now: datetime, where: str) -> Secret:
    # Every secret is compared, so that the time taken does not tell which one it was.
    return pick_live([secret for secret in secrets if secret.matches(candidate)], now, where)
