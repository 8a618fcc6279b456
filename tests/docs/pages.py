"""Reads the project's pages: where they are, their links, their anchors, the commands they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("connector/**/*.md")])

SHELLS = frozenset({"sh", "bash", "shell", "console"})
_FENCE = re.compile(r"^ *(```+|~~~+) *(\w*).*?\n(.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]: *(\S+)", re.MULTILINE)
_HTML_LINK = re.compile(r"<(?:a|img)[^>]*? (?:href|src)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_HTML_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


def links(text: str) -> Iterator[str]:
    """Give every link of a page that leads to a file or an anchor of this project."""
    prose = _CODE_SPAN.sub("", _FENCE.sub("", text))
    for pattern in (_LINK, _REFERENCE, _HTML_LINK):
        for target in pattern.findall(prose):
            if not re.match(r"[a-z][a-z0-9+.-]*:", target):
                yield target


def broken_link(page: Path, target: str, root: Path = ROOT) -> str:
    """Return what is wrong with a link, or an empty text."""
    name, _, anchor = target.partition("#")
    file = (page.parent / name).resolve() if name else page.resolve()
    if not file.is_relative_to(root.resolve()) or not file.exists():
        return f"{page.name}: no file for {target}"
    if anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
        return f"{page.name}: no anchor for {target}"
    return ""


def anchors(text: str) -> set[str]:
    """Return the anchors of a page: its headings as GitHub names them, and those set by hand."""
    found = set(_HTML_ANCHOR.findall(text))
    seen: dict[str, int] = {}
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        found.add(f"{slug}-{number}" if number else slug)
    return found


def shown_lines(text: str) -> Iterator[str]:
    """Give every line that a reader is meant to type: code spans, and blocks marked as shell."""
    for _, language, body in _FENCE.findall(text):
        if language in SHELLS:
            for line in body.replace("\\\n", " ").splitlines():
                if language != "console" or line.startswith("$ "):
                    yield line.removeprefix("$ ")
    yield from _CODE_SPAN.findall(_FENCE.sub("", text))
