"""Errors as RFC 9457 problem documents, with our stable `code` as an extension member."""

from __future__ import annotations

import json
from collections.abc import Container

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from connector.catalogue import CATALOGUE
from connector.codes import Code
from connector.errors import ConnectorError, Rejected
from connector.ports import Log

# Seconds that a sender is asked to wait before it repeats a delivery that we could not take.
RETRY_AFTER_S = 30

_BY_STATUS = {
    404: Code.ROUTE_UNKNOWN,
    405: Code.METHOD_NOT_ALLOWED,
    413: Code.BODY_TOO_LARGE,
    415: Code.UNSUPPORTED_CONTENT_TYPE,
}


def problem(code: Code, detail: str = "") -> Response:
    """Return the problem document of a code."""
    entry = CATALOGUE[code]
    status = entry.status or 500
    body = {
        "type": f"urn:consent-connector:problem:{code}",
        "title": entry.title,
        "status": status,
        "code": code,
        "detail": f"{detail}. {entry.mend}" if detail else entry.mend,
    }
    response = Response(json.dumps(body), status, content_type="application/problem+json")
    if status in {429, 503}:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == 401:  # noqa: PLR2004 - RFC 9110 §11.6.1 asks for a challenge
        scheme = "Bearer" if code is Code.API_TOKEN_REFUSED else "Webhook"
        response.headers["WWW-Authenticate"] = f'{scheme} realm="consent-connector"'
    return response


def install(app: Flask, log: Log, sources: Container[str]) -> None:
    """Answer every error with a problem document and one log record, which names a source only if there is one."""

    def source() -> str | None:
        # What anybody can write into an address may be somebody's name.
        name = (request.view_args or {}).get("source_name")
        return name if name in sources else None

    def typed(error: ConnectorError) -> Response:
        level = log.warning if error.entry.status else log.error
        secret_id = (error.secret_id or None) if isinstance(error, Rejected) else None
        level(
            "delivery_refused",
            source=source(),
            code=error.code,
            status=error.entry.status or 500,
            secret_id=secret_id,
        )
        return problem(error.code, error.detail)

    def http(error: HTTPException) -> Response:
        code = _BY_STATUS.get(error.code or 500, Code.BODY_UNREADABLE)
        log.info("delivery_refused", code=code, status=CATALOGUE[code].status)
        response = problem(code)
        for name, value in error.get_headers():
            if name.lower() == "allow":
                response.headers["Allow"] = value
        return response

    def defect(error: Exception) -> Response:
        log.error("delivery_failed", source=source(), error_class=type(error).__name__)
        return problem(Code.INTERNAL_ERROR)

    app.register_error_handler(ConnectorError, typed)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, defect)
