"""Addresses that the operator configured, and paths made of values."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlsplit

from connector.codes import Code
from connector.errors import Misconfigured, Refused


def check_base_url(url: str) -> str:
    """Return the URL without trailing slash; `Misconfigured` unless it is https, or http on a loopback host."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Misconfigured(Code.CONFIG_INVALID, "a base URL cannot be read") from None
    if not host or parts.query or parts.fragment or parts.username is not None:
        raise Misconfigured(Code.CONFIG_INVALID, "a base URL must be scheme, host and an optional path only")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise Misconfigured(Code.CONFIG_INVALID, "a base URL must start with https://")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Say whether the host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def path_of(*segments: str) -> str:
    """Join path segments, each percent-encoded with nothing left safe.

    Raises:
        Refused: a segment that no URL can carry: empty, a lone surrogate, or `.` and `..`, which clients and
            servers resolve away even when encoded and so would address something else.
    """
    encoded = []
    for segment in segments:
        try:
            encoded.append(quote(segment, safe=""))
        except UnicodeEncodeError:
            raise Refused(Code.REMOTE_REFUSED, "a value cannot be part of a URL; nothing was sent") from None
        if segment in ("", ".", ".."):
            raise Refused(Code.REMOTE_REFUSED, "a value cannot be part of a URL; nothing was sent")
    return "/" + "/".join(encoded)
