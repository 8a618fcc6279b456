"""Shared values, and layouts spelled out in the settings, as their senders make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any, Final

from connector.ports import Verifier
from connector.private import Secret
from connector.verify.combine import AllOf, AnyOf
from connector.verify.grammar import Plain, SignatureEncoding, Versioned
from connector.verify.keys import Algorithm
from connector.verify.scheme import Names, Scheme
from connector.verify.shared import Basic, Bearer, QueryParameter, StaticHeader
from connector.verify.signed import Signed
from connector.verify.stamp import TimeUnit, Tolerance
from tests.contract.subjects.subject import CURRENT, NEXT, RETIRED, URL, Sent, Subject

VALUES: Final = {
    CURRENT: "correct-horse-battery-staple",
    NEXT: "tr0ub4dor-and-three-more-words",
    RETIRED: "an-old-secret-that-was-retired",
}
WEAK: Final = {"empty": "", "short": "fifteen-chars-x", "blank": " " * 20, "not UTF-8": "a-secret-with-\udc80-inside"}


def secrets(keys: tuple[str, ...]) -> tuple[Secret, ...]:
    return tuple(Secret(VALUES[key], f"test:{key}") for key in keys)


def refused_secrets(build: Any) -> dict[str, Any]:
    """Return builds with a secret that is not fit for use."""
    cases = {what: (lambda text=text: build((Secret(text, "test:weak"),))) for what, text in WEAK.items()}
    return {**cases, "none": lambda: build(())}


def basic_header(key: str) -> str:
    return "Basic " + base64.b64encode(f"onetrust:{VALUES[key]}".encode()).decode()


def mac(key: str, content: bytes, algorithm: str) -> bytes:
    return hmac.new(VALUES[key].encode(), content, getattr(hashlib, algorithm)).digest()


def shared(name: str, build: Any, header: str, write: Any, **more: Any) -> Subject:
    return Subject(
        name=name,
        verifier=lambda *keys: build(secrets(keys)),
        send=lambda key, content, at: Sent({header: write(key)}, content),
        credentials=(header,),
        covers_body=False,
        primitive="compare",
        misconfigured=refused_secrets(build),
        **more,
    )


def timed(*keys: str) -> Verifier:
    return Signed(TIMED, secrets(keys))


TIMED: Final = Scheme(
    "signature", (Names("X-Signed", "X-Sent-At"),), "{ts}.{body}", Algorithm.HMAC_SHA256, window=Tolerance(past_s=300)
)
OTHER: Final = Scheme(
    "signature",
    (Names("X-Signed", "X-Sent-At", "X-Delivery"),),
    "{id}\n{ts}\n{method} {path}?{query} {host}\n{body}",
    Algorithm.HMAC_SHA512,
    Versioned(("v1",)),
    SignatureEncoding.BASE64URL,
    window=Tolerance(TimeUnit.ISO8601, past_s=60, future_s=30),
)
ALONE: Final = Scheme("signature", (Names("X-Signed"),), "{body}", Algorithm.HMAC_SHA384, Plain("sha384="), window=None)


def send_timed(key: str, content: bytes, at: datetime) -> Sent:
    stamp = str(int(at.timestamp()))
    signature = mac(key, f"{stamp}.".encode() + content, "sha256").hex()
    return Sent({"X-Signed": signature, "X-Sent-At": stamp}, content)


def send_other(key: str, content: bytes, at: datetime) -> Sent:
    stamp = at.isoformat()
    target = "/webhooks/privacy?tenant=7 connector.example.com"
    text = f"d-{stamp[:19]}\n{stamp}\nPOST {target}\n".encode() + content
    signature = base64.urlsafe_b64encode(mac(key, text, "sha512")).decode().rstrip("=")
    return Sent({"X-Signed": f"v1,{signature}", "X-Sent-At": stamp, "X-Delivery": f"d-{stamp[:19]}"}, content)


def send_with_query(key: str, content: bytes, at: datetime) -> Sent:
    return Sent({}, content, url=f"{URL}&token={VALUES[key]}")


def send_all(key: str, content: bytes, at: datetime) -> Sent:
    return Sent({**send_timed(key, content, at).headers, "Authorization": f"Bearer {VALUES[key]}"}, content)


SUBJECTS: Final = (
    shared("header", lambda live: StaticHeader("X-Secret", live), "X-Secret", VALUES.__getitem__),
    shared(
        "header with a prefix",
        lambda live: StaticHeader("Authorization", live, prefix="Token "),
        "Authorization",
        lambda key: f"Token {VALUES[key]}",
    ),
    shared("bearer", Bearer, "Authorization", lambda key: f"Bearer {VALUES[key]}"),
    shared("basic", lambda live: Basic("onetrust", live), "Authorization", basic_header),
    Subject(
        name="query",
        verifier=lambda *keys: QueryParameter("token", secrets(keys)),
        send=send_with_query,
        credentials=(),
        covers_body=False,
        primitive="compare",
        confused={
            "none": lambda: Sent({}),
            "empty": lambda: Sent({}, url=f"{URL}&token="),
            "twice": lambda: Sent({}, url=f"{URL}&token={VALUES[CURRENT]}&token={VALUES[CURRENT]}"),
            "other case of the name": lambda: Sent({}, url=f"{URL}&Token={VALUES[CURRENT]}"),
            "in the fragment": lambda: Sent({}, url=f"{URL}#token={VALUES[CURRENT]}"),
            "cannot be decoded": lambda: Sent({}, url=f"{URL}&token=%ff"),
            "in the body": lambda: Sent({}, f"token={VALUES[CURRENT]}".encode()),
        },
        misconfigured={
            **refused_secrets(lambda live: QueryParameter("token", live)),
            "no name": lambda: QueryParameter("", secrets((CURRENT,))),
        },
    ),
    Subject(
        name="time and body",
        verifier=timed,
        send=send_timed,
        credentials=("X-Signed", "X-Sent-At"),
        window_s=(300, 300),
        ignores_case=frozenset({"X-Signed"}),
        misconfigured=refused_secrets(lambda live: Signed(TIMED, live)),
    ),
    Subject(
        name="everything other than the default",
        verifier=lambda *keys: Signed(OTHER, secrets(keys)),
        send=send_other,
        credentials=("X-Signed", "X-Sent-At", "X-Delivery"),
        window_s=(60, 30),
        primitive="hmac-sha512",
        lists=frozenset({"X-Signed"}),
        misconfigured=refused_secrets(lambda live: Signed(OTHER, live)),
    ),
    Subject(
        name="body alone",
        verifier=lambda *keys: Signed(ALONE, secrets(keys)),
        send=lambda key, content, at: Sent({"X-Signed": f"sha384={mac(key, content, 'sha384').hex()}"}, content),
        credentials=("X-Signed",),
        primitive="hmac-sha384",
    ),
    Subject(
        name="all of two checks",
        verifier=lambda *keys: AllOf((timed(*keys), Bearer(secrets(keys)))),
        send=send_all,
        credentials=("X-Signed", "X-Sent-At", "Authorization"),
        secret_id=lambda key: f"test:{key}",
        window_s=(300, 300),
        ignores_case=frozenset({"X-Signed"}),
        misconfigured={"no check": lambda: AllOf(())},
    ),
    Subject(
        name="any of two checks",
        verifier=lambda *keys: AnyOf((Basic("onetrust", secrets((RETIRED,))), timed(*keys))),
        send=send_timed,
        credentials=("X-Signed", "X-Sent-At"),
        window_s=(300, 300),
        ignores_case=frozenset({"X-Signed"}),
        misconfigured={"no check": lambda: AnyOf(())},
    ),
)
