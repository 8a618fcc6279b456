"""`/api/v1`: what operators do on the command line, for programs. A client may do what its scopes say.

Whoever has no valid token learns nothing but that: not whether an account or an address exists.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Flask, Response, request

from connector.codes import Code
from connector.errors import ConnectorError, Rejected
from connector.private import Secret
from connector.services import approvals
from connector.services.dead_letters import fault_in
from connector.services.site import AccountWork, Site
from connector.store.audit import Decision
from connector.web.guard import DeliveryLimit, read_body
from connector.web.problems import problem

PREFIX: Final = "/api/v1"
MAX_BODY_BYTES: Final = 65_536
_MOST_EXAMPLES: Final = 1_000


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Who may call.

    Attributes:
        scopes: `preview`, `approve`, `suppression`.
    """

    name: str
    secrets: Collection[Secret]
    scopes: frozenset[str]


def install(app: Flask, site: Site, clients: Collection[ApiClient], max_per_minute: int) -> None:
    """Serve the API, if there is a client that may call it."""
    if not clients:
        return
    limit = DeliveryLimit({one.name: max_per_minute for one in clients}, site.clock, Code.TOO_MANY_API_CALLS)
    api = Blueprint("api", __name__, url_prefix=PREFIX)

    def allowed(scope: str) -> ApiClient:
        client = client_of(site, clients)
        limit.check(client.name)
        if scope not in client.scopes:
            raise Rejected(Code.API_SCOPE_MISSING, f"this needs the scope {scope}")
        return client

    @api.get("/accounts/<account_name>/preview")
    def preview(account_name: str) -> Response:
        client = allowed("preview")
        account = account_of(site, account_name)
        examples = _number(request.args.get("examples", "3"), _MOST_EXAMPLES)
        with site.database.read() as connection:
            seen = approvals.preview(connection, account, examples, approvals.rules_of(site, account).sources)
        site.log.info("api_called", client=client.name, account=account.name, scope="preview")
        return answer(asdict(seen))

    @api.post("/accounts/<account_name>/approvals")
    def approve(account_name: str) -> Response:
        client = allowed("approve")
        account = account_of(site, account_name)
        said = _members(read_body(request, MAX_BODY_BYTES, {"application/json"}), ("digest", "reason"))
        reason = said["reason"].strip(" ")
        if fault := fault_in(reason):
            raise Rejected(Code.FIELD_INVALID, f"reason: {fault}")
        decision = Decision(f"api:{client.name}", reason, site.clock.now())
        count = approvals.approve(site.database, account.name, said["digest"].lower(), decision)
        if not count:
            raise Rejected(Code.PREVIEW_CHANGED)
        site.log.info("api_called", client=client.name, account=account.name, scope="approve", count=count)
        return answer({"account": account.name, "approved": count})

    def refused(error: ConnectorError) -> Response:
        level = site.log.warning if error.entry.status else site.log.error
        level("api_refused", code=error.code, status=error.entry.status or 500)
        return problem(error.code, error.detail)

    api.register_error_handler(ConnectorError, refused)
    app.register_blueprint(api)


def client_of(site: Site, clients: Collection[ApiClient]) -> ApiClient:
    """Return who calls. Every token is compared, so that the time tells nothing.

    RFC 6750 section 2.1 says how a bearer token is shown.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Rejected(Code.API_TOKEN_REFUSED)
    now = site.clock.now()
    matching = [(one, secret) for one in clients for secret in one.secrets if secret.matches(token.strip())]
    for client, secret in matching:
        if secret.is_live(now):
            return client
    raise Rejected(Code.API_TOKEN_REFUSED)


def account_of(site: Site, name: str) -> AccountWork:
    """Return an account by its name."""
    account = site.accounts.get(name)
    if account is None:
        raise Rejected(Code.ROUTE_UNKNOWN)
    return account


def _number(text: str, most: int) -> int:
    if not text.isdecimal() or not text.isascii() or int(text[:9]) > most:
        raise Rejected(Code.FIELD_INVALID, f"examples: expected a number from 0 to {most}")
    return int(text)


def _members(body: bytes, names: Collection[str]) -> Mapping[str, str]:
    """Return the members of a body, all of them texts, and no others."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected(Code.BODY_UNREADABLE) from None
    if not isinstance(said, dict) or set(said) != set(names) or not all(isinstance(one, str) for one in said.values()):
        raise Rejected(Code.FIELD_INVALID, f"expected an object with the texts {' and '.join(names)}, and nothing else")
    return said


def answer(said: Mapping[str, Any]) -> Response:
    """Return an answer that nobody keeps on the way."""
    response = Response(json.dumps(said, default=_text), 200, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _text(value: object) -> str:
    """Return what JSON has no form for, as RFC 3339 writes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
