"""Keyed hashes that a collector can make too: under a key that is shared with it, and never the pseudonym key.

HMAC-SHA256 (RFC 2104). Whoever has the shared key can try out values that it guesses; the pseudonym key would let it
read every hash of the store that way.
"""

from __future__ import annotations

import hmac
from typing import Final

from connector.private import Private, Secret

_DOMAIN: Final = b"consent-connector/suppression/1"
_KEY_ID_CHARS: Final = 16


class ShareKey:
    """Hashes values for one account's collectors.

    Args:
        secret: at least 32 bytes, which the configuration makes sure of.
    """

    __slots__ = ("_key", "id")

    def __init__(self, secret: Secret) -> None:
        self._key = secret.reveal_bytes()
        #: Derived from the key, so that nobody takes a filter for one under another key.
        self.id = hmac.new(self._key, _DOMAIN + b"\0key", "sha256").hexdigest()[:_KEY_ID_CHARS]

    def hash_of(self, account: str, table: str, field: str, value: Private) -> str:
        """Return the hash of a value as Lytics knows it, as 64 hex digits."""
        parts = (_DOMAIN, account.encode(), table.encode(), field.encode(), _bytes(value))
        return hmac.new(self._key, b"\0".join(parts), "sha256").hexdigest()


def _bytes(value: Private) -> bytes:
    return value.reveal().encode(errors="surrogatepass")
