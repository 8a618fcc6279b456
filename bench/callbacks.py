"""Signed callbacks of 2 KiB, made before they are sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.stage import SOURCE
from connector.cli.sign import headers_for
from connector.config.checks import Check
from connector.inbound import Inbound

BODY_BYTES = 2048


@dataclass(slots=True)
class Callbacks:
    """Makes signed callbacks; no two have an event, a request or a person in common.

    Args:
        checks: of the source.
        series: a number that no other maker for the same store has.
    """

    checks: Sequence[Check]
    series: int
    made: int = 0

    def bodies(self, number: int) -> Iterator[bytes]:
        for _ in range(number):
            self.made += 1
            yield self._body(self.made)

    def requests(self, number: int) -> list[bytes]:
        """Return whole HTTP requests, signed now."""
        now = datetime.now(UTC)
        return [self._request(body, now) for body in self.bodies(number)]

    def request(self, number: int) -> bytes:
        """Return the whole HTTP request of the callback with this number, signed now; its body is always the same."""
        return self._request(self._body(number), datetime.now(UTC))

    def subtask_id(self, number: int) -> str:
        """Return the subtask that a callback is about."""
        return f"{self.series:08x}-0000-4000-9000-{number:012x}"

    def person(self, number: int) -> tuple[str, str]:
        """Return e-mail address and loyalty id of a callback's person."""
        return f"person-{self.series}-{number:07d}@example.com", f"L{self.series:03d}{number:07d}"

    def _body(self, number: int) -> bytes:
        email, loyalty_id = self.person(number)
        said = {
            "schema": "consent-connector/v1",
            "event": "dsar.subtask.created",
            "eventId": f"{self.series:08x}-0000-4000-8000-{number:012x}",
            "subTaskId": self.subtask_id(number),
            "requestTypes": ["Data Deletion"],
            "countryCode": "DE",
            "identifiers": {"Email Address": email, "Loyalty ID": loyalty_id, "First name": "Ana"},
            "note": "",
        }
        return json.dumps(said | {"note": "x" * (BODY_BYTES - len(json.dumps(said)))}).encode()

    def _request(self, body: bytes, now: datetime) -> bytes:
        signed = headers_for(self.checks, Inbound("POST", "", (), body), now)
        headers = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **signed}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST /webhooks/{SOURCE} HTTP/1.1\r\n{head}\r\n".encode() + body
