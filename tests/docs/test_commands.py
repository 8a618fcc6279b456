"""The commands that the pages show exist, and those that exist are shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from tests.docs.pages import PAGES, ROOT, shown_lines

_CALL = re.compile(r"(?:^|[\s;&|(/])connector(?= |$)([^;&|<>#)]*)")
_WORD = re.compile(r"[a-z][a-z0-9-]*")


def tree() -> click.Group:
    from connector.cli.main import cli

    assert isinstance(cli, click.Group)
    return cli


def unknown_command(root: click.Group, arguments: list[str]) -> str:
    """Return the first word that should be a command, or an option, and is none; an empty text if all is well."""
    command: click.Command = root
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            name, _, attached = word.partition("=")
            option = next((one for one in command.params if name in (*one.opts, *one.secondary_opts)), None)
            if option is None and name not in ("--help", "--"):
                return word
            if isinstance(option, click.Option) and not (option.is_flag or option.count or attached):
                rest = rest[option.nargs :]
        elif isinstance(command, click.Group):
            if not _WORD.fullmatch(word):
                return ""  # a placeholder such as COMMAND
            if word not in command.commands:
                return word
            command = command.commands[word]
    return ""


def calls(line: str) -> Iterator[list[str]]:
    """Give the arguments of each call of `connector` in a line of shell."""
    for arguments in _CALL.findall(line):
        try:
            yield shlex.split(arguments)
        except ValueError:
            yield arguments.split()


def leaves(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def shown() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for line in shown_lines(page.read_text(encoding="utf-8")):
            yield page.relative_to(ROOT).as_posix(), line
    for name in ("Procfile", "Makefile"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if "$(BIN)/connector" in line or re.match(r"\w+: connector ", line):
                yield name, line


def test_every_command_that_is_shown_exists() -> None:
    root = tree()
    wrong = [
        f"{place}: connector {' '.join(arguments)}"
        for place, line in shown()
        for arguments in calls(line)
        if unknown_command(root, arguments)
    ]
    assert wrong == []


def test_every_command_is_on_the_page_of_commands() -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert [path for path in leaves(tree(), "connector") if path not in page] == []


def test_every_make_target_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = [(place, name) for place, line in shown() for name in re.findall(r"^make ([a-z]+)", line)]
    assert ("docs/errors.md", "docs") in named
    assert [one for one in named if one[1] not in targets] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("connector db upgrade", ""),
        (".venv/bin/connector --config x.toml db upgrade", ""),
        ("connector --config=x.toml db upgrade --fast", ""),
        ("connector COMMAND --help", ""),
        ("python -m connector show 42 | less", ""),
        ("cd connector && ls", ""),
        ("pip install consent-connector", ""),
        ("connector db downgrade", "downgrade"),
        ("connector upgrade", "upgrade"),
        ("FOO=1 connector --fast db upgrade", "--fast"),
        ("connector db upgrade --slow", "--slow"),
    ],
)
def test_the_check_tells_commands_that_exist_from_others(line: str, wrong: str) -> None:
    root = click.Group("connector", params=[click.Option(["--config"])])
    database = click.Group("db")
    database.add_command(click.Command("upgrade", params=[click.Option(["--fast"], is_flag=True)]))
    root.add_command(database)
    root.add_command(click.Command("show", params=[click.Argument(["request_id"])]))
    assert "".join(unknown_command(root, arguments) for arguments in calls(line)) == wrong
