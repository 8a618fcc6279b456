"""The body of the outbound call: a template in the style of FreeMarker, and the default one.

As in the original, a missing value becomes an empty string and nothing is escaped for JSON: a quotation mark in a value
breaks the body. That is on purpose.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PLACEHOLDER: Final = re.compile(r"\$\{(.+?)\}")
_JOIN: Final = re.compile(r"""^(.*)\?join\((?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)')\)$""")
_STEP: Final = re.compile(r"""([A-Za-z_]\w*)|\[["']([^"']*)["']\]""")

_HEAD: Final = """{
  "schema": "consent-connector/v1",
  "event": "dsar.subtask.created",
  "eventId": "${event.eventId}",
  "occurredAt": "${event.eventTime}",
  "requestQueueRefId": "${(event.payload.requestQueueRefId)!}",
  "requestQueueId": "${(event.payload.requestQueueId)!}",
  "subTaskId": "${(event.payload.subTaskId)!}",
  "requestTypes": ["${(event.payload.requestTypes?join('", "'))!}"],
  "subjectTypes": ["${(event.payload.subjectTypes?join('", "'))!}"],
  "countryCode": "${(event.payload.countryCode)!}",
  "deadline": "${(event.payload.deadline)!}",
  "testRequest": ${event.payload.testRequest},
  "identifiers": {
"""


def default_template(labels: Iterable[str]) -> str:
    """Return the template that an administrator would paste, with one line for each identifier label."""
    lines = [f'    "{label}": "${{(event.payload.identifiers["{label}"])!}}"' for label in labels]
    return _HEAD + ",\n".join(lines) + "\n  }\n}\n"


def render(template: str, data: Mapping[str, Any]) -> str:
    """Fill in `${a.b.c}`, `${(a.b.c)!}`, `${a["b c"]}` and `${a.b?join(", ")}`; what is missing becomes empty."""
    return _PLACEHOLDER.sub(lambda match: _value(match.group(1), data), template)


def _value(expression: str, data: Mapping[str, Any]) -> str:
    path = expression.strip().removesuffix("!").strip()
    if path.startswith("(") and path.endswith(")"):
        path = path[1:-1].strip()
    separator = ", "
    if (joined := _JOIN.match(path)) is not None:
        path = joined.group(1)
        separator = (joined.group(2) or joined.group(3) or "").replace('\\"', '"').replace("\\'", "'")
    found: Any = data
    for step in _STEP.finditer(path):
        name = step.group(1) or step.group(2)
        found = found.get(name) if isinstance(found, dict) else None
    return _text(found, separator)


def _text(value: Any, separator: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return separator.join(_text(item, separator) for item in value)
    return str(value)
