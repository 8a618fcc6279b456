"""`config check`, `config show`, `config schema`."""

from __future__ import annotations

import click

from connector.cli.context import Context, pass_context, print_json
from connector.config import schema as config_schema


@click.group()
def config() -> None:
    """The configuration: check it, show it without secrets, print its JSON Schema."""


@config.command()
@pass_context
def check(context: Context) -> None:
    """Load and validate the configuration, with every reference; say all problems at once."""
    loaded = context.config
    click.echo(
        f"{context.config_path}: valid; {len(loaded.sources)} source(s), {len(loaded.accounts)} account(s), "
        f"digest {loaded.digest()[:16]}"
    )


@config.command()
@pass_context
def show(context: Context) -> None:
    """Print the configuration with its defaults; a secret is shown as its reference."""
    print_json(context.config.describe())


@config.command("schema")
def print_schema() -> None:
    """Print the JSON Schema that editors can check the file with."""
    print_json(config_schema())


COMMANDS = (config,)
