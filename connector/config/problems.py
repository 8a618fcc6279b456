"""What is wrong with a file, in lines: where, what is expected, and what was found if that can be no secret.

Each function looks at the file on its own, so that one mistake does not hide another.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from types import NoneType
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.config.fields import WORDS
from connector.config.mapping import RuleSettings
from connector.config.models import Config
from connector.config.section import Surroundings
from connector.mapping.rules import Rule, TargetRule
from connector.mapping.rules import problems as mapping_problems

Problem = tuple[str, str]

_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}")

# pydantic's kinds of error in our words. Its own texts are not used: some quote what was found.
_EXPECTED: Final = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text in quotation marks",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "union_tag_invalid": "one of {expected_tags}",
    "string_too_short": "at least one character",
}
# Where one of a few words is expected, a short one that was found is a slip and no secret: those have 16 or more.
_WORD_EXPECTED: Final = ("literal_error", "enum", "union_tag_invalid")
_SHORT: Final = re.compile(r"[A-Za-z0-9_.+-]{1,15}")


def values_that_fit_nowhere(value: Any, where: str = "") -> Iterator[Problem]:
    """Find unresolved placeholders and dates, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from values_that_fit_nowhere(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from values_that_fit_nowhere(inner, f"{where}[{place}]")
    elif isinstance(value, str) and _PLACEHOLDER.search(value):
        yield where, "an unresolved placeholder ${…}; write the value, or a reference env:NAME for a secret"
    elif isinstance(value, datetime | date | time):
        yield where, "a date or time, which no setting takes; put text into quotation marks"


def unknown_accounts(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Find sources whose account is not there."""
    accounts, sources = raw.get("accounts"), raw.get("sources")
    if isinstance(accounts, dict) and isinstance(sources, dict):
        for name, source in sources.items():
            account = source.get("account") if isinstance(source, dict) else None
            if isinstance(account, str) and account not in accounts:
                known = ", ".join(sorted(accounts)) or "none"
                yield f"sources.{name}.account", f"names an account that is not there; known: {known}"


def unfit_mappings(raw: Mapping[str, Any], surroundings: Surroundings) -> Iterator[Problem]:
    """Check the rules of every source together; rules that cannot be read are left out."""
    sources = raw.get("sources")
    for name, source in sources.items() if isinstance(sources, dict) else ():
        mapping = source.get("mapping") if isinstance(source, dict) else None
        if not isinstance(mapping, list):
            continue
        rules = [_rule(one, number, surroundings) for number, one in enumerate(mapping)]
        ignored, region = source.get("ignore_kinds", ()), source.get("default_region")
        kinds = [one for one in ignored if isinstance(one, str)] if isinstance(ignored, list) else []
        for where, what in mapping_problems(rules, kinds, region if isinstance(region, str) else None):
            yield f"sources.{name}.{where}", what


def _rule(raw: Any, number: int, surroundings: Surroundings) -> Rule:
    try:
        return RuleSettings.model_validate_json(as_json(raw), context=surroundings).rule()
    except ValidationError:
        # Keeps the place of a rule whose own problems are told elsewhere.
        return Rule((f"unreadable rule {number}",), (TargetRule("user", "none", ()),))


def as_json(raw: Any) -> str:
    """Return parsed TOML as JSON, of which pydantic takes lists and words strictly; a date becomes text."""
    return json.dumps(raw, default=str)


def told(error: ValidationError) -> Iterator[Problem]:
    """Say each problem that the models found in our words."""
    for one in error.errors(include_url=False):
        where, kind = _where(one["loc"]), one["type"]
        if kind == "extra_forbidden":
            yield where, f"unknown key{_meant(one['loc'])}"
        elif kind == "missing":
            yield where, "missing"
        elif kind == "union_tag_not_found":
            yield f"{where}.check", "missing"
        elif kind == "value_error":
            yield where, one["msg"].removeprefix("Value error, ")
        elif kind == "too_short":
            # Entries that are wrong do not count for pydantic, and have problems of their own.
            if not one["input"]:
                yield where, "expected at least one entry; found none"
        elif one["loc"][-1] == "[key]":
            yield where, f"expected {_expected(one)}"
        else:
            place = f"{where}.check" if kind == "union_tag_invalid" else where
            yield place, f"expected {_expected(one)}; found {_found(one)}"


def _expected(one: ErrorDetails) -> str:
    context = one.get("ctx", {})
    if "pattern" in context:
        return WORDS[context["pattern"]]
    return _EXPECTED.get(one["type"], "another value").format(**context)


def _found(one: ErrorDetails) -> str:
    """Say what was found: numbers, and short words where a word is expected; of anything else only its kind."""
    value = one["input"]
    if one["type"] == "union_tag_invalid":
        value = one["ctx"]["tag"]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value) if _SHORT.fullmatch(str(value)) else "a long number"
    if isinstance(value, str):
        return (
            repr(value) if one["type"] in _WORD_EXPECTED and _SHORT.fullmatch(value) else "text" if value else "nothing"
        )
    return "a list" if isinstance(value, list) else "a table"


def _where(location: Sequence[str | int]) -> str:
    """Write a location as the file's reader would; pydantic adds the kind of a check behind its place."""
    parts = [
        one
        for place, one in enumerate(location)
        if one != "[key]"
        and not (place > 1 and location[place - 2] == "verify" and isinstance(location[place - 1], int))
    ]
    text = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in parts)
    return text.lstrip(".") or "the file"


def _meant(location: Sequence[str | int]) -> str:
    model: Any = Config
    for part in location[:-1]:
        model = _inner(model, part)
    names = list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _inner(model: Any, part: str | int) -> Any:
    """Follow one step of a location through the models; None where it cannot be followed."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        field = model.model_fields.get(str(part))
        return None if field is None else _required(field.annotation)
    candidates = [one for one in _all_args(model) if isinstance(one, type) and issubclass(one, BaseModel)]
    if len(candidates) == 1:
        return candidates[0]
    named = {get_args(one.model_fields["check"].annotation)[0]: one for one in candidates}
    return named.get(part, model)


def _required(annotation: Any) -> Any:
    """Return what an optional table is when it is there: a location has no step for that."""
    args = get_args(annotation)
    return args[0] if len(args) == 2 and args[1] is NoneType else annotation  # noqa: PLR2004 - `Table | None`


def _all_args(model: Any) -> Iterator[Any]:
    for one in get_args(model):
        yield one
        yield from _all_args(one)
