"""What a sender may have signed in place of the body and the address that came: the usual other spellings.

Bodies are written anew by middleware that parses JSON first; addresses are changed by proxies that end TLS or strip a
prefix. Each spelling comes with the mistake behind it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice, product
from typing import Any, Final
from urllib.parse import urlsplit

from connector.inbound import Inbound
from connector.verify.explain.mistakes import Mistake, Side

MAX_ADDRESSES: Final = 96
_MAX_UNPACKED_BYTES: Final = 1_048_576
# zlib.decompressobj: 32 added to the window size accepts both the header of gzip and that of zlib.
_GZIP_OR_ZLIB: Final = 47

_ANEW: Final = (
    "Sign the exact bytes that are sent: write the body once, and use that text for both. If the sender does so, a "
    "gateway in between writes the JSON anew: let it pass bodies on unchanged."
)
_LINE_ENDS: Final = (
    "Sign and send the same bytes (`curl --data-binary`, not `--data`, which drops line ends). An editor or a copy by "
    "hand may also have changed the saved file."
)
_UNPACKED: Final = "Switch compression of requests off: the receiver refuses it, and checks the bytes that came."
_CHARSET: Final = "Sign the UTF-8 bytes that are sent, not the text in the platform's own character set."
_EMPTY: Final = "Sign the body; something reads it before the signature is made, and nothing is left."

_COMPACT: Final = (",", ":")
_JSON: Final[Mapping[str, Mapping[str, Any]]] = {
    "as compact JSON": {"separators": _COMPACT, "ensure_ascii": False},
    "as compact JSON with \\u escapes": {"separators": _COMPACT},
    "as JSON with blanks after commas and colons": {"ensure_ascii": False},
    "as JSON with blanks after commas and colons and \\u escapes": {},
    "as JSON indented by two": {"indent": 2, "ensure_ascii": False},
    "as JSON indented by four": {"indent": 4, "ensure_ascii": False},
    "as compact JSON with sorted keys": {"separators": _COMPACT, "ensure_ascii": False, "sort_keys": True},
    "as compact JSON with sorted keys and \\u escapes": {"separators": _COMPACT, "sort_keys": True},
    "as JSON with sorted keys and blanks": {"ensure_ascii": False, "sort_keys": True},
    "as JSON with sorted keys, blanks and \\u escapes": {"sort_keys": True},
}


def bodies(inbound: Inbound) -> Iterator[tuple[Mistake, Inbound]]:
    """Give the call with every other spelling of its body, each once."""
    seen = {inbound.body}
    for how, change, body in _bodies(inbound.body):
        if body not in seen:
            seen.add(body)
            yield Mistake(f"the body {how}", Side.SENDER, change), replace(inbound, body=body)


def _bodies(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    yield "without the line end at its end", _LINE_ENDS, body.rstrip(b"\r\n")
    yield "with a line feed at its end", _LINE_ENDS, body + b"\n"
    yield "with CR LF at its end", _LINE_ENDS, body + b"\r\n"
    bare = body.replace(b"\r\n", b"\n")
    yield "with LF in place of CR LF", _LINE_ENDS, bare
    yield "with CR LF in place of LF", _LINE_ENDS, bare.replace(b"\n", b"\r\n")
    yield "without blanks around it", _LINE_ENDS, body.strip()
    yield "without its byte order mark", _ANEW, body.removeprefix(b"\xef\xbb\xbf")
    for how, text in _as_json(body):
        yield how, _ANEW, text.encode(errors="surrogatepass")
    yield "in Latin-1", _CHARSET, _in_latin1(body)
    yield "before compression", _UNPACKED, _unpacked(body)
    yield "left empty", _EMPTY, b""


def _as_json(body: bytes) -> Iterator[tuple[str, str]]:
    """Give the body as the usual libraries would write it anew; nothing if it is not JSON."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
        written = {how: json.dumps(value, **options) for how, options in _JSON.items()}
    except (ValueError, RecursionError):
        return
    yield from written.items()
    # PHP's json_encode escapes the slash; Go's encoding/json and some .NET settings escape what HTML knows.
    yield "as PHP's json_encode writes it", written["as compact JSON with \\u escapes"].replace("/", "\\/")
    html = written["as compact JSON"]
    for plain, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        html = html.replace(plain, escaped)
    yield "as compact JSON with <, > and & escaped", html


def _in_latin1(body: bytes) -> bytes:
    try:
        return body.decode().encode("latin-1")
    except ValueError:
        return body


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        found = unpacker.decompress(body, _MAX_UNPACKED_BYTES)
    except zlib.error:
        return body
    return found if unpacker.eof else body


def methods(inbound: Inbound) -> Iterator[tuple[Mistake, Inbound]]:
    """Give the call with other methods."""
    change = "Sign the method with which the call is made, in capitals."
    for method in ("POST", "PUT", "PATCH", "GET", "post"):
        if method != inbound.method:
            yield Mistake(f"the method {method}", Side.SENDER, change), replace(inbound, method=method)


def addresses(inbound: Inbound, target: str) -> Iterator[tuple[Mistake, Inbound]]:
    """Give the call with other addresses that the sender may have called, the nearest first.

    Args:
        target: path and query of the request line as the proxy passed it on; empty if unknown.
    """
    scheme, mark, _ = inbound.url.partition("://")
    if not mark:
        return
    seen = {inbound.url}
    found = []
    for parts in product(_schemes(scheme), _hosts(inbound), _paths(inbound, target), _queries(inbound, target)):
        (_, how), (_, host), (_, path), (_, query) = parts
        words = [word for word, _ in parts if word]
        for more, authority in (("", host), *_ports(how, host)):
            url = f"{how}://{authority}{path}" + (f"?{query}" if query else "")
            if url not in seen:
                seen.add(url)
                found.append(([*words, *([more] if more else [])], url))
    found.sort(key=lambda one: len(one[0]))
    for words, url in islice(found, MAX_ADDRESSES):
        yield _of_address(words), replace(inbound, url=url)


def _of_address(words: list[str]) -> Mistake:
    tried = f"the address with {' and '.join(words)}"
    if words == [_NO_QUERY]:
        change = "Sign the whole address, query included; or call it without a query."
        return Mistake(tried, Side.SENDER, change)
    change = (
        "Set `url` of the source to the address exactly as the sender has it; what a proxy makes of it is not signed."
    )
    return Mistake(tried, Side.CONNECTOR, change)


_NO_QUERY: Final = "no query"


def _schemes(scheme: str) -> list[tuple[str, str]]:
    other = "http" if scheme == "https" else "https"
    return [("", scheme), (f"{other} instead of {scheme}" if scheme in {"http", "https"} else other, other)]


def _hosts(inbound: Inbound) -> list[tuple[str, str]]:
    found = [("", inbound.host)]
    for name in ("Host", "X-Forwarded-Host", "X-Original-Host"):
        for value in inbound.values(name)[:1]:
            host = value.partition(",")[0].strip()
            found.append((f"the host of the header {name}", host))
            if ports := inbound.values("X-Forwarded-Port"):
                found.append((f"the host of the header {name} and the port of X-Forwarded-Port", f"{host}:{ports[0]}"))
    return found


def _ports(scheme: str, host: str) -> list[tuple[str, str]]:
    try:
        port = urlsplit(f"//{host}").port
    except ValueError:
        return []
    if port is not None:
        return [("no port", host.rpartition(":")[0])]
    default = {"https": "443", "http": "80"}.get(scheme)
    return [(f"the port {default}", f"{host}:{default}")] if default else []


def _paths(inbound: Inbound, target: str) -> list[tuple[str, str]]:
    path = inbound.path
    slash = ("no slash at its end", path[:-1]) if path.endswith("/") else ("a slash at its end", f"{path}/")
    found = [("", path), slash]
    if asked := target.partition("?")[0]:
        found.append(("the path of the request line", asked))
    for name in ("X-Forwarded-Prefix", "X-Original-URI", "X-Forwarded-Uri"):
        for value in inbound.values(name)[:1]:
            whole = f"{value.rstrip('/')}{path}" if name == "X-Forwarded-Prefix" else value.partition("?")[0]
            found.append((f"the path of the header {name}", whole))
    if path.count("/") > 1:
        found.append(("the first part of the path left out", path[path.index("/", 1) :]))
    return found


def _queries(inbound: Inbound, target: str) -> list[tuple[str, str]]:
    found = [("", inbound.query)]
    asked = target.partition("?")[2]
    if asked not in {"", inbound.query}:
        found.append(("the query of the request line", asked))
    if inbound.query:
        found.append((_NO_QUERY, ""))
    return found
