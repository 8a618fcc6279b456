"""`POST /oauth/token`: tokens for clients of our own, as OAuth 2.0 wants them asked for and answered (RFC 6749).

Whoever cannot show a client's secret learns nothing but that: every such refusal is the same, to the last byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from flask import Flask, Response, request

from connector.codes import Code
from connector.errors import ConnectorError, Rejected
from connector.services.site import Site
from connector.services.tokens import Holder, grant
from connector.verify.token.ask import read_token_request
from connector.web.guard import DeliveryLimit, inbound_of, read_body
from connector.web.problems import RETRY_AFTER_S

PATH: Final = "/oauth/token"
#: A request for a token is a few short fields.
MAX_FORM_BYTES: Final = 8_192
# Client ids are counted in so many slots, known ones and made-up ones alike: the limit tells nobody which exist, and an
# attacker cannot fill our memory with names.
_SLOTS: Final = 256
_UNAUTHORIZED: Final = 401
_OAUTH_ERRORS: Final = {
    Code.GRANT_NOT_SUPPORTED: "unsupported_grant_type",
    Code.SCOPE_UNKNOWN: "invalid_scope",
}


def install(app: Flask, site: Site, clients: Mapping[str, Holder], max_per_minute: int) -> None:
    """Serve tokens, if there is a client that may ask for them.

    Args:
        clients: by client id.
        max_per_minute: requests with the same client id; more are answered 429.
    """
    if not clients:
        return
    slots = {str(number): max_per_minute for number in range(_SLOTS)}
    limit = DeliveryLimit(slots, site.clock, Code.TOO_MANY_TOKEN_REQUESTS)

    @app.post(PATH)
    def token() -> Response:
        try:
            body = read_body(request, MAX_FORM_BYTES, {"application/x-www-form-urlencoded"})
            asked = read_token_request(inbound_of(request, "", body), request.environ.get("QUERY_STRING", ""))
            limit.check(_slot(asked.credentials[0].client_id))
            granted = grant(site, clients, asked)
        except ConnectorError as error:
            return _refused(site, error)
        said = {"access_token": granted.token.reveal(), "token_type": "Bearer", "expires_in": granted.expires_in_s}
        return _answer({**said, "scope": granted.scope}, 200)


def _slot(client_id: str) -> str:
    return str(hashlib.sha256(client_id.encode(errors="surrogatepass")).digest()[0] % _SLOTS)


def _refused(site: Site, error: ConnectorError) -> Response:
    status = error.entry.status or 500
    secret_id = (error.secret_id or None) if isinstance(error, Rejected) else None
    level = site.log.warning if error.entry.status else site.log.error
    level("token_refused", code=error.code, status=status, secret_id=secret_id)
    if status == _UNAUTHORIZED:
        response = _answer({"error": "invalid_client"}, status)
        response.headers["WWW-Authenticate"] = 'Basic realm="consent-connector", charset="UTF-8"'
        return response
    if status in {429, 503} or status >= 500:  # noqa: PLR2004 - not the client's fault, or not for long
        response = _answer({"error": "temporarily_unavailable"}, status)
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response
    name = _OAUTH_ERRORS.get(error.code, "invalid_request")
    return _answer({"error": name, "error_description": error.detail or error.entry.title}, status)


def _answer(said: Mapping[str, Any], status: int) -> Response:
    response = Response(json.dumps(said), status, content_type="application/json")
    # RFC 6749 section 5.1: a token is never kept on the way.
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
