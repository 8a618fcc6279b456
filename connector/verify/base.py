"""What every check needs: secrets fit for use, names and texts that can travel, Base64 and forms read strictly."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.private import Secret

MIN_SECRET_CHARS: Final = 16

# More only makes us compute.
_MAX_FORM_FIELDS: Final = 1_000

# RFC 9110 section 5.6.2: what a header name may consist of.
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def require_secrets(secrets: Iterable[Secret], check: str) -> tuple[Secret, ...]:
    """Return the secrets if there is at least one and each is long enough, else raise `Misconfigured`."""
    live = tuple(secrets)
    if not live:
        raise Misconfigured(Code.CONFIG_INVALID, f"{check}: no secret is given")
    for secret in live:
        if len(secret.reveal().strip()) < MIN_SECRET_CHARS:
            raise Misconfigured(
                Code.CONFIG_INVALID, f"{check}: secret {secret.id} has fewer than {MIN_SECRET_CHARS} characters"
            )
        if not is_encodable(secret.reveal()):
            raise Misconfigured(Code.CONFIG_INVALID, f"{check}: secret {secret.id} is not UTF-8 text")
    return live


def require_header_text(text: str, what: str) -> None:
    """Raise `Misconfigured` for text that a header does not carry unchanged: not printable ASCII, blank ends.

    RFC 9110 section 5.5: recipients strip blanks around a value, and everything beyond ASCII arrives as opaque bytes.
    """
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise Misconfigured(
            Code.CONFIG_INVALID, f"{what} cannot travel in a header: use printable ASCII, no blank ends"
        )


def require_header_name(name: str, check: str) -> None:
    """Raise `Misconfigured` for what is no header name."""
    if _HEADER_NAME.fullmatch(name) is None:
        raise Misconfigured(Code.CONFIG_INVALID, f"{check}: the header name is not valid")


def decode_base64(text: str, name: str) -> bytes:
    """Return the bytes of padded standard Base64; anything else in header `name` is `credential_malformed`."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        decoded = b""
    # Encoding again settles what a decoder lets pass: stray bits in the last character.
    if not decoded or base64.b64encode(decoded).decode() != text:
        raise malformed(name, "it is not Base64")
    return decoded


def malformed(name: str, why: str) -> Rejected:
    """Return the refusal of a credential in header `name` that cannot be read."""
    return Rejected(Code.CREDENTIAL_MALFORMED, f"header {name}: {why}")


def pick_live(matching: Sequence[Secret], now: datetime, where: str) -> Secret:
    """Return the first of the matching secrets that counts now.

    Raises:
        Rejected: `credential_wrong` if none matches, `credential_expired` if those that do are out of their time.
    """
    if not matching:
        raise Rejected(Code.CREDENTIAL_WRONG, where)
    live = [one for one in matching if one.is_live(now)]
    if not live:
        raise Rejected(Code.CREDENTIAL_EXPIRED, where, secret_id=matching[0].id)
    return live[0]


def is_encodable(text: str) -> bool:
    """Say whether a text can be written in UTF-8: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_form(text: str) -> list[tuple[str, str]] | None:
    """Return the decoded names and values of a form or query in order; None if they cannot be decoded or are many."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FORM_FIELDS)
    except ValueError:  # a UnicodeDecodeError is one
        return None
