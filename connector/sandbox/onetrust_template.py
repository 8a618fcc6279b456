"""The body of the outbound call: the template that an administrator gives OneTrust, and what it becomes when rendered.

The published template stands here alone: docs/onetrust.md and docs/examples/onetrust/ repeat it, and the fake sends it.
The language is the part of FreeMarker that it needs. As in the original, nothing is escaped for JSON unless the
template asks for it; unlike there, a value that is missing becomes empty even where no `!` allows it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PLACEHOLDER: Final = re.compile(r"\$\{(.+?)\}")
_NAME: Final = re.compile(r"\s*([A-Za-z_]\w*)")
_QUOTED: Final = re.compile(r"""\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)')""")

_HEAD: Final = """{
  "schema": "consent-connector/v1",
  "event": "dsar.subtask.created",
"""
_EVENT_ID: Final = """  "eventId": "${(event.eventId)!}",
"""
_BODY: Final = """  "occurredAt": "${(event.eventTime)!}",
  "requestQueueRefId": "${(event.payload.requestQueueRefId)!}",
  "requestQueueId": "${(event.payload.requestQueueId)!}",
  "subTaskId": "${(event.payload.subTaskId)!}",
  "requestTypes": "${((event.payload.requestTypes?join(','))!'')?json_string}",
  "countryCode": "${(event.payload.countryCode)!}",
  "deadline": "${(event.payload.deadline)!}",
  "testRequest": "${(event.payload.testRequest?c)!}",
  "identifiers": {
"""


def published_template(labels: Iterable[str]) -> str:
    """Return the template that an administrator is given, with one line for each identifier label.

    It leaves `eventId` out: nobody has published whether OneTrust gives a repeated event a new one.
    """
    return _HEAD + _BODY + _identifiers(labels)


def default_template(labels: Iterable[str]) -> str:
    """Return the same with `eventId`, which this fake gives every event anew; its own workflow sends this."""
    return _HEAD + _EVENT_ID + _BODY + _identifiers(labels)


def unescaped(template: str) -> str:
    """Return the template of an administrator who forgot that a value may hold a quotation mark."""
    return template.replace("?json_string", "")


def _identifiers(labels: Iterable[str]) -> str:
    lines = [f"    \"{label}\": \"${{((event.payload.identifiers['{label}'])!'')?json_string}}\"" for label in labels]
    return ",\n".join(lines) + "\n  }\n}\n"


def render(template: str, data: Mapping[str, Any]) -> str:
    """Fill in `${a.b['c d']}` with `!`, `!'default'`, `?join(', ')`, `?c` and `?json_string`; missing is empty.

    Raises:
        ValueError: an expression beyond that.
    """
    return _PLACEHOLDER.sub(lambda match: _text(_Expression(match.group(1)).value(data), ", "), template)


@dataclass(slots=True)
class _Expression:
    """Reads one expression from left to right."""

    source: str
    at: int = 0

    def value(self, data: Mapping[str, Any]) -> Any:
        found = self._operand(data)
        if self.source[self.at :].strip():
            raise self._unknown()
        return found

    def _operand(self, data: Mapping[str, Any]) -> Any:
        if self._takes("("):
            found = self._operand(data)
            if not self._takes(")"):
                raise self._unknown()
        else:
            found = self._path(data)
        while True:
            if self._takes("?"):
                found = self._built_in(found)
            elif self._takes("!"):
                default = self._quoted() or ""
                found = default if found is None else found
            else:
                return found

    def _path(self, data: Mapping[str, Any]) -> Any:
        found: Any = data.get(self._name())
        while True:
            if self._takes("."):
                name = self._name()
            elif self._takes("["):
                name = self._quoted() or ""
                if not self._takes("]"):
                    raise self._unknown()
            else:
                return found
            found = found.get(name) if isinstance(found, dict) else None

    def _built_in(self, value: Any) -> Any:
        name = self._name()
        if name == "join" and self._takes("("):
            separator = self._quoted()
            if separator is None or not self._takes(")"):
                raise self._unknown()
            return None if value is None else _text(value, separator)
        if name == "json_string":
            return json.dumps(_text(value, ", "), ensure_ascii=False)[1:-1]
        if name == "c":
            return None if value is None else _text(value, ", ")
        raise self._unknown()

    def _takes(self, character: str) -> bool:
        rest = self.source[self.at :]
        blanks = len(rest) - len(rest.lstrip())
        if not rest[blanks:].startswith(character):
            return False
        self.at += blanks + 1
        return True

    def _name(self) -> str:
        match = _NAME.match(self.source, self.at)
        if match is None:
            raise self._unknown()
        self.at = match.end()
        return match.group(1)

    def _quoted(self) -> str | None:
        match = _QUOTED.match(self.source, self.at)
        if match is None:
            return None
        self.at = match.end()
        return re.sub(r"\\(.)", r"\1", match.group(1) or match.group(2) or "")

    def _unknown(self) -> ValueError:
        return ValueError(f"the fake does not know this expression: ${{{self.source}}}")


def _text(value: Any, separator: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return separator.join(_text(item, separator) for item in value)
    return str(value)
