"""Where a value stands in a delivery: a JSON pointer (RFC 6901), a JMESPath expression, or the name of a header.

A text that begins with `/` is a pointer, one that begins with `header:` names a header, anything else is JMESPath. All
that can be wrong with it is said when it is read; what is wrong with a payload is said without the payload.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.verify.base import require_header_name

Path: TypeAlias = tuple[str | int, ...]
Node: TypeAlias = Mapping[str, Any]

_HEADER: Final = "header:"
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_STRAY_TILDE: Final = re.compile(r"~(?![01])")
_PLAIN: Final = frozenset({"subexpression", "index_expression", "pipe"})
# Only their first part starts at the payload; what follows is looked up in its result.
_LEADING: Final = _PLAIN | {"projection", "value_projection", "filter_projection", "flatten"}
_READS_PAYLOAD: Final = frozenset({"field", "current", "value_projection", "flatten", "projection", "index"})


@final
class Place:
    """One checked place.

    Args:
        text: as it stands in the configuration.

    Raises:
        Misconfigured: it cannot be read, or calls a function that is not there; the text itself is not repeated.
    """

    __slots__ = ("_expression", "_pointer", "header", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.header = text.removeprefix(_HEADER) if text.startswith(_HEADER) else ""
        self._pointer: tuple[str, ...] | None = None
        self._expression: ParsedResult | None = None
        if text.startswith(_HEADER):
            require_header_name(self.header, "header:NAME")
        elif text.startswith("/"):
            self._pointer = _tokens(text)
        else:
            self._expression = _compiled(text)

    def __repr__(self) -> str:
        return f"Place({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def find(self, payload: object, inbound: Inbound, name: str) -> object:
        """Return what stands there; None if nothing does.

        Args:
            name: of the setting, for the refusal.

        Raises:
            Rejected: `field_invalid` if the expression does not fit the payload, or the header came more than once.
        """
        if self.header:
            return self._from_header(inbound, name)
        if self._pointer is not None:
            return _walked(payload, self._pointer)
        fits, found = self._searched(payload)
        if not fits:
            raise Rejected(Code.FIELD_INVALID, f"{name} cannot be evaluated on this payload")
        return found

    @property
    def is_constant(self) -> bool:
        """Whether it says the same of every delivery."""
        return self._expression is not None and not _reads_payload(self._expression.parsed)

    def shares(self, other: Place) -> bool:
        """Say whether it reads what stands at the other place, or something that contains it.

        It sees through functions, alternatives and both notations; what an expression looks up in the result of a
        filter is not compared.
        """
        mine, theirs = self._node, other._node
        if mine is None or theirs is None:
            return self.header.lower() == other.header.lower() != ""
        wanted = _canonical(theirs)
        if any(_canonical(node) == wanted for node in _anchored(mine)):
            return True
        inner = _path(theirs)
        return inner is not None and any(inner[: len(path)] == path for path in _longest(mine))

    @property
    def _node(self) -> Node | None:
        if self._pointer is not None:
            return {"type": "pointer", "children": [], "value": tuple(map(_step, self._pointer))}
        return None if self._expression is None else self._expression.parsed

    def _from_header(self, inbound: Inbound, name: str) -> str | None:
        found = inbound.values(self.header)
        if len(found) > 1:
            raise Rejected(Code.FIELD_INVALID, f"{name}: the header {self.header} came more than once")
        return found[0] if found else None

    def _searched(self, payload: object) -> tuple[bool, object]:
        """Return whether the expression fits the payload, and what it finds.

        The refusal is raised outside the handler: the library's texts quote the payload.
        """
        assert self._expression is not None
        try:
            return True, self._expression.search(payload)
        except (JMESPathError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError):
            return False, None


def is_true(found: object) -> bool:
    """Say whether a found value counts as true: as JMESPath has it, except that the text `false` is not."""
    if isinstance(found, str):
        return found.strip().casefold() not in ("", "false")
    return not (found is None or found is False or (isinstance(found, list | dict) and not found))


def _tokens(text: str) -> tuple[str, ...]:
    if _STRAY_TILDE.search(text):
        raise _wrong("not a JSON pointer: write ~0 for a tilde and ~1 for a slash inside a name")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/"))


def _walked(payload: object, tokens: tuple[str, ...]) -> object:
    at = payload
    for token in tokens:
        if isinstance(at, dict):
            at = at.get(token)
        elif isinstance(at, list) and _INDEX.fullmatch(token):
            at = at[int(token)] if int(token) < len(at) else None
        else:
            return None
    return at


def _compiled(text: str) -> ParsedResult:
    try:
        with warnings.catch_warnings():
            # A bare word between backticks is deprecated, and mostly a slip for one in quotation marks.
            warnings.simplefilter("error")
            expression = jmespath.compile(text)
    except (JMESPathError, Warning, ValueError, RecursionError) as error:
        position = getattr(error, "lex_position", None)
        where = f" from character {position + 1}" if isinstance(position, int) else ""
        raise _wrong(
            f"not a JMESPath expression{where}; a name with other characters than letters, digits and _ stands in "
            'double quotation marks, such as data."customer-id", and a text in single ones'
        ) from None
    for node in _all(expression.parsed):
        if node["type"] == "function_expression":
            _require_function(node["value"], len(node["children"]))
    return expression


def _require_function(name: str, count: int) -> None:
    """Refuse a call that the library would only notice when it evaluates."""
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise _wrong("it calls a function that JMESPath does not have")
    wanted = known["signature"]
    variadic = bool(wanted) and bool(wanted[-1].get("variadic"))
    if count < len(wanted) or (count > len(wanted) and not variadic):
        raise _wrong(f"the function {name} takes {'at least ' if variadic else ''}{len(wanted)} argument(s)")


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in _children(node):
        yield from _all(child)


def _children(node: Node) -> list[Node]:
    # A slice has numbers for children.
    return [child for child in node["children"] if isinstance(child, dict)]


def _reads_payload(node: Node) -> bool:
    return any(one["type"] in _READS_PAYLOAD for one in _all(node))


def _anchored(node: Node) -> Iterator[Node]:
    """Give the parts of an expression that are looked up in the payload itself."""
    yield node
    if node["type"] == "pointer":
        path = node["value"]
        yield from ({"type": "pointer", "children": [], "value": path[:end]} for end in range(1, len(path)))
    elif node["type"] in _LEADING:
        yield from _anchored(node["children"][0])
    elif node["type"] != "expref":
        for child in _children(node):
            yield from _anchored(child)


def _longest(node: Node) -> Iterator[Path]:
    """Give the plain paths into the payload that an expression follows, each as far as it goes."""
    path = _path(node)
    if path is not None:
        yield path
    elif node["type"] in _LEADING:
        yield from _longest(node["children"][0])
    elif node["type"] != "expref":
        for child in _children(node):
            yield from _longest(child)


def _path(node: Node) -> Path | None:
    """Return the names and positions that lead to a value; None if it takes more than those."""
    kind = node["type"]
    if kind == "pointer":
        return tuple(node["value"])
    if kind in ("field", "index"):
        return (node["value"],)
    if kind in ("current", "identity"):
        return ()
    if kind not in _PLAIN:
        return None
    parts = [_path(child) for child in node["children"]]
    return None if None in parts else tuple(step for part in parts if part is not None for step in part)


def _canonical(node: Node) -> object:
    path = _path(node)
    return repr(node) if path is None else path


def _step(token: str) -> str | int:
    return int(token) if _INDEX.fullmatch(token) else token


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, why)
