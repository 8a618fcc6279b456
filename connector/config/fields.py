"""Field types that the configuration's models share: addresses, names, headers.

A message says what is expected. It never shows what was found: that may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo, WithJsonSchema

from connector.config.secrets import REFERENCE, passes, resolve
from connector.config.section import surroundings_of
from connector.private import Secret
from connector.verify.base import require_header_name, require_header_text

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
UUID_OR_NOTHING: Final = r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"
UUID: Final = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
#: What a pattern asks for, in words.
WORDS: Final = {
    NAME: "a name of at most 63 lower-case letters, digits and hyphens",
    UUID: "a UUID",
    UUID_OR_NOTHING: "a UUID, or nothing",
}

_POSTGRES: Final = re.compile(
    r"postgresql(\+psycopg)?://([^:/@?#\s]*(?P<password>:[^@\s]*)?@)?([A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"
    r"/[^/?#@\s]+(\?(?P<query>[^#\s]*))?"
)
_SQLITE: Final = re.compile(r"sqlite:///(?P<path>(?!:memory:)[^?#]+)")
_HOST: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_LOOPBACK_URL: Final = re.compile(r"http://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?(/[^?#@\s]*)?")
_SENDER_URL: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[^\s#?]*)?")
_HTTPS_URL: Final = re.compile(r"https://[a-z0-9.-]+(:\d+)?(/[^?#@\s]*)?", re.IGNORECASE)


def _store_url(value: Any, info: ValidationInfo) -> Secret:
    """Return the URL, wrapped because it may hold a password; a relative SQLite path is made absolute."""
    given = resolve(value, info) if isinstance(value, str) and REFERENCE.fullmatch(value) else None
    url = given.reveal() if given is not None else value
    sqlite, postgres = (one.fullmatch(url) if isinstance(url, str) else None for one in (_SQLITE, _POSTGRES))
    shown = given.id if given is not None else str(value)
    if sqlite is not None:
        return Secret(f"sqlite:///{surroundings_of(info).path(sqlite['path'])}", shown)
    if postgres is None:
        raise ValueError(
            "expected sqlite:///PATH or postgresql://USER@HOST/NAME, or a reference to such a URL; a file, not memory"
        )
    if given is None and (postgres["password"] is not None or "pass" in (postgres["query"] or "").lower()):
        raise ValueError("the URL holds a password; give a reference instead, such as env:DATABASE_URL")
    return Secret(str(url), shown)


def _platform(value: str, info: ValidationInfo) -> str:
    known = surroundings_of(info).platforms
    if value not in known:
        raise ValueError(f"expected one of the platforms: {', '.join(sorted(known))}")
    return value


def _host(value: str) -> str:
    if value and not _HOST.fullmatch(value):
        raise ValueError("expected a bare host name in lower case, such as example.my.onetrust.com, without https://")
    return value


def _url(value: str) -> str:
    if not any(one.fullmatch(value) for one in (_HTTPS_URL, _LOOPBACK_URL)) or not _has_a_port_or_none(value):
        raise ValueError("expected https://HOST, or http:// on a loopback address")
    return value.rstrip("/")


def _sender_url(value: str) -> str:
    if value and not _SENDER_URL.fullmatch(value):
        raise ValueError(
            "expected the address as the sender has it, without a query, such as https://HOST/webhooks/NAME"
        )
    return value


def _loopback_url(value: str) -> str:
    if value and not (_LOOPBACK_URL.fullmatch(value) and _has_a_port_or_none(value)):
        raise ValueError("only for rehearsals: expected http:// on a loopback address; use host otherwise")
    return value.rstrip("/")


def _has_a_port_or_none(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _header_name(value: str) -> str:
    if not passes(require_header_name, value, ""):
        raise ValueError("expected the name of a header: letters, digits and hyphens")
    return value


def _header_name_or_none(value: str) -> str:
    return _header_name(value) if value else value


def _prefix(value: str) -> str:
    # A blank at its end is inside the header, since the secret follows.
    if not passes(require_header_text, f"{value}.", ""):
        raise ValueError("expected printable ASCII that does not start with a blank")
    return value


_TEXT_SCHEMA: Final = WithJsonSchema({"type": "string", "minLength": 1})

Name = Annotated[str, StringConstraints(pattern=NAME)]
Uuid = Annotated[str, StringConstraints(pattern=UUID)]
UuidOrNothing = Annotated[str, StringConstraints(pattern=UUID_OR_NOTHING)]
Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
StoreUrl = Annotated[Secret, BeforeValidator(_store_url), _TEXT_SCHEMA]
PlatformName = Annotated[str, AfterValidator(_platform)]
HostName = Annotated[str, AfterValidator(_host)]
SenderUrlOrNone = Annotated[str, AfterValidator(_sender_url)]
RemoteUrl = Annotated[str, AfterValidator(_url)]
LoopbackUrl = Annotated[str, AfterValidator(_loopback_url)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderNameOrNone = Annotated[str, AfterValidator(_header_name_or_none)]
HeaderPrefix = Annotated[str, AfterValidator(_prefix)]
