"""Read the file, check everything, and tell all problems at once: where, what was found, what is expected."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, Field, ValidationError

from connector.codes import Code
from connector.config.fields import Section, Surroundings
from connector.config.models import (
    AccountSettings,
    EngineSettings,
    LogSettings,
    Name,
    RuleSettings,
    ServerSettings,
    SourceSettings,
    StoreSettings,
)
from connector.errors import Misconfigured
from connector.mapping.rules import problems as mapping_problems
from connector.private import Secret

_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}")

Problem = tuple[str, str]


class Config(Section):
    """The whole configuration, checked."""

    server: ServerSettings = Field(default_factory=ServerSettings, description="The receiver.")
    store: StoreSettings = Field(description="Where everything is kept.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="The worker.")
    log: LogSettings = Field(default_factory=LogSettings, description="The log.")
    accounts: dict[Name, AccountSettings] = Field(min_length=1, description="Lytics accounts by name.")
    sources: dict[Name, SourceSettings] = Field(min_length=1, description="Sources by name: /webhooks/NAME.")

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain data; a secret is shown as its reference."""
        shown = _shown(self)
        assert isinstance(shown, dict)
        return shown

    def digest(self) -> str:
        """Return 64 hex digits that change with the configuration, but not with the value of a secret."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()


def load(path: Path, environ: Mapping[str, str], overrides: Sequence[str], platforms: Collection[str]) -> Config:
    """Load a configuration file.

    Args:
        environ: what `env:NAME` refers to.
        overrides: `PATH=VALUE` each, laid over the file; the value is TOML.
        platforms: the names of the dialects that there are.

    Raises:
        Misconfigured: `CONFIG_INVALID` with one line for each problem.
    """
    raw = _read(path)
    for override in overrides:
        _override(raw, override)
    surroundings = Surroundings(environ, path.resolve().parent, platforms)
    found = [*_placeholders(raw, ""), *_unknown_accounts(raw)]
    config: Config | None = None
    try:
        config = Config.model_validate(raw, context=surroundings)
    except ValidationError as error:
        found += _told(error)
    found += _mapping_problems(raw, surroundings)
    if found or config is None:
        lines = "\n".join(f"  {where}: {what}" for where, what in sorted(set(found)))
        raise Misconfigured(Code.CONFIG_INVALID, f"{len(set(found))} problem(s) in {path.name}\n{lines}\n")
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(Code.CONFIG_INVALID, f"{path} cannot be read ({type(error).__name__})") from None
    except tomllib.TOMLDecodeError as error:
        # The library's text names line and column, and quotes one character at most.
        raise Misconfigured(Code.CONFIG_INVALID, f"{path.name} is not TOML: {error}") from None


def _override(raw: dict[str, Any], override: str) -> None:
    where, equals, text = override.partition("=")
    names = where.strip().split(".")
    try:
        value = tomllib.loads(f"value = {text}")["value"] if equals else None
    except tomllib.TOMLDecodeError:
        # A bare word is what people type for a string.
        value = text.strip()
    table = raw
    for name in names[:-1]:
        table = table.setdefault(name, {}) if isinstance(table, dict) else {}
    if value is None or not isinstance(table, dict):
        raise Misconfigured(Code.CONFIG_INVALID, f"--set expects PATH=VALUE below a table; got {where.strip()}")
    table[names[-1]] = value


def _placeholders(value: Any, where: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _placeholders(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _placeholders(inner, f"{where}[{place}]")
    elif isinstance(value, str) and _PLACEHOLDER.search(value):
        yield where, "an unresolved placeholder ${…}; write the value, or a reference env:NAME for a secret"


def _unknown_accounts(raw: Mapping[str, Any]) -> Iterator[Problem]:
    accounts, sources = raw.get("accounts"), raw.get("sources")
    if isinstance(accounts, dict) and isinstance(sources, dict):
        for name, source in sources.items():
            account = source.get("account") if isinstance(source, dict) else None
            if isinstance(account, str) and account not in accounts:
                known = ", ".join(sorted(accounts)) or "none"
                yield f"sources.{name}.account", f"names an account that is not there; known: {known}"


def _mapping_problems(raw: Mapping[str, Any], surroundings: Surroundings) -> list[Problem]:
    """Check the rules of every source whose mapping can be read, whatever else is wrong."""
    found: list[Problem] = []
    sources = raw.get("sources")
    for name, source in sources.items() if isinstance(sources, dict) else ():
        if not isinstance(source, dict):
            continue
        parts = {key: source[key] for key in ("mapping", "ignore_kinds", "default_region") if key in source}
        try:
            read = _MappingPart.model_validate(parts, context=surroundings)
        except ValidationError:
            continue
        rules = [one.rule() for one in read.mapping]
        found += [
            (f"sources.{name}.{where}", what)
            for where, what in mapping_problems(rules, read.ignore_kinds, read.default_region)
        ]
    return found


class _MappingPart(Section):
    mapping: tuple[RuleSettings, ...] = ()
    ignore_kinds: tuple[str, ...] = ()
    default_region: str | None = None


def _told(error: ValidationError) -> Iterator[Problem]:
    """Say each problem in our words. A value that was found is never quoted: it may be a secret in the wrong place."""
    for one in error.errors(include_input=False, include_url=False):
        where = _where(one["loc"])
        if one["type"] == "extra_forbidden":
            yield where, f"unknown key{_meant(one['loc'])}"
        elif one["type"] == "missing":
            yield where, "missing"
        else:
            yield where, one["msg"].removeprefix("Value error, ")


def _where(location: Sequence[str | int]) -> str:
    """Write a location as the file's reader would; pydantic adds the kind of a check behind its place."""
    parts = [
        one
        for place, one in enumerate(location)
        if one != "[key]"
        and not (place > 1 and location[place - 2] == "verify" and isinstance(location[place - 1], int))
    ]
    text = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in parts)
    return text.lstrip(".")


def _meant(location: Sequence[str | int]) -> str:
    model: Any = Config
    for part in location[:-1]:
        model = _inner(model, part)
    names = list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _inner(model: Any, part: str | int) -> Any:
    """Follow one step of a location through the models; None where it cannot be followed."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        field = model.model_fields.get(str(part))
        return None if field is None else field.annotation
    candidates = [one for one in _all_args(model) if isinstance(one, type) and issubclass(one, BaseModel)]
    if len(candidates) == 1:
        return candidates[0]
    named = {
        str(get_args(one.model_fields["check"].annotation)[0]): one for one in candidates if "check" in one.model_fields
    }
    return named.get(str(part), model)


def _all_args(model: Any) -> Iterator[Any]:
    for one in get_args(model):
        yield one
        yield from _all_args(one)


def _shown(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Secret):
        return value.id
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_shown(inner) for inner in value]
    return value.value if isinstance(value, StrEnum) else value
