"""Make the headers that a source's checks ask for, so that a sample can be sent to a running receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from connector.codes import Code
from connector.config.verify_models import BasicCheck, BearerCheck, Check, HeaderCheck, HmacCheck, SchemeCheck
from connector.errors import Misconfigured


def headers_for(checks: Sequence[Check], body: bytes, now: datetime) -> dict[str, str]:
    """Return headers that pass all checks; the first secret of each is used."""
    headers = {"Content-Type": "application/json"}
    for check in checks:
        headers |= _headers_of(check, body, now)
    return headers


def _headers_of(check: Check, body: bytes, now: datetime) -> dict[str, str]:
    match check:
        case HeaderCheck():
            return {check.name: check.prefix + check.secrets[0].reveal()}
        case BearerCheck():
            return {"Authorization": f"Bearer {check.secrets[0].reveal()}"}
        case BasicCheck():
            pair = f"{check.user}:{check.passwords[0].reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case HmacCheck():
            return _signature(check, body, now)
        case SchemeCheck():
            # Some sign with a private key that only the sender has.
            raise Misconfigured(Code.CONFIG_INVALID, "`connector send` cannot sign for a check by scheme")


def _signature(check: HmacCheck, body: bytes, now: datetime) -> dict[str, str]:
    headers, signed = {}, body
    if check.timestamp_header:
        scale = 1000 if check.timestamp_unit == "milliseconds" else 1
        stamp = str(int(now.timestamp() * scale))
        headers[check.timestamp_header] = stamp
        signed = f"{stamp}{check.separator}".encode() + body
    digest = hmac.digest(check.secrets[0].reveal_bytes(), signed, getattr(hashlib, check.algorithm))
    encoded = digest.hex() if check.encoding == "hex" else base64.b64encode(digest).decode()
    return {**headers, check.header: check.prefix + encoded}
