"""A table of mistakes: each is made by a signer of its own, and has to be found and said, with who has to mend it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.explain.hints import hints_for
from connector.verify.explain.mistakes import Search, Side
from connector.verify.grammar import Pairs, Plain, SignatureEncoding, Versioned
from connector.verify.key_format import KeyFormat
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.scheme import Names, Scheme
from connector.verify.signed import Signed
from connector.verify.stamp import TimeUnit, Tolerance

NOW: Final = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECONDS: Final = "1793610873"
MILLIS: Final = "1793610873000"
URL: Final = "https://connector.example.com/webhooks/privacy?tenant=7"
BODY: Final = '{"name": "Zoë", "id": 7, "path": "a/b", "a": [1, 2]}'.encode()
# Sixty-four hexadecimal digits, so that it can be taken as text, hexadecimal or Base64.
HEX_SECRET: Final = hashlib.sha256(b"explained").hexdigest()
RAW: Final = bytes.fromhex(HEX_SECRET)

PLAIN: Final = Scheme("signature", (Names("X-Sig"),), "{body}", Algorithm.HMAC_SHA256, window=None)
STAMPED: Final = Scheme("signature", (Names("X-Sig", "X-Time"),), "{ts}.{body}", Algorithm.HMAC_SHA256)
OVER_URL: Final = replace(PLAIN, content="{method} {url} {body}")


def mac(content: bytes, key: bytes = HEX_SECRET.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.new(key, content, algorithm).digest()


def compact(body: bytes = BODY, **more: Any) -> bytes:
    return json.dumps(json.loads(body), **{"separators": (",", ":"), "ensure_ascii": False, **more}).encode()


@dataclass(frozen=True)
class Case:
    """One mistake.

    Attributes:
        says: what the hint has to name.
        change: a part of what has to be changed, and on which `side`.
    """

    name: str
    says: str
    side: Side
    change: str
    headers: dict[str, str] | list[tuple[str, str]]
    scheme: Scheme = PLAIN
    secret: str = HEX_SECRET
    body: bytes = BODY
    method: str = "POST"
    target: str = ""
    now: datetime = NOW

    def found(self) -> Search:
        pairs = list(self.headers.items()) if isinstance(self.headers, dict) else self.headers
        check = Signed(
            self.scheme, (Secret(b64(b"another secret of the source"), "env:OTHER"), Secret(self.secret, "env:S"))
        )
        inbound = Inbound(self.method, URL, tuple(pairs), self.body)
        with pytest.raises(Rejected) as caught:
            check.verify(inbound, self.now)
        return hints_for(check, caught.value, inbound, self.now, self.target)


def sig(content: bytes, key: bytes = HEX_SECRET.encode(), algorithm: str = "sha256", **more: str) -> dict[str, str]:
    return {"X-Sig": mac(content, key, algorithm).hex(), **more}


def over(url: str, method: str = "POST") -> dict[str, str]:
    return sig(f"{method} {url} ".encode() + BODY)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


BODIES: Final = (
    ("the body as compact JSON", compact()),
    ("the body as compact JSON with \\u escapes", compact(ensure_ascii=True)),
    ("the body as JSON with sorted keys and blanks", compact(sort_keys=True, separators=(", ", ": "))),
    ("the body as compact JSON with sorted keys", compact(sort_keys=True)),
    ("the body as JSON indented by two", compact(indent=2, separators=(",", ": "))),
    ("the body as JSON indented by four", compact(indent=4, separators=(",", ": "))),
    ("the body as PHP's json_encode writes it", compact(ensure_ascii=True).replace(b"/", b"\\/")),
    ("the body with a line feed at its end", BODY + b"\n"),
    ("the body with CR LF at its end", BODY + b"\r\n"),
    ("the body in Latin-1", BODY.decode().encode("latin-1")),
    ("the body left empty", b""),
)
URLS: Final = (
    ("http instead of https", URL.replace("https", "http")),
    ("the port 443", URL.replace(".com", ".com:443")),
    ("no query", URL.partition("?")[0]),
    ("a slash at its end", URL.replace("privacy", "privacy/")),
    ("the host of the header Host", URL.replace("connector.example.com", "10.0.0.7:8080")),
    ("the host of the header X-Forwarded-Host", URL.replace("connector.example.com", "public.example.org")),
    ("the path of the request line", URL.replace("/webhooks/privacy", "/inner")),
    ("the path of the header X-Forwarded-Prefix", URL.replace("/webhooks", "/edge/webhooks")),
    ("the first part of the path left out", URL.replace("/webhooks", "")),
    (
        "http instead of https and the host of the header Host",
        URL.replace("https", "http").replace("connector.example.com", "10.0.0.7:8080"),
    ),
)
PROXY: Final = {"Host": "10.0.0.7:8080", "X-Forwarded-Host": "public.example.org", "X-Forwarded-Prefix": "/edge"}

CASES: Final = (
    *(Case(says, says, Side.SENDER, "ign", sig(signed)) for says, signed in BODIES),
    Case("a file with a line feed", "without the line end", Side.SENDER, "--data-binary", sig(BODY), body=BODY + b"\n"),
    Case("blanks around", "without blanks around", Side.SENDER, "bytes", sig(BODY), body=b" " + BODY + b" "),
    Case("a byte order mark", "byte order mark", Side.SENDER, "bytes", sig(BODY), body=b"\xef\xbb\xbf" + BODY),
    Case("CR LF", "LF in place of CR LF", Side.SENDER, "bytes", sig(b"a\nb"), body=b"a\r\nb"),
    Case("LF", "CR LF in place of LF", Side.SENDER, "bytes", sig(b"a\r\nb"), body=b"a\nb"),
    Case("gzip", "before compression", Side.SENDER, "compression", sig(BODY), body=gzip.compress(BODY, mtime=0)),
    Case(
        "html escapes",
        "<, > and & escaped",
        Side.SENDER,
        "bytes",
        sig(b'{"a":"\\u003cb\\u003e\\u0026"}'),
        body=b'{"a": "<b>&"}',
    ),
    # The secret, taken another way.
    Case("hex secret", "the secret decoded from hex", Side.CONNECTOR, 'key = "hex"', sig(BODY, RAW)),
    Case(
        "base64 secret",
        "decoded from base64",
        Side.CONNECTOR,
        'key = "base64"',
        sig(BODY, base64.b64decode(HEX_SECRET)),
    ),
    Case(
        "base64url secret",
        "decoded from base64url",
        Side.CONNECTOR,
        'key = "base64url"',
        sig(BODY, b"\xfb\xff" * 12),
        secret=base64.urlsafe_b64encode(b"\xfb\xff" * 12).decode(),
    ),
    Case(
        "whsec secret",
        "decoded from whsec",
        Side.CONNECTOR,
        'key = "whsec"',
        sig(BODY, RAW),
        secret="whsec_" + b64(RAW),
    ),
    Case(
        "text behind whsec_",
        "without `whsec_`",
        Side.SENDER,
        "decode",
        sig(BODY, b64(RAW).encode()),
        secret="whsec_" + b64(RAW),
    ),
    Case(
        "whsec taken as text",
        "the secret as plain text",
        Side.CONNECTOR,
        'key = "utf8"',
        sig(BODY, b"whsec_" + b64(RAW).encode()),
        replace(PLAIN, key=KeyFormat.WHSEC),
        "whsec_" + b64(RAW),
    ),
    Case(
        "echo",
        "a line feed at the end of the sender's secret",
        Side.SENDER,
        "printf",
        sig(BODY, HEX_SECRET.encode() + b"\n"),
    ),
    Case("quotes", "without quotes", Side.CONNECTOR, "quotes", sig(BODY), secret=f'"{HEX_SECRET}"'),
    # The header, read another way.
    Case("base64", "a signature in base64", Side.CONNECTOR, 'encoding = "base64"', {"X-Sig": b64(mac(BODY))}),
    Case(
        "hex in base64's place",
        "a signature in hex",
        Side.CONNECTOR,
        'encoding = "hex"',
        sig(BODY),
        replace(PLAIN, encoding=SignatureEncoding.BASE64),
    ),
    Case(
        "sha512",
        "the algorithm hmac-sha512",
        Side.CONNECTOR,
        'algorithm = "hmac-sha512"',
        sig(BODY, algorithm="sha512"),
    ),
    Case("sha1", "the algorithm hmac-sha1", Side.CONNECTOR, "SHA-256", sig(BODY, algorithm="sha1")),
    Case(
        "a prefix too much",
        "the prefix `sha256=`",
        Side.CONNECTOR,
        'prefix = "sha256="',
        {"X-Sig": f"sha256={mac(BODY).hex()}"},
    ),
    Case(
        "a prefix too few",
        "no prefix",
        Side.CONNECTOR,
        'prefix = ""',
        sig(BODY),
        replace(PLAIN, grammar=Plain("sha256=")),
    ),
    Case(
        "pairs",
        "items, the signature in `v1=`",
        Side.CONNECTOR,
        'timestamp_item = "t"',
        {"X-Sig": f"t={SECONDS},v1={mac(SECONDS.encode() + b'.' + BODY).hex()}"},
        replace(STAMPED, names=(Names("X-Sig"),), grammar=Pairs("sig", "time")),
    ),
    Case(
        "versions",
        "entries of the version v1",
        Side.CONNECTOR,
        'layout_of_header = "versions"',
        {"X-Sig": f"v1,{mac(BODY).hex()}"},
    ),
    Case(
        "no versions",
        "no prefix",
        Side.CONNECTOR,
        'prefix = ""',
        sig(BODY),
        replace(PLAIN, grammar=Versioned(("v1",))),
    ),
    # Time.
    Case(
        "milliseconds",
        "the time in milliseconds",
        Side.CONNECTOR,
        'timestamp_unit = "milliseconds"',
        sig(MILLIS.encode() + b"." + BODY, **{"X-Time": MILLIS}),
        STAMPED,
    ),
    Case(
        "seconds",
        "the time in seconds",
        Side.CONNECTOR,
        'timestamp_unit = "seconds"',
        sig(SECONDS.encode() + b"." + BODY, **{"X-Time": SECONDS}),
        replace(STAMPED, window=Tolerance(TimeUnit.MILLISECONDS)),
    ),
    Case(
        "iso 8601",
        "the time in iso8601",
        Side.CONNECTOR,
        'timestamp_unit = "iso8601"',
        sig(b"2026-11-02T09:14:33Z." + BODY, **{"X-Time": "2026-11-02T09:14:33Z"}),
        STAMPED,
    ),
    Case(
        "too old",
        "lies 16 min 40 s before it, and 300 s are allowed",
        Side.SENDER,
        "clocks",
        sig(SECONDS.encode() + b"." + BODY, **{"X-Time": SECONDS}),
        STAMPED,
        now=NOW + timedelta(seconds=1000),
    ),
    Case(
        "in the future, by a time zone",
        "lies 2 h 0 min after it, and 300 s are allowed",
        Side.SENDER,
        "about 2 h 0 min suggests a local time",
        sig(SECONDS.encode() + b"." + BODY, **{"X-Time": SECONDS}),
        STAMPED,
        now=NOW - timedelta(hours=2),
    ),
    Case("body alone", "the content `{body}`", Side.SENDER, "Sign the time too", sig(BODY), STAMPED),
    Case(
        "other separator",
        "the content `{ts}:{body}`",
        Side.CONNECTOR,
        'content = "{ts}:{body}"',
        sig(SECONDS.encode() + b":" + BODY, **{"X-Time": SECONDS}),
        STAMPED,
    ),
    Case(
        "no separator",
        "the content `{ts}{body}`",
        Side.SENDER,
        "separator",
        sig(SECONDS.encode() + BODY, **{"X-Time": SECONDS}),
        STAMPED,
    ),
    Case(
        "time signed, but not configured",
        "the content `{ts}.{body}`, the time in the header X-Sent-Timestamp",
        Side.CONNECTOR,
        'timestamp_header = "X-Sent-Timestamp"',
        sig(SECONDS.encode() + b"." + BODY, **{"X-Sent-Timestamp": SECONDS}),
    ),
    Case(
        "other time header",
        "the time in the header X-Timestamp",
        Side.CONNECTOR,
        'timestamp_header = "X-Timestamp"',
        sig(SECONDS.encode() + b"." + BODY, **{"X-Timestamp": SECONDS}),
        STAMPED,
    ),
    Case(
        "an id signed as well",
        "the id in the header X-Delivery-Id",
        Side.CONNECTOR,
        'id_header = "X-Delivery-Id"',
        sig(f"d-1.{SECONDS}.".encode() + BODY, **{"X-Time": SECONDS, "X-Delivery-Id": "d-1"}),
        STAMPED,
    ),
    Case(
        "hash of secret and body",
        "the content `{secret}{body}`",
        Side.SENDER,
        "HMAC",
        {"X-Sig": hashlib.sha256(HEX_SECRET.encode() + BODY).hexdigest()},
    ),
    # Headers.
    Case(
        "another header",
        "the signature in the header X-Signature",
        Side.CONNECTOR,
        'header = "X-Signature"',
        {"X-Signature": mac(BODY).hex()},
    ),
    Case("doubled", "only one of the values", Side.BETWEEN, "once", [("X-Sig", mac(BODY).hex()), ("X-Sig", "ab" * 32)]),
    Case("joined", "only one of the values", Side.BETWEEN, "once", {"X-Sig": f"{'ab' * 32}, {mac(BODY).hex()}"}),
    # Address and method.
    *(
        Case(
            says,
            f"the address with {says}",
            Side.SENDER if says == "no query" else Side.CONNECTOR,
            "query" if says == "no query" else "Set `url` of the source",
            {**over(url), **PROXY},
            OVER_URL,
            target="/inner?tenant=7",
        )
        for says, url in URLS
    ),
    Case("method", "the method PUT", Side.SENDER, "method", over(URL, "PUT"), OVER_URL),
    Case("method in small letters", "the method post", Side.SENDER, "capitals", over(URL, "post"), OVER_URL),
)


def words(search: Search) -> Iterator[str]:
    for hint in search.hints:
        for mistake in hint.mistakes:
            yield mistake.tried
            yield mistake.change
    yield search.tried


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_found_and_said_with_the_side_that_mends_it(case: Case) -> None:
    found = case.found()
    (mistakes, *_) = [one.mistakes for one in found.hints if one.matches]
    (mistake,) = mistakes
    assert case.says in mistake.tried
    assert (mistake.side, case.change in mistake.change) == (case.side, True), mistake.change
    assert {one.secret_id for one in found.hints} <= {"env:S", ""}
    for text in words(found):
        assert case.secret not in text
        assert HEX_SECRET not in text
        assert "Zo" not in text


TWO_AT_ONCE: Final[dict[str, tuple[dict[str, str], set[str]]]] = {
    "compact JSON, keyed with the decoded secret": (
        sig(compact(), RAW),
        {"the body as compact JSON", "the secret decoded from hex"},
    ),
    "Base64 behind a prefix": (
        {"X-Sig": "sha256=" + b64(mac(BODY))},
        {"the prefix `sha256=`", "a signature in base64"},
    ),
    "another header, SHA-512": (
        {"X-Signature": mac(BODY, algorithm="sha512").hex()},
        {"the signature in the header X-Signature", "the algorithm hmac-sha512"},
    ),
    "a signed time, compact JSON": (
        sig(SECONDS.encode() + b"." + compact(), **{"X-Timestamp": SECONDS}),
        {"the content `{ts}.{body}`, the time in the header X-Timestamp", "the body as compact JSON"},
    ),
}


@pytest.mark.parametrize("name", TWO_AT_ONCE)
def test_two_mistakes_at_once_are_found_together(name: str) -> None:
    headers, expected = TWO_AT_ONCE[name]
    found = Case(name, "", Side.SENDER, "", headers).found()
    assert expected in [{one.tried for one in hint.mistakes} for hint in found.hints if hint.matches]


def test_the_secret_of_which_the_time_is_over_is_named_with_its_end() -> None:
    ended = Secret(HEX_SECRET, "env:ENDED", not_after=NOW - timedelta(days=1))
    coming = Secret("a-secret-that-is-still-to-come", "env:COMING", not_before=NOW + timedelta(days=1))
    for secret, word in ((ended, "not_after"), (coming, "not_before")):
        check = Signed(PLAIN, (Secret("another-secret-of-the-source", "env:OTHER"), secret))
        inbound = Inbound("POST", URL, tuple(sig(BODY, secret.reveal_bytes()).items()), BODY)
        with pytest.raises(Rejected) as caught:
            check.verify(inbound, NOW)
        (hint,) = hints_for(check, caught.value, inbound, NOW).hints
        (mistake,) = hint.mistakes
        assert (hint.matches, hint.secret_id) == (True, secret.id)
        assert f"`{word}` of {secret.id}" in mistake.change


class TestKnownSenders:
    def test_a_delivery_in_the_layout_of_a_known_sender_is_recognised(self) -> None:
        stamp = f"t={SECONDS},v1={mac(f'{SECONDS}.'.encode() + BODY).hex()}"
        found = Case("stripe", "", Side.CONNECTOR, "", {"Stripe-Signature": stamp}).found()
        assert ["the layout of the known sender stripe"] in [
            [one.tried for one in hint.mistakes] for hint in found.hints if hint.matches
        ]
        assert any('scheme = "stripe"' in text for text in words(found))

    def test_a_sibling_layout_on_the_same_header_is_recognised(self) -> None:
        headers = {"X-Hub-Signature-256": mac(BODY).hex()}
        found = Case("ketch for github", "", Side.CONNECTOR, "", headers, PRESETS["github"]).found()
        assert "the layout of the known sender ketch" in [*words(found)]

    def test_a_layout_that_is_only_alike_is_said_to_be_alike(self) -> None:
        headers = {"X-Slack-Signature": "v0=" + "ab" * 32, "X-Slack-Request-Timestamp": SECONDS}
        found = Case("slack, other secret", "", Side.CONNECTOR, "", headers).found()
        assert not found.has_match
        assert any("those of slack" in text for text in words(found))

    def test_what_cannot_be_set_in_a_fixed_layout_is_not_advised_without_saying_so(self) -> None:
        headers = {"X-Hub-Signature-256": "sha256=" + mac(BODY, RAW).hex()}
        found = Case("github", "", Side.CONNECTOR, "", headers, PRESETS["github"]).found()
        assert any("The layout github is fixed" in text for text in words(found))


def hint_of(check: Signed, headers: dict[str, str], body: bytes = BODY) -> Search:
    inbound = Inbound("POST", URL, tuple(headers.items()), body)
    with pytest.raises(Rejected) as caught:
        check.verify(inbound, NOW)
    return hints_for(check, caught.value, inbound, NOW)


def pem(key: Any) -> str:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return str(key.public_key().public_bytes(*form).decode())


class TestPublicKeys:
    KEY = ec.derive_private_key(0x1F2E3D4C5B6A79887766554433221100, ec.SECP256R1())
    SCHEME = replace(PLAIN, algorithm=Algorithm.ECDSA_P256, key=KeyFormat.PEM, encoding=SignatureEncoding.BASE64)

    def check(self, algorithm: Algorithm = Algorithm.ECDSA_P256) -> Signed:
        return Signed(replace(self.SCHEME, algorithm=algorithm), (Secret(pem(self.KEY), "file:sender.pem"),))

    def test_r_and_s_without_der_are_recognised(self) -> None:
        r, s = decode_dss_signature(self.KEY.sign(BODY, ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        found = hint_of(self.check(), {"X-Sig": b64(raw)})
        assert "the algorithm ecdsa-p256-raw" in [*words(found)]

    def test_der_in_place_of_r_and_s_is_recognised(self) -> None:
        found = hint_of(
            self.check(Algorithm.ECDSA_P256_RAW), {"X-Sig": b64(self.KEY.sign(BODY, ec.ECDSA(hashes.SHA256())))}
        )
        assert "the algorithm ecdsa-p256" in [*words(found)]

    def test_another_spelling_of_the_body_is_found_with_a_public_key_too(self) -> None:
        found = hint_of(self.check(), {"X-Sig": b64(self.KEY.sign(compact(), ec.ECDSA(hashes.SHA256())))})
        assert "the body as compact JSON" in [*words(found)]

    def test_the_other_padding_of_rsa_is_recognised(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        scheme = replace(self.SCHEME, algorithm=Algorithm.RSA_PKCS1_SHA256)
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
        signature = key.sign(BODY, pss, hashes.SHA256())
        found = hint_of(Signed(scheme, (Secret(pem(key), "file:sender.pem"),)), {"X-Sig": b64(signature)})
        assert "the algorithm rsa-pss-sha256" in [*words(found)]


class TestNothingFits:
    def test_it_is_said_what_was_tried(self) -> None:
        found = Case("another secret", "", Side.SENDER, "", sig(BODY, b"yet another secret")).found()
        assert found.hints == ()
        assert "combinations of" in found.tried
        for what in ("bodies", "readings of the header", "layouts", "ways to take the secret"):
            assert what in found.tried

    def test_a_missing_header_names_those_that_came_and_may_be_meant(self) -> None:
        headers = {"X-Partner-Signature": "no signature at all", "Accept": "*/*"}
        found = Case("missing", "", Side.SENDER, "", headers).found()
        assert "the header X-Sig, which is missing; X-Partner-Signature came" in [*words(found)]

    def test_a_compressed_body_is_said_to_be_compressed(self) -> None:
        headers = sig(BODY, b"yet another secret", **{"Content-Encoding": "br"})
        found = Case("brotli", "", Side.BETWEEN, "", headers).found()
        assert any("came compressed" in text for text in words(found))

    def test_a_body_that_is_too_large_is_not_varied_and_that_is_said(self) -> None:
        found = Case("large", "", Side.SENDER, "", sig(b"x"), body=b"x" * 2_097_153).found()
        assert found.hints == ()
        assert found.tried.startswith("nothing: a body over ")


def test_the_effort_does_not_depend_on_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    verify: Callable[..., Any] = Signed.verify
    calls: list[int] = []

    def counted(self: Signed, inbound: Inbound, now: datetime) -> Any:
        calls.append(1)
        return verify(self, inbound, now)

    monkeypatch.setattr(Signed, "verify", counted)
    efforts = set()
    for key in (b"yet another secret", RAW, HEX_SECRET.encode()):
        calls.clear()
        Case("effort", "", Side.SENDER, "", sig(compact(), key)).found()
        efforts.add(len(calls))
    assert len(efforts) == 1
