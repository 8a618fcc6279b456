"""Which characters cannot be seen, and which do not belong at the edge of a value.

Lytics compares values as they are: one stray character, and the deletion misses the profile and still looks fulfilled.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# Drawn as nothing although Unicode does not file them under "format": the remaining Default_Ignorable_Code_Points
# (combining grapheme joiner, Hangul fillers, Khmer inherent vowels, variation selectors) and the blank Braille pattern.
_BLANK: Final = frozenset(
    map(
        chr,
        (
            0x034F,
            0x115F,
            0x1160,
            0x17B4,
            0x17B5,
            0x2800,
            0x3164,
            0xFFA0,
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
_CONTROL: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

# Opening and closing mark of each pair that a spreadsheet, a template or a person may put around a value.
QUOTE_PAIRS: Final = (
    ('"', '"'),
    ("'", "'"),
    ("`", "`"),
    ("\u201c", "\u201d"),
    ("\u2018", "\u2019"),
    ("\u201e", "\u201c"),
    ("\u201e", "\u201d"),
    ("\u201a", "\u2018"),
    ("\u00ab", "\u00bb"),
    ("\u00bb", "\u00ab"),
    ("\u2039", "\u203a"),
)
QUOTES: Final = frozenset("".join(mark for pair in QUOTE_PAIRS for mark in pair))


def is_invisible(character: str) -> bool:
    """Say whether a character is drawn as nothing: byte order mark, zero width, direction mark, soft hyphen, filler."""
    return unicodedata.category(character) == "Cf" or character in _BLANK


def is_odd_space(character: str) -> bool:
    """Say whether a character is a space other than the plain one, for instance a no-break space."""
    return character != " " and unicodedata.category(character) == "Zs"


def is_control(character: str) -> bool:
    """Say whether a character is a control, a line or paragraph separator, or half a surrogate pair."""
    return unicodedata.category(character) in _CONTROL


def has_hidden(value: str) -> bool:
    """Say whether any character of the value cannot be seen or is not what it looks like."""
    if value.isascii():
        return not value.isprintable()
    return any(is_control(one) or is_invisible(one) or is_odd_space(one) for one in value)


def trim_edges(value: str) -> str:
    """Remove whitespace and invisible characters from both ends, in whatever order they stand."""
    start, end = 0, len(value)
    while start < end and (value[start].isspace() or is_invisible(value[start])):
        start += 1
    while end > start and (value[end - 1].isspace() or is_invisible(value[end - 1])):
        end -= 1
    return value[start:end]
