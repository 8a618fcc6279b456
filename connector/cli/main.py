"""The command group, and what all commands share: configuration, output, exit status."""

from __future__ import annotations

import sys
import traceback

import click

from connector import __version__
from connector.catalogue import CATALOGUE
from connector.cli.context import Context
from connector.codes import Code
from connector.errors import ConnectorError

DEFAULT_CONFIG = "config/connector.toml"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_path",
    default=DEFAULT_CONFIG,
    envvar="CONNECTOR_CONFIG",
    show_default=True,
    help="The configuration file.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Override one setting, e.g. --set server.port=8081; the value is read as TOML.",
)
@click.version_option(__version__, prog_name="connector")
@click.pass_context
def cli(context: click.Context, config_path: str, overrides: tuple[str, ...]) -> None:
    """Carry erasure requests from a consent platform to Lytics, and report completion back."""
    context.obj = Context(config_path, overrides)


def _add_commands() -> None:
    from connector.cli import (
        access,
        alerts,
        approve,
        audit,
        configuration,
        dashboard,
        demo,
        dlq,
        doctor,
        guards,
        inspect,
        keys,
        receipt,
        rehearse,
        release,
        serve,
        suppression,
        verify,
    )

    modules = (
        *(serve, inspect, doctor, dlq, approve, release, guards, audit, receipt, access),
        *(alerts, verify, keys, configuration, rehearse, demo, dashboard, suppression),
    )
    for module in modules:
        for command in module.COMMANDS:
            cli.add_command(command)


_add_commands()


def main() -> None:
    """Run the command line; an error of the product is one clear line and exit status 2, and so is a defect of it."""
    try:
        sys.exit(cli(prog_name="connector", standalone_mode=False))
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConnectorError as error:
        click.echo(f"{error.code}: {error}", err=True)
        sys.exit(2)
    except Exception as error:
        if sys.excepthook is not sys.__excepthook__:
            # A process that serves has a log, and tells it there.
            raise
        # Where, and of which class; Python's own report adds the error's text, which may quote a person.
        click.echo("".join(traceback.format_tb(error.__traceback__)), err=True, nl=False)
        title = CATALOGUE[Code.INTERNAL_ERROR].title
        click.echo(f"{Code.INTERNAL_ERROR}: {title}: {type(error).__name__}", err=True)
        sys.exit(2)
