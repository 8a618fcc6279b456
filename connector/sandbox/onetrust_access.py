"""Tokens and scopes of the fake OneTrust."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from connector.sandbox.defaults import ONETRUST_API_KEY
from connector.sandbox.fake import Route, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from werkzeug.wrappers import Request, Response

    from connector.sandbox.faults import Faults

_ANY: Final = frozenset({"DSAR", "DSAR_READ", "DSAR_WRITE"})
_WRITE: Final = frozenset({"DSAR", "DSAR_WRITE"})
#: operation -> the scopes of which one is enough.
SCOPES: Final[dict[str, frozenset[str]]] = {
    "requests_list": _ANY,
    "requests_search": _ANY,
    "request_get": _ANY,
    "request_comment": _WRITE,
    "request_customfields": _WRITE,
    "request_movestages": _WRITE,
    "request_pausedeadline": _WRITE,
    "resolutions": _ANY,
    "attachment_upload": frozenset({"ATTACHMENT"}),
    "subtasks_old_list": _ANY,
    "subtasks_list": frozenset({"DSAR_READ", "DSAR_WRITE"}),
    "subtasks_of_request": _ANY,
    "subtask_get": _ANY,
    "subtask_status": _WRITE,
    "subtask_complete": _WRITE,
    "subtask_reprocess": _ANY,
    "inbound_webhook": frozenset({"INTEGRATIONS"}),
}
DEFAULT_SCOPES: Final = ("ATTACHMENT", "DSAR_READ", "DSAR_WRITE", "INTEGRATIONS")


class Access:
    """Issues tokens for one client credential and says what a call may do."""

    def __init__(
        self,
        faults: Faults,
        now: Callable[[], float],
        credential: tuple[str, str],
        scopes: Collection[str],
        token_lifetime_s: float,
    ) -> None:
        self.faults = faults
        self.now = now
        self.credential = credential
        self.scopes = frozenset(scopes)
        self.token_lifetime_s = token_lifetime_s
        self.tokens_issued: Counter[str] = Counter()
        self._expiry: dict[str, float] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        return [Route("POST", "/api/access/v1/oauth/token", "token", self.token)]

    def token(self, request: Request) -> Response:
        """Answer in all three encodings: multipart, form, and form with HTTP Basic."""
        if self.faults.take("address_refused", "token"):
            return _refusal(403, "access_denied")
        if self.faults.take("token_refused", "token"):
            return _refusal(401, "invalid_client")
        if request.form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type")
        encoding = "multipart" if request.mimetype == "multipart/form-data" else "form"
        given = (request.form.get("client_id", ""), request.form.get("client_secret", ""))
        if (header := request.headers.get("Authorization", "")).startswith("Basic "):
            encoding, given = "basic", _basic(header)
        if given != self.credential:
            return _refusal(401, "invalid_client")
        token = f"sandbox.{secrets.token_urlsafe(24)}"
        short = self.faults.take("token_short_lived", "token")
        lifetime = self.token_lifetime_s if short is None else float(short.value)
        with self._lock:
            self.tokens_issued[encoding] += 1
            self._expiry[token] = self.now() + lifetime
        body = {"access_token": token, "token_type": "bearer", "expires_in": max(0, int(lifetime) - 1), "scope": "read"}
        told = {} if self.faults.take("scopes_untold", "token") else {"ot-scopes": ",".join(sorted(self._told()))}
        return answer(200, body | {"role": "Api Key User", "tenantId": 417} | told)

    def refusal(self, request: Request, operation: str) -> tuple[int, str] | None:
        """Return status and message of a refusal, or None when the call may pass."""
        if operation == "token":
            return None
        bearer = _bearer(request, operation)
        if bearer is None:
            return 401, "authentication is required"
        if bearer != ONETRUST_API_KEY:
            with self._lock:
                expires_at = self._expiry.get(bearer)
            if expires_at is None or expires_at <= self.now() or self.faults.take("token_expired", operation):
                return 401, "the token is invalid or has expired"
        if self.faults.take("address_refused", operation):
            return 403, "the address is not allowed"
        held = self._held(operation)
        needed = SCOPES.get(operation)
        return (403, "the credential lacks the scope for this call") if needed and not needed & held else None

    def _told(self) -> frozenset[str]:
        missing = self.faults.value_of("scope_missing", None)
        return self.scopes if missing is None else self.scopes - {str(missing)}

    def _held(self, operation: str) -> frozenset[str]:
        """Return the scopes of the credential, as the switch lets them be."""
        fault = self.faults.take("scope_missing", operation)
        if fault is None:
            return self.scopes
        return self.scopes - (SCOPES.get(operation, frozenset()) if fault.value is None else {str(fault.value)})


def _bearer(request: Request, operation: str) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token
    if operation == "inbound_webhook":
        scheme, _, token = request.args.get("Authorization", "").partition(" ")
        # Only opaque keys may travel in the query.
        return token if scheme.lower() == "bearer" and token == ONETRUST_API_KEY else None
    return None


def _basic(header: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _refusal(status: int, error: str) -> Response:
    return answer(status, {"error": error, "error_description": "the client could not be authenticated"})
