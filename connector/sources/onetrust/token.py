"""OneTrust's OAuth 2.0 client credentials: fetch a token, keep it until shortly before its end, renew it once refused.

Vendor page: Generate Access Token. There is no refresh token; a new one is asked for with the same credential.
"""

from __future__ import annotations

import ipaddress
import re
import threading
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, Refused, Temporary
from connector.outbound import Answer, Client, check_base_url, is_loopback, json_of
from connector.private import Secret

_PATH: Final = "/api/access/v1/oauth/token"
_EARLY_S: Final = 60
# RFC 6749 §5.1 only recommends `expires_in`; without it a refusal ends the token's life at the latest.
_UNKNOWN_LIFE_S: Final = 900
_MAX_LIFE_S: Final = 366 * 86_400
_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"({_LABEL}\.)+{_LABEL}")


class TokenSource:
    """Gives out one token to all threads.

    Args:
        http: a client for the tenant's host.
        client_id: of the credential, made in the organization whose requests it is to see.
        client_secret: of the credential.
        as_form: send the fields url-encoded instead of multipart; both are in use.
    """

    def __init__(
        self, http: Client, client_id: str, client_secret: Secret, *, clock: Clock, as_form: bool = False
    ) -> None:
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._as_form = as_form
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._renew_at: datetime | None = None

    def token(self, refused: Secret | None = None) -> Secret:
        """Return the token in use, fetching one if there is none, it ends within a minute, or it was just refused.

        Raises:
            Misconfigured: the credential is refused, or the host has no token endpoint.
            Temporary: OneTrust cannot be reached, is slow, or answers nonsense.
        """
        with self._lock:
            stale = self._renew_at is None or self._clock.now() >= self._renew_at
            # Another thread may have renewed it since `refused` was handed out.
            if self._token is None or stale or self._token is refused:
                self._token = None
                self._token, self._renew_at = self._fetch()
            return self._token

    def _fetch(self) -> tuple[Secret, datetime]:
        asked_at = self._clock.now()
        fields = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret.reveal(),
        }
        if self._as_form:
            answer = self._http.request("POST", _PATH, form=fields)
        else:
            answer = self._http.request("POST", _PATH, multipart=fields)
        if answer.status != HTTPStatus.OK:
            raise _error(answer)
        return _read(answer, asked_at)


def _read(answer: Answer, asked_at: datetime) -> tuple[Secret, datetime]:
    body = json_of(answer)
    text = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(text, str) or not re.fullmatch(r"[!-~]+", text):
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "the token endpoint answered without a token")
    given = body.get("expires_in")
    plain = isinstance(given, int | float | str) and re.fullmatch(r"[0-9]{1,10}(\.[0-9]+)?", str(given))
    life_s = min(float(given), _MAX_LIFE_S) if plain else _UNKNOWN_LIFE_S
    return Secret(text, "onetrust:access_token"), asked_at + timedelta(seconds=max(life_s - _EARLY_S, 0))


def _error(answer: Answer) -> ConnectorError:
    told = f"the token endpoint answered status {answer.status}"
    if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
        return Misconfigured(Code.TOKEN_REFUSED, f"{told}; check client id, client secret and environment")
    if answer.status == HTTPStatus.FORBIDDEN:
        return Misconfigured(Code.PERMISSION_MISSING, f"{told}; the credential may be restricted to other addresses")
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return Misconfigured(Code.REMOTE_NAME_UNKNOWN, f"{told}; check the host")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Temporary(Code.REMOTE_FAULT, told)
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        # A success without a token, as a gateway in between may answer: it refuses no report.
        return Temporary(Code.REMOTE_ANSWER_UNREADABLE, told)
    return Refused(Code.REMOTE_REFUSED, told)


def check_host(host: str) -> str:
    """Return the tenant's host name in lower case; nothing is ever added to it.

    Raises:
        Misconfigured: it is not a bare, full host name: a scheme, port, path, address or single word was given.
    """
    if len(host) > 253 or not _HOST.fullmatch(host) or _is_address(host):  # noqa: PLR2004 - RFC 1035 §2.3.4
        raise Misconfigured(
            Code.CONFIG_INVALID, "the host must be a bare, full host name such as app-eu.onetrust.com, without https://"
        )
    return host.lower()


def base_url_of(host: str, override: str = "") -> str:
    """Return the base URL for a tenant's host, or the override, which only a rehearsal on this machine may use."""
    if not override:
        return f"https://{check_host(host)}"
    url = check_base_url(override)
    if not is_loopback(urlsplit(url).hostname or ""):
        raise Misconfigured(Code.CONFIG_INVALID, "base_url may only name this machine; set host instead")
    return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
