"""What a sender is answered. Decided by the configuration, filled with ids and never with what names a person."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from connector.dialect.text import Body, Json, Text, Values
from connector.model import Purpose

#: What a reply may name beside the source's own ids: our id of the request, and whether the call added nothing.
REPLY_NAMES: Final = frozenset({"job_id", "duplicate"})
JSON_TYPE: Final = "application/json"
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_TEXT_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, ready to be sent."""

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One kind of answer.

    Attributes:
        body: JSON or a text; None for a bare status.
        content_type: empty for the usual one of its body.
    """

    status: int
    body: Body | Text | None = None
    content_type: str = ""

    @classmethod
    def read(cls, status: int, body: Json, names: Collection[str], content_type: str = "") -> Reply:
        """Read a reply whose body may name these of the source's ids; `Misconfigured` for other placeholders."""
        known = {*names, *REPLY_NAMES}
        if body is None:
            return cls(status)
        read = Text.read(body, known) if isinstance(body, str) else Body.read(body, known)
        return cls(status, read, content_type)

    def fill(self, values: Values) -> Answer:
        if isinstance(self.body, Body):
            return Answer(self.status, _encode(self.body.fill(values)).encode(), self.content_type or JSON_TYPE)
        if self.body is None:
            return Answer(self.status, b"", "")
        # What cannot be written in UTF-8 is no id that we accepted.
        return Answer(self.status, self.body.fill(values).encode(errors="replace"), self.content_type or _TEXT_TYPE)


_ACCEPTED: Final = Reply.read(202, {"accepted": True, "jobId": "{job_id}", "duplicate": "{duplicate}"}, ())
_NOTHING_ASKED: Final = Reply.read(200, {"ok": True}, ())


@dataclass(frozen=True, slots=True)
class Replies:
    """What a source's deliveries are answered once they are verified.

    Attributes:
        request: to a request that was taken in, also if it was there before.
        other: to a connection test, and to a delivery that asks for nothing.
    """

    request: Reply = field(default=_ACCEPTED)
    other: Reply = field(default=_NOTHING_ASKED)

    def to(self, purpose: Purpose, external: Mapping[str, str], job_id: str, *, duplicate: bool) -> Answer:
        """Return the answer to one delivery.

        Args:
            external: the source's own ids of the request.
            job_id: ours; empty if nothing was stored.
        """
        ids: Values = MappingProxyType({**external, "job_id": job_id, "duplicate": duplicate if job_id else None})
        return (self.request if purpose is Purpose.REQUEST else self.other).fill(ids)
