"""A shipped example behind a real socket, signed as its vendor signs, with the fake Lytics and a recorder for reports.

The signatures are made here from the vendors' texts, with the standard library alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from connector.clock import FixedClock
from connector.config import load
from connector.engine.schedule import run_pass
from connector.sandbox.defaults import LYTICS_TOKEN
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.server import LoopbackServer
from connector.services.site import Site
from connector.sources.registry import PLATFORMS
from connector.store import overview
from connector.store.tables import reports as report_table
from connector.store.tables import requests as request_table
from connector.wiring import build_site, web_app
from tests.acceptance.journey import ROOT, START, logging_as_it_was
from tests.support.stores import bring_up_to_date

SECRETS = {
    "LYTICS_TOKEN": LYTICS_TOKEN,
    "CONNECTOR_PSEUDONYM_KEY": "made-up-pseudonym-key-0123456789abcdef",
    "CONNECTOR_SEALING_KEY": "made-up-sealing-key-fedcba9876543210",
    "SHOPIFY_CLIENT_SECRET": "made-up-client-secret",
    "DATAGRAIL_WEBHOOK_SECRET": "made-up-datagrail-secret",
    "DATAGRAIL_DROP_SECRET": "made-up-drop-secret",
    "DATAGRAIL_API_KEY": "made-up-api-key-0123",
    "MINEOS_SIGNING_SECRET": "made-up-mineos-secret",
    "MINEOS_API_TOKEN": "made-up-mineos-token",
    "KERTOS_API_KEY": "made-up-kertos-key-0123",
    "ONETRUST_CONSENT_SECRET": "made-up-consent-secret-0123456789",
    "WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"made-up secret of 32 bytes......").decode(),
}
Sign = Callable[[bytes, int], dict[str, str]]


def mac(secret: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()


def of_body(header: str, name: str) -> Sign:
    return lambda body, _: {header: mac(SECRETS[name].encode(), body)}


def of_datagrail(name: str, prefix: str = "") -> Sign:
    def sign(body: bytes, at: int) -> dict[str, str]:
        signature = mac(SECRETS[name].encode(), b"%d:%s" % (at, body))
        return {"X-Webhook-Timestamp": str(at), "X-Webhook-Signature": prefix + signature}

    return sign


def by_standard_webhooks(body: bytes, at: int) -> dict[str, str]:
    name = "msg_" + hashlib.sha256(body).hexdigest()[:20]
    key = base64.b64decode(SECRETS["WEBHOOK_SECRET"].removeprefix("whsec_"))
    signature = mac(key, b"%s.%d.%s" % (name.encode(), at, body))
    return {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}


SIGN: dict[str, Sign] = {
    "shopify": of_body("X-Shopify-Hmac-Sha256", "SHOPIFY_CLIENT_SECRET"),
    "datagrail": of_datagrail("DATAGRAIL_WEBHOOK_SECRET"),
    "datagrail-drop": of_datagrail("DATAGRAIL_DROP_SECRET", "v1="),
    "mineos": of_body("X-Mine-Signature", "MINEOS_SIGNING_SECRET"),
    "kertos": lambda _body, _at: {"X-API-KEY": SECRETS["KERTOS_API_KEY"]},
    "consent": lambda _body, _at: {"X-Connector-Secret": SECRETS["ONETRUST_CONSENT_SECRET"]},
    "erasures": by_standard_webhooks,
}


@dataclass
class Recorder:
    """Stands where a platform takes reports: notes each call, and answers as it is told."""

    calls: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {key.removeprefix("HTTP_"): text for key, text in environ.items() if key.startswith("HTTP_")}
        self.calls.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], headers, json.loads(body)))
        status = self.statuses.pop(0) if self.statuses else 200
        start_response(f"{status} As told", [("Content-Type", "application/json")])
        return [b"{}"]

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, _, body in self.calls]


@dataclass
class Described:
    """The running example."""

    site: Site
    clock: FixedClock
    lytics: FakeLytics
    url: str
    platform: Recorder
    callback_url: str

    def payload(self, fixture: str, **changes: Any) -> bytes:
        """Return a fixture's bytes; an address to call back leads to the recorder."""
        said = json.loads((ROOT / "tests/fixtures" / f"{fixture}.json").read_text(encoding="utf-8")) | changes
        for members in (said, said.get("data", {})):
            if "callback_url" in members:
                members["callback_url"] = self.callback_url
        return json.dumps(said).encode()

    def post(self, source: str, body: bytes, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Sign and post; further headers are laid over those of the signature."""
        signed = SIGN[source](body, int(self.clock.now().timestamp()))
        given = {"Content-Type": "application/json", **signed, **(headers or {})}
        return requests.post(f"{self.url}/webhooks/{source}", data=body, headers=given, timeout=10)

    def run(self, passes: int = 12, seconds: float = 400.0) -> None:
        for _ in range(passes):
            self.clock.advance(seconds=seconds)
            run_pass(self.site)

    def rows(self, table: Any) -> list[Any]:
        with self.site.database.read() as connection:
            return list(connection.execute(table.select().order_by(table.c.id)).all())

    @property
    def requests(self) -> list[Any]:
        return self.rows(request_table)

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(str(one.state), one.reason) for one in self.requests]

    @property
    def report_states(self) -> list[tuple[str, str]]:
        return [(one.status.value, str(one.state)) for one in self.rows(report_table)]

    def dossier(self) -> overview.Dossier:
        with self.site.database.read() as connection:
            (row,) = self.requests
            return overview.dossier(connection, row)

    def submitted(self) -> set[tuple[str, str]]:
        return {(one["field"], one["value"]) for one in self.lytics.snapshot()["times_submitted"]}


@contextmanager
def described(example: str, store_url: str, *settings: str) -> Iterator[Described]:
    """Start a shipped example, with the fake Lytics and the recorder in the vendors' places."""
    clock = FixedClock(START)
    with ExitStack() as stack:
        lytics = stack.enter_context(FakeLytics(clock=lambda: clock.now().timestamp()))
        platform = Recorder()
        recorder = stack.enter_context(LoopbackServer(platform))
        overrides = (
            f"store.url={json.dumps(store_url)}",
            f'accounts.main.base_url="{lytics.url}"',
            "accounts.main.batch_wait_s=0",
            "outbound.rehearsal=true",
            *([f'sources.mineos.generic.report.base_url="{recorder.url}"'] if example == "mineos" else []),
            *settings,
        )
        config = load(ROOT / f"config/{example}.example.toml", SECRETS, overrides, PLATFORMS)
        stack.enter_context(logging_as_it_was())
        site = build_site(config, "cli", clock)
        stack.callback(site.database.close)
        bring_up_to_date(site.database)
        receiver = stack.enter_context(LoopbackServer(web_app(config, site)))
        yield Described(site, clock, lytics, receiver.url, platform, f"{recorder.url}/callback")
