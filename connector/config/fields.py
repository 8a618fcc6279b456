"""Field types that the configuration's models share: secrets by reference, addresses, names, headers.

A message says what is expected. It never shows what was found: that may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from connector.errors import Misconfigured
from connector.private import Secret
from connector.verify.base import MIN_SECRET_CHARS, require_header_name, require_header_text

MIN_KEY_BYTES: Final = 32

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
UUID_OR_NOTHING: Final = r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"
#: What a pattern asks for, in words.
WORDS: Final = {
    NAME: "a name of at most 63 lower-case letters, digits and hyphens",
    UUID_OR_NOTHING: "a UUID, or nothing",
}

_REFERENCE: Final = re.compile(r"(?:env|file):.+")
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}")
_POSTGRES: Final = re.compile(
    r"postgresql(\+psycopg)?://([^:/@?#\s]*(?P<password>:[^@\s]*)?@)?([A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"
    r"/[^/?#@\s]+(\?(?P<query>[^#\s]*))?"
)
_SQLITE: Final = re.compile(r"sqlite:///(?P<path>(?!:memory:)[^?#]+)")
_HOST: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_LOOPBACK_URL: Final = re.compile(r"http://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?(/[^?#@\s]*)?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SENDER_URL: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[^\s#]*)?")
_HTTPS_URL: Final = re.compile(r"https://[a-z0-9.-]+(:\d+)?(/[^?#@\s]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What references are resolved against.

    Attributes:
        folder: the configuration file's; relative paths start here.
        platforms: the names of the dialects that there are.
    """

    environ: Mapping[str, str]
    folder: Path
    platforms: Collection[str]

    def path(self, relative: str) -> Path:
        return (self.folder / relative).resolve()


class Section(BaseModel):
    """A table of the file: nothing unknown in it, no value of another type, nothing changes after loading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        validate_default=True,
    )


def _surroundings(info: ValidationInfo) -> Surroundings:
    assert isinstance(info.context, Surroundings), "loaded through connector.config.load only"
    return info.context


def _resolve(value: Any, info: ValidationInfo) -> Secret:
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a reference, env:NAME or file:PATH; the value itself does not belong into the file")
    kind, _, name = match.group().partition(":")
    found = _from_environment(name, info) if kind == "env" else _from_file(name, info)
    # Both are often written with a line feed at the end, which is none of the secret.
    found = found.rstrip("\r\n")
    if not found:
        raise ValueError(f"{value} is empty")
    if _PLACEHOLDER.fullmatch(found):
        raise ValueError(f"{value} holds an unresolved placeholder ${{…}}")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{value} is not UTF-8 text") from None
    return Secret(found, value)


def _from_environment(name: str, info: ValidationInfo) -> str:
    if not _VARIABLE.fullmatch(name):
        # Not shown: somebody may have written the secret itself behind `env:`.
        raise ValueError("expected env:NAME, where NAME has letters, digits and _ only")
    found = _surroundings(info).environ.get(name)
    if found is None:
        raise ValueError(f"the environment variable {name} is not set")
    return found


def _from_file(name: str, info: ValidationInfo) -> str:
    try:
        # Some editors begin a file with a byte order mark.
        return _surroundings(info).path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ValueError(f"the file {name} cannot be read ({type(error).__name__})") from None


def _strong(secret: Secret) -> Secret:
    if len(secret.reveal()) < MIN_SECRET_CHARS:
        raise ValueError(f"{secret.id} has fewer than {MIN_SECRET_CHARS} characters; use a longer, random one")
    return secret


def _key(secret: Secret) -> Secret:
    if len(secret.reveal_bytes()) < MIN_KEY_BYTES:
        raise ValueError(f"{secret.id} has fewer than {MIN_KEY_BYTES} bytes; use a longer, random one")
    return secret


def _lytics_token(secret: Secret) -> Secret:
    if secret.reveal().lower().startswith("bearer "):
        raise ValueError(f"{secret.id} starts with 'Bearer '; Lytics expects the bare token")
    return secret


def _for_a_header(secret: Secret) -> Secret:
    if not _passes(require_header_text, secret.reveal(), ""):
        raise ValueError(f"{secret.id} cannot travel in a header: use printable ASCII, no blank ends")
    return secret


def _text_or_reference(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, str) and _REFERENCE.fullmatch(value):
        return _resolve(value, info)
    if not isinstance(value, str) or not value:
        raise ValueError("expected text, or a reference env:NAME or file:PATH")
    return Secret(value, value)


def _store_url(value: Any, info: ValidationInfo) -> Secret:
    """Return the URL, wrapped because it may hold a password; a relative SQLite path is made absolute."""
    given = _resolve(value, info) if isinstance(value, str) and _REFERENCE.fullmatch(value) else None
    url = given.reveal() if given is not None else value
    sqlite, postgres = (one.fullmatch(url) if isinstance(url, str) else None for one in (_SQLITE, _POSTGRES))
    shown = given.id if given is not None else str(value)
    if sqlite is not None:
        return Secret(f"sqlite:///{_surroundings(info).path(sqlite['path'])}", shown)
    if postgres is None:
        raise ValueError(
            "expected sqlite:///PATH or postgresql://USER@HOST/NAME, or a reference to such a URL; a file, not memory"
        )
    if given is None and (postgres["password"] is not None or "pass" in (postgres["query"] or "").lower()):
        raise ValueError("the URL holds a password; give a reference instead, such as env:DATABASE_URL")
    return Secret(str(url), shown)


def _platform(value: str, info: ValidationInfo) -> str:
    known = _surroundings(info).platforms
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
        raise ValueError("expected the whole address as the sender has it, such as https://HOST/webhooks/NAME")
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
    if not _passes(require_header_name, value, ""):
        raise ValueError("expected the name of a header: letters, digits and hyphens")
    return value


def _header_name_or_none(value: str) -> str:
    return _header_name(value) if value else value


def _prefix(value: str) -> str:
    # A blank at its end is inside the header, since the secret follows.
    if not _passes(require_header_text, f"{value}.", ""):
        raise ValueError("expected printable ASCII that does not start with a blank")
    return value


def _passes(require: Callable[[str, str], None], text: str, what: str) -> bool:
    """Say whether a rule of the verifiers is kept."""
    try:
        require(text, what)
    except Misconfigured:
        return False
    return True


_REFERENCE_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": "^(env|file):.+$"})
_TEXT_SCHEMA: Final = WithJsonSchema({"type": "string", "minLength": 1})

Name = Annotated[str, StringConstraints(pattern=NAME)]
UuidOrNothing = Annotated[str, StringConstraints(pattern=UUID_OR_NOTHING)]
Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
SecretRef = Annotated[Secret, BeforeValidator(_resolve), _REFERENCE_SCHEMA]
StrongSecretRef = Annotated[Secret, BeforeValidator(_resolve), AfterValidator(_strong), _REFERENCE_SCHEMA]
HeaderSecretRef = Annotated[StrongSecretRef, AfterValidator(_for_a_header), _REFERENCE_SCHEMA]
KeyRef = Annotated[Secret, BeforeValidator(_resolve), AfterValidator(_key), _REFERENCE_SCHEMA]
LyticsTokenRef = Annotated[
    Secret, BeforeValidator(_resolve), AfterValidator(_lytics_token), AfterValidator(_for_a_header), _REFERENCE_SCHEMA
]
TextOrRef = Annotated[Secret, BeforeValidator(_text_or_reference), _TEXT_SCHEMA]
StoreUrl = Annotated[Secret, BeforeValidator(_store_url), _TEXT_SCHEMA]
PlatformName = Annotated[str, AfterValidator(_platform)]
HostName = Annotated[str, AfterValidator(_host)]
SenderUrlOrNone = Annotated[str, AfterValidator(_sender_url)]
RemoteUrl = Annotated[str, AfterValidator(_url)]
LoopbackUrl = Annotated[str, AfterValidator(_loopback_url)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderNameOrNone = Annotated[str, AfterValidator(_header_name_or_none)]
HeaderPrefix = Annotated[str, AfterValidator(_prefix)]
