"""The only place from which the product calls out: HTTPS, no redirects, bounded time and size, nothing left in logs.

An error never holds a path, a query, a header or a body: each of them may carry a person or a secret. A call that
failed says whether it may have been carried out, because a deletion must not be repeated on a guess.
"""

from __future__ import annotations

import ipaddress
import json as json_codec
import logging
import re
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connector import __version__
from connector.clock import Clock, require_aware
from connector.codes import Code
from connector.errors import Misconfigured, RateLimited, Refused, Temporary

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"consent-connector/{__version__}",
}
_CHUNK_BYTES: Final = 65_536
_MAX_WAIT_S: Final = 86_400.0
_TOO_MANY_REQUESTS: Final = 429
# OneTrust names the period of its limit beside Retry-After; it serves when that is missing.
_PERIODS_S: Final = {"minute": 60.0, "hour": 3600.0}
# TLS faults that only a handshake has. Others may come after the request was sent, and count as unknown.
_HANDSHAKE: Final = re.compile("CERTIFICATE_VERIFY|HANDSHAKE_FAIL|PROTOCOL_VERSION|UNSUPPORTED_PROTO|WRONG_VERSION")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, in seconds, and how much it may answer, in bytes.

    `read_s` bounds the wait for each piece of the answer, `total_s` the whole until the body's last byte.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 60.0
    max_body_bytes: int = 5 * 1024 * 1024


class Client:
    """Calls one base URL, checked by `check_base_url`, and nothing else. Several threads may call at the same time.

    Args:
        base_url: `https://host[/prefix]`; plain http only for a loopback host.
        clock: for Retry-After given as a date.
        slot: entered around each call; paces and bounds them.
        session_factory: makes the sessions; one is used by one call at a time.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        limits: Limits | None = None,
        slot: Callable[[], AbstractContextManager[object]] = nullcontext,
        session_factory: Callable[[], requests.Session] = requests.Session,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = check_base_url(base_url)
        self._clock = clock
        self._limits = limits or Limits()
        self._slot = slot
        self._session_factory = session_factory
        self._monotonic = monotonic
        self._idle: deque[requests.Session] = deque()
        # It writes every URL at debug level, and a URL may hold an identity.
        logging.getLogger("urllib3.connectionpool").disabled = True

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        multipart: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call and return its answer, whatever its status except a redirect or 429.

        `path` starts with a slash and is already encoded (see `path_of`). At most one of the three bodies is given.

        Raises:
            RateLimited: answered 429.
            Refused: answered with a redirect, which is never followed.
            Temporary: no whole answer; `outcome_unknown` says whether the call may have been carried out.
            Misconfigured: a header cannot be sent.
        """
        prepared = {name: _checked_header(name, value) for name, value in (headers or {}).items()}
        sent: dict[str, Any] = {"params": dict(params or {}), "headers": prepared}
        if json is not None:
            prepared["Content-Type"] = "application/json"
            sent["data"] = json_codec.dumps(json).encode()
        elif content is not None:
            sent["data"] = content
        elif form is not None:
            sent["data"] = dict(form)
        elif multipart is not None:
            sent["files"] = {name: (None, value) for name, value in multipart.items()}
        with self._slot():
            answer = self._exchange(method, self._base_url + path, sent)
        if answer.status == _TOO_MANY_REQUESTS:
            raise RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=_retry_after_s(answer.headers, self._clock.now()))
        if 300 <= answer.status < 400:  # noqa: PLR2004 - the redirects
            raise Refused(Code.REMOTE_REFUSED, f"answered with a redirect, status {answer.status}")
        return answer

    def close(self) -> None:
        """Close the connections that nobody is using."""
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, method: str, url: str, sent: Mapping[str, Any]) -> Answer:
        session = self._borrow()
        deadline = self._monotonic() + self._limits.total_s
        try:
            with session.request(
                method,
                url,
                **sent,
                stream=True,
                allow_redirects=False,
                verify=True,
                timeout=(self._limits.connect_s, self._limits.read_s),
            ) as response:
                body = self._read(response, deadline)
                headers = {name.lower(): value for name, value in response.headers.items()}
                answer = Answer(response.status_code, headers, body)
        except (OSError, HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
            session.close()
            # Its text may hold the URL and with it a person.
            raise _translated(error) from None
        except BaseException:
            session.close()
            raise
        self._idle.append(session)
        return answer

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._limits.max_body_bytes:
                limit = f"the answer is over {self._limits.max_body_bytes} bytes"
                raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, limit, outcome_unknown=True)
            if self._monotonic() > deadline:
                limit = f"the answer took over {self._limits.total_s:g} s"
                raise Temporary(Code.REMOTE_UNREACHABLE, limit, outcome_unknown=True)
        return bytes(body)

    def _borrow(self) -> requests.Session:
        try:
            return self._idle.pop()
        except IndexError:
            session = self._session_factory()
        # Neither proxies nor .netrc credentials from the environment, and no cookies: they could name a person.
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.clear()
        session.headers.update(_HEADERS)
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


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


def json_of(answer: Answer) -> Any:
    """Parse the body as JSON in UTF-8, with or without a byte order mark.

    Raises:
        Temporary: it is none; the outcome of the call is unknown if its status was a success.
    """
    try:
        return json_codec.loads(answer.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        detail = f"status {answer.status}, {len(answer.body)} bytes that are not JSON"
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, detail, outcome_unknown=True) from None


def _checked_header(name: str, value: str) -> str:
    # The libraries below would put the value into their own errors.
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
        raise Misconfigured(Code.CONFIG_INVALID, f"the value for the header {name} holds characters it must not")
    return value


def _retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read Retry-After (RFC 9110 §10.2.3: seconds or a date); at most a day."""
    given = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", given):
        return min(float(given), _MAX_WAIT_S)
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, TypeError, OverflowError):
        return _PERIODS_S.get(headers.get("ot-period", "").strip().lower())
    # An HTTP date is GMT; the parser leaves the zone away when it is given as -0000.
    wait = (require_aware(moment.replace(tzinfo=moment.tzinfo or now.tzinfo)) - now).total_seconds()
    return min(max(wait, 0.0), _MAX_WAIT_S)


def _translated(error: Exception) -> Temporary | Misconfigured:
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
        return Misconfigured(Code.CONFIG_INVALID, "an address or a header cannot be sent")
    if _never_sent(error):
        return Temporary(Code.REMOTE_UNREACHABLE, "no connection; nothing was sent")
    return Temporary(Code.REMOTE_UNREACHABLE, "the connection ended before the answer", outcome_unknown=True)


def _never_sent(error: BaseException) -> bool:
    """Say whether the call failed before anything of it can have reached the server."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        if not isinstance(one := waiting.pop(), BaseException) or one in seen:
            continue
        if isinstance(one, NewConnectionError | ConnectTimeoutError | requests.exceptions.ConnectTimeout):
            return True
        reason = getattr(one, "reason", None)
        if isinstance(one, ssl.SSLError) and _HANDSHAKE.search(str(reason)):
            return True
        seen.append(one)
        waiting += [*one.args, reason, one.__cause__]
    return False
