from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.ports import Verifier
from connector.private import Secret
from connector.verify.shared import Basic, Bearer, QueryParameter, StaticHeader

NOW = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECRET = Secret("correct-horse-battery-staple", "env:CURRENT")


def call(headers: dict[str, str], url: str = "") -> Inbound:
    return Inbound("POST", url, tuple(headers.items()), b"{}")


def refusal(check: Verifier, headers: dict[str, str]) -> Code:
    with pytest.raises(Rejected) as caught:
        check.verify(call(headers), NOW)
    return caught.value.code


def basic(pair: bytes) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(pair).decode()}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_scheme_counts_in_any_case(scheme: str) -> None:
    headers = {"authorization": f"{scheme} {SECRET.reveal()}"}
    assert Bearer((SECRET,)).verify(call(headers), NOW).principal == "bearer"


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "correct-horse-battery-staple",
        "Basic correct-horse-battery-staple",
        "Bearer\tcorrect-horse",
    ],
)
def test_refuses_what_is_not_of_the_bearer_scheme(value: str) -> None:
    assert refusal(Bearer((SECRET,)), {"authorization": value}) is Code.CREDENTIAL_MALFORMED


def test_a_secret_in_the_wrong_case_does_not_match() -> None:
    headers = {"authorization": f"Bearer {SECRET.reveal().upper()}"}
    assert refusal(Bearer((SECRET,)), headers) is Code.CREDENTIAL_WRONG


def test_the_prefix_of_a_static_header_has_to_be_there_and_to_match_exactly() -> None:
    check = StaticHeader("X-Api-Key", (SECRET,), prefix="Bearer ")
    assert check.verify(call({"x-api-key": f"Bearer {SECRET.reveal()}"}), NOW).secret_id == "env:CURRENT"
    for value in (SECRET.reveal(), f"bearer {SECRET.reveal()}", f"Bearer{SECRET.reveal()}"):
        assert refusal(check, {"x-api-key": value}) is Code.CREDENTIAL_MALFORMED


def test_reads_no_other_header_than_its_own() -> None:
    check = StaticHeader("X-Api-Key", (SECRET,))
    assert refusal(check, {"x-api-key-2": SECRET.reveal(), "authorization": SECRET.reveal()}) is Code.CREDENTIAL_MISSING


def test_basic_takes_a_password_beyond_ascii_in_utf8() -> None:
    password = Secret("pässwörter-mit:doppelpunkt", "env:UMLAUT")
    verdict = Basic("onetrust", (password,)).verify(call(basic(f"onetrust:{password.reveal()}".encode())), NOW)
    assert verdict.secret_id == "env:UMLAUT"


@pytest.mark.parametrize("user", [b"", b"onetrust2", b"OneTrust", b"onetrust:", b"\xff\xfe"])
def test_basic_refuses_another_user_with_the_right_password(user: bytes) -> None:
    headers = basic(user + b":" + SECRET.reveal_bytes())
    assert refusal(Basic("onetrust", (SECRET,)), headers) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    "token",
    [
        base64.b64encode(b"no colon in here").decode(),
        "not base64!",
        "b25ldHJ1c3Q6cGFzc3dvcmQ",
        "====",
        " b25ldHJ1c3Q6cGFzc3dvcmQ=",
    ],
    ids=["no_colon", "alphabet", "unpadded", "padding_only", "two_blanks"],
)
def test_basic_refuses_what_is_no_pair_in_base64(token: str) -> None:
    headers = {"authorization": f"Basic {token}"}
    assert refusal(Basic("onetrust", (SECRET,)), headers) is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("user", ["", "one:trust", "one\ntrust", "\udc80"])
def test_basic_refuses_a_user_name_that_it_cannot_carry(user: str) -> None:
    with pytest.raises(Misconfigured, match="user name") as caught:
        Basic(user, (SECRET,))
    assert caught.value.code is Code.CONFIG_INVALID


@pytest.mark.parametrize("value", ["correct-horse-bättery", "correct-horse-battery\n", " correct-horse-battery"])
def test_refuses_a_secret_that_a_header_would_change_on_its_way(value: str) -> None:
    secret = Secret(value, "file:/run/secrets/token")
    for make in (lambda: Bearer((secret,)), lambda: StaticHeader("X-Api-Key", (secret,))):
        with pytest.raises(Misconfigured, match="/run/secrets/token") as caught:
            make()
        assert value.strip() not in str(caught.value)


@pytest.mark.parametrize("name", ["", "X Api Key", "X-Api-Key:"])
def test_refuses_what_is_no_header_name(name: str) -> None:
    with pytest.raises(Misconfigured, match="header name"):
        StaticHeader(name, (SECRET,))


def test_cuts_the_id_of_a_secret_to_what_the_record_holds() -> None:
    secret = Secret(SECRET.reveal(), "file:/" + "long/" * 100)
    verdict = Bearer((secret,)).verify(call({"authorization": f"Bearer {secret.reveal()}"}), NOW)
    assert verdict.secret_id == secret.id[:200]


@pytest.mark.parametrize("url", ["https://h/p?token={}", "https://h/p?a=1&token={}&b=2", "https://h?token={}"])
def test_finds_its_parameter_anywhere_in_the_query(url: str) -> None:
    check = QueryParameter("token", (SECRET,))
    assert check.verify(call({}, url.format(SECRET.reveal())), NOW).secret_ids == ("env:CURRENT",)
    assert check.verify(call({}, url.format(SECRET.reveal().replace("-", "%2D"))), NOW).principal == "query"


DAY = timedelta(days=1)


@pytest.mark.parametrize("make", [Bearer, lambda live: StaticHeader("Authorization", live, "Bearer ")])
def test_a_secret_counts_within_its_time_only(make: object) -> None:
    assert callable(make)
    secret = Secret(SECRET.reveal(), "2026-q4", not_before=NOW - DAY, not_after=NOW + DAY)
    sent = call({"authorization": f"Bearer {secret.reveal()}"})
    for at in (NOW - DAY, NOW, NOW + DAY):
        assert make((secret,)).verify(sent, at).secret_id == "2026-q4"
    for at in (NOW - DAY - timedelta(microseconds=1), NOW + DAY + timedelta(microseconds=1)):
        with pytest.raises(Rejected) as caught:
            make((secret,)).verify(sent, at)
        assert (caught.value.code, caught.value.secret_id) == (Code.CREDENTIAL_EXPIRED, "2026-q4")
        # For the log; the answer goes to the sender.
        assert "2026-q4" not in str(caught.value)


def test_the_same_secret_under_a_new_id_goes_on_when_the_old_one_ends() -> None:
    old = Secret(SECRET.reveal(), "old", not_after=NOW)
    new = Secret(SECRET.reveal(), "new", not_before=NOW)
    sent = call({"authorization": f"Bearer {SECRET.reveal()}"})
    assert [Bearer((old, new)).verify(sent, NOW + away).secret_id for away in (-DAY, DAY)] == ["old", "new"]
