"""Writes the tables of docs/configuration.md, and config/schema.json, from the models: `make docs`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connector.config import schema
from connector.sources.registry import PLATFORMS

MARK = "<!-- All below is written by `make docs` from connector/config/. -->\n"
Json = dict[str, Any]


def page(current: str) -> str:
    """Return the page: its hand-written beginning as it stands, and the tables."""
    written, mark, _ = current.partition(MARK)
    if not mark:
        raise ValueError("the page has lost the line that its tables begin after")
    return written + MARK + "".join(f"\n{one}" for one in tables())


def schema_text() -> str:
    """Return the content of config/schema.json; `connector config schema` prints the same."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def tables() -> Iterator[str]:
    """Give one section for each table of the file, in the order of the models."""
    whole = schema()
    for name, prop in whole["properties"].items():
        below = next(iter(prop.get("patternProperties", {}).values()), None)
        path = f"{name}.NAME" if below else name
        yield from _sections(whole, f"[{path}]", path, below or prop, _described(whole, prop))


def _sections(whole: Json, title: str, path: str, prop: Json, meaning: str) -> Iterator[str]:
    table = _resolved(whole, prop)
    required = table.get("required", [])
    rows = [_row(whole, path, name, one, name in required) for name, one in table["properties"].items()]
    yield (
        f"## `{title}`\n\n{meaning}\n\n| setting | meaning | type and allowed values | default |\n|---|---|---|---|\n"
        + "".join(rows)
    )
    for name, one in table["properties"].items():
        for inner_title, inner in _tables_within(whole, f"{path}.{name}", one):
            inner_path = inner_title.strip("[]") if inner_title.endswith(".NAME]") else f"{path}.{name}"
            yield from _sections(whole, inner_title, inner_path, inner, _meaning(whole, one, inner))


def _tables_within(whole: Json, path: str, prop: Json) -> Iterator[tuple[str, Json]]:
    """Give the title and schema of each table that a setting holds."""
    items = prop.get("items", {})
    if "oneOf" in items and path.endswith(".checks"):
        # Checks within a check are those that stand beside it on the page.
        return
    if "oneOf" in items:
        for one in items["oneOf"]:
            yield f'[[{path}]] check = "{_resolved(whole, one)["properties"]["check"]["const"]}"', one
    elif "properties" in _resolved(whole, named := next(iter(prop.get("patternProperties", {}).values()), {})):
        yield f"[{path}.NAME]", named
    elif "properties" in _resolved(whole, items):
        yield f"[[{path}]]", items
    elif "properties" in _resolved(whole, prop):
        yield f"[{path}]", prop


def _meaning(whole: Json, prop: Json, inner: Json) -> str:
    return _described(whole, inner if "oneOf" in prop.get("items", {}) else prop)


def _described(whole: Json, prop: Json) -> str:
    """Return what a setting means; one that says the same as its table says it there."""
    return str(prop.get("description") or _resolved(whole, prop)["description"])


def _row(whole: Json, path: str, name: str, prop: Json, required: bool) -> str:
    kind = f"one of {_words(PLATFORMS)}" if (path, name) == ("sources.NAME", "platform") else _kind(whole, prop)
    if "properties" in _resolved(whole, prop) and "anyOf" not in prop:
        default = "required" if required else "the defaults below"
    else:
        default = "required" if required else _value(prop["default"])
    cells = (f"`{name}`", _described(whole, prop), kind, default)
    return f"| {' | '.join(one.replace('|', chr(92) + '|') for one in cells)} |\n"


def _kind(whole: Json, prop: Json) -> str:
    if "anyOf" in prop:
        return _kind(whole, next(one for one in prop["anyOf"] if one.get("type") != "null"))
    shape = _resolved(whole, prop)
    if "const" in shape or "enum" in shape:
        words = shape.get("enum", [shape.get("const")])
        return f"one of {_words(words)}" if len(words) > 1 else _words(words)
    if "properties" in shape:
        return "table, see below"
    if shape["type"] == "array":
        is_table = "oneOf" in shape["items"] or "properties" in _resolved(whole, shape["items"])
        of = "tables" if is_table else _kind(whole, shape["items"])
        return f"list of {of.replace('reference', 'references')}{_bounds(shape)}"
    if shape["type"] == "string":
        return "reference" if "env|file" in shape.get("pattern", "") else "text"
    return {"boolean": "`true` or `false`", "integer": "whole number", "number": "number", "object": "table"}[
        shape["type"]
    ] + _bounds(shape)


def _bounds(shape: Json) -> str:
    if "minItems" in shape:
        return f", at least {shape['minItems']}"
    above = f"more than {shape['exclusiveMinimum']}" if "exclusiveMinimum" in shape else ""
    least, most = shape.get("minimum"), shape.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    limits = (above, f"at least {least}" if least is not None else "", f"at most {most}" if most is not None else "")
    return "".join(f", {one}" for one in limits if one)


def _words(words: Any) -> str:
    return ", ".join(f"`{one}`" for one in words)


def _value(value: Any) -> str:
    if value in ("", None, {}):
        return "none"
    if isinstance(value, list):
        return f"`[{', '.join(json.dumps(one) for one in value)}]`"
    return f"`{json.dumps(value)}`"


def _resolved(whole: Json, prop: Json) -> Json:
    """Follow a reference to the schema of a table, also of one that may be left out."""
    options = [one for one in prop.get("anyOf", ()) if one.get("type") != "null"]
    prop = options[0] if len(options) == 1 else prop
    found: Json = whole["$defs"][prop["$ref"].rpartition("/")[2]] if "$ref" in prop else prop
    return found


if __name__ == "__main__":
    target, schema_file = (Path(one) for one in sys.argv[1:])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
    schema_file.write_text(schema_text(), encoding="utf-8")
