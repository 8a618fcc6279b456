"""The facts of a receipt for people: one HTML page without scripts or references to anything else, made to be printed.

The same as plain text is for places that take no HTML, such as the files of OneTrust. Neither says anything that the
receipt does not say, and both are worth nothing without it: what is verified is the receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from connector.proof import receipt
from connector.proof.receipt import Proven

_TITLES: Final = {
    "completed": "Erasure completed",
    "partial": "Erasure completed in part",
    "failed": "Erasure failed",
    "rejected": "Request rejected: nothing was erased",
}
_ACCESS_TITLES: Final = {
    "answered": "Access request answered",
    "failed": "Access request not answered",
    "rejected": "Request rejected: nothing was handed over",
}
_GOOD: Final = frozenset({"completed", "answered"})
_LABEL_CHARS: Final = 17


def as_html(proven: Proven) -> str:
    """Return the page for a receipt that holds."""
    return _template("html").render(_facts(proven))


def as_text(proven: Proven) -> str:
    """Return the same as plain text."""
    return _template("txt").render(_facts(proven)) + "\n"


def _facts(proven: Proven) -> dict[str, Any]:
    stated = proven.statement
    outcome = str(stated.get("outcome", ""))
    titles = _ACCESS_TITLES if stated["request"]["kind"] == "access" else _TITLES
    return {
        "title": titles.get(outcome, "Request ended"),
        "good": outcome in _GOOD,
        "stated": stated,
        "targets": [{**target, "kind": one["kind"]} for one in stated["identities"] for target in one["targets"]],
        "left": [one for one in stated["identities"] if not one["targets"]],
        "digest": receipt.digest(stated),
        "kid": proven.key.kid,
        "index": proven.index,
        "size": proven.checkpoint.size,
    }


def _number(counts: Mapping[str, int]) -> str:
    parts = ", ".join(
        f"{number} {state.replace('_', ' ')}" for state, number in sorted(counts.items()) if state != "total"
    )
    return f"{counts['total']}" + (f" ({parts})" if parts else "")


def _when(moment: Any) -> str:
    """Write a time of the receipt to the second, in UTC."""
    return f"{str(moment)[:19].replace('T', ' ')} UTC" if moment else "-"


def _label(name: str) -> str:
    return f"{name:<{_LABEL_CHARS}} "


def _on_one_line(value: Any) -> Any:
    """Keep a value from a source from looking like lines of the text."""
    return "".join(one if one.isprintable() else "?" for one in value) if isinstance(value, str) else value


@cache
def _template(form: str) -> Template:
    environment = Environment(
        loader=PackageLoader("connector.proof", ""),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_on_one_line if form == "txt" else None,
    )
    environment.filters.update(number=_number, when=_when, label=_label)
    return environment.get_template(f"certificate.{form}.jinja")
