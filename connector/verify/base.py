"""What every check needs: secrets fit for use, headers read strictly, one way to say yes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.model import Verified
from connector.private import Secret

MIN_SECRET_CHARS: Final = 16
#: Room for the ids of the secrets in the record of a delivery.
MAX_SECRET_ID_CHARS: Final = 200

# RFC 9110 section 5.6.2: what a header name may consist of.
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def require_secrets(secrets: Iterable[Secret], check: str) -> tuple[Secret, ...]:
    """Return the secrets if there is at least one and each is long enough, else raise `Misconfigured`."""
    live = tuple(secrets)
    if not live:
        raise Misconfigured(Code.CONFIG_INVALID, f"{check}: no secret is given")
    for secret in live:
        if len(secret.reveal()) < MIN_SECRET_CHARS:
            raise Misconfigured(
                Code.CONFIG_INVALID, f"{check}: secret {secret.id} has fewer than {MIN_SECRET_CHARS} characters"
            )
        if not _is_encodable(secret.reveal()):
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


def read_header(headers: Mapping[str, str], name: str) -> str:
    """Return a header's value as it came.

    A header sent twice arrives here as one value joined with a comma. No check accepts such a value, because none
    accepts anything around its one credential.

    Raises:
        Rejected: `credential_missing` if absent or blank, `credential_malformed` if not ASCII.
    """
    value = headers.get(name.lower(), "")
    if not value.strip():
        raise Rejected(Code.CREDENTIAL_MISSING, f"header {name}")
    if not value.isascii():
        raise malformed(name, "it holds characters beyond ASCII")
    return value


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


def accept(body: bytes, principal: str, secret_id: str, sender_time: datetime | None = None) -> Verified:
    """Return the verdict that the whole body may be parsed."""
    return Verified(body, principal, secret_id[:MAX_SECRET_ID_CHARS], sender_time)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
