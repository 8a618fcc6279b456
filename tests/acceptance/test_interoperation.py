"""Requests signed by the senders' own public libraries are accepted by the running server, and altered ones are not."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
import requests
import standardwebhooks
import svix
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import ED25519

from connector.sandbox.defaults import WEBHOOK_SECRET
from tests.support.processes import connector, free_port, started, until

pytestmark = pytest.mark.process

WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
ED_KEY = Ed25519PrivateKey.generate()
EC_KEY = ec.generate_private_key(ec.SECP256R1())
AUDIENCE = "https://connector.example.com"
ISSUER = "https://login.example.org"
Signed = tuple[dict[str, str], bytes]


def body() -> bytes:
    """A delivery of a new request, as OneTrust's workflow would send it."""
    return json.dumps(
        {"subTaskId": str(uuid4()), "requestTypes": ["Data Deletion"], "email": f"{uuid4().hex}@example.com"}
    ).encode()


def pem(key: Any) -> str:
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode()


def by_standard_webhooks(_url: str) -> Signed:
    content, sent_at, name = body(), datetime.now(UTC), f"msg_{uuid4().hex}"
    signature = standardwebhooks.Webhook(WHSEC).sign(name, sent_at, content.decode())
    stamp = str(int(sent_at.timestamp()))
    return {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": signature}, content


def by_svix(_url: str) -> Signed:
    content, sent_at, name = body(), datetime.now(UTC), f"msg_{uuid4().hex}"
    signature = svix.Webhook(WHSEC).sign(name, sent_at, content.decode())
    return {"svix-id": name, "svix-timestamp": str(int(sent_at.timestamp())), "svix-signature": signature}, content


def claims(content: bytes) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    digest = hashlib.sha256(content).hexdigest()
    return {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 120, "jti": uuid4().hex, "body_sha256": digest}


def by_pyjwt(_url: str) -> Signed:
    content = body()
    token = jwt.encode(claims(content), EC_KEY, algorithm="ES256", headers={"kid": "ec-1"})
    return {"Authorization": f"Bearer {token}"}, content


def by_pyjwt_with_a_published_key(_url: str) -> Signed:
    content = body()
    token = jwt.encode(claims(content), ED_KEY, algorithm="EdDSA", headers={"kid": "ed-1"})
    return {"X-Token": token}, content


class OneKey(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id: str) -> Any:
        return ED_KEY

    def resolve_public_key(self, key_id: str) -> Any:
        return ED_KEY.public_key()


def by_http_message_signatures(url: str) -> Signed:
    content = body()
    message = requests.Request("POST", url, data=content, headers={"Content-Type": "application/json"}).prepare()
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=OneKey()).sign(
        message, key_id="ed-1", covered_component_ids=("@method", "@target-uri", "content-digest"), body=content
    )
    return {name: value for name, value in message.headers.items() if name != "Content-Length"}, content


SENDERS: dict[str, Callable[[str], Signed]] = {
    "standard-webhooks": by_standard_webhooks,
    "svix": by_svix,
    "pyjwt": by_pyjwt,
    "pyjwt-published": by_pyjwt_with_a_published_key,
    "message-signature": by_http_message_signatures,
}


def checks(folder: Path, keys_url: str) -> dict[str, str]:
    """Return the check of each source, as TOML."""
    (folder / "whsec").write_text(WHSEC)
    (folder / "ec.pem").write_text(pem(EC_KEY))
    (folder / "ed.pem").write_text(pem(ED_KEY))
    token = (
        f'issuers = ["{ISSUER}"], audiences = ["{AUDIENCE}"], max_age_s = 300, body = "hash", '
        'body_claim = "body_sha256"'
    )
    return {
        "standard-webhooks": '{ check = "scheme", scheme = "standard-webhooks", secrets = ["file:whsec"] }',
        "svix": '{ check = "scheme", scheme = "svix", secrets = ["file:whsec"] }',
        "pyjwt": f'{{ check = "jws", place = "bearer", algorithms = ["ES256"], secrets = ["file:ec.pem"], {token} }}',
        "pyjwt-published": (
            '{ check = "jws", place = "header", header = "X-Token", algorithms = ["EdDSA"], keys_from = "jwks", '
            f'keys_url = "{keys_url}", {token} }}'
        ),
        "message-signature": (
            '{ check = "http-message-signature", '
            'keys = [{ keyid = "ed-1", algorithm = "ed25519", secrets = ["file:ed.pem"] }] }'
        ),
    }


def configuration(folder: Path, port: int, keys_url: str) -> Path:
    (folder / "text").write_text(WEBHOOK_SECRET)
    tables = [
        f"server = {{ port = {port} }}",
        'store = { url = "sqlite:///store.db", pseudonym_key = "file:text", sealing_keys = ["file:text"] }',
        "outbound = { rehearsal = true }",
        '[accounts.main]\nbase_url = "http://127.0.0.1:9"\ntoken = "file:text"',
    ]
    tables += [
        f'[sources.{name}]\nplatform = "onetrust"\naccount = "main"\nurl = "{sender_url(name)}"\nverify = [{check}]\n'
        'mapping = [{ kinds = ["email"], targets = [{ table = "user", field = "email", steps = ["lower"] }] }]\n'
        'report = { base_url = "http://127.0.0.1:9", client_id = "x", client_secret = "file:text" }'
        for name, check in checks(folder, keys_url).items()
    ]
    file = folder / "connector.toml"
    file.write_text("\n".join(tables))
    return file


def sender_url(name: str) -> str:
    """The address as a sender outside has it; the server listens elsewhere, behind a proxy."""
    return f"https://connector.example.com/webhooks/{name}"


class Keys(BaseHTTPRequestHandler):
    """Publishes the Ed25519 key as a JWK set."""

    def do_GET(self) -> None:
        raw = ED_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        text = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": x}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("interoperation")
    port = free_port()
    publisher = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=publisher.serve_forever, daemon=True).start()
    file = configuration(folder, port, f"http://127.0.0.1:{publisher.server_port}/keys")
    command = [*connector()[:3], "--config", str(file)]
    with started([*command, "db", "upgrade"], folder) as upgrade:
        assert upgrade.wait() == 0, upgrade.text()
    with started([*command, "web"], folder) as running:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url), "the server answers", running)
        yield url
    publisher.shutdown()
    publisher.server_close()


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/live", timeout=5).ok
    except requests.RequestException:
        return False


def post(server: str, name: str, headers: dict[str, str], content: bytes) -> requests.Response:
    return requests.post(
        f"{server}/webhooks/{name}", data=content, headers={"Content-Type": "application/json", **headers}, timeout=20
    )


@pytest.mark.parametrize("name", SENDERS)
def test_what_the_public_library_signs_is_accepted_once(server: str, name: str) -> None:
    headers, content = SENDERS[name](sender_url(name))
    first, again = (post(server, name, headers, content) for _ in range(2))
    assert (first.status_code, first.json()["duplicate"]) == (202, False), first.text
    assert (again.status_code, again.json()) == (202, first.json() | {"duplicate": True})


@pytest.mark.parametrize("name", SENDERS)
def test_the_same_signature_over_another_body_is_refused(server: str, name: str) -> None:
    headers, _ = SENDERS[name](sender_url(name))
    answer = post(server, name, headers, body())
    assert answer.status_code == 401
    assert answer.json()["code"] in {"credential_wrong", "body_digest_wrong"}


def test_a_message_signed_for_another_address_is_refused(server: str) -> None:
    headers, content = by_http_message_signatures(sender_url("somewhere-else"))
    assert post(server, "message-signature", headers, content).status_code == 401
