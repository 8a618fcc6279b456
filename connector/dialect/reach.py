"""Which parts of a payload an expression reads, so that two places can be compared before anything has come in.

An expression is taken as the library parsed it: a tree of nodes with `type`, `children` and `value`. A JSON pointer is
one node of the type `pointer`, whose value is its path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Node: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Several:
    """A step of a path that stands for several: those for which a condition holds, or each."""

    condition: str = ""


Step: TypeAlias = str | int | _Several
Path: TypeAlias = tuple[Step, ...]

_EACH: Final = _Several()
_JOINED: Final = frozenset({"subexpression", "index_expression", "pipe"})
_SPREAD: Final = frozenset({"projection", "value_projection", "filter_projection"})
# Only their first part starts at the payload; what follows is looked up in its result.
_LEADING: Final = frozenset({*_JOINED, *_SPREAD, "flatten"})
_READS_PAYLOAD: Final = frozenset({"field", "current", "value_projection", "flatten", "projection", "index"})
# Their result is true or false, whatever they read.
_TELLS_TRUTH: Final = frozenset({"comparator", "not_expression"})


def every_part(node: Node) -> Iterator[Node]:
    """Give an expression's nodes, itself first."""
    yield node
    for child in _children(node):
        yield from every_part(child)


def reads_payload(node: Node) -> bool:
    """Say whether what an expression gives depends on the payload at all."""
    return any(one["type"] in _READS_PAYLOAD for one in every_part(node))


def may_be_fixed(node: Node) -> bool:
    """Say whether there are payloads of which an expression gives a fixed value, such as `id || 'none'`."""
    kind, children = node["type"], node["children"]
    if kind == "or_expression" or (kind == "function_expression" and node["value"] == "not_null"):
        return any(map(may_be_fixed, children))
    if kind in ("and_expression", "pipe"):
        return may_be_fixed(children[-1])
    return not reads_payload(node)


def overlap(mine: Node, theirs: Node) -> bool:
    """Say whether one reads what the other may give, something around it, or a part of it.

    What two conditions choose from one list is taken to be apart.
    """
    wanted = _canonical(theirs)
    if any(_canonical(node) == wanted for node in _anchored(mine)):
        return True
    given = list(_given(theirs))
    return any(_meet(path, one) for path in _read(mine) for one in given)


def _children(node: Node) -> list[Node]:
    # A slice has numbers for children.
    return [child for child in node["children"] if isinstance(child, dict)]


def _anchored(node: Node) -> Iterator[Node]:
    """Give the parts of an expression that are looked up in the payload itself."""
    yield node
    if node["type"] in _LEADING:
        yield from _anchored(node["children"][0])
    elif node["type"] != "expref":
        for child in _children(node):
            yield from _anchored(child)


def _read(node: Node) -> Iterator[Path]:
    """Give the paths into the payload that an expression follows, each as far as it goes."""
    path = _path(node)
    if path is not None:
        yield path
    elif node["type"] in _LEADING:
        yield from _read(node["children"][0])
    elif node["type"] != "expref":
        for child in _children(node):
            yield from _read(child)


def _given(node: Node) -> Iterator[Path]:
    """Give the paths of what an expression may come to: not those that it reads for a condition alone."""
    if node["type"] == "and_expression":
        yield from _given(node["children"][1])
    elif node["type"] == "or_expression":
        for child in _children(node):
            yield from _given(child)
    elif node["type"] not in _TELLS_TRUTH:
        yield from _read(node)


def _meet(one: Path, other: Path) -> bool:
    """Say whether one path leads to what the other does, to something around it, or to a part of it."""
    return all(_may_be_one(mine, theirs) for mine, theirs in zip(one, other, strict=False))


def _may_be_one(mine: Step, theirs: Step) -> bool:
    if isinstance(mine, _Several) and isinstance(theirs, _Several):
        return mine == theirs or _EACH in (mine, theirs)
    if isinstance(mine, _Several) or isinstance(theirs, _Several):
        return True
    if isinstance(mine, int) and isinstance(theirs, int) and (mine < 0) != (theirs < 0):
        return True  # counted from two ends of a list whose length is not known
    return mine == theirs


def _path(node: Node) -> Path | None:
    """Return the names and positions that lead to a value; None if it takes more than those."""
    kind, children = node["type"], node["children"]
    if kind in ("field", "index"):
        return (node["value"],)
    if kind == "pointer":
        return tuple(node["value"])
    if kind in ("current", "identity", "slice"):
        return ()
    if kind == "flatten":
        return _path(children[0])
    if kind in _SPREAD:
        # Behind these two stands the condition, if there is one.
        left, right = _path(children[0]), _path(children[1])
        several = _Several(repr(children[2])) if kind == "filter_projection" else _EACH
        return None if left is None or right is None else (*left, several, *right)
    return _joined(kind, map(_path, children)) if kind in _JOINED else None


def _joined(kind: str, parts: Iterable[Path | None]) -> Path | None:
    joined: Path = ()
    for part in parts:
        if part is None:
            return None
        # What picks one of several that were found is no step of the payload.
        several = any(isinstance(step, _Several) for step in joined)
        picks = kind == "pipe" and isinstance(next(iter(part), ""), int) and several
        joined += part[1:] if picks else part
    return joined


def _canonical(node: Node) -> object:
    path = _path(node)
    chosen = path is not None and any(isinstance(step, _Several) and step != _EACH for step in path)
    return repr(node) if path is None or chosen else path
