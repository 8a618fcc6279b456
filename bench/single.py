"""A receiver in Python that keeps the same promise in the plainest way: one commit per callback.

The same server, framework, guard, verification and parsing of JSON as ours; the body is sealed and inserted by the bare
driver, and committed before the 202. What ours is faster by is what sharing commits gains, less what the product does
besides: identities as rows, replay keys, history.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, Response, jsonify, request

from connector.clock import SystemClock
from connector.config.checks import verifier_of
from connector.config.checks.base import NothingPublished
from connector.ids import new_id
from connector.observe.log import configure
from connector.web import problems
from connector.web.guard import DeliveryLimit, inbound_of, read_body
from connector.wiring import load_config

try:
    # As the product has it, so that both wait for the disk in the same way.
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

#: Where the database lies, for `create_app`.
VARIABLE: Final = "BENCH_SINGLE_DATABASE"
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS deliveries (id TEXT PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, "
    "received_at TEXT NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL)"
)


class Store:
    """One connection behind a lock: SQLite has one writer anyway."""

    def __init__(self, file: Path) -> None:
        self._turn = threading.Lock()
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", _TABLE):
            self._connection.execute(statement)

    def add(self, row_id: str, event_id: str, received_at: str, body: bytes) -> None:
        nonce = os.urandom(12)
        sealed = self._cipher.encrypt(nonce, body, row_id.encode())
        with self._turn:
            self._connection.execute(
                "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?)", (row_id, event_id, received_at, nonce, sealed)
            )

    def close(self) -> None:
        self._connection.close()


def create_app() -> Flask:
    """Build the receiver for the source and the checks of the configuration."""
    config = load_config(os.environ)
    clock = SystemClock()
    verifiers = {name: verifier_of(one.verify, NothingPublished()) for name, one in config.sources.items()}
    limit = DeliveryLimit({name: one.max_deliveries_per_minute for name, one in config.sources.items()}, clock)
    store = Store(Path(os.environ[VARIABLE]))
    log = configure("web", config.log.level, config.log.format)
    app = Flask("single")
    app.extensions["store"] = store
    problems.install(app, log, config.sources)

    @app.post("/webhooks/<source_name>")
    def deliver(source_name: str) -> tuple[Response, int]:
        limit.check(source_name)
        body = read_body(request, config.server.max_body_bytes, {"application/json"})
        now = clock.now()
        verifiers[source_name].verify(inbound_of(request, "", body), now)
        row_id = new_id(now)
        store.add(row_id, json.loads(body)["eventId"], now.isoformat(), body)
        log.info("delivery_accepted", source=source_name, request_id=row_id, duplicate=False)
        return jsonify(accepted=True, jobId=row_id, duplicate=False), 202

    @app.get("/health/ready")
    def ready() -> Response:
        return jsonify(ready=True)

    return app
