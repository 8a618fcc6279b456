"""When two ways of writing an identity are taken for the same one, by the legal hold.

A refusal too many is mended by a person; a deletion too many by nobody. So this compares more loosely than the mapping
does: without case, blanks and invisible characters, telephone numbers by their digits, and whatever the kind is called.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from connector.mapping.apply import apply_rules
from connector.mapping.characters import QUOTES, is_control, is_invisible
from connector.mapping.rules import RuleSet
from connector.model import Identity
from connector.private import Private

# Digits with what people put between them; an address or a word has something else.
_NUMBER: Final = re.compile(r"(?:\+|00)?([0-9()./-]*[0-9][0-9()./-]*)")
_LEAST_DIGITS: Final = 6


def loose_form(value: Private) -> Private:
    """Return what is left of a value when everything that people write differently is taken away; maybe nothing."""
    text = unicodedata.normalize("NFKC", value.reveal()).casefold()
    text = "".join(one for one in text if not (one.isspace() or is_invisible(one) or is_control(one)))
    text = text.strip("".join(QUOTES)).removeprefix("mailto:").removeprefix("tel:")
    number = _NUMBER.fullmatch(text)
    if number is not None:
        digits = re.sub(r"\D", "", number[1])
        if len(digits) >= _LEAST_DIGITS:
            text = digits
    # Casefolding may leave what the normal form would join.
    return Private(unicodedata.normalize("NFKC", text))


def forms_of(value: Private, rule_sets: Iterable[RuleSet]) -> frozenset[Private]:
    """Return every loose form of a value: as it stands, and as the rules of each source would send it to Lytics."""
    found = {loose_form(value)}
    for rules in rule_sets:
        for rule in rules.rules:
            (mapped,) = apply_rules(rules, [Identity(rule.kinds[0], value)]).mapped
            found |= {loose_form(target.value) for target in mapped.targets}
    return frozenset(one for one in found if one)
