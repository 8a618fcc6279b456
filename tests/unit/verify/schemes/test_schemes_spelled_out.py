"""Schemes of one's own: what they may say, what is refused at the start, and how their parts are read."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.grammar import MAX_SIGNATURES, Pairs, Plain, SignatureEncoding, Versioned, decode
from connector.verify.key_format import KeyFormat
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.scheme import Names, Scheme, UrlForm
from connector.verify.signed import Signed
from connector.verify.stamp import TimeUnit, Tolerance
from connector.verify.template import Template

NOW = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECRET = Secret("correct-horse-battery-staple", "env:A")
URL = "https://connector.example.com:8443/in/a?x=1"


def scheme(**settings: Any) -> Scheme:
    given: dict[str, Any] = {
        "name": "own",
        "names": (Names("X-Signature"),),
        "content": "{body}",
        "algorithm": Algorithm.HMAC_SHA256,
        "window": None,
    }
    return Scheme(**(given | settings))


def inbound(headers: Mapping[str, str], body: bytes = b"{}", url: str = URL, method: str = "POST") -> Inbound:
    return Inbound(method, url, tuple(headers.items()), body)


def mac(content: bytes) -> str:
    return hmac.new(SECRET.reveal().encode(), content, hashlib.sha256).hexdigest()


def code_of(check: Signed, call: Inbound) -> Code:
    with pytest.raises(Rejected) as caught:
        check.verify(call, NOW)
    return caught.value.code


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        ({"content": "{body"}, "brace"),
        ({"content": "}{body}"}, "brace"),
        ({"content": "{payload}"}, "placeholders are"),
        ({"content": "{0}{body}"}, "placeholders are"),
        ({"content": "{}.{body}"}, "placeholders are"),
        ({"content": "{body!r}"}, "placeholders are"),
        ({"content": "{body:>9}"}, "placeholders are"),
        ({"content": "{header}.{body}"}, "placeholders are"),
        ({"content": "{header:a b}.{body}"}, "header name"),
        ({"content": "{body.__class__}"}, "placeholders are"),
        ({"content": "{method}.{url}"}, "contain {body}"),
        ({"content": ""}, "contain {body}"),
        ({"content": "{method}{body}"}, "separator"),
        ({"content": "{form}"}, "without a separator"),
        ({"content": "{header:x-signature}.{body}"}, "cannot be part"),
        ({"content": "\udc80{body}"}, "UTF-8"),
        ({"content": "{secret}.{body}"}, "digest"),
        ({"algorithm": Algorithm.DIGEST_SHA256}, "digest"),
        ({"algorithm": Algorithm.HMAC_SHA1}, "SHA-1"),
        ({"algorithm": "none"}, "algorithm has to be one of"),
        ({"algorithm": "sha256"}, "algorithm has to be one of"),
        ({"algorithm": ""}, "algorithm has to be one of"),
        ({"encoding": "base32"}, "encoding has to be one of"),
        ({"key": "jwk"}, "key format has to be one of"),
        ({"url": "lower"}, "form of the URL has to be one of"),
        ({"key": KeyFormat.PEM}, "does not take keys written as pem"),
        ({"algorithm": Algorithm.ED25519}, "does not take keys written as utf8"),
        ({"names": ()}, "name the signature's header"),
        ({"content": "{ts}.{body}"}, "three things"),
        ({"window": Tolerance()}, "three things"),
        ({"names": (Names("X-Signature", "X-Sent"),)}, "three things"),
        ({"names": (Names("X-Signature", "X-Sent"),), "window": Tolerance()}, "three things"),
        ({"names": (Names("X-Signature", "X-Sent"),), "content": "{ts}.{body}"}, "three things"),
        (
            {"names": (Names("S", "T"),), "grammar": Pairs("v1", "t"), "content": "{ts}.{body}", "window": Tolerance()},
            "not in both",
        ),
        ({"content": "{id}.{body}"}, "an id needs"),
        ({"names": (Names("X-Signature", id="X-Id"),)}, "an id needs"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_scheme_that_cannot_work_or_protect_is_refused_with_the_mend(settings: dict[str, Any], mend: str) -> None:
    with pytest.raises(Misconfigured, match=mend) as caught:
        scheme(**settings)
    assert caught.value.code is Code.CONFIG_INVALID


@pytest.mark.parametrize(
    "build",
    [
        lambda: Names(""),
        lambda: Names("X Signature"),
        lambda: Names("X-Signature", "x-signature"),
        lambda: Names("X-Signature", "X-Sent", "x-sent"),
        lambda: Plain("v1=\n"),
        lambda: Plain(" v1="),
        lambda: Plain("ß"),
        lambda: Pairs("v1", "v1"),
        lambda: Pairs("", "t"),
        lambda: Pairs("v1", "t", "|"),
        lambda: Pairs("v=1", "t"),
        lambda: Versioned(()),
        lambda: Versioned(("v 1",)),
        lambda: Tolerance(past_s=0),
        lambda: Tolerance(future_s=86_401),
        lambda: Tolerance(past_s=float("nan")),
        lambda: Tolerance("minutes"),  # type: ignore[arg-type]
    ],
)
def test_a_part_that_no_sender_could_meet_is_refused(build: Any) -> None:
    with pytest.raises(Misconfigured) as caught:
        build()
    assert caught.value.code is Code.CONFIG_INVALID


def test_every_placeholder_stands_for_its_part_of_the_delivery() -> None:
    content = "{{{method} {path}?{query} {host} {url}|{id}|{ts}|{header:X-Kind}|{body}}}"
    check = Signed(
        scheme(content=content, names=(Names("X-Signature", "X-Sent", "X-Id"),), window=Tolerance()), (SECRET,)
    )
    expected = f"{{POST /in/a?x=1 connector.example.com:8443 {URL}|7|1793610873|erasure|{{}}}}".encode()
    headers = {"X-Sent": "1793610873", "X-Id": "7", "X-Kind": "erasure", "X-Signature": mac(expected)}
    call = inbound(headers)
    assert check.contents(call) == (expected,)
    assert check.verify(call, NOW).replay_key == "id:7"
    for name in headers:
        assert code_of(check, inbound(headers | {name: "8"})) in {Code.CREDENTIAL_WRONG, Code.CREDENTIAL_MALFORMED}


def test_what_was_read_of_a_delivery_does_not_show_in_a_repr() -> None:
    names = (Names("X-Signature", id="X-Id"),)
    check = Signed(
        scheme(content="{id}.{ts}.{body}", names=names, grammar=Pairs("v1", "t"), window=Tolerance()), (SECRET,)
    )
    text = f"t=1793610873,v1={'ab' * 32}"
    reading = check.reading(inbound({"X-Signature": text, "X-Id": "delivery-7f3a"}))
    assert (reading.timestamp, reading.delivery_id) == ("1793610873", "delivery-7f3a")
    shown = repr(reading) + repr(Pairs("v1", "t").read(text))
    assert not any(value in shown for value in ("1793610873", "delivery-7f3a", "abab"))


def test_a_header_cannot_take_over_the_part_that_follows_it() -> None:
    check = Signed(scheme(content="{header:X-Kind}.{body}"), (SECRET,))
    signature = mac(b"a.b.c")
    assert check.verify(inbound({"X-Kind": "a", "X-Signature": signature}, b"b.c"), NOW).payload == b"b.c"
    assert code_of(check, inbound({"X-Kind": "a.b", "X-Signature": signature}, b"c")) is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("kind", ["a:", "a::", "::a", ":"])
def test_a_header_cannot_lend_characters_to_the_separator_behind_it(kind: str) -> None:
    check = Signed(scheme(content="{header:X-Kind}::{body}"), (SECRET,))
    signature = mac(f"{kind}::b".encode())
    assert code_of(check, inbound({"X-Kind": kind, "X-Signature": signature}, b"b")) is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("content", ["{body}.{header:X-Kind}", "{header:X-First}.{body}.{header:X-Kind}"])
def test_a_header_behind_the_body_cannot_take_over_the_end_of_the_body(content: str) -> None:
    check = Signed(scheme(content=content), (SECRET,))
    before = "1." if "First" in content else ""
    headers = {"X-First": "1", "X-Signature": mac(f"{before}email=a.b&user=1.k".encode())}
    whole = inbound({**headers, "X-Kind": "k"}, b"email=a.b&user=1")
    assert check.verify(whole, NOW).payload == b"email=a.b&user=1"
    assert code_of(check, inbound({**headers, "X-Kind": "b&user=1.k"}, b"email=a")) is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("kind", [":a", "::a", "a::b", ":"])
def test_a_header_cannot_lend_characters_to_the_separator_before_it(kind: str) -> None:
    check = Signed(scheme(content="{body}::{header:X-Kind}"), (SECRET,))
    call = inbound({"X-Kind": kind, "X-Signature": mac(f"b::{kind}".encode())}, b"b")
    assert code_of(check, call) is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize(("content", "before"), [("{url}.{body}", URL), ("{query}.{body}", "x=1")])
def test_a_query_cannot_take_over_the_beginning_of_the_body(content: str, before: str) -> None:
    check = Signed(scheme(content=content), (SECRET,))
    headers = {"X-Signature": mac(f"{before}.type=hold.&email=a".encode())}
    assert check.verify(inbound(headers, b"type=hold.&email=a"), NOW).payload == b"type=hold.&email=a"
    assert code_of(check, inbound(headers, b"&email=a", f"{URL}.type=hold")) is Code.CREDENTIAL_MALFORMED


def test_a_query_that_was_not_there_cannot_take_over_the_beginning_of_the_body() -> None:
    bare, check = URL.partition("?")[0], Signed(scheme(content="{url}?{body}"), (SECRET,))
    headers = {"X-Signature": mac(f"{bare}?type=hold?&email=a".encode())}
    assert check.verify(inbound(headers, b"type=hold?&email=a", bare), NOW).payload == b"type=hold?&email=a"
    assert code_of(check, inbound(headers, b"&email=a", f"{bare}?type=hold")) is Code.CREDENTIAL_MALFORMED


def test_refuses_a_signed_header_beyond_ascii_as_malformed() -> None:
    check = Signed(scheme(content="{header:X-Kind}.{body}"), (SECRET,))
    call = inbound({"X-Kind": "\xe9", "X-Signature": mac("é.{}".encode())})
    assert code_of(check, call) is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize(
    ("encoding", "text", "raw"),
    [
        (SignatureEncoding.BASE64, "+/8=", b"\xfb\xff"),
        (SignatureEncoding.BASE64, "+/9=", None),
        (SignatureEncoding.BASE64, "-_8=", None),
        (SignatureEncoding.BASE64, "+/8", None),
        (SignatureEncoding.BASE64, "+/8==", None),
        (SignatureEncoding.BASE64URL, "-_8=", b"\xfb\xff"),
        (SignatureEncoding.BASE64URL, "-_8", b"\xfb\xff"),
        (SignatureEncoding.BASE64URL, "-_9", None),
        (SignatureEncoding.BASE64URL, "+/8", None),
        (SignatureEncoding.BASE64URL, "-_8==", None),
        (SignatureEncoding.BASE64, "", None),
        (SignatureEncoding.BASE64URL, "=", None),
        (SignatureEncoding.HEX, "", None),
        (SignatureEncoding.HEX, "fb f", None),
        (SignatureEncoding.HEX, "fbf", None),
        (SignatureEncoding.HEX, "fBfF", b"\xfb\xff"),
    ],
)
def test_a_signature_has_one_spelling_apart_from_case_and_padding(
    encoding: SignatureEncoding, text: str, raw: bytes | None
) -> None:
    assert decode(text, encoding) == raw


def test_of_two_sets_of_headers_only_one_is_used() -> None:
    check = Signed(PRESETS["svix"], (Secret("whsec_" + "QUFB" * 8, "env:W"),))
    signature = hmac.new(b"AAA" * 8, b"a.1793610873.{}", hashlib.sha256).digest()
    encoded = "v1," + base64.b64encode(signature).decode()
    good = {"svix-id": "a", "svix-timestamp": "1793610873", "svix-signature": encoded}
    plain = {name.replace("svix", "webhook"): value for name, value in good.items()}
    assert check.verify(inbound(plain), NOW).replay_key == check.verify(inbound(good), NOW).replay_key == "id:a"
    assert check.verify(inbound(good | {"webhook-id": "b", "webhook-signature": "v1,x"}), NOW).replay_key == "id:a"
    mixed = {"webhook-id": "a", "svix-timestamp": "1793610873", "svix-signature": encoded}
    assert code_of(check, inbound(mixed)) is Code.CREDENTIAL_MISSING


@pytest.mark.parametrize("delivery_id", ["a b", "a" * 201, "a\x00", "msg.1"])
def test_an_id_that_is_too_long_or_could_hide_a_border_is_refused(delivery_id: str) -> None:
    check = Signed(scheme(content="{id}.{ts}.{body}", names=(Names("S", "T", "I"),), window=Tolerance()), (SECRET,))
    content = f"{delivery_id}.1793610873.{{}}".encode()
    call = inbound({"S": mac(content), "T": "1793610873", "I": delivery_id})
    assert code_of(check, call) is Code.CREDENTIAL_MALFORMED


def test_more_signatures_than_a_sender_needs_are_refused_before_any_is_tried() -> None:
    check = Signed(scheme(grammar=Versioned(("v1",))), (SECRET,))
    good = f"v1,{mac(b'{}')}"
    assert check.verify(inbound({"X-Signature": " ".join([good] * MAX_SIGNATURES)}), NOW).secret_id == "env:A"
    too_many = inbound({"X-Signature": " ".join([good] * (MAX_SIGNATURES + 1))})
    assert code_of(check, too_many) is Code.CREDENTIAL_MALFORMED


def test_the_replay_key_of_a_delivery_without_a_signed_id_is_a_digest_of_what_was_signed() -> None:
    timed = scheme(names=(Names("S", "T"),), content="{ts}.{body}", window=Tolerance())
    said = Signed(timed, (SECRET,)).verify(inbound({"S": mac(b"1793610873.{}"), "T": "1793610873"}), NOW)
    assert said.replay_key == f"sha256:{hashlib.sha256(b'1793610873.{}').hexdigest()}"
    assert said.replay_until == NOW + timedelta(seconds=300)


def test_there_is_no_replay_key_where_nothing_but_the_body_tells() -> None:
    digest = hashlib.sha256(SECRET.reveal().encode() + b"{}").hexdigest()
    for check, headers in (
        (Signed(scheme(), (SECRET,)), {"X-Signature": mac(b"{}")}),
        (Signed(PRESETS["hubspot-v1"], (SECRET,)), {"X-HubSpot-Signature": digest}),
    ):
        said = check.verify(inbound(headers), NOW)
        assert (said.replay_key, said.replay_until) == ("", None)


def test_a_key_counts_within_its_time_only() -> None:
    old = Secret(SECRET.reveal(), "old", not_after=NOW)
    new = Secret(SECRET.reveal()[::-1], "new", not_before=NOW)
    check = Signed(scheme(), (old, new))
    call = inbound({"X-Signature": mac(b"{}")})
    assert check.verify(call, NOW).secret_ids == ("old",)
    with pytest.raises(Rejected) as caught:
        check.verify(call, NOW + timedelta(microseconds=1))
    assert (caught.value.code, caught.value.secret_id) == (Code.CREDENTIAL_EXPIRED, "old")


def test_the_content_shown_for_explaining_holds_no_secret() -> None:
    call = inbound({"X-HubSpot-Signature": "0" * 64})
    assert Signed(PRESETS["hubspot-v2"], (SECRET,)).contents(call) == (f"POST{URL}{{}}".encode(),)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-02T09:14:33Z", NOW),
        ("2026-11-02T10:14:33+01:00", NOW),
        ("2026-11-02T09:14:33.250Z", NOW + timedelta(milliseconds=250)),
        ("2026-11-02T09:14:33.250000000Z", NOW + timedelta(milliseconds=250)),
    ],
)
def test_reads_iso_8601_with_an_offset(text: str, at: datetime) -> None:
    assert Tolerance(TimeUnit.ISO8601).read(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-02T09:14:33",
        "2026-11-02 09:14:33Z",
        "2026-11-02T09:14Z",
        "2026-11-02",
        "20261102T091433Z",
        "2026-13-02T09:14:33Z",
        "2026-11-02T25:14:33Z",
        "0001-01-01T00:00:00+23:59",
        "2026-W45-1T09:14:33Z",
        "٢٠٢٦-11-02T09:14:33Z",
        "1793610873",
    ],
)
def test_refuses_other_forms_of_iso_8601(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        Tolerance(TimeUnit.ISO8601).read(text)
    assert caught.value.code is Code.TIMESTAMP_MALFORMED


@pytest.mark.parametrize(
    ("url", "spellings"),
    [
        ("https://h/p?q", {"https://h/p?q", "https://h:443/p?q"}),
        ("http://h?q", {"http://h?q", "http://h:80?q"}),
        ("https://h:1234/p", {"https://h:1234/p", "https://h/p"}),
        ("https://h:443", {"https://h:443", "https://h"}),
        ("https://[2001:db8::1]:8443/p", {"https://[2001:db8::1]:8443/p", "https://[2001:db8::1]/p"}),
        ("https://[2001:db8::1]/p", {"https://[2001:db8::1]/p", "https://[2001:db8::1]:443/p"}),
        ("https://h:x/", {"https://h:x/"}),
        ("ftp://h/", {"ftp://h/"}),
        ("", {""}),
    ],
)
def test_tries_a_url_with_and_without_its_port(url: str, spellings: set[str]) -> None:
    assert set(PRESETS["twilio"].urls(inbound({}, url=url))) == spellings


def test_decodes_the_escapes_that_hubspot_decodes_and_no_others() -> None:
    urls = PRESETS["hubspot-v3"].urls(inbound({}, url="https://h/p%2Fq%2fr?a=%20%26%3D%3b%253A"))
    assert urls[1] == "https://h/p/q/r?a=%20%26%3D;%253A"


def test_leaves_the_url_alone_where_it_is_not_signed() -> None:
    assert scheme(url=UrlForm.EITHER_PORT).urls(inbound({})) == (URL,)


@pytest.mark.parametrize(
    ("url", "host", "path", "query"),
    [
        ("https://h:1/a/b?c=d?e#f", "h:1", "/a/b", "c=d?e"),
        ("https://h", "h", "/", ""),
        ("https://h?q", "h", "/", "q"),
        ("https://h/a\t%2F\n", "h", "/a\t%2F\n", ""),
        ("", "", "/", ""),
    ],
)
def test_takes_a_url_apart_without_changing_it(url: str, host: str, path: str, query: str) -> None:
    call = inbound({}, url=url)
    assert (call.host, call.path, call.query) == (host, path, query)


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
JSON = {"Content-Type": "application/json"}


def form(headers: dict[str, str], body: bytes, url: str = URL) -> bytes:
    return Template("{form}", unseparated=True).fill(inbound(headers, body, url), {}, b"")


def test_writes_a_form_sorted_with_blanks_escapes_and_empty_values() -> None:
    assert form(FORM, b"b=2&a=%C3%A9+x&B=1&c=&b=1&b=2") == "B1aé xb1b2c".encode()


@pytest.mark.parametrize(
    ("headers", "body", "url", "code"),
    [
        (JSON, b'{"a":"="}', URL, Code.CREDENTIAL_MISSING),
        ({}, b"a=1", URL, Code.CREDENTIAL_MISSING),
        (FORM, b"a=%ff", URL, Code.CREDENTIAL_MALFORMED),
        (FORM, b"a=\xff", URL, Code.CREDENTIAL_MALFORMED),
        (FORM, b"=1", URL, Code.CREDENTIAL_MALFORMED),
        (FORM, b"&".join([b"a=1"] * 1_001), URL, Code.CREDENTIAL_MALFORMED),
        (JSON, b"{}", URL + "&bodySHA256=%ff", Code.CREDENTIAL_MALFORMED),
        (JSON, b"{}", URL + "&bodySHA256=1&bodySHA256=2", Code.CREDENTIAL_MALFORMED),
        (JSON, b"{}", URL + "&bodySHA256=", Code.CREDENTIAL_WRONG),
        (FORM, b"", URL + "&bodySHA256=" + hashlib.sha256(b"{}").hexdigest(), Code.CREDENTIAL_WRONG),
        (FORM, b"=", URL + "&bodySHA256=" + hashlib.sha256(b"{}").hexdigest(), Code.CREDENTIAL_WRONG),
    ],
)
def test_refuses_a_body_that_a_form_signature_would_not_cover(
    headers: dict[str, str], body: bytes, url: str, code: Code
) -> None:
    with pytest.raises(Rejected) as caught:
        form(headers, body, url)
    assert caught.value.code is code


def pem(key: Any) -> str:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


@pytest.fixture(scope="module")
def foreign_keys() -> dict[str, str]:
    return {
        "rsa_1024": pem(rsa.generate_private_key(65_537, 1_024)),
        "p256": pem(ec.generate_private_key(ec.SECP256R1())),
        "p384": pem(ec.generate_private_key(ec.SECP384R1())),
        "k256": pem(ec.generate_private_key(ec.SECP256K1())),
        "dsa": pem(dsa.generate_private_key(1_024)),
    }


@pytest.mark.parametrize(
    ("algorithm", "fitting"),
    [
        (Algorithm.ED25519, set()),
        (Algorithm.ECDSA_P256, {"p256"}),
        (Algorithm.ECDSA_P256_RAW, {"p256"}),
        (Algorithm.ECDSA_P384, {"p384"}),
        (Algorithm.ECDSA_P384_RAW, {"p384"}),
        (Algorithm.RSA_PKCS1_SHA256, set()),
        (Algorithm.RSA_PSS_SHA256, set()),
    ],
)
def test_a_public_key_of_another_kind_or_size_is_refused_at_the_start(
    algorithm: Algorithm, fitting: set[str], foreign_keys: dict[str, str]
) -> None:
    own = scheme(algorithm=algorithm, key=KeyFormat.PEM)
    for name, text in foreign_keys.items():
        if name in fitting:
            assert Signed(own, (Secret(text, "env:KEY"),)).scheme is own
            continue
        with pytest.raises(Misconfigured, match="env:KEY"):
            Signed(own, (Secret(text, "env:KEY"),))


@pytest.mark.parametrize("text", ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not a key", "\udc80"])
def test_a_public_key_that_cannot_be_read_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(Misconfigured, match="env:KEY is not a public key written as pem"):
        Signed(scheme(algorithm=Algorithm.ECDSA_P256, key=KeyFormat.PEM), (Secret(text, "env:KEY"),))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (KeyFormat.HEX, "00112233445566778899aabbccddeeff"),
        (KeyFormat.BASE64, "ABEiM0RVZneImaq7zN3u/w=="),
        (KeyFormat.BASE64, "ABEiM0RVZneImaq7zN3u/w"),
        (KeyFormat.BASE64URL, "ABEiM0RVZneImaq7zN3u_w"),
        (KeyFormat.WHSEC, "whsec_ABEiM0RVZneImaq7zN3u/w=="),
        (KeyFormat.WHSEC, "ABEiM0RVZneImaq7zN3u/w"),
    ],
)
def test_a_secret_is_decoded_as_the_scheme_says(form: KeyFormat, text: str) -> None:
    signature = hmac.new(bytes.fromhex("00112233445566778899aabbccddeeff"), b"{}", hashlib.sha256).hexdigest()
    check = Signed(scheme(key=form), (Secret(text, "env:A"),))
    assert check.verify(inbound({"X-Signature": signature}), NOW).secret_id == "env:A"


@pytest.mark.parametrize("size", [23, 65])
def test_a_standard_webhooks_secret_outside_the_published_lengths_is_refused(size: int) -> None:
    text = "whsec_" + base64.b64encode(bytes(size)).decode()
    with pytest.raises(Misconfigured, match="24 to 64 bytes"):
        Signed(PRESETS["standard-webhooks"], (Secret(text, "env:A"),))


def test_a_blank_secret_is_empty_however_long_it_is() -> None:
    with pytest.raises(Misconfigured, match="is empty"):
        Signed(scheme(), (Secret(" " * 32, "env:A"),))


def test_a_scheme_is_data_that_can_be_changed_and_compared() -> None:
    longer = replace(PRESETS["slack"], window=Tolerance(past_s=600))
    assert longer != PRESETS["slack"]
    assert replace(longer, window=Tolerance()) == PRESETS["slack"]
    assert PRESETS["slack"].encoding is SignatureEncoding.HEX
