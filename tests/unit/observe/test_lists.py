"""The lists of actions and fields are what the code logs: nothing else is logged, and nothing listed is never used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connector.observe.log import UNLISTED
from connector.observe.words import ACTIONS, FIELDS
from tests.docs.pages import ROOT

LEVELS = frozenset({"info", "warning", "error"})
LOGS = frozenset({"log", "_log"})
# The logger itself writes these into every record, or into those that ask for it.
BY_THE_LOGGER = frozenset({"action", "level", "timestamp", "role", "dropped"})
# Their fields are named by a value: here `source` or `account`, by what is gone from the configuration.
KNOWN_TO_BE_UNCLEAR = {"connector/services/map.py": ["request_left_out"]}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Used:
    """What one module logs. `unclear` holds the calls that cannot be read: their actions, or their text."""

    actions: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    unclear: list[str] = field(default_factory=list)


def used(source: str) -> Used:
    tree, found = ast.parse(source), Used()
    for function in (node for node in ast.walk(tree) if isinstance(node, Function)):
        names = set(aliases(function))
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if is_log(call.func) or (isinstance(call.func, ast.Name) and call.func.id in names):
                read(call, tree, function, found)
    return found


def is_log(node: ast.expr) -> bool:
    """Say whether it is `log.info` and the like, of anything that is named as a log."""
    if not (isinstance(node, ast.Attribute) and node.attr in LEVELS):
        return False
    owner = node.value
    return getattr(owner, "attr", getattr(owner, "id", "")) in LOGS


def aliases(function: Function) -> Iterator[str]:
    """Give the names that a function binds to a level of a log."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(
            is_log(one) for one in ast.walk(node.value) if isinstance(one, ast.expr)
        ):
            yield from (one.id for one in node.targets if isinstance(one, ast.Name))


def read(call: ast.Call, tree: ast.Module, function: Function, found: Used) -> None:
    actions = list(words(call.args[0])) if len(call.args) == 1 else []
    if not actions:
        found.unclear.append(ast.unparse(call))
    found.actions |= set(actions)
    for keyword in call.keywords:
        if keyword.arg is not None:
            found.fields.add(keyword.arg)
        elif function.args.kwarg is not None and getattr(keyword.value, "id", "") == function.args.kwarg.arg:
            found.fields |= set(passed_on(tree, function))
        else:
            found.unclear.append("|".join(actions))


def words(node: ast.expr) -> Iterator[str]:
    """Give the texts that an expression may be: a text, or one of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from words(node.body)
        yield from words(node.orelse)


def passed_on(tree: ast.Module, function: Function) -> Iterator[str]:
    """Give the keywords with which a function that passes its own on is called."""
    own = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == function.name:
            yield from (one.arg for one in node.keywords if one.arg is not None and one.arg not in own)


def modules() -> list[Path]:
    # The sandbox shares nothing with the product, and logs nothing.
    return sorted(one for one in (ROOT / "connector").rglob("*.py") if "sandbox" not in one.parts)


FOUND = {path.relative_to(ROOT).as_posix(): used(path.read_text(encoding="utf-8")) for path in modules()}


@pytest.mark.parametrize("module", [name for name, one in FOUND.items() if one.actions or one.fields or one.unclear])
def test_a_module_logs_what_is_on_the_lists(module: str) -> None:
    assert FOUND[module].unclear == KNOWN_TO_BE_UNCLEAR.get(module, [])
    assert FOUND[module].actions - set(ACTIONS) == set()
    assert FOUND[module].fields - set(FIELDS) == set()


def test_every_action_on_the_list_is_used() -> None:
    assert set(ACTIONS) - {one for found in FOUND.values() for one in found.actions} == {UNLISTED}


def test_every_field_on_the_list_is_used() -> None:
    assert set(FIELDS) - {one for found in FOUND.values() for one in found.fields} == BY_THE_LOGGER


def test_the_modules_that_log_are_found() -> None:
    assert {"connector/services/intake.py", "connector/web/problems.py", "connector/engine/embedded.py"} <= set(FOUND)
    assert FOUND["connector/observe/log.py"].actions == {"library_record"}


@pytest.mark.parametrize(
    ("body", "actions", "fields", "clear"),
    [
        ('site.log.info("a_b", x=1)', {"a_b"}, {"x"}, True),
        ('self._log.error("a", x=1, y=2)', {"a"}, {"x", "y"}, True),
        ('log.warning("a" if z else "b", x=1)', {"a", "b"}, {"x"}, True),
        ('level = log.error if z else log.info\n    level("a", x=1)', {"a"}, {"x"}, True),
        ('level = site.log.error\n    level("a" if z else "b" if y else "c")', {"a", "b", "c"}, set(), True),
        ('log.info("a", **fields)\ng(1, x=2)\nself.g(z=3)', {"a"}, {"x"}, True),
        ("log.info(z)", set(), set(), False),
        ('log.info(f"a{z}")', set(), set(), False),
        ('log.info("a %s", z)', set(), set(), False),
        ('log.info("a", **{"x": 1})', {"a"}, set(), False),
        ('other.info("a", x=1)', set(), set(), True),
        ('math.log("a", x=1)', set(), set(), True),
    ],
)
def test_calls_are_read_as_they_are_meant(body: str, actions: set[str], fields: set[str], clear: bool) -> None:
    first, *rest = body.split("\n")
    found = used("\n".join([f"def g(z, **fields):\n    {first}", *rest]))
    assert (found.actions, found.fields, found.unclear == []) == (actions, fields, clear)
