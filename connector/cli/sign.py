"""Sign a sample as its sender would, so that it can be sent to a running receiver."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import get_args
from urllib.parse import urlencode
from uuid import uuid4

from connector.codes import Code
from connector.config.checks import AllOfCheck, AnyOfCheck, Check
from connector.config.checks.base import CheckSection
from connector.config.checks.issued_token import IssuedTokenCheck
from connector.config.checks.shared import BasicCheck, BearerCheck, HeaderCheck, QueryCheck
from connector.config.checks.signed import SignedCheck
from connector.errors import Misconfigured
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.grammar import Pairs, Plain, SignatureEncoding
from connector.verify.key_format import make_key
from connector.verify.keys import DigestKey, MacKey
from connector.verify.scheme import Scheme
from connector.verify.stamp import TimeUnit


def query_for(checks: Sequence[Check], body: bytes, now: datetime) -> str:
    """Return the query with which a call has to be made, escaped; empty if no check wants one."""
    pairs: dict[str, str] = {}
    for check in _to_make(checks):
        if isinstance(check, QueryCheck):
            pairs[check.name] = _first(check.secrets, now).reveal()
        elif isinstance(check, SignedCheck) and check.layout().template.uses("form") and body:
            # Twilio's rule for a body that is not a form: its hash stands in the signed address.
            pairs["bodySHA256"] = hashlib.sha256(body).hexdigest()
    return urlencode(pairs)


def headers_for(checks: Sequence[Check], call: Inbound, now: datetime) -> dict[str, str]:
    """Return headers with which a call of JSON passes all checks; the first secret of each that counts now is used.

    Conditions such as an address are not a matter of headers, and are left to the receiver.

    Args:
        call: the method, the body, and where a scheme signs it the address, with the query of `query_for`.

    Raises:
        Misconfigured: only the sender can make what a check asks for.
    """
    headers = {"Content-Type": "application/json"}
    for check in _to_make(checks):
        # A signature may cover headers that were made before it.
        so_far = replace(call, headers=(*call.headers, *headers.items()))
        headers |= _headers_of(check, so_far, now)
    return headers


def _to_make(checks: Sequence[Check]) -> list[CheckSection]:
    """Return the checks to be passed one by one: of alternatives the first that can be made."""
    found: list[CheckSection] = []
    for check in checks:
        if isinstance(check, AnyOfCheck):
            found += _first_that_can_be_made(check)
        elif isinstance(check, AllOfCheck):
            found += _to_make(check.checks)
        elif isinstance(check, CheckSection):
            _require_shared(check)
            found.append(check)
    return found


def _first_that_can_be_made(check: AnyOfCheck) -> list[CheckSection]:
    refusals: list[Misconfigured] = []
    for branch in check.checks:
        try:
            return _to_make((branch,))
        except Misconfigured as error:
            refusals.append(error)
    raise refusals[0]


def _require_shared(check: CheckSection) -> None:
    """Refuse what takes more than a secret that both sides have."""
    if isinstance(check, SignedCheck):
        if not check.layout().algorithm.hash_name:
            raise Misconfigured(Code.CONFIG_INVALID, f"only the sender can sign with {check.layout().algorithm}")
    elif not isinstance(check, HeaderCheck | BearerCheck | BasicCheck | QueryCheck | IssuedTokenCheck):
        kind = type(check).model_fields["check"].annotation
        raise Misconfigured(Code.CONFIG_INVALID, f"`connector send` cannot sign for check = {get_args(kind)[0]!r}")


def _headers_of(check: CheckSection, call: Inbound, now: datetime) -> dict[str, str]:
    match check:
        case HeaderCheck():
            return {check.name: check.prefix + _first(check.secrets, now).reveal()}
        case BearerCheck():
            return {"Authorization": f"Bearer {_first(check.secrets, now).reveal()}"}
        case BasicCheck():
            pair = f"{check.user}:{_first(check.passwords, now).reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case IssuedTokenCheck():
            # As if it had been fetched a moment ago: the settings hold both sides.
            token = check.client().issue(_first(check.secrets, now), now, uuid4().hex)
            return {"Authorization": f"Bearer {token}"}
        case SignedCheck():
            return signed_headers(check.layout(), _first(check.secrets, now), call, now)
        case _:
            return {}


def _first(secrets: Sequence[Secret], now: datetime) -> Secret:
    """Return the first secret that counts now, else the first of all: it shows how the receiver refuses it."""
    return next((one for one in secrets if one.is_live(now)), secrets[0])


def signed_headers(scheme: Scheme, secret: Secret, call: Inbound, now: datetime) -> dict[str, str]:
    """Return the headers of a scheme with a shared secret; public keys have their private half at the sender."""
    key = make_key(secret, scheme.algorithm, scheme.key, scheme.min_secret_bytes, scheme.max_secret_bytes)
    if not isinstance(key, MacKey | DigestKey):
        raise Misconfigured(Code.CONFIG_INVALID, f"only the sender can sign with {scheme.algorithm}")
    names, grammar = scheme.names[0], scheme.grammar
    values = {"url": call.url}
    headers = {}
    if names.id is not None:
        values["id"] = headers[names.id] = f"sample_{uuid4().hex}"
    if scheme.window is not None:
        values["ts"] = _written(now, scheme.window.unit)
    if names.timestamp is not None:
        headers[names.timestamp] = values["ts"]
    signature = _encoded(key.make(scheme.template.fill(call, values, key.in_content)), scheme.encoding)
    if isinstance(grammar, Plain):
        text = grammar.prefix + signature
    elif isinstance(grammar, Pairs):
        items = [f"{grammar.timestamp}={values['ts']}"] if grammar.timestamp else []
        text = grammar.separator.join([*items, f"{grammar.signature}={signature}"])
    else:
        text = f"{grammar.accepted[0]},{signature}"
    return {**headers, names.signature: text}


def _written(now: datetime, unit: TimeUnit) -> str:
    if unit is TimeUnit.ISO8601:
        return now.isoformat()
    return str(int(now.timestamp() * (1000 if unit is TimeUnit.MILLISECONDS else 1)))


def _encoded(signature: bytes, encoding: SignatureEncoding) -> str:
    if encoding is SignatureEncoding.HEX:
        return signature.hex()
    encode = base64.b64encode if encoding is SignatureEncoding.BASE64 else base64.urlsafe_b64encode
    return encode(signature).decode()
