"""Which URLs a guarded client calls at all, judged before any name is resolved."""

from __future__ import annotations

import socket
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from connector.clock import SystemClock
from connector.codes import Code
from connector.errors import Refused
from connector.hosts import AllowedHost
from connector.outbound.guarded import Guarded

ALLOWED = ("keys.example.com", "ports.example.com:8443", "*.example.org", "xn--bcher-kva.example")
CANARY = "canary-jo-meyer"


def guarded(*, rehearsal=False):
    return Guarded([AllowedHost.parse(one) for one in ALLOWED], clock=SystemClock(), rehearsal=rehearsal)


@pytest.fixture(autouse=True)
def _no_name_is_resolved(monkeypatch):
    def fail(*_args, **_options):
        raise AssertionError("a name was resolved")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://keys.example.com", "https://keys.example.com", "/"),
        ("https://keys.example.com/", "https://keys.example.com", "/"),
        ("https://keys.example.com?a=b", "https://keys.example.com", "/?a=b"),
        ("HTTPS://KEYS.Example.COM/Jwks", "https://keys.example.com", "/Jwks"),
        ("https://keys.example.com./jwks", "https://keys.example.com", "/jwks"),
        ("https://keys.example.com:443/jwks", "https://keys.example.com", "/jwks"),
        ("https://ports.example.com:8443/a//b?c=%2F&d=e:f@g", "https://ports.example.com:8443", "/a//b?c=%2F&d=e:f@g"),
        ("https://a.b.example.org/x", "https://a.b.example.org", "/x"),
        ("https://BÜCHER.example/x", "https://xn--bcher-kva.example", "/x"),
        ("https://keys.example.com/@example.net/", "https://keys.example.com", "/@example.net/"),
    ],
)
def test_an_allowed_address_is_called_as_it_was_read(url, origin, target):
    address = guarded().vet(url)
    assert (address.origin, address.target) == (origin, target)
    assert repr(address) == f"Address(origin={origin!r})"


HOSTILE = [
    # no URL, or not of ours
    "",
    "keys.example.com/jwks",
    "//keys.example.com/jwks",
    "https:keys.example.com",
    "https:/keys.example.com",
    "https://",
    "https:///jwks",
    "http://keys.example.com/jwks",
    "ftp://keys.example.com/jwks",
    "file:///etc/passwd",
    "gopher://keys.example.com/",
    "jar:https://keys.example.com/",
    " https://keys.example.com/",
    "https://keys.example.com/" + "a" * 2048,
    # user names
    "https://user@keys.example.com/",
    "https://user:word@keys.example.com/",
    "https://@keys.example.com/",
    "https://keys.example.com@example.net/",
    "https://keys.example.com:443@example.net/",
    "https://keys.example.com%40example.net/",
    # fragments
    "https://keys.example.com/#a",
    "https://keys.example.com#@example.net/",
    "https://keys.example.com/?#",
    # what readers read differently
    "https://keys.example.com\\@example.net/",
    "https://keys.example.com\\.example.net/",
    "https:\\\\keys.example.com/",
    "https://keys.example.com/a\\b",
    "https://keys.example.com /",
    "https://keys.example.com\t/",
    "https://keys.example.com\n/",
    "https://keys.example.com/a b",
    "https://keys.example.com/a\r\nHost: example.net",
    "https://keys.example.com/a\x00",
    "https://keys.example.com/ü",
    "https://keys.example.com/%",
    "https://keys.example.com/%zz",
    "https://keys.example.com/\ud800",
    "https://\ud800.example.org/",
    "https://keys.example.com\u200b/",
    "https://a.example.com%2f.example.org/",
    "https://a%2eexample.org/",
    # ports
    "https://keys.example.com:8443/",
    "https://keys.example.com:/",
    "https://keys.example.com:0/",
    "https://keys.example.com:65536/",
    "https://keys.example.com:443443/",
    "https://keys.example.com:+443/",
    "https://keys.example.com:\uff14\uff14\uff13/",
    "https://keys.example.com:443:443/",
    "https://ports.example.com/",
    # hosts that are not on the list
    "https://example.com/",
    "https://example.net/",
    "https://example.org/",
    "https://www.keys.example.com/",
    "https://keys.example.com.example.net/",
    "https://keys.example.com..",
    "https://akeys.example.com/",
    "https://badexample.org/",
    "https://*.example.org/",
    "https://-a.example.org/",
    "https://a_b.example.org/",
    "https://.example.org/",
    "https://a..example.org/",
    f"https://{'a' * 64}.example.org/",
    f"https://{'a.' * 127}example.org/",
    "https://localhost/",
    "https://localhost.localdomain/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://keys/",
    # addresses, in every spelling that resolvers read
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://0/",
    "https://0.0.0.0/",
    "https://127.0.0.1./",
    "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
    "https://127\u30020\u30020\u30021/",
    "https://①②⑦.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://100.100.100.200/",
    "https://10.0.0.1/",
    "https://93.184.215.14/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
    "https://[v1.a]/",
    "https://[::1/",
    "https://::1/",
]


@pytest.mark.parametrize("url", HOSTILE)
@pytest.mark.parametrize("rehearsal", [False, True])
def test_any_other_address_is_refused_by_a_rule_and_without_being_shown(url, rehearsal):
    marked = url.replace("/jwks", f"/jwks/{CANARY}")
    with pytest.raises(Refused) as caught:
        guarded(rehearsal=rehearsal).request("GET", marked, headers={"X-Api-Key": CANARY})
    assert caught.value.code is Code.ADDRESS_REFUSED
    shown = "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    for part in ("example.net", "example.org", "127", "word", "meta"):
        assert part not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://" + "a" * 3000, "2048 characters"),
        ("https://user@keys.example.com/", "user name"),
        ("https://keys.example.com/#a", "fragment"),
        ("https://keys.example.com/a b", "escaped"),
        ("http://keys.example.com/", "not https"),
        ("https://keys.example.com:0/", "port"),
        ("https://10.0.0.1/", "addresses are not called"),
        ("https://example.com/", "not on the list"),
    ],
)
def test_a_refusal_names_the_rule(url, rule):
    with pytest.raises(Refused) as caught:
        guarded().vet(url)
    assert rule in caught.value.detail


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://127.0.0.1:8091/a", "http://127.0.0.1:8091"),
        ("http://localhost:8091/a", "http://localhost:8091"),
        ("http://LOCALHOST/a", "http://localhost:80"),
        ("http://[::1]:8091/a", "http://[::1]:8091"),
    ],
)
def test_a_rehearsal_may_call_this_machine_in_the_clear(url, origin):
    assert guarded(rehearsal=True).vet(url).origin == origin
    with pytest.raises(Refused):
        guarded().vet(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2:8091/",
        "http://127.1:8091/",
        "http://0.0.0.0:8091/",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:/",
        "http://keys.example.com/",
    ],
)
def test_a_rehearsal_reaches_nothing_else_in_the_clear(url):
    with pytest.raises(Refused):
        guarded(rehearsal=True).vet(url)


hosts = st.sampled_from(["keys.example.com", "a.example.org", "example.net", "127.0.0.1", "[::1]", "localhost"])
pieces = st.lists(st.one_of(hosts, st.sampled_from(list(":@/\\?#%.*[]& \t\r\n0x443")), st.text(max_size=3)), max_size=8)


@given(st.sampled_from(["https://", "http://", "HTTPS://", "https:/", "//", ""]), pieces)
def test_whatever_is_called_is_on_the_list_to_the_reader_that_connects_too(start, rest):
    url = start + "".join(rest)
    try:
        address = guarded().vet(url)
    except Refused:
        return
    parsed = parse_url(address.origin + address.target)
    assert (parsed.scheme, parsed.auth, parsed.fragment) == ("https", None, None)
    assert any(AllowedHost.parse(one).covers(parsed.host or "", parsed.port or 443) for one in ALLOWED)


FORBIDDEN = [
    "Host",
    "host",
    "HOST",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Upgrade",
    "HTTP2-Settings",
    "Expect",
    "Accept-Encoding",
    "Cookie",
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_headers_that_frame_the_message_are_not_a_senders_to_set(name):
    with pytest.raises(Refused) as caught:
        guarded().request("POST", "https://keys.example.com/", headers={name: CANARY}, json={})
    assert caught.value.code is Code.ADDRESS_REFUSED
    assert name.lower() in caught.value.detail
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"": "a"},
        {f"X {CANARY}": "a"},
        {f"X-{CANARY}:": "a"},
        {f"X-{CANARY}\r\nHost": "a"},
        {f"X-{CANARY}ü": "a"},
        {f"X-{CANARY}": ""},
        {"X-A": f" {CANARY}"},
        {"X-A": f"{CANARY}\r\nHost: example.net"},
        {"X-A": f"{CANARY}ü"},
        {"X-A": f"{CANARY}\x00"},
        {"X-A": CANARY, "x-a": CANARY},
    ],
)
def test_a_header_that_could_end_the_header_or_begin_another_is_refused(headers):
    with pytest.raises(Refused) as caught:
        guarded().request("GET", "https://keys.example.com/", headers=headers)
    assert CANARY not in str(caught.value)
