"""The senders of the presets, one row each, written from the vendors' pages."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.cli.sign import signed_headers
from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.grammar import Plain, SignatureEncoding
from connector.verify.key_format import KeyFormat
from connector.verify.presets import PRESETS
from connector.verify.scheme import Scheme
from connector.verify.signed import Signed
from tests.contract.subjects.subject import CURRENT, NOW, URL, Sent, Subject
from tests.contract.subjects.subject import NEXT as NEXT_KEY
from tests.contract.subjects.subject import RETIRED as RETIRED_KEY

BODY: Final = b'{"request":"7f3a","type":"erasure"}'
FORM: Final = b"request=7f3a&type=erasure"
ID: Final = "msg_2b1Tz"

Headers = dict[str, str]


class Held:
    """A key as both sides hold it: what signs, and what is configured here."""

    def __init__(self, name: str) -> None:
        self.id = f"env:{name}"
        self.seed = hashlib.sha256(name.encode()).digest()
        self.ed25519 = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.p256 = ec.derive_private_key(int.from_bytes(self.seed, "big"), ec.SECP256R1())

    @property
    def text(self) -> str:
        return f"correct-horse-{self.seed.hex()[:20]}"

    def mac(self, content: bytes, algorithm: str = "sha256", key: bytes | None = None) -> bytes:
        return hmac.new(self.text.encode() if key is None else key, content, getattr(hashlib, algorithm)).digest()

    def whpk(self) -> str:
        raw = self.ed25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "whpk_" + base64.b64encode(raw).decode()

    def spki(self) -> str:
        der = self.p256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()


SECRET, NEXT, RETIRED = Held("CURRENT"), Held("NEXT"), Held("RETIRED")


Send = Callable[[Held, bytes, datetime], Headers]


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def millis(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def listed(prefix: str, version: str, sign: Callable[[Held, bytes], bytes]) -> Send:
    def send(key: Held, body: bytes, at: datetime) -> Headers:
        signature = b64(sign(key, f"{ID}.{seconds(at)}.".encode() + body))
        names = (f"{prefix}-id", f"{prefix}-timestamp", f"{prefix}-signature")
        return dict(zip(names, (ID, seconds(at), f"{version},{signature}"), strict=True))

    return send


def over_body(header: str, write: Callable[[bytes], str], algorithm: str = "sha256", prefix: str = "") -> Send:
    return lambda key, body, at: {header: prefix + write(key.mac(body, algorithm))}


def stamped(header: str, stamp: str, form: str, write: Callable[[bytes], str], prefix: str = "") -> Send:
    def send(key: Held, body: bytes, at: datetime) -> Headers:
        sent = millis(at) if header == "x-webflow-signature" else seconds(at)
        return {stamp: sent, header: prefix + write(key.mac(form.format(sent).encode() + body))}

    return send


def hubspot_v3(key: Held, body: bytes, at: datetime) -> Headers:
    content = f"POST{URL}".encode() + body + millis(at).encode()
    return {"x-hubspot-request-timestamp": millis(at), "x-hubspot-signature-v3": b64(key.mac(content))}


def stripe(key: Held, body: bytes, at: datetime) -> Headers:
    return {"stripe-signature": f"t={seconds(at)},v1={key.mac(f'{seconds(at)}.'.encode() + body).hex()}"}


def paddle(key: Held, body: bytes, at: datetime) -> Headers:
    return {"paddle-signature": f"ts={seconds(at)};h1={key.mac(f'{seconds(at)}:'.encode() + body).hex()}"}


def twilio(key: Held, body: bytes, at: datetime) -> Headers:
    pairs = sorted({tuple(pair.split("=")) for pair in body.decode().split("&")})
    content = URL + "".join("".join(pair) for pair in pairs)
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return kind | {"x-twilio-signature": b64(key.mac(content.encode(), "sha1"))}


def sendgrid(key: Held, body: bytes, at: datetime) -> Headers:
    signature = key.p256.sign(seconds(at).encode() + body, ec.ECDSA(hashes.SHA256()))
    name = "x-twilio-email-event-webhook"
    return {f"{name}-timestamp": seconds(at), f"{name}-signature": b64(signature)}


def digested(content: Callable[[bytes], bytes]) -> Send:
    return lambda key, body, at: {
        "x-hubspot-signature": hashlib.sha256(key.text.encode() + content(body)).hexdigest(),
    }


@dataclass(frozen=True)
class Case:
    """One preset and its sender.

    Attributes:
        header: the one that carries the signature.
        stamp: the header of the timestamp; empty if there is none of its own.
        configured: what the operator writes for a key.
        past_s: the row's tolerance; 0 without a timestamp.
    """

    name: str
    send: Send
    header: str
    stamp: str = ""
    configured: Callable[[Held], str] = lambda key: key.text
    past_s: int = 300
    body: bytes = BODY

    def check(self, *keys: Held) -> Signed:
        return Signed(PRESETS[self.name], tuple(Secret(self.configured(key), key.id) for key in keys or (SECRET,)))

    def headers(self, key: Held = SECRET, body: bytes | None = None, at: datetime = NOW) -> Headers:
        return self.send(key, self.body if body is None else body, at)

    def inbound(self, headers: Headers, body: bytes | None = None) -> Inbound:
        return Inbound("POST", URL, tuple(headers.items()), self.body if body is None else body)


def whsec(key: Held) -> str:
    return "whsec_" + b64(key.seed)


_MAC = lambda key, content: key.mac(content, key=key.seed)  # noqa: E731 - a row's value
_ED25519 = lambda key, content: key.ed25519.sign(content)  # noqa: E731 - a row's value
_GRAIL = ("x-webhook-signature", "x-webhook-timestamp")
_FORGE = ("x-consentforge-signature", "x-consentforge-timestamp")
_ONETRUST = ("x-onetrust-signature", "x-onetrust-timestamp")
_SLACK = ("x-slack-signature", "x-slack-request-timestamp")
_WEBFLOW = ("x-webflow-signature", "x-webflow-timestamp")
_SENDGRID = ("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp")
_HOOK = ("webhook-signature", "webhook-timestamp")

CASES: Final = {
    case.name: case
    for case in (
        Case("standard-webhooks", listed("webhook", "v1", _MAC), *_HOOK, whsec),
        Case("standard-webhooks-v1a", listed("webhook", "v1a", _ED25519), *_HOOK, Held.whpk),
        Case("svix", listed("svix", "v1", _MAC), "svix-signature", "svix-timestamp", whsec),
        Case("datagrail", stamped(*_GRAIL, "{}:", b64), *_GRAIL),
        Case("datagrail-drop", stamped(*_GRAIL, "{}:", b64, "v1="), *_GRAIL),
        Case("shopify", over_body("x-shopify-hmac-sha256", b64), "x-shopify-hmac-sha256", past_s=0),
        Case("segment", over_body("x-signature", bytes.hex, "sha1"), "x-signature", past_s=0),
        Case("ketch", over_body("x-hub-signature-256", bytes.hex), "x-hub-signature-256", past_s=0),
        Case("github", over_body("x-hub-signature-256", bytes.hex, prefix="sha256="), "x-hub-signature-256", past_s=0),
        Case("slack", stamped(*_SLACK, "v0:{}:", bytes.hex, "v0="), *_SLACK),
        Case("stripe", stripe, "stripe-signature"),
        Case("paddle", paddle, "paddle-signature"),
        Case("webflow", stamped(*_WEBFLOW, "{}:", bytes.hex), *_WEBFLOW),
        Case("consentforge", stamped(*_FORGE, "{}.", bytes.hex), *_FORGE),
        Case("cookiewise", over_body("x-cookiewise-signature", bytes.hex), "x-cookiewise-signature", past_s=0),
        Case("hubspot-v1", digested(lambda body: body), "x-hubspot-signature", past_s=0),
        Case("hubspot-v2", digested(lambda body: f"POST{URL}".encode() + body), "x-hubspot-signature", past_s=0),
        Case("hubspot-v3", hubspot_v3, "x-hubspot-signature-v3", "x-hubspot-request-timestamp"),
        Case("twilio", twilio, "x-twilio-signature", past_s=0, body=FORM),
        Case("sendgrid", sendgrid, *_SENDGRID, Held.spki, past_s=86_400),
        Case("onetrust-hmac", stamped(*_ONETRUST, "{}.", bytes.hex), *_ONETRUST),
    )
}


def refusal(check: Signed, inbound: Inbound, now: datetime = NOW) -> Code:
    """Return the code of the refusal, after looking at what each refusal owes us."""
    with pytest.raises(Rejected) as caught:
        check.verify(inbound, now)
    assert caught.value.entry.status == 401
    for _, value in inbound.headers:
        # Shorter ones are pieces of words that a message may hold by chance.
        assert len(value) < 12 or value not in str(caught.value)
    return caught.value.code


KEYS: Final = {CURRENT: SECRET, NEXT_KEY: NEXT, RETIRED_KEY: RETIRED}
PLAIN_HEX: Final = frozenset(
    {"segment", "ketch", "webflow", "consentforge", "cookiewise", "hubspot-v1", "hubspot-v2", "onetrust-hmac"}
)
LISTS: Final = frozenset({"standard-webhooks", "standard-webhooks-v1a", "svix", "paddle"})


def subject_of(case: Case) -> Subject:
    """Return a preset as a subject of the suite over every check."""
    names = case.headers()

    def send(key: str, content: bytes, at: datetime) -> Sent:
        return Sent(case.headers(KEYS[key], content, at), content)

    return Subject(
        name=case.name,
        verifier=lambda *keys: case.check(*(KEYS[key] for key in keys)),
        send=send,
        credentials=tuple(name for name in names if name != "content-type"),
        secret_id=lambda key: KEYS[key].id,
        content=case.body,
        window_s=(case.past_s, 300) if case.past_s else None,
        ignores_case=frozenset({case.header}) if case.name in PLAIN_HEX else frozenset(),
        lists=frozenset({case.header}) if case.name in LISTS else frozenset(),
        primitive=PRESETS[case.name].algorithm.value,
    )


def subject_by_its_row(scheme: Scheme) -> Subject:
    """Return a preset that has no sender above: signed from its row alone, so that a new one is a row and its vectors.

    The vectors, which others published, then are what stands against a misunderstanding.
    """

    def configured(key: str) -> Secret:
        held = KEYS[key]
        forms = {KeyFormat.WHSEC: whsec(held), KeyFormat.HEX: held.seed.hex(), KeyFormat.BASE64: b64(held.seed)}
        return Secret(forms.get(scheme.key, held.text), held.id)

    def send(key: str, content: bytes, at: datetime) -> Sent:
        call = Inbound("POST", URL, (("content-type", "application/json"),), content)
        return Sent({**dict(call.headers), **signed_headers(scheme, configured(key), call, at)}, content)

    names = scheme.names[0]
    window = scheme.window
    return Subject(
        name=scheme.name,
        verifier=lambda *keys: Signed(scheme, tuple(map(configured, keys))),
        send=send,
        credentials=tuple(one for one in (names.signature, names.timestamp, names.id) if one),
        secret_id=lambda key: KEYS[key].id,
        window_s=None if window is None else (window.past_s, window.future_s),
        ignores_case=frozenset({names.signature}) if scheme.encoding is SignatureEncoding.HEX else frozenset(),
        lists=frozenset() if isinstance(scheme.grammar, Plain) else frozenset({names.signature}),
        primitive=scheme.algorithm.value,
    )


SUBJECTS: Final = (
    *(subject_of(case) for case in CASES.values()),
    *(subject_by_its_row(scheme) for name, scheme in PRESETS.items() if name not in CASES),
)
