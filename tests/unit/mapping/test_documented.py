"""The page about mapping and the code name the same things."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from connector.mapping.apply import MAX_RAW_LENGTH, apply_rules
from connector.mapping.normalise import STEPS
from connector.mapping.reasons import HoldReason, Reason
from connector.mapping.rules import DEFAULT_JUNK, DEFAULT_MAX_BYTES, Rule, RuleSet, TargetRule, compile_rules
from connector.model import Identity
from connector.private import Private

PAGE = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> list[str]:
    """Return the code in the first cell of each table row below a heading."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([a-z0-9_]+)` \|", section, re.MULTILINE)


def example() -> RuleSet:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    source = tomllib.loads(text)["sources"]["onetrust"]
    rules = [
        Rule(
            tuple(rule["kinds"]),
            tuple(TargetRule(**(target | {"steps": tuple(target["steps"])})) for target in rule["targets"]),
            rule.get("required", False),
        )
        for rule in source["mapping"]
    ]
    return compile_rules(rules, source["ignore_kinds"], source["default_region"])


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Steps", list(STEPS)),
        ("What becomes of an identity", [one.value for one in Reason]),
        ("When a request is held", [one.value for one in HoldReason]),
    ],
)
def test_each_word_of_the_code_has_its_row_on_the_page_in_the_same_order(heading: str, words: list[str]) -> None:
    assert first_cells(heading) == words


def test_the_states_on_the_page_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (unmapped|rejected) \|", PAGE, re.MULTILINE)
    assert {reason for reason, state in rows if state == "unmapped"} == {Reason.NO_RULE, Reason.IGNORED}
    assert len(rows) == len(Reason)


def test_the_page_tells_the_defaults() -> None:
    assert f"at most {MAX_RAW_LENGTH} characters" in PAGE
    assert f"Default {DEFAULT_MAX_BYTES}," in PAGE
    [row] = re.findall(r"^\| `junk` \| (.*default list.*) \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", row)) | {""} == DEFAULT_JUNK


def test_the_example_works_as_the_page_says() -> None:
    identities = [
        Identity(kind, Private(value))
        for kind, value in [
            ("EMAIL_ADDRESS", " Ann@Example.com "),
            ("mobile", "030 23125 100"),
            ("loyalty-id", "l12345678"),
            ("first name", "Ann"),
        ]
    ]
    result = apply_rules(example(), identities)
    found = [(one.field, one.value.reveal()) for mapped in result.mapped for one in mapped.targets]
    assert result.hold_reason == ""
    assert [one for one in found if one[0] != "email_sha256"] == [
        ("email", "ann@example.com"),
        ("phone", "+493023125100"),
        ("loyalty_id", "L12345678"),
    ]
    assert len(found) == 4
