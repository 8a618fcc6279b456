"""Meta's data deletion callback, written from "Data Deletion Request Callback"."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from connector.private import Secret
from connector.verify.signed_request import SignedRequest
from connector.verify.stamp import Tolerance
from tests.contract.subjects.subject import CURRENT, NOW, Sent, Subject

ISSUED: Final = int(NOW.timestamp())
MESSAGE: Final = {"algorithm": "HMAC-SHA256", "issued_at": ISSUED, "user_id": "218471"}
CONTENT: Final = json.dumps(MESSAGE).encode()
FORM: Final = "application/x-www-form-urlencoded"


def app_secret(key: str) -> str:
    return hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()


def check(*keys: str) -> SignedRequest:
    return SignedRequest(tuple(Secret(app_secret(key), f"test:{key}") for key in keys))


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(content: bytes, key: str = CURRENT, over: Callable[[str], bytes] = str.encode, name: str = "sha256") -> str:
    payload = encoded(content)
    return f"{encoded(hmac.new(app_secret(key).encode(), over(payload), getattr(hashlib, name)).digest())}.{payload}"


def form(*values: str, field: str = "signed_request") -> Sent:
    return Sent({"Content-Type": FORM}, urlencode([(field, value) for value in values]).encode())


def send(key: str, content: bytes, at: datetime) -> Sent:
    return form(signed(content, key))


def saying(**changes: object) -> Callable[[], Sent]:
    message = {name: value for name, value in {**MESSAGE, **changes}.items() if value is not None}
    return lambda: form(signed(json.dumps(message).encode()))


def of_text(text: str) -> Callable[[], Sent]:
    return lambda: form(signed(text.encode(errors="surrogatepass")))


GOOD: Final = signed(CONTENT)
SIGNATURE, PAYLOAD = GOOD.split(".")
PADDED: Final = json.dumps({**MESSAGE, "x": "1"}).encode()


def padded() -> Sent:
    """Sign a payload that is written with its padding, in both parts."""
    payload = base64.urlsafe_b64encode(PADDED + b" " * ((1 - len(PADDED)) % 3)).decode()
    assert payload.endswith("=")
    mac = hmac.new(app_secret(CURRENT).encode(), payload.encode(), hashlib.sha256).digest()
    return form(f"{base64.urlsafe_b64encode(mac).decode()}.{payload}")


CONFUSED: Final[dict[str, Callable[[], Sent]]] = {
    "algorithm none": saying(algorithm="none"),
    "algorithm PLAINTEXT": saying(algorithm="PLAINTEXT"),
    "algorithm in lower case": saying(algorithm="hmac-sha256"),
    "algorithm of another hash": saying(algorithm="HMAC-SHA1"),
    "algorithm null": lambda: form(signed(CONTENT.replace(b'"HMAC-SHA256"', b"null"))),
    "algorithm in a list": saying(algorithm=["HMAC-SHA256"]),
    "no algorithm": saying(algorithm=None),
    "algorithm none and no signature": lambda: form("." + encoded(CONTENT.replace(b"HMAC-SHA256", b"none"))),
    "signed before encoding": lambda: form(signed(CONTENT, over=lambda _: CONTENT)),
    "signed with another hash": lambda: form(signed(CONTENT, name="sha512")),
    "signed with SHA-1": lambda: form(signed(CONTENT, name="sha1")),
    "two fields": lambda: form(GOOD, GOOD),
    "two fields, the second forged": lambda: form(GOOD, signed(CONTENT, "attacker")),
    "two fields, the first forged": lambda: form(signed(CONTENT, "attacker"), GOOD),
    "in another field": lambda: form(GOOD, field="Signed_Request"),
    "in the query": lambda: replace(form("x"), url=f"https://connector.example.com/?signed_request={GOOD}"),
    "in JSON": lambda: Sent({"Content-Type": "application/json"}, json.dumps({"signed_request": GOOD}).encode()),
    "the bare text": lambda: Sent({"Content-Type": FORM}, GOOD.encode()),
    "an empty field": lambda: form(""),
    "a blank field": lambda: form("  "),
    "no signature": lambda: form(PAYLOAD),
    "an empty signature": lambda: form(f".{PAYLOAD}"),
    "an empty payload": lambda: form(f"{SIGNATURE}."),
    "three parts": lambda: form(f"{GOOD}.{PAYLOAD}"),
    "the payload of another": lambda: form(f"{SIGNATURE}.{signed(CONTENT + b' ').split('.')[1]}"),
    "the parts the other way round": lambda: form(f"{PAYLOAD}.{SIGNATURE}"),
    "with padding": padded,
    "a signature with padding": lambda: form(f"{SIGNATURE}=.{PAYLOAD}"),
    "standard Base64": lambda: form(
        base64.b64encode(hmac.new(app_secret(CURRENT).encode(), PAYLOAD.encode(), hashlib.sha256).digest()).decode()
        + f".{PAYLOAD}"
    ),
    "a signature in hexadecimal": lambda: form(
        hmac.new(app_secret(CURRENT).encode(), PAYLOAD.encode(), hashlib.sha256).hexdigest() + f".{PAYLOAD}"
    ),
    "blanks around it": lambda: form(f" {GOOD} "),
    "an algorithm twice": lambda: form(signed(b'{"algorithm": "none", "algorithm": "HMAC-SHA256", "user_id": "1"}')),
    "not JSON": of_text("user_id=218471"),
    "a list": of_text('["HMAC-SHA256"]'),
    "too deep": of_text("[" * 50_000),
    "NaN": of_text('{"algorithm": "HMAC-SHA256", "issued_at": NaN}'),
    "not UTF-8": lambda: form(signed(b'{"algorithm": "HMAC-SHA256", "user_id": "\xff"}')),
    "too old": saying(issued_at=ISSUED - 86_401),
    "from the future": saying(issued_at=ISSUED + 301),
    "issued_at as text": saying(issued_at=str(ISSUED)),
    "issued_at as a fraction": saying(issued_at=ISSUED + 0.5),
    "issued_at true": saying(issued_at=True),
    "issued_at null": lambda: form(signed(b'{"algorithm": "HMAC-SHA256", "issued_at": null}')),
    "issued_at negative": saying(issued_at=-1),
    "issued_at in milliseconds": saying(issued_at=ISSUED * 1_000),
    "issued_at beyond all numbers": of_text('{"algorithm": "HMAC-SHA256", "issued_at": 1' + "0" * 5_000 + "}"),
    "a form that is no ASCII": lambda: Sent({"Content-Type": FORM}, "signed_request=皇".encode()),
    "a form with bad escapes": lambda: Sent({"Content-Type": FORM}, b"signed_request=%ff"),
    "very many fields": lambda: Sent({"Content-Type": FORM}, b"a=1&" * 2_000 + f"signed_request={GOOD}".encode()),
}


def refused(*secrets: Secret, **settings: object) -> Callable[[], object]:
    return lambda: SignedRequest(secrets, **settings)


def weak(text: str) -> Callable[[], object]:
    return refused(Secret(text, "test:weak"))


MISCONFIGURED: Final[dict[str, Callable[[], object]]] = {
    "no secret": refused(),
    "an empty secret": weak(""),
    "a short secret": weak("secret"),
    "a blank secret": weak(" " * 20),
    "a secret that is not UTF-8": weak("a-secret-with-\udc80-inside"),
    "no field": refused(Secret(app_secret(CURRENT), "test:current"), form_field=""),
    "no age": lambda: SignedRequest(check(CURRENT).secrets, window=Tolerance(past_s=0)),
}


SUBJECTS: Final = (
    Subject(
        name="signed request",
        verifier=check,
        send=send,
        credentials=(),
        content=CONTENT,
        confused=CONFUSED,
        misconfigured=MISCONFIGURED,
    ),
)
