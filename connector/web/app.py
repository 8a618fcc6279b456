"""The application factory and its routes."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, Response, jsonify, request

from connector.services.intake import find_source, receive, verify
from connector.services.site import Site
from connector.store.schema import require_current
from connector.web import problems
from connector.web.guard import DeliveryLimit, inbound_of, read_body

__all__ = ["Flask", "create_app"]


def create_app(site: Site, max_body_bytes: int, max_deliveries_per_minute: Mapping[str, int]) -> Flask:
    """Build the receiver.

    Args:
        site: what the services work with.
        max_body_bytes: larger deliveries are answered 413.
        max_deliveries_per_minute: by source; more are answered 429.
    """
    app = Flask("connector", static_folder=None)
    # An address with a slash too many is unknown; a redirect would not be followed, and is no problem document.
    app.url_map.merge_slashes = False
    problems.install(app, site.log, site.sources)
    limit = DeliveryLimit(max_deliveries_per_minute, site.clock)

    @app.post("/webhooks/<source_name>")
    def deliver(source_name: str) -> Response | tuple[Response, int]:
        source = find_source(site, source_name)
        limit.check(source_name)
        body = read_body(request, max_body_bytes, source.media_types)
        accepted = receive(site, source, inbound_of(request, source.url, body))
        if accepted.confirmed:
            return jsonify(confirmed=True), 200
        answer = source.replies.to(
            accepted.purpose, accepted.external, accepted.request_id, duplicate=accepted.duplicate
        )
        response = Response(answer.body, answer.status, content_type=answer.content_type or None)
        if not answer.content_type:
            # The library's own, for a body that is not there.
            del response.headers["Content-Type"]
        return response

    @app.get("/webhooks/<source_name>")
    def test_connection(source_name: str) -> Response:
        source = find_source(site, source_name)
        limit.check(source_name)
        verified = verify(site, source, inbound_of(request, source.url, b""), site.clock.now())
        return jsonify(ok=True, source=source_name, check=verified.principal)

    @app.get("/health/live")
    def live() -> Response:
        return jsonify(live=True)

    @app.get("/health/ready")
    def ready() -> Response:
        require_current(site.database)
        site.database.check_writable()
        return jsonify(ready=True)

    return app
