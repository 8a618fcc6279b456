"""The way to a time-stamping authority: RFC 3161 over HTTP (section 3.4). What it answers is judged elsewhere."""

from __future__ import annotations

from typing import Final

from connector.codes import Code
from connector.errors import Refused, Temporary
from connector.outbound.client import Client

_HEADERS: Final = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
_OK: Final = 200
_SERVER_FAULTS: Final = 500


class TimeAuthority:
    """Fulfils `ports.TimeAuthority`.

    Args:
        client: of the authority's host.
        path: of the authority there, with its slash.
    """

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path

    def ask(self, question: bytes) -> bytes:
        """Send a question, and return the answer.

        Raises:
            Temporary: none came, or the server says that something is wrong with it.
            Refused: it does not take the question.
        """
        answer = self._client.request("POST", self._path, headers=_HEADERS, content=question)
        if answer.status >= _SERVER_FAULTS:
            raise Temporary(Code.REMOTE_FAULT, f"status {answer.status}")
        if answer.status != _OK:
            raise Refused(Code.REMOTE_REFUSED, f"status {answer.status}")
        return answer.body
