"""Where a value stands in a delivery: a JSON pointer (RFC 6901), a JMESPath expression, or the name of a header.

A text that begins with `/` is a pointer, one that begins with `header:` names a header, anything else is JMESPath. All
that can be wrong with it is said when it is read; what is wrong with a payload is said without the payload.
"""

from __future__ import annotations

import warnings
from typing import Final, final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from connector.codes import Code
from connector.dialect.reach import Node, every_part, may_be_fixed, overlap, reads_payload
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.pointer import NOTHING, is_pointer, position, tokens_of, walk
from connector.verify.base import require_header_name

_HEADER: Final = "header:"


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
            if not is_pointer(text):
                raise _wrong("not a JSON pointer: write ~0 for a tilde and ~1 for a slash inside a name")
            self._pointer = tokens_of(text)
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
            found = walk(payload, self._pointer)
            return None if found is NOTHING else found
        fits, found = self._searched(payload)
        if not fits:
            raise Rejected(Code.FIELD_INVALID, f"{name} cannot be evaluated on this payload")
        return found

    @property
    def is_constant(self) -> bool:
        """Whether it says the same of every delivery."""
        return self._expression is not None and not reads_payload(self._expression.parsed)

    @property
    def has_fixed_value(self) -> bool:
        """Whether it gives a fixed value at least for some deliveries."""
        return self._expression is not None and may_be_fixed(self._expression.parsed)

    @property
    def speaks_of_nothing(self) -> bool:
        """Whether it gives a value, or a list or object with one, for a payload that says nothing at all."""
        return self._expression is not None and _says_something(self._searched({})[1])

    def shares(self, other: Place) -> bool:
        """Say whether it reads what stands at the other place, something around it, or a part of it.

        It sees through functions, alternatives, lists and both notations; what two conditions choose from one list is
        taken to be apart.
        """
        mine, theirs = self._node, other._node
        if mine is None or theirs is None:
            return self.header.lower() == other.header.lower() != ""
        return overlap(mine, theirs)

    @property
    def _node(self) -> Node | None:
        if self._pointer is not None:
            steps = ((token, position(token)) for token in self._pointer)
            return {"type": "pointer", "children": [], "value": tuple(t if at is None else at for t, at in steps)}
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


def _says_something(found: object) -> bool:
    if isinstance(found, dict | list):
        return any(map(_says_something, found.values() if isinstance(found, dict) else found))
    return found not in (None, "", False)


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
    for node in every_part(expression.parsed):
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


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, why)
