"""The outbound client: where it may go, what it refuses, what it says when a call fails, and what it never shows."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import logging
import socket
import ssl
import threading
import traceback

import pytest
import requests
import responses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers

from connector import __version__
from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.outbound import Answer, Client, Limits, check_base_url, is_loopback, json_of, path_of
from connector.sandbox.server import CUT_BODY, DropConnection, LoopbackServer

NOW = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
BASE = "https://api.example.com"
SECRET = "at.example.secret"
PERSON = "ana@example.com"


def client(base_url=BASE, **options):
    return Client(base_url, clock=FixedClock(NOW), **options)


def failure(call, *arguments, **options):
    with pytest.raises(ConnectorError) as caught:
        call(*arguments, **options)
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in text
    assert "ana" not in text
    return caught.value


class Server(LoopbackServer):
    """Answers every call the same way."""

    def __init__(self, status="200 OK", body=b"{}", headers=(), *, cut=False, drop=False):
        super().__init__(self._answer)
        self.status, self.body, self.headers, self.cut, self.drop = status, body, list(headers), cut, drop
        self.seen = []

    def _answer(self, environ, start_response):
        self.seen.append(environ)
        if self.drop:
            raise DropConnection
        environ[CUT_BODY] = self.cut
        start_response(self.status, self.headers)
        return [self.body]


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "https://",
        "https://user:word@api.example.com",
        "https://api.example.com/?a=b",
        "https://api.example.com/#a",
        "https://api.example.com:port",
        "https://[::1",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
    ],
)
def test_a_base_url_that_could_leak_or_mislead_is_refused(url):
    with pytest.raises(Misconfigured) as caught:
        check_base_url(url)
    assert caught.value.code is Code.CONFIG_INVALID
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://api.example.com/", "http://127.0.0.1:8091", "http://[::1]:1", "http://localhost"]
)
def test_https_anywhere_and_http_on_this_machine_are_taken(url):
    assert check_base_url(url) == url.rstrip("/")


def test_only_loopback_is_this_machine():
    assert [is_loopback(one) for one in ("localhost", "127.3.2.1", "::1", "0.0.0.0", "example.com", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_each_segment_of_a_path_is_encoded_with_nothing_left_safe():
    assert path_of("v2", "a/b", "c d+e@f%", "ü") == "/v2/a%2Fb/c%20d%2Be%40f%25/%C3%BC"


@pytest.mark.parametrize("segment", ["", ".", "..", "\ud800"])
def test_a_segment_that_would_address_something_else_is_refused_without_being_shown(segment):
    error = failure(path_of, "v2", segment)
    assert (type(error), error.code) == (Refused, Code.REMOTE_REFUSED)


@given(st.text())
def test_a_path_either_carries_exactly_its_segments_or_is_refused(text):
    try:
        path = path_of("v2", text)
    except Refused:
        return
    url = requests.Request("GET", BASE + path).prepare().url
    # The library normalises what it may; the number of segments must survive that.
    assert url.startswith(f"{BASE}/v2/")
    assert url.count("/") == BASE.count("/") + 2


@responses.activate
def test_a_call_carries_what_it_was_given_and_nothing_of_the_environment(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    body = '{"values": ["\\u00fc"]}'
    expected = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"consent-connector/{__version__}",
        "Authorization": SECRET,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    responses.delete(
        f"{BASE}/v2/bulk",
        match=[
            matchers.header_matcher(expected, strict_match=True),
            matchers.query_param_matcher({"account_id": "7"}),
            matchers.body_matcher(body),
            matchers.request_kwargs_matcher(
                {"stream": True, "verify": True, "timeout": (5.0, 30.0), "proxies": {}, "cert": None}
            ),
        ],
        status=202,
        body=b"{}",
        headers={"X-Thing": "1"},
    )
    answer = client().request(
        "DELETE", "/v2/bulk", headers={"Authorization": SECRET}, params={"account_id": "7"}, json={"values": ["ü"]}
    )
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (202, b"{}", "1")


@responses.activate
def test_cookies_of_an_answer_are_not_sent_back():
    responses.get(f"{BASE}/a", headers={"Set-Cookie": "who=ana; Path=/"})
    one = client()
    one.request("GET", "/a")
    one.request("GET", "/a")
    assert ["Cookie" in call.request.headers for call in responses.calls] == [False, False]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_refused_and_never_followed(status):
    with Server(f"{status} Moved", headers=[("Location", f"/elsewhere/{PERSON}")]) as server:
        error = failure(client(server.url).request, "POST", "/a", headers={"Authorization": SECRET}, json={})
        assert len(server.seen) == 1
    assert (type(error), error.code) == (Refused, Code.REMOTE_REFUSED)
    assert str(status) in error.detail


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": " 0 "}, 0.0),
        ({"Retry-After": "999999999"}, 86_400.0),
        ({"Retry-After": "Mon, 02 Nov 2026 09:02:03 GMT"}, 123.0),
        ({"Retry-After": "Mon, 02 Nov 2026 09:02:03 -0000"}, 123.0),
        ({"Retry-After": "Mon, 02 Nov 2026 08:00:00 GMT"}, 0.0),
        ({"Retry-After": "Mon, 02 Nov 2099 08:00:00 GMT"}, 86_400.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "١٢"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"ot-period": "MINUTE"}, 60.0),
        ({"ot-period": "HOUR"}, 3600.0),
        ({"ot-period": "HOUR", "Retry-After": "2135"}, 2135.0),
    ],
)
@responses.activate
def test_a_rate_limit_says_how_long_to_wait(headers, wait_s):
    responses.get(f"{BASE}/a", status=429, headers=headers)
    error = failure(client().request, "GET", "/a")
    assert (type(error), error.code, error.retry_after_s) == (RateLimited, Code.REMOTE_RATE_LIMITED, wait_s)
    assert not error.outcome_unknown


@pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 500, 503])
@responses.activate
def test_every_other_status_is_the_callers_to_judge(status):
    responses.get(f"{BASE}/a", status=status)
    assert client().request("GET", "/a").status == status


def test_an_answer_over_the_limit_is_not_read_to_its_end():
    with Server(body=b"x" * 200_000) as server:
        error = failure(client(server.url, limits=Limits(max_body_bytes=100_000)).request, "GET", "/a")
        assert client(server.url, limits=Limits(max_body_bytes=200_000)).request("GET", "/a").body == server.body
    assert (type(error), error.code) == (Temporary, Code.REMOTE_ANSWER_UNREADABLE)
    assert error.outcome_unknown


def test_an_answer_that_drips_is_given_up_after_the_total_time():
    ticks = itertools.count(step=40.0)
    with Server(body=b"x" * 200_000) as server:
        error = failure(client(server.url, monotonic=lambda: float(next(ticks))).request, "GET", "/a")
    assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, True)


@pytest.mark.parametrize("options", [{"drop": True}, {"cut": True, "body": b"x" * 1000}])
def test_a_connection_that_ends_before_the_answer_leaves_the_outcome_unknown(options):
    with Server(**options) as server:
        error = failure(client(server.url).request, "POST", f"/v2/{PERSON}", params={"q": PERSON}, json={"v": PERSON})
    assert (type(error), error.code, error.outcome_unknown) == (Temporary, Code.REMOTE_UNREACHABLE, True)


def test_a_server_that_is_silent_leaves_the_outcome_unknown():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as quiet:
        url = f"http://127.0.0.1:{quiet.getsockname()[1]}"
        error = failure(client(url, limits=Limits(read_s=0.05)).request, "GET", f"/{PERSON}")
    assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, True)


def test_a_port_without_a_listener_was_surely_not_reached():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    error = failure(client(f"http://127.0.0.1:{port}").request, "GET", f"/{PERSON}")
    assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, False)


def test_a_name_that_does_not_resolve_was_surely_not_reached(monkeypatch):
    def no_such_name(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    error = failure(client("https://nowhere.example.com").request, "GET", f"/{PERSON}")
    assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, False)


def test_a_plain_server_behind_https_was_surely_not_reached():
    with Server() as server:
        error = failure(client(server.url.replace("http:", "https:")).request, "GET", f"/{PERSON}")
        assert server.seen == []
    assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, False)


@pytest.fixture
def self_signed(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    moment = dt.datetime.now(dt.UTC)
    builder = builder.serial_number(1).not_valid_before(moment).not_valid_after(moment + dt.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    path = tmp_path / "both.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_a_certificate_that_nobody_vouches_for_ends_the_call_before_anything_is_sent(self_signed, monkeypatch):
    received = []

    def serve(listener):
        connection, _ = listener.accept()
        with contextlib.suppress(OSError), self_signed.wrap_socket(connection, server_side=True) as secured:
            received.append(secured.recv(100))
        connection.close()

    # Neither of these may loosen the check.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        error = failure(client(f"https://localhost:{listener.getsockname()[1]}").request, "GET", f"/{PERSON}")
        thread.join(5)
    assert (error.code, error.outcome_unknown) == (Code.REMOTE_UNREACHABLE, False)
    assert b"GET" not in b"".join(received)


@responses.activate
def test_a_tls_fault_that_may_come_after_the_request_leaves_the_outcome_unknown():
    cause = ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred")
    responses.get(f"{BASE}/a", body=requests.exceptions.SSLError(cause))
    assert failure(client().request, "GET", "/a").outcome_unknown


@pytest.mark.parametrize("value", [f"{SECRET}\n", f" {SECRET}", f"{SECRET}\r\nX-Other: 1", f"{SECRET}ü", ""])
def test_a_header_that_cannot_be_sent_is_named_but_not_shown(value):
    error = failure(client().request, "GET", "/a", headers={"Authorization": value})
    assert (type(error), error.code) == (Misconfigured, Code.CONFIG_INVALID)
    assert "Authorization" in error.detail


@responses.activate
def test_forms_and_multipart_bodies_are_sent_as_such():
    fields = {"grant_type": "client_credentials", "client_secret": "a b"}
    responses.post(f"{BASE}/form", match=[matchers.urlencoded_params_matcher(fields)])
    responses.post(
        f"{BASE}/parts", match=[matchers.multipart_matcher({name: (None, value) for name, value in fields.items()})]
    )
    assert client().request("POST", "/form", form=fields).status == 200
    assert client().request("POST", "/parts", multipart=fields).status == 200


def test_several_threads_share_connections_but_never_one_at_the_same_time():
    made, lock = [], threading.Lock()
    barrier = threading.Barrier(3)

    class Meeting(LoopbackServer):
        def __init__(self):
            super().__init__(self._answer)

        def _answer(self, _environ, start_response):
            barrier.wait(10)
            start_response("200 OK", [])
            return [b"{}"]

    def session():
        with lock:
            made.append(requests.Session())
            return made[-1]

    with Meeting() as server:
        one = client(server.url, session_factory=session)
        for _ in range(2):
            threads = [threading.Thread(target=one.request, args=("GET", "/a")) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
        one.close()
    assert len(made) == 3


def test_each_call_holds_its_slot_until_its_answer_is_read():
    events = []

    @contextlib.contextmanager
    def slot():
        events.append("in")
        yield
        events.append("out")

    with Server() as server:
        one = client(server.url, slot=slot)
        one.request("GET", "/a")
        one.close()
    assert events == ["in", "out"]


def test_no_url_reaches_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    with Server() as server:
        one = client(server.url)
        one.request("GET", path_of("v2", PERSON), params={"q": PERSON})
        one.close()
        assert len(server.seen) == 1
    assert "ana" not in caplog.text


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_is_unreadable_and_not_shown(body):
    error = failure(json_of, Answer(200, {}, body + PERSON.encode()))
    assert (type(error), error.code, error.outcome_unknown) == (Temporary, Code.REMOTE_ANSWER_UNREADABLE, True)


def test_json_is_read_with_and_without_a_byte_order_mark():
    assert json_of(Answer(200, {}, b'{"a": 1}')) == {"a": 1}
    assert json_of(Answer(200, {}, b'\xef\xbb\xbf{"a": 1}')) == {"a": 1}
