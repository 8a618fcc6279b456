"""Field types that the configuration's models share: secrets by reference, hosts, addresses, names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo, WithJsonSchema

from connector.private import Secret

MIN_SECRET_CHARS: Final = 16
MIN_KEY_BYTES: Final = 32

_REFERENCE: Final = re.compile(r"(env|file):(.+)")
_STORE_URL: Final = re.compile(r"(sqlite:///|postgresql(\+psycopg)?://).+")
_HOST: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_LOOPBACK_URL: Final = re.compile(r"http://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(/[^?#]*)?")
_HTTPS_URL: Final = re.compile(r"https://[a-z0-9.-]+(:\d+)?(/[^?#@]*)?", re.IGNORECASE)


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
    """A table of the file: nothing unknown in it, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True)


def _surroundings(info: ValidationInfo) -> Surroundings:
    assert isinstance(info.context, Surroundings), "loaded through connector.config.load only"
    return info.context


def _resolve(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        # What was found is not shown: it may be the secret itself.
        raise ValueError("expected a reference, env:NAME or file:PATH; the value itself does not belong into the file")
    surroundings = _surroundings(info)
    kind, name = match.groups()
    if kind == "env":
        found = surroundings.environ.get(name)
        if found is None:
            raise ValueError(f"the environment variable {name} is not set")
    else:
        try:
            found = surroundings.path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the file {name} cannot be read ({type(error).__name__})") from None
    if not found:
        raise ValueError(f"{value} is empty")
    return Secret(found, value)


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


def _text_or_reference(value: Any, info: ValidationInfo) -> Any:
    return _resolve(value, info).reveal() if isinstance(value, str) and _REFERENCE.fullmatch(value) else value


def _store_url(value: Any, info: ValidationInfo) -> Secret:
    """Return the URL, wrapped because it may hold a password; a relative SQLite path is made absolute."""
    given = _resolve(value, info) if isinstance(value, str) and _REFERENCE.fullmatch(value) else None
    url = given.reveal() if given is not None else value
    if not isinstance(url, str) or not _STORE_URL.fullmatch(url):
        raise ValueError("expected sqlite:///PATH or postgresql://USER@HOST/NAME, or a reference to such a URL")
    if url.startswith("sqlite:///"):
        surroundings = _surroundings(info)
        url = f"sqlite:///{surroundings.path(url.removeprefix('sqlite:///'))}"
    elif given is None and re.match(r"[^/]*//[^/@]*:[^/@]*@", url):
        raise ValueError("the URL holds a password; give a reference instead, such as env:DATABASE_URL")
    return Secret(url, given.id if given is not None else value)


def _platform(value: str, info: ValidationInfo) -> str:
    surroundings = _surroundings(info)
    if value not in surroundings.platforms:
        raise ValueError(f"{value!r} is not a platform; known: {', '.join(sorted(surroundings.platforms))}")
    return value


def _host(value: str) -> str:
    if value and not _HOST.fullmatch(value):
        raise ValueError("expected a bare host name in lower case, such as example.my.onetrust.com, without https://")
    return value


def _url(value: str) -> str:
    if not _HTTPS_URL.fullmatch(value) and not _LOOPBACK_URL.fullmatch(value):
        raise ValueError("expected https://HOST, or http:// on a loopback address")
    return value.rstrip("/")


def _loopback_url(value: str) -> str:
    if value and not _LOOPBACK_URL.fullmatch(value):
        raise ValueError("only for rehearsals: expected http:// on a loopback address; use host otherwise")
    return value.rstrip("/")


_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": "^(env|file):.+$"})

SecretRef = Annotated[Secret, BeforeValidator(_resolve), _SCHEMA]
StrongSecretRef = Annotated[Secret, BeforeValidator(_resolve), AfterValidator(_strong), _SCHEMA]
KeyRef = Annotated[Secret, BeforeValidator(_resolve), AfterValidator(_key), _SCHEMA]
LyticsTokenRef = Annotated[Secret, BeforeValidator(_resolve), AfterValidator(_lytics_token), _SCHEMA]
TextOrRef = Annotated[str, BeforeValidator(_text_or_reference)]
StoreUrl = Annotated[Secret, BeforeValidator(_store_url), WithJsonSchema({"type": "string"})]
PlatformName = Annotated[str, AfterValidator(_platform)]
HostName = Annotated[str, AfterValidator(_host)]
RemoteUrl = Annotated[str, AfterValidator(_url)]
LoopbackUrl = Annotated[str, AfterValidator(_loopback_url)]
