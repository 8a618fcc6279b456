"""Secrets by reference: where they are, what they have to be fit for, and when they count.

A message says what is expected. It never shows what was found: that may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from connector.config.section import surroundings_of
from connector.errors import Misconfigured
from connector.private import Secret
from connector.verify.base import MIN_SECRET_CHARS, require_header_text

MIN_KEY_BYTES: Final = 32

REFERENCE: Final = re.compile(r"(?:env|file):.+")
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,100}")


def resolve(value: Any, info: ValidationInfo) -> Secret:
    match = REFERENCE.fullmatch(value) if isinstance(value, str) else None
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


def _resolve_live(value: Any, info: ValidationInfo) -> Secret:
    """Resolve a reference that may stand in a table with an id and the time in which the secret counts."""
    if not isinstance(value, dict):
        return resolve(value, info)
    if unknown := value.keys() - {"ref", "id", "not_before", "not_after"}:
        raise ValueError(f"unknown key {min(unknown)}; expected ref, id, not_before and not_after only")
    secret = resolve(value.get("ref"), info)
    secret_id = value.get("id", secret.id)
    if not isinstance(secret_id, str) or not _SECRET_ID.fullmatch(secret_id):
        raise ValueError("id: expected at most 100 letters, digits and . _ : / -")
    begin, end = _moment(value, "not_before"), _moment(value, "not_after")
    if begin is not None and end is not None and begin >= end:
        raise ValueError("not_before has to lie before not_after")
    return Secret(secret.reveal(), secret_id, not_before=begin, not_after=end)


def _moment(table: Mapping[str, Any], name: str) -> datetime | None:
    if name not in table:
        return None
    text = table[name]
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f'{name}: expected a date and time with an offset as text, such as "2027-01-31T00:00:00Z"')
    return moment


def _distinct(secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
    ids = [one.id for one in secrets]
    if len(set(ids)) != len(ids):
        raise ValueError("two secrets have the same id; then nobody can tell which one is still in use")
    for number, one in enumerate(secrets):
        for other in secrets[:number]:
            if other.matches(one.reveal()):
                raise ValueError(f"{other.id} and {one.id} hold the same secret; then the end of one ends nothing")
    return secrets


def _from_environment(name: str, info: ValidationInfo) -> str:
    if not _VARIABLE.fullmatch(name):
        # Not shown: somebody may have written the secret itself behind `env:`.
        raise ValueError("expected env:NAME, where NAME has letters, digits and _ only")
    found = surroundings_of(info).environ.get(name)
    if found is None:
        raise ValueError(f"the environment variable {name} is not set")
    return found


def _from_file(name: str, info: ValidationInfo) -> str:
    try:
        # Some editors begin a file with a byte order mark.
        return surroundings_of(info).path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ValueError(f"the file {name} cannot be read ({type(error).__name__})") from None


def _strong(secret: Secret) -> Secret:
    if len(secret.reveal().strip()) < MIN_SECRET_CHARS:
        raise ValueError(f"{secret.id} has fewer than {MIN_SECRET_CHARS} characters; use a longer, random one")
    return secret


def require_key_length(secret: Secret) -> Secret:
    if len(secret.reveal_bytes()) < MIN_KEY_BYTES:
        raise ValueError(f"{secret.id} has fewer than {MIN_KEY_BYTES} bytes; use a longer, random one")
    return secret


def _lytics_token(secret: Secret) -> Secret:
    if secret.reveal().lower().startswith("bearer "):
        raise ValueError(f"{secret.id} starts with 'Bearer '; Lytics expects the bare token")
    return secret


def _for_a_header(secret: Secret) -> Secret:
    if not passes(require_header_text, secret.reveal(), ""):
        raise ValueError(f"{secret.id} cannot travel in a header: use printable ASCII, no blank ends")
    return secret


def _text_or_reference(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, str) and REFERENCE.fullmatch(value):
        return resolve(value, info)
    if not isinstance(value, str) or not value:
        raise ValueError("expected text, or a reference env:NAME or file:PATH")
    return Secret(value, value)


def passes(require: Callable[[str, str], None], text: str, what: str) -> bool:
    """Say whether a rule of the verifiers is kept."""
    try:
        require(text, what)
    except Misconfigured:
        return False
    return True


REFERENCE_SCHEMA: Final = {"type": "string", "pattern": "^(env|file):.+$"}
_REFERENCE_SCHEMA: Final = WithJsonSchema(REFERENCE_SCHEMA)
_LIVE_SCHEMA: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": "^(env|file):.+$"},
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["ref"],
                "properties": {
                    "ref": {"type": "string", "pattern": "^(env|file):.+$"},
                    "id": {"type": "string"},
                    "not_before": {"type": "string"},
                    "not_after": {"type": "string"},
                },
            },
        ]
    }
)
_TEXT_SCHEMA: Final = WithJsonSchema({"type": "string", "minLength": 1})

SecretRef = Annotated[Secret, BeforeValidator(resolve), _REFERENCE_SCHEMA]
StrongSecretRef = Annotated[Secret, BeforeValidator(resolve), AfterValidator(_strong), _REFERENCE_SCHEMA]
HeaderSecretRef = Annotated[StrongSecretRef, AfterValidator(_for_a_header), _REFERENCE_SCHEMA]
#: Secrets of checks: a reference, or a table with `ref`, `id`, `not_before` and `not_after`.
LiveSecretRef = Annotated[Secret, BeforeValidator(_resolve_live), _LIVE_SCHEMA]
StrongLiveRef = Annotated[Secret, BeforeValidator(_resolve_live), AfterValidator(_strong), _LIVE_SCHEMA]
HeaderLiveRef = Annotated[StrongLiveRef, AfterValidator(_for_a_header), _LIVE_SCHEMA]
KeyRef = Annotated[Secret, BeforeValidator(resolve), AfterValidator(require_key_length), _REFERENCE_SCHEMA]
LyticsTokenRef = Annotated[
    Secret, BeforeValidator(resolve), AfterValidator(_lytics_token), AfterValidator(_for_a_header), _REFERENCE_SCHEMA
]
TextOrRef = Annotated[Secret, BeforeValidator(_text_or_reference), _TEXT_SCHEMA]

Distinct: Final = AfterValidator(_distinct)
