"""The floor of the accept path: the same server, framework, guard and verification, but nothing is parsed or stored."""

from __future__ import annotations

import os

from flask import Flask, Response, jsonify, request

from connector.clock import SystemClock
from connector.config.checks import verifier_of
from connector.config.checks.base import NothingPublished
from connector.observe.log import configure
from connector.web import problems
from connector.web.guard import DeliveryLimit, inbound_of, read_body
from connector.wiring import load_config


def create_app() -> Flask:
    """Build a receiver that forgets: it answers 202 to whatever is signed."""
    config = load_config(os.environ)
    clock = SystemClock()
    verifiers = {name: verifier_of(one.verify, NothingPublished()) for name, one in config.sources.items()}
    limit = DeliveryLimit({name: one.max_deliveries_per_minute for name, one in config.sources.items()}, clock)
    app = Flask("bare")
    problems.install(app, configure("web", config.log.level, config.log.format), config.sources)

    @app.post("/webhooks/<source_name>")
    def deliver(source_name: str) -> tuple[Response, int]:
        limit.check(source_name)
        body = read_body(request, config.server.max_body_bytes, {"application/json"})
        verifiers[source_name].verify(inbound_of(request, "", body), clock.now())
        return jsonify(accepted=True, jobId="nothing was stored", duplicate=False), 202

    @app.get("/health/ready")
    def ready() -> Response:
        return jsonify(ready=True)

    return app
