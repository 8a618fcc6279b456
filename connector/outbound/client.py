"""The client of one base URL."""

from __future__ import annotations

import json as json_codec
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, TypeAlias

import requests
import urllib3
from requests.adapters import HTTPAdapter

from connector import __version__
from connector.clock import Clock
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.outbound.answer import Answer, FilePart, Limits
from connector.outbound.deadline import Deadline, TimedAdapter
from connector.outbound.faults import retry_after_s, translated
from connector.outbound.url import check_base_url

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"consent-connector/{__version__}",
}
_CHUNK_BYTES: Final = 65_536
_ADAPTER: Final = partial(TimedAdapter, pool_connections=1, pool_maxsize=1, max_retries=0)
_TOO_MANY_REQUESTS: Final = 429

# Told of every call: the class of its status, such as `2xx`, or the code of its error; how many seconds it waited for
# its turn, and took.
Told: TypeAlias = Callable[[str, float, float], None]


def tell_nobody(code: str, waited_s: float, took_s: float) -> None:
    """Let nobody know of a call."""


class Client:
    """Calls one base URL, checked by `check_base_url`, and nothing else. Several threads may call at the same time.

    Args:
        base_url: `https://host[/prefix]`; plain http only for a loopback host.
        clock: for Retry-After given as a date.
        slot: entered around each call; paces and bounds them.
        session_factory: makes the sessions; one is used by one call at a time.
        adapter: makes what opens a session's connections.
        told: of every call that was made.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        limits: Limits | None = None,
        slot: Callable[[], AbstractContextManager[object]] = nullcontext,
        session_factory: Callable[[], requests.Session] = requests.Session,
        adapter: Callable[[], HTTPAdapter] = _ADAPTER,
        monotonic: Callable[[], float] = time.monotonic,
        told: Told = tell_nobody,
    ) -> None:
        self._base_url = check_base_url(base_url)
        self._clock = clock
        self._limits = limits or Limits()
        self._slot = slot
        self._session_factory = session_factory
        self._adapter = adapter
        self._monotonic = monotonic
        self._told = told
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
        multipart: Mapping[str, str | FilePart] | None = None,
    ) -> Answer:
        """Make one call and return its answer, whatever its status except a redirect or 429.

        `path` starts with a slash and is already encoded (see `path_of`). At most one of the three bodies is given.

        Raises:
            RateLimited: answered 429.
            Refused: answered with a redirect, which is never followed.
            Temporary: no whole answer; `outcome_unknown` says whether the call may have been carried out.
            Misconfigured: a header cannot be sent.
        """
        given = {name: _checked_header(name, value) for name, value in (headers or {}).items()}
        prepared = {**_HEADERS, **given}
        sent: dict[str, Any] = {"params": dict(params or {}), "headers": prepared}
        if json is not None:
            prepared["Content-Type"] = "application/json"
            sent["data"] = json_codec.dumps(json).encode()
        elif content is not None:
            sent["data"] = content
        elif form is not None:
            sent["data"] = dict(form)
        elif multipart is not None:
            sent["files"] = {name: _part(value) for name, value in multipart.items()}
        answer = self._in_turn(method, self._base_url + path, sent)
        if answer.status == _TOO_MANY_REQUESTS:
            raise RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=retry_after_s(answer.headers, self._clock.now()))
        if 300 <= answer.status < 400:  # noqa: PLR2004 - the redirects
            raise Refused(Code.REMOTE_REFUSED, f"answered with a redirect, status {answer.status}")
        return answer

    def close(self) -> None:
        """Close the connections that nobody is using."""
        while self._idle:
            self._idle.pop().close()

    def _in_turn(self, method: str, url: str, sent: Mapping[str, Any]) -> Answer:
        asked_at = time.monotonic()
        with self._slot():
            begun_at = time.monotonic()
            code = Code.INTERNAL_ERROR.value
            try:
                answer = self._exchange(method, url, sent)
                limited = answer.status == _TOO_MANY_REQUESTS
                code = Code.REMOTE_RATE_LIMITED if limited else f"{answer.status // 100}xx"
            except ConnectorError as error:
                code = error.code
                raise
            finally:
                self._told(code, begun_at - asked_at, time.monotonic() - begun_at)
        return answer

    def _exchange(self, method: str, url: str, sent: Mapping[str, Any]) -> Answer:
        session = self._borrow()
        ends_at = self._monotonic() + self._limits.total_s
        deadline = Deadline(self._limits.total_s)
        try:
            with (
                deadline,
                # Prepared without the session, which would merge in settings of its own: there are none, and to find
                # that out costs more than to send.
                session.send(
                    requests.Request(method, url, **sent).prepare(),
                    stream=True,
                    allow_redirects=False,
                    verify=True,
                    timeout=(self._limits.connect_s, self._limits.read_s),
                    proxies={},
                ) as response,
            ):
                body = self._read(response, ends_at)
                headers = {name.lower(): value for name, value in response.headers.items()}
                answer = Answer(response.status_code, headers, body)
        except (OSError, HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
            session.close()
            # Its text may hold the URL and with it a person.
            raise (self._too_late() if deadline.passed else translated(error)) from None
        except BaseException:
            session.close()
            raise
        if deadline.passed:
            # A body without a length ends as well when its connection is shut down.
            session.close()
            raise self._too_late()
        self._idle.append(session)
        return answer

    def _read(self, response: requests.Response, ends_at: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._limits.max_body_bytes:
                limit = f"the answer is over {self._limits.max_body_bytes} bytes"
                raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, limit, outcome_unknown=True)
            if self._monotonic() > ends_at:
                raise self._too_late()
        return bytes(body)

    def _too_late(self) -> Temporary:
        limit = f"the answer took over {self._limits.total_s:g} s"
        return Temporary(Code.REMOTE_UNREACHABLE, limit, outcome_unknown=True)

    def _borrow(self) -> requests.Session:
        try:
            return self._idle.pop()
        except IndexError:
            session = self._session_factory()
        # Neither proxies nor .netrc credentials from the environment, and no cookies: they could name a person.
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = self._adapter()
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


def _part(value: str | FilePart) -> tuple[str, bytes, str] | tuple[None, str]:
    return (value.name, value.content, value.media_type) if isinstance(value, FilePart) else (None, value)


def _checked_header(name: str, value: str) -> str:
    # The libraries below would put the value into their own errors.
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
        raise Misconfigured(Code.CONFIG_INVALID, f"the value for the header {name} holds characters it must not")
    return value
