"""What must not stand anywhere in the tree: leftovers, and traces of the machine it was written on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

OUTSIDE = frozenset({".git", ".venv", "var", "build", "dist", "__pycache__"})
# Put together here so that this file passes its own check.
LEFTOVERS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "NotImplemented" + "Error")
HOMES = ("/ro" + "ot/", "/Use" + "rs/", "/ho" + "me/", "/wo" + "rk/", "/opt/whe" + "els", "/opt/py" + "pi")
_PATTERN = re.compile(rf"\b(?:{'|'.join(LEFTOVERS)})\b|(?<![\w.}}/])(?:{'|'.join(HOMES)})|\.libr" + r"ary\b")


def tree() -> Iterator[Path]:
    """Give every file that belongs to the project; the caches of tools do not."""
    for top in sorted(ROOT.iterdir()):
        if top.name in OUTSIDE or top.name.endswith("_cache") or top.name.startswith((".coverage", ".hypothesis")):
            continue
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and not OUTSIDE.intersection(path.parts) and path.suffix != ".pyc":
                yield path


def leftovers(text: str) -> list[str]:
    return _PATTERN.findall(text)


def test_no_file_holds_a_leftover_or_a_path_of_one_machine() -> None:
    found = {}
    for path in tree():
        words = leftovers(path.read_bytes().decode(errors="replace"))
        if words:
            found[path.relative_to(ROOT).as_posix()] = words
    assert found == {}


def test_the_whole_project_is_looked_at() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in tree()}
    assert {"Makefile", "pyproject.toml", ".ci/run", "connector/codes.py", "docs/errors.md"} <= names
    assert not any("site-packages" in name for name in names)


@pytest.mark.parametrize("text", ["# " + LEFTOVERS[0] + ": later", "open('" + HOMES[0] + "x')", HOMES[2] + "me/x"])
def test_a_planted_leftover_is_found(text: str) -> None:
    assert leftovers(text)


@pytest.mark.parametrize("text", ["https://example.com" + HOMES[2], "$PWD" + HOMES[3], "/tmp/x", "todos", "hackers"])
def test_ordinary_text_passes(text: str) -> None:
    assert leftovers(text) == []
