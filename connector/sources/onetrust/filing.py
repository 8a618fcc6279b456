"""Evidence as a file in OneTrust (vendor page: File Upload). Which extensions a tenant allows is its own setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Refused
from connector.model import Filed
from connector.sources.onetrust.api import OPEN, OneTrustApi, is_uuid
from connector.sources.onetrust.ours import Ours
from connector.sources.onetrust.request_calls import EVIDENCE, RequestCalls

#: The extension that is allowed where nearly nothing is.
_PLAIN: Final = "txt"


class OneTrustFiling:
    """Fulfils `ports.Filing`.

    Args:
        extension: without a dot, of what is tried first.
        about: what the file is, in words that people at OneTrust see beside it.
    """

    def __init__(
        self, api: OneTrustApi, *, subtask_name: str = "", extension: str = "csv", about: str = EVIDENCE
    ) -> None:
        self._ours = Ours(api, subtask_name)
        self._calls = RequestCalls(api)
        self._about = about
        self._extensions = tuple(dict.fromkeys((extension, _PLAIN)))

    def file(self, external: Mapping[str, str], stem: str, content: bytes) -> Filed | None:
        """Upload a file for the request, unless its subtask has been ended.

        Raises:
            Refused: no extension is taken, the scope for files is missing, or the request's UUID is not known.
            Misconfigured: credential, or scope for everything else.
            Temporary: worth another try; the file may be there all the same.
        """
        subtask = self._ours.read(external)
        if subtask.status not in OPEN:
            return None
        # OneTrust's own word first: what a callback said may belong to somebody else.
        request_id = subtask.request_id or external.get("request_id", "")
        if not is_uuid(request_id):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "a subtask without the UUID of its request")
        for extension in self._extensions:
            name = f"{stem}.{extension}"
            if file_id := self._upload(request_id, name, content):
                return Filed(file_id, name)
        raise Refused(Code.REMOTE_REFUSED, "the file is taken under no extension")

    def _upload(self, request_id: str, name: str, content: bytes) -> str | None:
        try:
            return self._calls.upload(request_id, name, content, self._about)
        except Misconfigured as error:
            if error.code is not Code.PERMISSION_MISSING:
                raise
            # Files have a scope of their own. Without it everything else can be done, and need not wait.
            raise Refused(error.code, "check the scope ATTACHMENT") from None
