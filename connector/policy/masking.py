"""A value as an operator may see it: enough to tell one from another, too little to tell who it is. Pure."""

from __future__ import annotations

from typing import Final

from connector.private import Private

_HIDDEN: Final = "***"
_LEAST: Final = 6


def masked(value: Private) -> str:
    """Return a value with most of it hidden: `a***@e***.com`, `***16`; all of it where it is short."""
    text = value.reveal()
    name, at, host = text.rpartition("@")
    if at and name and host:
        first, dot, last = host.rpartition(".")
        shown, end = (first, f".{last}") if dot else (host, "")
        return f"{name[0]}{_HIDDEN}@{shown[:1]}{_HIDDEN}{end}"
    return f"{_HIDDEN}{text[-2:]}" if len(text) >= _LEAST else _HIDDEN
