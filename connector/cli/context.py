"""What a command gets: the configuration, loaded when it is asked for, and one way to print."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import click

from connector.clock import Clock, SystemClock
from connector.config import Config
from connector.services.site import Site
from connector.store import schema
from connector.wiring import OVERRIDES_VARIABLE, build_site, load_config, overrides_of


class Context:
    """The shared state of one command.

    Args:
        config_path: the configuration file.
        overrides: `PATH=VALUE` each, on top of the file.
    """

    def __init__(self, config_path: str, overrides: tuple[str, ...]) -> None:
        self.config_path = config_path
        self.overrides = overrides
        self.clock: Clock = SystemClock()

    @property
    def environment(self) -> dict[str, str]:
        """The environment under which a child process sees the same configuration."""
        return {
            **os.environ,
            "CONNECTOR_CONFIG": self.config_path,
            OVERRIDES_VARIABLE: json.dumps([*overrides_of(os.environ), *self.overrides]),
        }

    @cached_property
    def config(self) -> Config:
        """The validated configuration; raises `Misconfigured` with every problem."""
        return load_config(self.environment)

    def pick_source(self, name: str | None) -> str:
        """Return the name of a source: the one given, or the only one there is."""
        return _picked("--source", sorted(self.config.sources), name)

    def pick_account(self, name: str | None) -> str:
        """Return the name of an account: the one given, or the only one there is."""
        return _picked("--account", sorted(self.config.accounts), name)

    def site(self, role: str = "cli") -> Site:
        """Build what services work with."""
        return build_site(self.config, role=role)

    @contextmanager
    def open_site(self, *, hashes: bool = True) -> Iterator[Site]:
        """Give what services work with, on a store that is current; it is closed afterwards.

        Args:
            hashes: whether every pseudonym key has to be there that is needed.
        """
        site = self.site()
        with site.database:
            schema.require_current(site.database, hashes=hashes)
            yield site


def _picked(option: str, names: Sequence[str], name: str | None) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name is None or name not in names:
        raise click.UsageError(f"{option} must be one of: {', '.join(names)}")
    return name


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print a value for a machine: one JSON document, times in ISO 8601."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False))


pass_context = click.make_pass_decorator(Context)
