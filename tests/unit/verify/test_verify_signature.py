from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.private import Secret
from connector.verify import Algorithm, Encoding, Hmac, Unit, Window

NOW = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECRETS = (Secret("correct-horse-battery-staple", "env:CURRENT"),)
BODY = b'{"eventId": "1"}'
DIGEST = hmac.new(b"correct-horse-battery-staple", BODY, hashlib.sha256).digest()


def refusal(check: Hmac, headers: dict[str, str]) -> Rejected:
    with pytest.raises(Rejected) as caught:
        check.verify("POST", headers, BODY, NOW)
    return caught.value


def test_the_defaults_are_a_timed_hexadecimal_sha256_in_headers_of_our_own() -> None:
    check = Hmac(SECRETS)
    assert (check.header, check.algorithm, check.encoding, check.prefix, check.separator, check.window) == (
        "X-OneTrust-Signature",
        Algorithm.SHA256,
        Encoding.HEX,
        "",
        ".",
        Window("X-OneTrust-Timestamp", Unit.SECONDS, 300),
    )


def test_accepts_hexadecimal_in_either_case() -> None:
    check = Hmac(SECRETS, window=None)
    for text in (DIGEST.hex(), DIGEST.hex().upper()):
        assert check.verify("POST", {"x-onetrust-signature": text}, BODY, NOW).payload == BODY


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "zz" + text[2:],
        lambda text: text[:-1],
        lambda text: text[:-2],
        lambda text: text + "00",
        lambda text: text[:32] + " " + text[32:],
        lambda text: "0x" + text,
        lambda text: "sha256=" + text,
        lambda text: "٣" * len(text),
    ],
    ids=["letters", "odd", "short", "long", "blank", "0x", "prefix_not_expected", "other_digits"],
)
def test_refuses_what_is_not_hexadecimal_of_the_right_length(spoil: Callable[[str], str]) -> None:
    headers = {"x-onetrust-signature": spoil(DIGEST.hex())}
    assert refusal(Hmac(SECRETS, window=None), headers).code is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.rstrip("="),
        lambda text: text + "=",
        lambda text: "=" + text,
        lambda text: "*" + text[1:],
        lambda text: text[:10] + "\n" + text[10:],
        lambda text: base64.b64encode(DIGEST[:20]).decode(),
        lambda text: DIGEST.hex(),
    ],
    ids=["unpadded", "overpadded", "padded_first", "alphabet", "line_feed", "sha1_length", "hexadecimal"],
)
def test_refuses_what_is_not_base64_of_the_right_length(spoil: Callable[[str], str]) -> None:
    check = Hmac(SECRETS, encoding=Encoding.BASE64, window=None)
    headers = {"x-onetrust-signature": spoil(base64.b64encode(DIGEST).decode())}
    assert refusal(check, headers).code is Code.CREDENTIAL_MALFORMED


def test_refuses_a_second_spelling_of_the_same_base64() -> None:
    good = base64.b64encode(DIGEST).decode()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = good[:-2] + alphabet[alphabet.index(good[-2]) + 1] + "="
    assert base64.b64decode(twin) == DIGEST
    check = Hmac(SECRETS, encoding=Encoding.BASE64, window=None)
    assert refusal(check, {"x-onetrust-signature": twin}).code is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("sent", ["", "SHA256=", "sha1=", "sha256 =", "sha256"])
def test_refuses_a_missing_or_other_prefix(sent: str) -> None:
    check = Hmac(SECRETS, prefix="sha256=", window=None)
    assert refusal(check, {"x-onetrust-signature": sent + DIGEST.hex()}).code is Code.CREDENTIAL_MALFORMED


def test_refuses_a_signature_over_the_body_alone_where_the_timestamp_belongs_to_it() -> None:
    headers = {"x-onetrust-signature": DIGEST.hex(), "x-onetrust-timestamp": str(int(NOW.timestamp()))}
    assert refusal(Hmac(SECRETS), headers).code is Code.CREDENTIAL_WRONG


def test_a_number_in_the_other_unit_is_malformed_and_not_just_old() -> None:
    headers = {"x-onetrust-signature": DIGEST.hex(), "x-onetrust-timestamp": str(int(NOW.timestamp() * 1000))}
    assert refusal(Hmac(SECRETS), headers).code is Code.TIMESTAMP_MALFORMED


def test_keeps_the_milliseconds_of_the_sender() -> None:
    stamp = Window(unit=Unit.MILLISECONDS).read({"x-onetrust-timestamp": "1793610873123"})
    assert stamp.sent_at == datetime(2026, 11, 2, 9, 14, 33, 123_000, tzinfo=UTC)
    assert stamp.text == "1793610873123"


def test_compares_times_of_different_zones() -> None:
    stamp = Window().read({"x-onetrust-timestamp": "1793610873"})
    Window().require_inside(stamp, NOW.astimezone(timezone(timedelta(hours=14))))
    with pytest.raises(Rejected):
        Window().require_inside(stamp, NOW.replace(tzinfo=timezone(timedelta(hours=14))))


@pytest.mark.parametrize("tolerance_s", [0, -1, 86_401, float("nan"), float("inf")])
def test_refuses_a_tolerance_that_limits_nothing(tolerance_s: float) -> None:
    with pytest.raises(Misconfigured, match="tolerance"):
        Window(tolerance_s=tolerance_s)


@pytest.mark.parametrize("name", ["", "X Signature", "X-Signature:", "X-Sïgnature", "X-Signature\n"])
def test_refuses_what_is_no_header_name(name: str) -> None:
    with pytest.raises(Misconfigured, match="header name"):
        Hmac(SECRETS, header=name)
    with pytest.raises(Misconfigured, match="header name"):
        Window(header=name)


def test_refuses_one_header_for_signature_and_timestamp() -> None:
    with pytest.raises(Misconfigured, match="headers of their own"):
        Hmac(SECRETS, header="X-One", window=Window("x-ONE"))


@pytest.mark.parametrize("separator", ["", "0", "1.", "·"])
def test_refuses_a_separator_that_is_no_border_after_digits(separator: str) -> None:
    with pytest.raises(Misconfigured, match="separator"):
        Hmac(SECRETS, separator=separator)


@pytest.mark.parametrize("prefix", ["sha²=", "v1\n", " v1="])
def test_refuses_a_prefix_that_no_header_carries(prefix: str) -> None:
    with pytest.raises(Misconfigured, match="prefix"):
        Hmac(SECRETS, prefix=prefix)


def test_takes_any_iterable_of_secrets_once_and_for_all() -> None:
    check = Hmac(iter(SECRETS), window=None)  # type: ignore[arg-type]
    for _ in range(2):
        assert check.verify("POST", {"x-onetrust-signature": DIGEST.hex()}, BODY, NOW).secret_id == "env:CURRENT"
