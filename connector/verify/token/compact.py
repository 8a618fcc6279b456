"""A token in the compact form of RFC 7515 section 3.1: header, payload and signature in Base64url, full stops between.

Only taken apart here, strictly: one spelling for every token, so that nobody can write a recorded one in another way.
The two JSON forms of RFC 7515 are refused. Nothing in the header ever brings a key: `jwk`, `jku`, `x5u` and `x5c` are
not looked at.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from connector.codes import Code
from connector.errors import Rejected
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.strict_json import read_object

# Some issuers put a chain of certificates into the header; more than this only makes us compute.
MAX_HEADER_CHARS: Final = 16_384
MAX_KEY_ID_CHARS: Final = 1_024

_PARTS: Final = re.compile(r"([0-9A-Za-z_-]+)\.([0-9A-Za-z_-]*)\.([0-9A-Za-z_-]*)")
_B64: Final = "b64"


class PayloadForm(StrEnum):
    """Where the payload is: in the token, or in the body, signed there with or without Base64url (RFC 7797)."""

    ATTACHED = "attached"
    DETACHED = "detached"
    DETACHED_UNENCODED = "detached-unencoded"


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart; nothing in it is believed yet.

    Attributes:
        algorithm: what the header says, whatever that is; the settings decide.
        key_id: the header's `kid`, which only selects among keys that are known anyway.
        kind: the header's `typ` in lower case and without `application/` (RFC 7515 section 4.1.9); empty if absent.
        signed: the bytes under the signature.
    """

    algorithm: object = field(repr=False)
    key_id: str | None = field(repr=False)
    kind: str = field(repr=False)
    payload: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def read_token(text: str, where: str, form: PayloadForm, body: bytes) -> Token:
    """Take a token apart.

    Args:
        text: the token.
        where: how a refusal calls its place.
        form: the only form accepted; a message cannot choose another.
        body: what a detached token signs.

    Raises:
        Rejected: `credential_malformed`.
    """
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise _malformed(where, "it is not a token in compact form")
    protected, middle, last = parts.groups()
    header = _header(protected, where)
    _require_understood(header, where, form)
    attached = form is PayloadForm.ATTACHED
    if bool(middle) != attached:
        raise _malformed(where, "the payload is in the token" if middle else "the payload is not in the token")
    payload = _decode(middle, where) if attached else body
    if form is PayloadForm.DETACHED_UNENCODED:
        signed = protected.encode() + b"." + body
    elif form is PayloadForm.DETACHED:
        signed = protected.encode() + b"." + base64.urlsafe_b64encode(body).rstrip(b"=")
    else:
        signed = f"{protected}.{middle}".encode()
    key_id, kind = header.get("kid"), header.get("typ", "")
    if not (key_id is None or isinstance(key_id, str)) or not isinstance(kind, str):
        raise _malformed(where, "kid or typ in its header is not text")
    if key_id is not None and len(key_id) > MAX_KEY_ID_CHARS:
        raise _malformed(where, "kid in its header is too long")
    return Token(
        algorithm=header.get("alg"),
        key_id=key_id,
        kind=kind.lower().removeprefix("application/"),
        payload=payload,
        signed=signed,
        signature=_decode(last, where) if last else b"",
    )


def _header(protected: str, where: str) -> Mapping[str, object]:
    if len(protected) > MAX_HEADER_CHARS:
        raise _malformed(where, "its header is too long")
    header = read_object(_decode(protected, where))
    if header is None:
        raise _malformed(where, "its header is not a JSON object of which every name is unique")
    return header


def _require_understood(header: Mapping[str, object], where: str, form: PayloadForm) -> None:
    """Refuse an extension that has to be understood and is not (RFC 7515 section 4.1.11).

    The only one known is `b64` of RFC 7797, and only for a payload that is detached.
    """
    critical = header.get("crit")
    if "crit" in header and (critical != [_B64] or _B64 not in header or form is PayloadForm.ATTACHED):
        raise _malformed(where, "crit in its header demands an extension that is not understood")
    wanted = form is not PayloadForm.DETACHED_UNENCODED
    if header.get(_B64, True) is not wanted:
        raise _malformed(where, "b64 in its header is not what the settings say")
    if not wanted and critical is None:
        raise _malformed(where, "b64 in its header is not named in crit")


def _decode(segment: str, where: str) -> bytes:
    decoded = decode(segment, SignatureEncoding.BASE64URL)
    if decoded is None:
        raise _malformed(where, "a part of it is not Base64url")
    return decoded


def _malformed(where: str, why: str) -> Rejected:
    return Rejected(Code.CREDENTIAL_MALFORMED, f"{where}: {why}")
