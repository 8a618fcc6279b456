"""Read the file, check everything, and tell all problems at once: where, what was found, what is expected."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from connector.codes import Code
from connector.config.models import Config
from connector.config.problems import (
    Problem,
    as_json,
    told,
    unfit_mappings,
    unknown_accounts,
    values_that_fit_nowhere,
)
from connector.config.section import Surroundings
from connector.errors import Misconfigured

_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
# What a TOML text, list or table begins with: not a bare word that somebody typed for a text.
_MARKED: Final = ('"', "'", "[", "{")


def load(path: Path, environ: Mapping[str, str], overrides: Sequence[str], platforms: Collection[str]) -> Config:
    """Load a configuration file.

    Args:
        environ: what `env:NAME` refers to.
        overrides: `PATH=VALUE` each, laid over the file; the value is TOML, or a bare word for a text.
        platforms: the names of the dialects that there are.

    Raises:
        Misconfigured: `CONFIG_INVALID` with one line for each problem.
    """
    raw = _read(path)
    found = [problem for number, one in enumerate(overrides, 1) for problem in _lay_over(raw, one, number)]
    surroundings = Surroundings(environ, path.resolve().parent, platforms)
    try:
        found += values_that_fit_nowhere(raw)
        text = as_json(raw)
    except (ValueError, RecursionError):
        what = "tables or lists are nested too deeply, or a number has too many digits"
        raise Misconfigured(Code.CONFIG_INVALID, f"{path.name}: {what}") from None
    unfit = {where for where, _ in found}
    config: Config | None = None
    try:
        config = Config.model_validate_json(text, context=surroundings)
    except ValidationError as error:
        found += [(where, what) for where, what in told(error) if where not in unfit]
    unfit = {where for where, _ in found}
    rest = (*unknown_accounts(raw), *unfit_mappings(raw, surroundings))
    found += [(where, what) for where, what in rest if where not in unfit]
    if found or config is None:
        # A name in the file may hold a line feed; a problem is one line nevertheless.
        lines = sorted({f"{' '.join(where.split())}: {' '.join(what.split())}" for where, what in found})
        listed = "".join(f"  {line}\n" for line in lines)
        raise Misconfigured(Code.CONFIG_INVALID, f"{path.name}\n{listed}{len(lines)} problem(s)")
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        # The library's text names line and column, and quotes one character or a key at most.
        raise Misconfigured(Code.CONFIG_INVALID, f"{path.name} is not TOML: {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Misconfigured(Code.CONFIG_INVALID, f"{path} cannot be read ({type(error).__name__})") from None


def _lay_over(raw: dict[str, Any], override: str, number: int) -> list[Problem]:
    """Put an override into the file's tables, or return why that cannot be; its value is never shown."""
    where, equals, text = override.partition("=")
    where = where.strip()
    if not equals or not _PATH.fullmatch(where):
        # Without the sign, or with it inside a secret, even the part before it may not be shown.
        return [(f"--set, number {number}", "expected PATH=VALUE with a path such as server.port; a list is set whole")]
    *parents, name = where.split(".")
    table: Any = raw
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            return [(f"--set {where}", f"{parent} is no table; a list is set whole, PATH=[…]")]
    try:
        table[name] = _value(text)
    except ValueError:
        return [(f"--set {where}", "the value is not TOML; text with quotation marks or brackets is quoted as a whole")]
    return []


def _value(text: str) -> Any:
    text.encode()
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        if text.lstrip().startswith(_MARKED):
            raise
        return text.strip()
    if len(read) > 1:
        raise ValueError("more than one value")
    return read["value"]
