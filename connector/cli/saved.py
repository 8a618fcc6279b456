"""Read a saved call: its headers as a proxy or curl wrote them down, or as JSON, and the address it was made to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

MAX_HEADER_FILE_BYTES: Final = 1_048_576
MAX_BODY_FILE_BYTES: Final = 10_485_760

_REQUEST_LINE: Final = re.compile(r"([A-Za-z]+) (\S+) HTTP/[0-9.]+")
_STATUS_LINE: Final = re.compile(r"HTTP/[0-9.]+ [0-9]{3}\b.*")
# RFC 9110 section 5.6.2; pseudo-headers of HTTP/2 (RFC 9113 section 8.3) begin with a colon.
_FIELD: Final = re.compile(r"(:?[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)", re.DOTALL)
_UNIX_TIME: Final = re.compile(r"[0-9]{1,11}(\.[0-9]+)?")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file of headers holds; method and target are empty where it has no request line."""

    headers: tuple[Pair, ...] = field(repr=False)
    method: str = ""
    target: str = field(default="", repr=False)


def read_headers(path: Path) -> Saved:
    """Read a file of headers; what cannot be read is wrong usage, told without a line of it."""
    raw = _limited(path, MAX_HEADER_FILE_BYTES)
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        return _with_pseudo(_from_json(raw))
    # As servers hand headers on: each byte one character.
    return _from_lines(raw.removeprefix(b"\xef\xbb\xbf").decode("latin-1"))


def read_body(path: Path) -> bytes:
    """Read the body exactly as it is saved."""
    return _limited(path, MAX_BODY_FILE_BYTES)


def read_time(text: str) -> datetime:
    """Read a time as ISO 8601 with an offset, or as Unix time in seconds."""
    try:
        moment = (
            datetime.fromtimestamp(float(text), UTC) if _UNIX_TIME.fullmatch(text) else datetime.fromisoformat(text)
        )
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise click.UsageError("--at: expected a time with an offset, such as 2027-01-31T08:00:00Z, or Unix time")


def _limited(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise click.UsageError(f"{path.name} is over {most} bytes")
    return raw


def _from_lines(text: str) -> Saved:
    # `curl -v` puts "> " before what it sent.
    lines = [line.removeprefix("> ").rstrip("\r") for line in text.strip("\r\n").split("\n")]
    if lines[0] == ">":
        lines = lines[1:]
    first = _REQUEST_LINE.fullmatch(lines[0])
    if _STATUS_LINE.fullmatch(lines[0]):
        raise click.UsageError("HEADERS_FILE begins with a status line: that is an answer; save the call's headers")
    saved = _with_pseudo(tuple(_fields(lines[1:] if first else lines)))
    return Saved(saved.headers, first[1], first[2]) if first else saved


def _fields(lines: list[str]) -> Iterator[Pair]:
    unfolded: list[str] = []
    for line in lines:
        if line.strip() in {"", ">"}:
            break  # the body begins
        if line[0] in " \t" and unfolded:
            # RFC 9112 section 5.2: a folded line goes on where the last one ended, after one blank.
            unfolded[-1] = f"{unfolded[-1].rstrip()} {line.strip()}"
        else:
            unfolded.append(line)
    for number, line in enumerate(unfolded, 1):
        found = _FIELD.fullmatch(line)
        if found is None:
            raise click.UsageError(f"HEADERS_FILE: header {number} is not `Name: value`")
        yield found[1], found[2].strip(" \t")


def _from_json(raw: bytes) -> tuple[Pair, ...]:
    try:
        return tuple(_pairs(json.loads(raw.decode("utf-8-sig"))))
    except (ValueError, RecursionError):
        pass
    raise click.UsageError("HEADERS_FILE: expected JSON as an object of headers, or a list of [name, value]")


def _pairs(value: Any) -> Iterator[Pair]:
    """Give the pairs of an object, of a list of pairs, or of a list of objects with name and value (HAR)."""
    if isinstance(value, dict):
        for name, given in value.items():
            for one in given if isinstance(given, list) else [given]:
                yield name, _text(one)
        return
    for pair in value:
        if isinstance(pair, dict):
            yield _text(pair.get("name")), _text(pair.get("value"))
        elif isinstance(pair, list) and len(pair) == 2:  # noqa: PLR2004 - a pair
            yield _text(pair[0]), _text(pair[1])
        else:
            raise ValueError("no pair")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip(" \t")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("no text")


def _with_pseudo(pairs: tuple[Pair, ...]) -> Saved:
    """Take the pseudo-headers of HTTP/2 for what they are: the request line and the host."""
    told = {name: value for name, value in pairs if name.startswith(":")}
    host = (("Host", told[":authority"]),) if ":authority" in told else ()
    rest = tuple(pair for pair in pairs if not pair[0].startswith(":"))
    return Saved((*host, *rest), told.get(":method", ""), told.get(":path", ""))
