"""Guarded calls on the wire: where a connection goes, to whom it speaks, what it sends, and when it ends."""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import logging
import socket
import threading
import time
import traceback

import pytest
from requests_hardened.ip_filter import get_ip_address

from connector import __version__
from connector.clock import SystemClock
from connector.codes import Code
from connector.errors import ConnectorError, RateLimited, Refused, Temporary
from connector.hosts import AllowedHost
from connector.outbound import Limits
from connector.outbound.guarded import SMALL, Guarded
from connector.outbound.pinned import is_public
from connector.sandbox.server import LoopbackServer
from tests.unit.outbound.internet import ELSEWHERE, GOOD, HOST, PUBLIC, PUBLIC_6, Authority, Server, says

CANARY = "canary-jo-meyer"
URL = f"https://{HOST}/keys/{CANARY}?of={CANARY}"
HEADERS = {"X-Api-Key": CANARY}


@contextlib.contextmanager
def guarded(*allowed, rehearsal=False, limits=SMALL):
    hosts = [AllowedHost.parse(one) for one in allowed or (HOST,)]
    client = Guarded(hosts, clock=SystemClock(), limits=limits, rehearsal=rehearsal)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(autouse=True)
def _nothing_of_a_call_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    said = [f"{one.name} {one.getMessage()} {vars(one)}" for one in caplog.get_records("call")]
    assert not [one for one in said if CANARY in one or HOST in one or PUBLIC in one]


def failure(client, method="GET", url=URL, headers=HEADERS, **body):
    with pytest.raises(ConnectorError) as caught:
        client.request(method, url, headers=headers, **body)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert CANARY not in shown
    return caught.value


class TestOnTheWire:
    def test_a_call_is_made_to_the_address_and_for_the_name(self, internet, monkeypatch):
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
        internet.resolve(HOST, [PUBLIC])
        with internet.server(says(GOOD)) as server, guarded() as client:
            answer = client.request("POST", URL, headers=HEADERS, json={"a": 1})
        assert (answer.status, answer.body) == (200, b"{}")
        assert (internet.asked, internet.connected, server.names) == ([HOST], [PUBLIC], [HOST])
        (head,) = server.heads
        line, *lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        assert line == f"POST /keys/{CANARY}?of={CANARY} HTTP/1.1"
        assert sorted(lines) == [
            "Accept-Encoding: identity",
            "Accept: application/json",
            "Content-Length: 8",
            "Content-Type: application/json",
            f"Host: {HOST}",
            f"User-Agent: consent-connector/{__version__}",
            f"X-Api-Key: {CANARY}",
        ]

    def test_a_port_of_the_list_is_in_the_host_header(self, internet):
        internet.resolve(HOST, [PUBLIC])
        with internet.server(says(GOOD)) as server, guarded(f"{HOST}:8443") as client:
            client.request("GET", f"https://{HOST}:8443/")
        assert f"Host: {HOST}:8443\r\n".encode() in server.heads[0]

    def test_a_body_given_as_bytes_is_sent_as_it_is(self, internet):
        internet.resolve(HOST, [PUBLIC])
        with internet.server(says(GOOD)) as server, guarded() as client:
            client.request("POST", URL, headers={"Content-Type": "application/jwt"}, content=b"")
        assert b"Content-Type: application/jwt" in server.heads[0]

    def test_cookies_are_not_sent_back(self, internet):
        internet.resolve(HOST, [PUBLIC])
        answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: who=jo; Path=/\r\nContent-Length: 0\r\n\r\n"
        with internet.server(says(answer)) as server, guarded() as client:
            client.request("GET", URL)
            client.request("GET", URL)
        assert [b"ookie" in head for head in server.heads] == [False, False]

    @pytest.mark.parametrize("names", [("example.org",), ("example.com",), ("*.keys.example.com",)])
    def test_a_certificate_for_another_name_ends_the_call_before_anything_is_sent(self, internet, names):
        internet.resolve(HOST, [PUBLIC])
        with internet.server(says(GOOD), *names) as server, guarded() as client:
            error = failure(client)
        assert (type(error), error.code, error.outcome_unknown) == (Temporary, Code.REMOTE_UNREACHABLE, False)
        assert server.heads == []

    def test_a_certificate_that_nobody_vouches_for_ends_it_too(self, internet, monkeypatch, tmp_path):
        internet.resolve(HOST, [PUBLIC])
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(Authority(tmp_path).bundle))
        with internet.server(says(GOOD)) as server, guarded() as client:
            error = failure(client)
        assert (error.code, error.outcome_unknown, server.heads) == (Code.REMOTE_UNREACHABLE, False, [])


NOT_PUBLIC = [
    # IPv4: IANA special-purpose registry
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    # IPv6
    "::",
    "::1",
    "::7f00:1",
    "::808:808",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "1000::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "e000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%2",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    # IPv4 written in IPv6
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:224.0.0.1",
    "::ffff:168.63.129.16",
]


@pytest.mark.parametrize("address", [one for one in NOT_PUBLIC if "%" not in one])
def test_no_such_address_is_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [PUBLIC, ELSEWHERE, PUBLIC_6, "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "223.255.255.255"],
)
def test_addresses_beside_them_are(address):
    assert is_public(ipaddress.ip_address(address))


class TestWhereANameLeads:
    @pytest.mark.parametrize("address", NOT_PUBLIC)
    def test_an_address_that_is_not_public_is_never_connected_to(self, internet, address):
        internet.resolve(HOST, [address])
        with internet.server(says(GOOD)) as server, guarded() as client:
            error = failure(client)
            assert (type(error), error.code) == (Refused, Code.ADDRESS_REFUSED)
            assert address not in str(error)
        assert (internet.connected, server.heads) == ([], [])

    @pytest.mark.parametrize("address", NOT_PUBLIC)
    def test_a_name_that_turns_there_after_it_was_examined_gains_nothing(self, internet, address):
        # DNS rebinding: the answer that was examined is the one that counts.
        internet.resolve(HOST, [PUBLIC], [address])
        with internet.server(says(GOOD)), guarded() as client:
            assert client.request("GET", URL).status == 200
            assert (internet.asked, internet.connected) == ([HOST], [PUBLIC])
            # The next call asks again, and is refused although a connection is still open.
            assert failure(client).code is Code.ADDRESS_REFUSED
        assert (internet.asked, internet.connected) == ([HOST] * 2, [PUBLIC])

    @pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1"])
    def test_of_several_addresses_only_the_examined_one_is_tried(self, internet, address):
        internet.resolve(HOST, [PUBLIC, address])
        internet.unreachable = {PUBLIC}
        with internet.server(says(GOOD)), guarded() as client:
            error = failure(client)
        assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, False)
        assert set(internet.connected) == {PUBLIC}

    def test_a_public_address_behind_a_private_one_does_not_help(self, internet):
        internet.resolve(HOST, ["10.0.0.1", PUBLIC])
        with internet.server(says(GOOD)), guarded() as client:
            assert failure(client).code is Code.ADDRESS_REFUSED
        assert internet.connected == []

    @pytest.mark.parametrize(
        ("address", "connected"), [(PUBLIC_6, PUBLIC_6), (f"::ffff:{PUBLIC}", PUBLIC), ("192.0.1.1", "192.0.1.1")]
    )
    def test_a_public_address_is_connected_to_in_any_family(self, internet, address, connected):
        internet.resolve(HOST, [address])
        with guarded() as client:
            assert failure(client).code is Code.REMOTE_UNREACHABLE
        assert set(internet.connected) == {connected}

    def test_an_open_connection_serves_again_while_the_name_stays(self, internet):
        internet.resolve(HOST, [PUBLIC])
        with internet.server(says(GOOD)) as server, guarded() as client:
            for _ in range(3):
                client.request("GET", URL)
        assert (internet.asked, internet.connected, len(server.heads)) == ([HOST] * 3, [PUBLIC], 3)

    def test_a_name_that_moved_is_followed(self, internet):
        internet.resolve(HOST, [PUBLIC], [ELSEWHERE])
        with internet.server(says(GOOD)), guarded() as client:
            client.request("GET", URL)
            client.request("GET", URL)
        assert internet.connected == [PUBLIC, ELSEWHERE]

    def test_two_names_at_one_address_share_no_connection(self, internet):
        for name in (HOST, "more.example.com"):
            internet.resolve(name, [PUBLIC])
        with internet.server(says(GOOD), "*.example.com") as server, guarded("*.example.com") as client:
            client.request("GET", URL)
            client.request("GET", "https://more.example.com/")
        assert (internet.connected, server.names) == ([PUBLIC] * 2, [HOST, "more.example.com"])

    def test_many_hosts_do_not_hold_many_connections(self, internet):
        names = [f"h{number}.example.com" for number in range(40)]
        for name in names:
            internet.resolve(name, [PUBLIC])
        with internet.server(says(GOOD), "*.example.com"), guarded("*.example.com") as client:
            for name in names:
                client.request("GET", f"https://{name}/")
            assert len(client._clients) == 32

    @pytest.mark.parametrize("answers", [None, []])
    def test_a_name_that_leads_nowhere_was_surely_not_called(self, internet, answers):
        if answers is not None:
            internet.resolve(HOST, answers)
        with guarded() as client:
            error = failure(client)
        assert (type(error), error.code, error.outcome_unknown) == (Temporary, Code.REMOTE_UNREACHABLE, False)

    def test_a_resolver_that_hangs_is_not_waited_for(self, internet, monkeypatch):
        released = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: released.wait(10) and [])
        with guarded(limits=Limits(connect_s=0.05)) as client:
            error = failure(client)
        released.set()
        assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, False)

    def test_the_librarys_own_list_alone_would_not_do(self, internet):
        # Why there is a rule of our own; if this fails, the library has learned it.
        internet.resolve(HOST, ["::7f00:1"])
        assert get_ip_address(HOST, 443, allow_loopback=False)


class TestAnswers:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_refused_and_never_followed(self, internet, status):
        internet.resolve(HOST, [PUBLIC])

        def inside(_environ, start_response):
            raise AssertionError("the redirect was followed")

        with LoopbackServer(inside) as private:
            there = f"HTTP/1.1 {status} Moved\r\nLocation: {private.url}/{CANARY}\r\nContent-Length: 0\r\n\r\n"
            with internet.server(says(there.encode())) as server, guarded(rehearsal=True) as client:
                error = failure(client, "POST", json={})
        assert (type(error), error.code) == (Refused, Code.REMOTE_REFUSED)
        assert (internet.connected, len(server.heads)) == ([PUBLIC], 1)

    def test_a_rate_limit_says_how_long_to_wait(self, internet):
        internet.resolve(HOST, [PUBLIC])
        answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n"
        with internet.server(says(answer)), guarded() as client:
            error = failure(client)
        assert (type(error), error.retry_after_s) == (RateLimited, 17.0)

    @pytest.mark.parametrize(("size", "taken"), [(256 * 1024, True), (256 * 1024 + 1, False)])
    @pytest.mark.parametrize("framing", ["length", "chunks", "end"])
    def test_an_answer_over_the_limit_is_not_taken(self, internet, size, taken, framing):
        internet.resolve(HOST, [PUBLIC])
        body = b"x" * size
        if framing == "length":
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, body)
        elif framing == "chunks":
            answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (size, body)
        else:
            answer = b"HTTP/1.1 200 OK\r\n\r\n" + body
        with internet.server(says(answer, then_closes=framing == "end")), guarded() as client:
            if taken:
                assert client.request("GET", URL).body == body
            else:
                error = failure(client)
                assert (type(error), error.code) == (Temporary, Code.REMOTE_ANSWER_UNREADABLE)

    def test_an_answer_that_unpacks_to_more_is_measured_unpacked(self, internet):
        internet.resolve(HOST, [PUBLIC])
        packed = gzip.compress(b"x" * 2_000_000)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        with internet.server(says(head + packed)), guarded() as client:
            assert failure(client).code is Code.REMOTE_ANSWER_UNREADABLE

    @pytest.mark.parametrize("answer", [b"", b"\x00" * 100, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
    def test_an_answer_that_is_none_leaves_the_outcome_unknown(self, internet, answer):
        internet.resolve(HOST, [PUBLIC])
        with internet.server(says(answer, then_closes=True)), guarded() as client:
            error = failure(client, "POST", json={})
        assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, True)


def drips(start: bytes, piece: bytes):
    """Send a start, and then a piece every few milliseconds, until the other side has enough."""

    def serve(connection, _head):
        connection.sendall(start)
        while not threading.Event().wait(0.01):
            connection.sendall(piece)

    return serve


class TestTime:
    @pytest.mark.parametrize(
        "serve",
        [
            drips(b"", b"x"),
            drips(b"HTTP/1.1 200 OK\r\n", b"x"),
            drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
            drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
            drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        ],
        ids=["status", "header", "body", "chunk size", "chunks", "until the end"],
    )
    def test_a_server_that_sends_a_little_at_a_time_is_given_up(self, internet, serve):
        internet.resolve(HOST, [PUBLIC])
        with internet.server(serve), guarded(limits=Limits(read_s=10, total_s=0.3)) as client:
            error = failure(client)
        assert (type(error), error.code, error.outcome_unknown) == (Temporary, Code.REMOTE_UNREACHABLE, True)
        assert "0.3 s" in error.detail

    def test_a_handshake_that_drips_is_given_up(self, internet):
        internet.resolve(HOST, [PUBLIC])

        def serve(connection, _head):
            raise AssertionError("there is no request before the handshake")

        class Slow(Server):
            def _talk(self, connection):
                # A record of TLS that never ends (RFC 8446 section 5.1).
                with contextlib.suppress(OSError):
                    connection.sendall(b"\x16\x03\x03\x40\x00")
                    while not threading.Event().wait(0.01):
                        connection.sendall(b"\x02")

        with (
            internet.listening(Slow(None, serve)),
            guarded(limits=Limits(connect_s=10, read_s=10, total_s=0.3)) as client,
        ):
            began = time.monotonic()
            error = failure(client)
            assert time.monotonic() - began < 5
        assert (error.code, "0.3 s" in error.detail) == (Code.REMOTE_UNREACHABLE, True)

    def test_a_connection_that_is_used_again_ends_in_time_too(self, internet):
        internet.resolve(HOST, [PUBLIC])
        slow = drips(b"HTTP/1.1 200 OK\r\n", b"x")
        with internet.server(says(GOOD)) as server, guarded(limits=Limits(read_s=10, total_s=0.3)) as client:
            client.request("GET", URL)
            server.serve = slow
            assert failure(client).code is Code.REMOTE_UNREACHABLE
            server.serve = says(GOOD)
            assert client.request("GET", URL).status == 200
        assert internet.connected == [PUBLIC] * 2

    def test_the_limits_are_small_unless_others_are_given(self):
        assert (SMALL.connect_s, SMALL.total_s, SMALL.max_body_bytes) == (5.0, 10.0, 256 * 1024)
        assert SMALL.read_s <= SMALL.total_s


class TestRehearsals:
    def test_a_rehearsal_calls_this_machine_in_the_clear(self):
        def app(_environ, start_response):
            start_response("200 OK", [])
            return [b"{}"]

        with LoopbackServer(app) as server, guarded(rehearsal=True) as client:
            assert client.request("GET", f"{server.url}/{CANARY}", headers=HEADERS).body == b"{}"

    def test_outside_of_one_it_does_not(self):
        with guarded() as client:
            assert failure(client, url="http://127.0.0.1:9/").code is Code.ADDRESS_REFUSED

    def test_an_allowed_name_may_lead_to_this_machine_in_a_rehearsal_alone(self, internet):
        internet.resolve(HOST, ["127.0.0.1"])
        with internet.server(says(GOOD)) as server:
            with guarded(rehearsal=True) as client:
                assert client.request("GET", URL).status == 200
            with guarded() as client:
                assert failure(client).code is Code.ADDRESS_REFUSED
        assert (len(server.heads), server.names) == (1, [HOST])

    @pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fe80::1"])
    def test_other_private_addresses_stay_refused(self, internet, address):
        internet.resolve(HOST, [address])
        with guarded(rehearsal=True) as client:
            assert failure(client).code is Code.ADDRESS_REFUSED

    @pytest.mark.parametrize("address", [PUBLIC, "10.0.0.1"])
    def test_this_machines_name_may_not_lead_elsewhere(self, internet, address):
        internet.resolve("localhost", [address])
        with guarded(rehearsal=True) as client:
            assert failure(client, url="http://localhost:8091/").code is Code.ADDRESS_REFUSED
        assert internet.connected == []
