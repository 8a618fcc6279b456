"""A small valid configuration, ways to spoil it, and the lines that loading then says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.config import Config, load
from connector.errors import Misconfigured

Place = tuple[str | int, ...]

GONE: Final = object()
ENVIRON: Final = {
    "LYTICS_TOKEN": "at.canary-token-1f6c",
    "CLIENT_SECRET": "canary-client-secret-7a20",
    "WEBHOOK_SECRET": "canary-webhook-secret-93bd",
    "PSEUDONYM_KEY": "canary-pseudonym-key-0123456789abcdef",
    "SEALING_KEY": "canary-sealing-key-fedcba9876543210",
}
BASE: Final[dict[str, Any]] = {
    "server": {"port": 8080},
    "store": {
        "url": "sqlite:///store.db",
        "pseudonym_key": "env:PSEUDONYM_KEY",
        "sealing_keys": ["env:SEALING_KEY"],
    },
    "engine": {"tick_s": 5.0},
    "log": {"level": "info", "format": "json"},
    "accounts": {"main": {"token": "env:LYTICS_TOKEN", "base_url": "https://api.lytics.io", "body": {}}},
    "sources": {
        "onetrust": {
            "platform": "onetrust",
            "account": "main",
            "enabled": True,
            "deletion_types": ["Data Deletion"],
            "regulation": "gdpr",
            "verify": [{"check": "header", "name": "X-Connector-Secret", "secrets": ["env:WEBHOOK_SECRET"]}],
            "mapping": [
                {"kinds": ["email"], "targets": [{"table": "user", "field": "email", "steps": ["trim", "lower"]}]}
            ],
            "report": {
                "host": "example.my.onetrust.com",
                "client_id": "client-1",
                "client_secret": "env:CLIENT_SECRET",
                "resolutions": {"completed": "00000000-0000-4000-8000-000000000001"},
            },
        }
    },
}
SOURCE: Final[Place] = ("sources", "onetrust")
VERIFY: Final[Place] = (*SOURCE, "verify")
PLATFORMS: Final = ("onetrust",)


def spoilt(*changes: tuple[Place, Any], base: Mapping[str, Any] = BASE) -> dict[str, Any]:
    """Return the configuration with other values at some places; `GONE` takes one out."""
    raw = copy.deepcopy(dict(base))
    for place, value in changes:
        *parents, last = place
        at: Any = raw
        for one in parents:
            at = at.setdefault(one, {}) if isinstance(at, dict) else at[one]
        if value is GONE:
            del at[last]
        else:
            at[last] = value
    return raw


def leaves(value: Any, place: Place = ()) -> Iterator[Place]:
    """Give the place of every value that is neither table nor list."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*place, key))
    else:
        yield place


def toml(value: Any, *, top: bool = True) -> str:
    """Write plain data as TOML, below the top in one line."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)} = {toml(inner, top=False)}" for key, inner in value.items()]
        return "\n".join(pairs) if top else f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(toml(one, top=False) for one in value)}]"
    if isinstance(value, str):
        # TOML wants the one control character escaped that JSON does not.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


class Trial:
    """A folder with a configuration file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "trial.toml"

    def load(
        self, raw: Mapping[str, Any] | str = BASE, *overrides: str, environ: Mapping[str, str] = ENVIRON
    ) -> Config:
        self.file.write_text(raw if isinstance(raw, str) else toml(raw), encoding="utf-8")
        return load(self.file, environ, overrides, PLATFORMS)

    def refusal(self, raw: Mapping[str, Any] | str, *overrides: str, environ: Mapping[str, str] = ENVIRON) -> str:
        """Return what loading says against the configuration."""
        with pytest.raises(Misconfigured) as caught:
            self.load(raw, *overrides, environ=environ)
        assert caught.value.code is Code.CONFIG_INVALID
        return str(caught.value)

    def lines(self, raw: Mapping[str, Any] | str, *overrides: str, environ: Mapping[str, str] = ENVIRON) -> list[str]:
        """Return the lines of the problems, of which there are as many as the last line says."""
        first, *lines, last = self.refusal(raw, *overrides, environ=environ).split("\n")
        assert first == "The configuration is not valid: trial.toml"
        assert last.startswith(f"{len(lines)} problem(s). ")
        assert all(one.startswith("  ") for one in lines)
        return [one.strip() for one in lines]
