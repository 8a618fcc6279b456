"""Shared values in a header: a static header, a bearer token, Basic authentication.

These vouch for the caller and not for the body: whoever knows the value may say anything. They need TLS, and for
deletions the read-back at the source beside them.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import (
    accept,
    decode_base64,
    malformed,
    read_header,
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

    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:  # noqa: ARG002 - the protocol's shape
        value = read_header(headers, self.name)
        if not value.startswith(self.prefix):
            raise malformed(self.name, "the prefix is missing")
        return accept(body, "header", _match(self.secrets, value.removeprefix(self.prefix), self.name).id)


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer` with a fixed token (RFC 6750 section 2.1). The scheme's case does not matter (RFC 9110).

    Raises:
        Misconfigured: as `StaticHeader`.
    """

    secrets: tuple[Secret, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "secrets", _header_secrets(self.secrets, "bearer"))

    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:  # noqa: ARG002 - the protocol's shape
        token = _after_scheme(headers, "bearer")
        return accept(body, "bearer", _match(self.secrets, token, _AUTHORIZATION).id)


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

    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:  # noqa: ARG002 - the protocol's shape
        given = decode_base64(_after_scheme(headers, "basic"), _AUTHORIZATION)
        if b":" not in given:
            raise malformed(_AUTHORIZATION, "there is no colon between user and password")
        user = self.user.encode() + b":"
        # Every pair is compared, so that the time taken does not tell which one it was.
        matching = [one for one in self.passwords if hmac.compare_digest(given, user + one.reveal_bytes())]
        if not matching:
            raise Rejected(Code.CREDENTIAL_WRONG, f"header {_AUTHORIZATION}")
        return accept(body, "basic", matching[0].id)


def _header_secrets(secrets: Iterable[Secret], check: str) -> tuple[Secret, ...]:
    live = require_secrets(secrets, check)
    for secret in live:
        require_header_text(secret.reveal(), f"{check}: secret {secret.id}")
    return live


def _after_scheme(headers: Mapping[str, str], scheme: str) -> str:
    found, _, rest = read_header(headers, _AUTHORIZATION).partition(" ")
    if found.lower() != scheme or not rest:
        raise malformed(_AUTHORIZATION, f"it is not of the scheme {scheme}")
    return rest


def _match(secrets: Iterable[Secret], candidate: str, name: str) -> Secret:
    # Every secret is compared, so that the time taken does not tell which one it was.
    matching = [secret for secret in secrets if secret.matches(candidate)]
    if not matching:
        raise Rejected(Code.CREDENTIAL_WRONG, f"header {name}")
    return matching[0]
