"""`doctor`: look the installation over, name every fault with its mend, change nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

from connector.cli.context import Context, pass_context, print_json
from connector.cli.inspect import as_json
from connector.doctor.examine import examine
from connector.doctor.findings import Finding, Level
from connector.errors import Misconfigured

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red", Level.UNKNOWN: "magenta"}


@click.command()
@click.option("--strict", is_flag=True, help="Exit status 1 for warnings and for what could not be looked at, too.")
@as_json
@pass_context
def doctor(context: Context, strict: bool, machine: bool) -> None:
    """Look over configuration, secrets, store, Lytics and OneTrust; only reads, and never deletes anybody."""
    found = _findings(context)
    counts = Counter(one.kind.level for one in found)
    if machine:
        print_json({"findings": [_as_dict(one) for one in found], "counts": {one.value: counts[one] for one in Level}})
    else:
        _print(found)
        click.echo(", ".join(f"{counts[level]} {level}" for level in Level))
    if counts[Level.FAIL] or (strict and (counts[Level.WARN] or counts[Level.UNKNOWN])):
        sys.exit(1)


def _findings(context: Context) -> list[Finding]:
    try:
        config = context.config
    except Misconfigured as error:
        # The first line names the file, the last one counts the problems.
        lines = [one.strip() for one in error.detail.splitlines()]
        problems = lines[1:-1] or lines
        return [Finding("configuration_faulty", context.config_path, one) for one in problems]
    return [Finding("configuration_fine", context.config_path), *examine(config, context.clock)]


def _as_dict(one: Finding) -> dict[str, str]:
    kind = one.kind
    return {
        "id": one.id,
        "level": kind.level,
        "subject": one.subject,
        "means": kind.means,
        "found": one.found,
        "mend": kind.mend,
    }


def _print(found: Sequence[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for one in found:
        kind = one.kind
        # Not as markup: a problem of the configuration may hold brackets.
        line = Text.assemble((f"{kind.level:<8}", _COLOURS[kind.level]), one.subject and f"{one.subject}: ", kind.means)
        line.append(f" ({one.found})" if one.found else "")
        line.append(f"  [{one.id}]", "dim")
        console.print(line)
        if kind.mend:
            console.print(Text(f"        → {kind.mend}"))


COMMANDS = (doctor,)
