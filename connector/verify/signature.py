"""HMAC over the raw body, alone or behind a timestamp and a separator (RFC 2104, RFC 4231).

The defaults are this product's own convention. OneTrust publishes no signature: one exists only where the workflow or a
gateway makes it, so header names, encoding and prefix are settings.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import (
    accept,
    decode_base64,
    malformed,
    read_header,
    require_header_name,
    require_header_text,
    require_secrets,
)
from connector.verify.window import Window

#: This product's own name, not OneTrust's.
DEFAULT_SIGNATURE_HEADER: Final = "X-OneTrust-Signature"

_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class Algorithm(StrEnum):
    SHA256 = "sha256"
    SHA512 = "sha512"


class Encoding(StrEnum):
    HEX = "hex"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class Hmac:
    """A signature in a header.

    Attributes:
        secrets: all live ones; any of them may have signed.
        prefix: what stands before the signature, such as `sha256=`; has to match exactly.
        window: the timestamp that is signed with the body; None means that the body alone is signed, and then a
            recorded delivery can be sent again at any time.
        separator: what stands between timestamp and body.

    Raises:
        Misconfigured: no secret, a short one, or settings that no sender could meet safely.
    """

    secrets: tuple[Secret, ...]
    header: str = DEFAULT_SIGNATURE_HEADER
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    prefix: str = ""
    window: Window | None = field(default_factory=Window)
    separator: str = "."

    def __post_init__(self) -> None:
        require_header_name(self.header, "hmac")
        require_header_text(f"{self.prefix}.", "hmac: the prefix")
        object.__setattr__(self, "secrets", require_secrets(self.secrets, "hmac"))
        if self.window is None:
            return
        if self.window.header.lower() == self.header.lower():
            raise Misconfigured(Code.CONFIG_INVALID, "hmac: signature and timestamp need headers of their own")
        # Without a border, digits could move between timestamp and body under the same signature.
        if not self.separator or not self.separator.isascii() or self.separator[0].isdigit():
            raise Misconfigured(Code.CONFIG_INVALID, "hmac: the separator must be ASCII and not start with a digit")

    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:  # noqa: ARG002 - the protocol's shape
        given = self._read_signature(headers)
        stamp = None if self.window is None else self.window.read(headers)
        signed = body if stamp is None else f"{stamp.text}{self.separator}".encode() + body
        # Every secret is tried, so that the time taken does not tell which one it was.
        matching = [secret for secret in self.secrets if hmac.compare_digest(given, self._sign(secret, signed))]
        if not matching:
            raise Rejected(Code.CREDENTIAL_WRONG, f"header {self.header}")
        # Only now: what a timestamp says counts once it is known to be the sender's.
        if self.window is not None and stamp is not None:
            self.window.require_inside(stamp, now)
        return accept(body, "hmac", matching[0].id, None if stamp is None else stamp.sent_at)

    def _read_signature(self, headers: Mapping[str, str]) -> bytes:
        value = read_header(headers, self.header)
        if not value.startswith(self.prefix):
            raise malformed(self.header, "the prefix is missing")
        text = value.removeprefix(self.prefix)
        if self.encoding == Encoding.BASE64:
            given = decode_base64(text, self.header)
        elif _HEX.fullmatch(text) is not None:
            given = bytes.fromhex(text)
        else:
            raise malformed(self.header, "it is not hexadecimal")
        if len(given) != hashlib.new(self.algorithm).digest_size:
            raise malformed(self.header, f"it does not have the length of {self.algorithm}")
        return given

    def _sign(self, secret: Secret, signed: bytes) -> bytes:
        return hmac.digest(secret.reveal_bytes(), signed, self.algorithm)
