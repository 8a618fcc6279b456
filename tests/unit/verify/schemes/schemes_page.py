"""Writes the table of docs/schemes.md from the presets; run as a module with the path of the page."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from connector.verify.grammar import Pairs, Plain
from connector.verify.presets import PRESETS
from connector.verify.scheme import Names, Scheme, UrlForm

MARK = "<!-- The table below is written from connector/verify/presets.py. -->\n"
VECTORS = Path(__file__).parents[3] / "vectors" / "schemes"
HEAD = ("scheme", "headers", "signed content", "algorithm, encoding, key", "timestamp", "source", "vectors")


def page(current: str) -> str:
    """Return the page: its hand-written beginning as it stands, and the table."""
    written, mark, _ = current.partition(MARK)
    if not mark:
        raise ValueError("the page has lost the line that its table begins after")
    return written + MARK + "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def rows() -> Iterator[tuple[str, ...]]:
    yield HEAD
    yield ("---",) * len(HEAD)
    for name, scheme in PRESETS.items():
        published = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))["published"]
        yield (
            f"`{name}`",
            " or ".join(headers(scheme, names) for names in scheme.names),
            f"`{scheme.content}`" + ("" if scheme.url is UrlForm.AS_SENT else f", URL {scheme.url.replace('_', ' ')}"),
            f"{scheme.algorithm}, {scheme.encoding}, {scheme.key}",
            timestamp(scheme),
            scheme.source,
            "published" if published else "OpenSSL",
        )


def headers(scheme: Scheme, names: Names) -> str:
    grammar = scheme.grammar
    if isinstance(grammar, Plain):
        shown = f"`{names.signature}: {grammar.prefix}…`"
    elif isinstance(grammar, Pairs):
        items = [f"{item}=…" for item in (grammar.timestamp, grammar.signature) if item]
        shown = f"`{names.signature}: {grammar.separator.join(items)}`"
    else:
        shown = f"`{names.signature}: {grammar.accepted[0]},… …`"
    return ", ".join([shown, *(f"`{name}`" for name in (names.timestamp, names.id) if name)])


def timestamp(scheme: Scheme) -> str:
    window = scheme.window
    return f"{window.unit}, {window.past_s:g} s past, {window.future_s:g} s future" if window else "none"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
