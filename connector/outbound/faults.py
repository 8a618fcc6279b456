"""What a call that failed means: whether it may have been carried out, and when to try again."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_match_hostname import CertificateError

from connector.clock import require_aware
from connector.codes import Code
from connector.errors import Misconfigured, Temporary

_MAX_WAIT_S: Final = 86_400.0
# OneTrust names the period of its limit beside Retry-After; it serves when that is missing.
_PERIODS_S: Final = {"minute": 60.0, "hour": 3600.0}
# TLS faults that only a handshake has. Others may come after the request was sent, and count as unknown.
_HANDSHAKE: Final = re.compile("CERTIFICATE_VERIFY|HANDSHAKE_FAIL|PROTOCOL_VERSION|UNSUPPORTED_PROTO|WRONG_VERSION")

_BEFORE: Final = (NewConnectionError, ConnectTimeoutError, requests.exceptions.ConnectTimeout)
_NOT_SECURE: Final = "no secure connection, for its certificate or its TLS"


def translated(error: Exception) -> Temporary | Misconfigured:
    """Return the error to raise instead of a library's, whose text may hold the URL and with it a person."""
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
        return Misconfigured(Code.CONFIG_INVALID, "an address or a header cannot be sent")
    if (what := _never_sent(error)) is not None:
        return Temporary(Code.REMOTE_UNREACHABLE, f"{what}; nothing was sent")
    return Temporary(Code.REMOTE_UNREACHABLE, "the connection ended before the answer", outcome_unknown=True)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
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


def _never_sent(error: BaseException) -> str | None:
    """Say what failed before anything of the call can have reached the server; None if some of it may have."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        if not isinstance(one := waiting.pop(), BaseException) or one in seen:
            continue
        # A certificate for another name is found out before the request is sent.
        if isinstance(one, CertificateError):
            return _NOT_SECURE
        if isinstance(one, _BEFORE):
            return "no connection"
        reason = getattr(one, "reason", None)
        if isinstance(one, ssl.SSLError) and _HANDSHAKE.search(str(reason)):
            return _NOT_SECURE
        seen.append(one)
        waiting += [*one.args, reason, one.__cause__]
    return None
