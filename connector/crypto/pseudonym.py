"""Keyed hashes: how the product recognises an identity or a body again without keeping it.

HMAC-SHA256 (RFC 2104, FIPS 180-4). An e-mail address or a phone number can be guessed, so a plain hash of it hides
nothing; without the key these hashes can neither be computed nor tried out.
"""

from __future__ import annotations

import hmac
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Private, Secret

MIN_KEY_BYTES: Final = 32

_DOMAIN: Final = b"consent-connector/pseudonym/1\0"


class Pseudonymiser:
    """Hashes values under one key.

    Args:
        key: at least 32 bytes. A new key makes new hashes, so nothing hashed before is recognised.

    Raises:
        Misconfigured: `CONFIG_INVALID` if the key is shorter.
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: Secret) -> None:
        if len(key.reveal_bytes()) < MIN_KEY_BYTES:
            raise Misconfigured(
                Code.CONFIG_INVALID, f"the pseudonym key {key.id} is shorter than {MIN_KEY_BYTES} bytes"
            )
        # The key is worked in once; every hash goes on from a copy, which costs a third of a hash from the start.
        self._keyed = hmac.new(key.reveal_bytes(), digestmod="sha256")

    def of(self, scope: str, value: Private) -> str:
        """Return the hash of a text within a scope, as 64 hex digits. Equal only for equal scope and equal value."""
        # A lone surrogate, which JSON can carry, must neither raise (the exception would show the value) nor collide.
        return self._hash(b"t", scope, value.reveal().encode(errors="surrogatepass"))

    def of_bytes(self, scope: str, value: bytes) -> str:
        """Return the hash of bytes within a scope, as 64 hex digits. Never equal to one made by `of`."""
        return self._hash(b"b", scope, value)

    def _hash(self, kind: bytes, scope: str, value: bytes) -> str:
        name = scope.encode(errors="surrogatepass")
        # The scope's length stands before it: no scope and value together can read as another scope and value.
        keyed = self._keyed.copy()
        keyed.update(b"".join((_DOMAIN, kind, len(name).to_bytes(4, "big"), name, value)))
        return keyed.hexdigest()
