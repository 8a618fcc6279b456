"""The keys that wrap data keys. The first of the ring wraps what is new; the others only open what they wrapped.

A key has an id that is derived from it (HKDF, RFC 5869), so that no id can stand for another key than it did: whoever
puts a wrong key into the configuration has a key with an id that the store does not know, and is told so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connector.codes import Code
from connector.crypto.seal import KEY_BYTES, Cipher, DataKey
from connector.errors import Misconfigured
from connector.private import Secret

MIN_KEY_BYTES: Final = 32
_ID_BYTES: Final = 8
_INFO: Final = b"consent-connector/sealing/1"
_DATA_KEY: Final = "consent-connector/data-key/1"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key as the store keeps it, and the id of the key that opens it."""

    kek_id: str
    text: str = field(repr=False)


class SealingKey:
    """A key-encryption key, made from a secret of at least 32 bytes.

    Raises:
        Misconfigured: `CONFIG_INVALID` if the secret is shorter.
    """

    __slots__ = ("_cipher", "id", "name")

    def __init__(self, secret: Secret) -> None:
        if len(secret.reveal_bytes()) < MIN_KEY_BYTES:
            raise Misconfigured(
                Code.CONFIG_INVALID, f"the sealing key {secret.id} is shorter than {MIN_KEY_BYTES} bytes"
            )
        made = HKDF(SHA256(), KEY_BYTES + _ID_BYTES, salt=None, info=_INFO).derive(secret.reveal_bytes())
        self.id = made[KEY_BYTES:].hex()
        #: The reference under which it is configured.
        self.name = secret.id
        self._cipher = Cipher(made[:KEY_BYTES])

    def wrap(self, key: bytes, request_id: str) -> Wrapped:
        return Wrapped(self.id, self._cipher.seal(key, self._place(request_id)))

    def unwrap(self, text: str, request_id: str) -> bytes:
        return self._cipher.open(text, self._place(request_id))

    def _place(self, request_id: str) -> bytes:
        return f"{_DATA_KEY}\0{self.id}\0{request_id}".encode()


class Keyring:
    """The keys that count.

    Args:
        secrets: at least one; the first wraps.
    """

    def __init__(self, secrets: Sequence[Secret]) -> None:
        keys = [SealingKey(one) for one in secrets]
        self.current = keys[0]
        self.keys = {one.id: one for one in keys}

    def new(self, request_id: str, random_bytes: Callable[[int], bytes] = os.urandom) -> tuple[DataKey, Wrapped]:
        """Make the data key of a request."""
        key = random_bytes(KEY_BYTES)
        return DataKey(key), self.current.wrap(key, request_id)

    def unwrap(self, wrapped: Wrapped, request_id: str) -> DataKey:
        """Return the data key of a request.

        Raises:
            Misconfigured: `SEALING_KEY_MISSING`: the ring lacks the key. `VALUE_UNREADABLE`: it was changed.
        """
        return DataKey(self._key_of(wrapped).unwrap(wrapped.text, request_id))

    def rewrap(self, wrapped: Wrapped, request_id: str) -> Wrapped:
        """Return the same data key, wrapped by the first key of the ring; raises like `unwrap`."""
        return self.current.wrap(self._key_of(wrapped).unwrap(wrapped.text, request_id), request_id)

    def _key_of(self, wrapped: Wrapped) -> SealingKey:
        key = self.keys.get(wrapped.kek_id)
        if key is None:
            raise Misconfigured(Code.SEALING_KEY_MISSING, f"the key with the id {wrapped.kek_id} is wanted")
        return key
