"""The suppression list at `/api/v1/suppression`, for whoever collects data: who is not to be collected again.

What is asked stands in the body alone, never in an address, and is in no log. There is nothing here unless a client of
the API has the scope `suppression`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from flask import Blueprint, Flask, Response, request

from connector.codes import Code
from connector.errors import ConnectorError, Rejected
from connector.model import Identity
from connector.private import Private
from connector.services import suppression
from connector.services.site import Site
from connector.web.api import PREFIX, ApiClient, account_of, answer, client_of
from connector.web.guard import DeliveryLimit, read_body
from connector.web.problems import problem

SCOPE: Final = "suppression"
MAX_BODY_BYTES: Final = 1_048_576
#: Identities in one call.
MOST: Final = 1_000
_MAX_KIND_CHARS: Final = 100


def install(app: Flask, site: Site, clients: Collection[ApiClient], max_per_minute: int) -> None:
    """Serve the list, if there is a client that may ask it."""
    if not any(SCOPE in one.scopes for one in clients):
        return
    limit = DeliveryLimit({one.name: max_per_minute for one in clients}, site.clock, Code.TOO_MANY_API_CALLS)
    routes = Blueprint("suppression", __name__, url_prefix=f"{PREFIX}/suppression")

    def allowed() -> ApiClient:
        client = client_of(site, clients)
        limit.check(client.name)
        if SCOPE not in client.scopes:
            raise Rejected(Code.API_SCOPE_MISSING, f"this needs the scope {SCOPE}")
        return client

    @routes.post("/check")
    def check() -> Response:
        client = allowed()
        account, identities = _asked(read_body(request, MAX_BODY_BYTES, {"application/json"}))
        found = suppression.check(site, account_of(site, account).name, identities)
        site.log.info("api_called", client=client.name, account=account, scope=SCOPE, count=len(found))
        return answer({"suppressed": found})

    @routes.get("/accounts/<account_name>/filter")
    def take_filter(account_name: str) -> Response:
        client = allowed()
        account = account_of(site, account_name)
        made = suppression.export(site, account.name, site.clock.now())
        site.log.info("api_called", client=client.name, account=account.name, scope=SCOPE, count=made.entries)
        response = Response(made.content, 200, content_type="application/octet-stream")
        response.headers["Cache-Control"] = "no-store"
        return response

    def refused(error: ConnectorError) -> Response:
        level = site.log.warning if error.entry.status else site.log.error
        level("api_refused", code=error.code, status=error.entry.status or 500)
        return problem(error.code, error.detail)

    routes.register_error_handler(ConnectorError, refused)
    app.register_blueprint(routes)


def _asked(body: bytes) -> tuple[str, list[Identity]]:
    """Read a question. What is wrong is said by its place, never by what stands there."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected(Code.BODY_UNREADABLE) from None
    if not isinstance(said, dict) or said.keys() != {"account", "identities"}:
        raise Rejected(Code.FIELD_INVALID, "expected an object with account and identities, and nothing else")
    account, listed = said["account"], said["identities"]
    if not isinstance(account, str) or not isinstance(listed, list) or not 0 < len(listed) <= MOST:
        raise Rejected(Code.FIELD_INVALID, f"expected the name of an account, and 1 to {MOST} identities")
    return account, [_identity(one, place) for place, one in enumerate(listed)]


def _identity(said: Any, place: int) -> Identity:
    if not isinstance(said, Mapping) or said.keys() != {"kind", "value"}:
        raise Rejected(Code.FIELD_INVALID, f"identities[{place}]: expected an object with kind and value")
    kind, value = said["kind"], said["value"]
    if not isinstance(kind, str) or not isinstance(value, str) or len(kind) > _MAX_KIND_CHARS:
        raise Rejected(Code.FIELD_INVALID, f"identities[{place}]: kind and value have to be texts")
    return Identity(kind, Private(value))
