"""The operator's list of hosts: what an entry may say, and what it covers."""

from __future__ import annotations

import pytest

from connector.errors import Misconfigured
from connector.hosts import AllowedHost, is_host_name

LONG = ".".join(["a" * 63] * 4)


@pytest.mark.parametrize(
    ("text", "name", "port", "subdomains"),
    [
        ("keys.example.com", "keys.example.com", 443, False),
        (" KEYS.Example.COM. ", "keys.example.com", 443, False),
        ("keys.example.com:8443", "keys.example.com", 8443, False),
        ("*.example.com", "example.com", 443, True),
        ("*.example.com:8443", "example.com", 8443, True),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", 443, False),
        ("a.b-1.example.org", "a.b-1.example.org", 443, False),
    ],
)
def test_an_entry_names_a_host_or_all_below_a_domain(text: str, name: str, port: int, subdomains: bool) -> None:
    entry = AllowedHost.parse(text)
    assert (entry.name, entry.port, entry.subdomains) == (name, port, subdomains)
    assert AllowedHost.parse(str(entry)) == entry


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "*.com",
        "*:443",
        "*.*.example.com",
        "keys.*.com",
        "*keys.example.com",
        "com",
        "localhost",
        "https://keys.example.com",
        "keys.example.com/path",
        "user@keys.example.com",
        "keys.example.com:0",
        "keys.example.com:65536",
        "keys.example.com:",
        "keys.example.com:https",
        "keys..example.com",
        ".example.com",
        "-keys.example.com",
        "keys-.example.com",
        "keys_1.example.com",
        "bücher.example",
        "keys.example.com\n.example.org",
        "127.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "example.1",
        "example.0x1",
        "[::1]",
        "::1",
        f"{'a' * 64}.example.com",
        f"{LONG}.com",
    ],
)
def test_an_entry_that_names_no_host_or_too_many_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        AllowedHost.parse(text)
    assert "user" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "host", "port", "covered"),
    [
        ("keys.example.com", "keys.example.com", 443, True),
        ("keys.example.com", "keys.example.com", 8443, False),
        ("keys.example.com", "a.keys.example.com", 443, False),
        ("keys.example.com", "akeys.example.com", 443, False),
        ("keys.example.com:8443", "keys.example.com", 8443, True),
        ("keys.example.com:8443", "keys.example.com", 443, False),
        ("*.example.com", "a.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "badexample.com", 443, False),
        ("*.example.com", "a.example.com.example.org", 443, False),
    ],
)
def test_an_entry_covers_its_own_hosts_at_its_own_port(entry: str, host: str, port: int, covered: bool) -> None:
    assert AllowedHost.parse(entry).covers(host, port) is covered


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://keys.example.com/jwks", "keys.example.com"),
        ("https://Keys.Example.com:8443", "keys.example.com:8443"),
        ("http://keys.example.com/", None),
        ("http://127.0.0.1:8091/jwks", None),
        ("https://10.0.0.1/", None),
        ("https://[::1", None),
        ("https://keys.example.com:port/", None),
        ("", None),
    ],
)
def test_a_configured_address_is_an_entry_if_it_names_a_host(url: str, entry: str | None) -> None:
    found = AllowedHost.of_url(url)
    assert (None if found is None else str(found)) == entry


def test_a_name_is_at_most_253_characters_long() -> None:
    label = "a" * 49
    name = ".".join([label] * 5 + ["com"])
    assert (len(name), is_host_name(name)) == (253, True)
    assert not is_host_name(f"a{name}")
