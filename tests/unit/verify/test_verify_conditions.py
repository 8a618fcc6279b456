"""Where a call comes from and which certificate it showed: facts beside a check, believed only from a trusted proxy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.ports import Condition
from connector.verify.combine import AllOf
from connector.verify.conditions import FromAddress, Networks, WithClientCertificate

ALLOWED = Networks(("192.0.2.10", "198.51.100.0/24", "2001:db8:1::/48"), "allowed")
PROXIES = Networks(("127.0.0.1", "10.0.0.0/8", "::1"), "trusted_proxies")
DIRECT = FromAddress(ALLOWED)
BEHIND = FromAddress(ALLOWED, PROXIES)
FINGERPRINT = "5c3e5aa0e4c5ab3b7c0e1a4d6f1b2c3d4e5f6071"
CERTIFICATE = WithClientCertificate(PROXIES, ("0" * 40, FINGERPRINT), "X-Client-Verify", "X-Client-Fingerprint")
PASSED_ON = {"X-Client-Verify": "SUCCESS", "X-Client-Fingerprint": FINGERPRINT}


def call(peer: str, *headers: tuple[str, str]) -> Inbound:
    return Inbound("POST", "", headers, b"{}", peer)


def refusal(condition: Condition, inbound: Inbound) -> Code:
    with pytest.raises(Rejected) as caught:
        condition.require(inbound)
    assert caught.value.entry.status == 401
    return caught.value.code


@pytest.mark.parametrize("peer", ["192.0.2.10", "198.51.100.0", "198.51.100.255", "2001:db8:1::7", "::ffff:192.0.2.10"])
def test_an_allowed_address_passes(peer: str) -> None:
    DIRECT.require(call(peer))


@pytest.mark.parametrize(
    "peer",
    ["192.0.2.11", "198.51.101.0", "2001:db8:2::7", "::ffff:192.0.2.11", "127.0.0.1", "", "unix:", "x", "192.0.2.10 "],
)
def test_any_other_is_refused(peer: str) -> None:
    assert refusal(DIRECT, call(peer)) is Code.ADDRESS_NOT_ALLOWED


def test_without_a_trusted_proxy_no_header_counts() -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert refusal(DIRECT, call("203.0.113.5", (name, "192.0.2.10"))) is Code.ADDRESS_NOT_ALLOWED
        assert refusal(BEHIND, call("203.0.113.5", (name, "192.0.2.10"))) is Code.ADDRESS_NOT_ALLOWED


@pytest.mark.parametrize(
    "told", ["192.0.2.10", "203.0.113.9, 192.0.2.10", "192.0.2.10, 10.1.1.1", "192.0.2.10,10.1.1.1, ::1"]
)
def test_a_trusted_proxy_tells_the_address_that_it_saw(told: str) -> None:
    BEHIND.require(call("10.0.0.3", ("X-Forwarded-For", told)))


@pytest.mark.parametrize(
    "told",
    [
        "192.0.2.10, 203.0.113.9",
        "192.0.2.10, 203.0.113.9, 10.1.1.1",
        "192.0.2.10, unknown",
        "192.0.2.10, , 10.1.1.1",
        "192.0.2.10:4711",
        "10.1.1.1",
        "",
        ", ".join(["192.0.2.10"] + ["10.0.0.1"] * 30),
    ],
)
def test_what_the_sender_itself_wrote_before_that_does_not_count(told: str) -> None:
    assert refusal(BEHIND, call("10.0.0.3", ("X-Forwarded-For", told))) is Code.ADDRESS_NOT_ALLOWED


def test_a_second_line_of_the_header_stands_behind_the_first() -> None:
    first, second = ("X-Forwarded-For", "192.0.2.10"), ("x-forwarded-for", "203.0.113.9")
    assert refusal(BEHIND, call("10.0.0.3", first, second)) is Code.ADDRESS_NOT_ALLOWED
    BEHIND.require(call("10.0.0.3", second, first))


def test_a_proxy_that_tells_nothing_is_not_the_sender() -> None:
    assert refusal(BEHIND, call("10.0.0.3")) is Code.ADDRESS_NOT_ALLOWED


def test_a_verified_certificate_from_a_trusted_proxy_passes() -> None:
    CERTIFICATE.require(call("10.0.0.3", *PASSED_ON.items()))


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("203.0.113.9", list(PASSED_ON.items())),
        ("", list(PASSED_ON.items())),
        ("10.0.0.3", []),
        ("10.0.0.3", [("X-Client-Verify", "SUCCESS")]),
        ("10.0.0.3", [("X-Client-Fingerprint", FINGERPRINT)]),
        ("10.0.0.3", [("X-Client-Verify", "FAILED:expired"), ("X-Client-Fingerprint", FINGERPRINT)]),
        ("10.0.0.3", [("X-Client-Verify", "success"), ("X-Client-Fingerprint", FINGERPRINT)]),
        ("10.0.0.3", [("X-Client-Verify", "SUCCESS"), ("X-Client-Fingerprint", "1" * 40)]),
        ("10.0.0.3", [("X-Client-Verify", "SUCCESS"), ("X-Client-Fingerprint", "")]),
        ("10.0.0.3", [*PASSED_ON.items(), ("x-client-fingerprint", FINGERPRINT)]),
        ("10.0.0.3", [("X-Client-Verify", "SUCCESS,SUCCESS"), ("X-Client-Fingerprint", FINGERPRINT)]),
        ("10.0.0.3", [("X-Client-Verify", "SUCCESS"), ("X-Client-Fingerprint", f"{FINGERPRINT},{FINGERPRINT}")]),
        ("10.0.0.3", [("X-Client-Verify", "SUCCESS"), ("X-Client-Fingerprint", "\udc80")]),
    ],
)
def test_anything_less_than_both_facts_from_a_trusted_proxy_is_refused(
    peer: str, headers: list[tuple[str, str]]
) -> None:
    assert refusal(CERTIFICATE, call(peer, *headers)) is Code.CLIENT_CERTIFICATE_REFUSED


@pytest.mark.parametrize(
    ("build", "mend"),
    [
        (lambda: Networks((), "allowed"), "at least one"),
        (lambda: Networks(("example.com",), "allowed"), "no address or network"),
        (lambda: Networks(("192.0.2.1/24",), "allowed"), "no address or network"),
        (lambda: Networks(("0.0.0.0/0",), "allowed"), "everybody"),
        (lambda: Networks(("::/0",), "allowed"), "everybody"),
        (lambda: Networks(("::ffff:192.0.2.0/120",), "allowed"), "as IPv4"),
        (lambda: FromAddress(Networks(("192.0.2.10", "10.2.0.0/16"), "allowed"), PROXIES), "10.2.0.0/16 is a trusted"),
        (lambda: FromAddress(Networks(("::1",), "allowed"), PROXIES), "::1 is a trusted"),
        (lambda: FromAddress(ALLOWED, header="X Forwarded"), "header name"),
        (lambda: WithClientCertificate(PROXIES, (), "V", "S"), "at least one"),
        (lambda: WithClientCertificate(PROXIES, ("",), "V", "S"), "empty text"),
        (lambda: WithClientCertificate(PROXIES, ("a",), "V", "S", ""), "empty text"),
        (lambda: WithClientCertificate(PROXIES, ("a",), "X-S", "x-s"), "headers of their own"),
        (lambda: WithClientCertificate(PROXIES, ("ü",), "V", "S"), "printable ASCII"),
        (lambda: AllOf((), (DIRECT, CERTIFICATE)), "never suffices alone"),
    ],
)
def test_a_condition_that_limits_nobody_or_stands_alone_is_refused(build: Callable[[], object], mend: str) -> None:
    with pytest.raises(Misconfigured, match=mend) as caught:
        build()
    assert caught.value.code is Code.CONFIG_INVALID


lines = st.lists(
    st.tuples(
        st.sampled_from(["X-Forwarded-For", "X-Client-Verify", "X-Client-Fingerprint"]),
        st.text(st.characters(), max_size=40) | st.sampled_from(["10.0.0.1", "SUCCESS", ","]),
    ),
    max_size=6,
).map(tuple)


@given(peer=st.text(st.characters(), max_size=20) | st.just("10.0.0.3"), headers=lines)
def test_whatever_stands_there_it_holds_or_is_refused(peer: str, headers: tuple[tuple[str, str], ...]) -> None:
    for condition in (DIRECT, BEHIND, CERTIFICATE):
        refusal(condition, Inbound("POST", "", headers, b"", peer))
