from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))


def dependencies() -> list[str]:
    """Return the name of every distribution that pyproject.toml asks for, in each group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
    ]
    names = {re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0].lower() for group in groups for one in group}
    return sorted(names - {project["project"]["name"]})


@pytest.mark.parametrize("name", dependencies())
def test_a_dependency_has_its_line_of_reason(name: str) -> None:
    page = (ROOT / "docs/adr/0002-dependencies.md").read_text(encoding="utf-8")
    reasons = re.findall(rf"^\| `{re.escape(name)}` \| (.+) \|$", page, re.MULTILINE)
    assert len(reasons) == 1
    assert len(reasons[0].split()) >= 4


def test_no_reason_is_given_for_what_is_no_longer_a_dependency() -> None:
    page = (ROOT / "docs/adr/0002-dependencies.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)` \| ", page, re.MULTILINE)) == set(dependencies())


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    assert [path.name for path in DECISIONS if f"({path.name})" not in index] == []


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_says_context_choice_and_consequence(path: Path) -> None:
    headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:3] == ["Context", "Choice", "Consequence"]
