"""A personal value as the store keeps it: AES-256-GCM (NIST SP 800-38D) under the data key of its request.

The place of a value, its table, column and row, is authenticated with it: a sealed value that was moved to another
place does not open. What stands in the database is the base64 of one byte for the format, the nonce, and the
ciphertext with its tag. Its length tells how long the value is, and nothing else.
"""

from __future__ import annotations

import os
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Final, NoReturn, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Private

KEY_BYTES: Final = 32
#: The length that AES-GCM is made for. Each data key seals a few values, so that drawn nonces do not meet.
NONCE_BYTES: Final = 12
_FORMAT: Final = b"\x01"
_HEAD: Final = len(_FORMAT) + NONCE_BYTES


@final
class Sealed:
    """A value that nobody can read without its data key. Empty once that was destroyed and the value with it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "<sealed>" if self.text else "<shredded>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other.text == self.text

    def __hash__(self) -> int:
        return hash((Sealed, self.text))

    def __bool__(self) -> bool:
        return bool(self.text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealed value cannot be pickled")


#: What takes the place of a value whose data key was destroyed.
SHREDDED: Final = Sealed("")


def place_of(table: str, column: str, row_id: str) -> bytes:
    """Return the place to which a value is bound. It does not name the kind of database: a store can be moved."""
    return f"{table}\0{column}\0{row_id}".encode()


class Cipher:
    """Seals and opens bytes under one key."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, place: bytes, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
        nonce = random_bytes(NONCE_BYTES)
        return b2a_base64(_FORMAT + nonce + self._cipher.encrypt(nonce, plain, place), newline=False).decode()

    def open(self, text: str, place: bytes) -> bytes:
        """Open what was sealed for this place.

        Raises:
            Misconfigured: `VALUE_UNREADABLE`: another key or place, or it was changed. Nothing of it is shown.
        """
        try:
            sealed = a2b_base64(text)
            if sealed[:1] == _FORMAT:
                return self._cipher.decrypt(sealed[1:_HEAD], sealed[_HEAD:], place)
        except (InvalidTag, NotBase64, ValueError):
            pass
        raise Misconfigured(Code.VALUE_UNREADABLE)


class DataKey:
    """The key of one request. Every personal value of it is sealed with this key and no other."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(key)

    def seal(self, value: Private, place: bytes) -> Sealed:
        """Seal a value for its place."""
        # A lone surrogate, which JSON can carry, must come back as it came, and must not raise: that would show it.
        return Sealed(self._cipher.seal(value.reveal().encode(errors="surrogatepass"), place))

    def open(self, sealed: Sealed, place: bytes) -> Private:
        """Open a value that was sealed for this place.

        Raises:
            Misconfigured: `VALUE_UNREADABLE`.
        """
        return Private(self._cipher.open(sealed.text, place).decode(errors="surrogatepass"))
