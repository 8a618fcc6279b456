"""The receiver as it is wired for the configuration that we ship, and a sender that signs as that asks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from connector.cli.sign import headers_for
from connector.clock import FixedClock
from connector.config import Config
from connector.inbound import Inbound
from connector.services.site import Site
from connector.store.tables import metadata
from connector.wiring import build_site, web_app
from tests.acceptance.journey import START, load_shipped, logging_as_it_was
from tests.support.stores import bring_up_to_date

PATH = "/webhooks/onetrust"
SUBTASK = "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"


def body_of(**changes: Any) -> bytes:
    """A good delivery, with changes; a change to None leaves the member out."""
    members = {"subTaskId": SUBTASK, "requestTypes": ["Data Deletion"], "email": "jo.meyer@example.com"} | changes
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


GOOD = body_of()


@dataclasses.dataclass
class Receiver:
    config: Config
    site: Site
    clock: FixedClock
    app: Flask
    client: FlaskClient

    def signed(self, body: bytes) -> dict[str, str]:
        return headers_for(self.config.sources["onetrust"].verify, Inbound("POST", "", (), body), self.clock.now())

    def post(self, body: bytes = GOOD, *, path: str = PATH, **headers: str) -> TestResponse:
        """Sign and post; headers are given as `Content_Type="…"`."""
        given = self.signed(body) | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.client.post(path, data=body, headers=given)

    def row_counts(self) -> dict[str, int]:
        with self.site.database.read() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
                # When a secret was used is noted of every genuine call, also of one that is refused for its content.
                if table.name != "key_uses"
            }


@contextmanager
def receiving(store_url: str, *settings: str, with_schema: bool = True) -> Iterator[Receiver]:
    """Build a receiver whose second source, `asleep`, is switched off."""
    with logging_as_it_was():
        config = load_shipped((f"store.url={json.dumps(store_url)}", 'log.format="json"', *settings))
        clock = FixedClock(START)
        site = build_site(config, "web", clock)
        asleep = dataclasses.replace(site.sources["onetrust"], name="asleep", enabled=False)
        site = dataclasses.replace(site, sources={**site.sources, "asleep": asleep})
        if with_schema:
            bring_up_to_date(site.database)
        app = web_app(config, site)
        try:
            yield Receiver(config, site, clock, app, app.test_client())
        finally:
            site.database.close()
