"""What a call gives back, how much it may take, and a file that it carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.codes import Code
from connector.errors import Temporary


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, in seconds, and how much it may answer, in bytes.

    `read_s` bounds the wait for each piece of the answer, `total_s` the whole until the body's last byte.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 60.0
    max_body_bytes: int = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file in a multipart body."""

    name: str
    content: bytes = field(repr=False)
    media_type: str


def json_of(answer: Answer) -> Any:
    """Parse the body as JSON in UTF-8, with or without a byte order mark.

    Raises:
        Temporary: it is none; the outcome of the call is unknown if its status was a success.
    """
    try:
        return json.loads(answer.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        detail = f"status {answer.status}, {len(answer.body)} bytes that are not JSON"
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, detail, outcome_unknown=True) from None
