"""Keyed hashes: how the product recognises an identity or a body again without keeping it.

HMAC-SHA256 (RFC 2104, FIPS 180-4). An e-mail address or a phone number can be guessed, so a plain hash of it hides
nothing; without the key these hashes can neither be computed nor tried out.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Private, Secret

MIN_KEY_BYTES: Final = 32

_DOMAIN: Final = b"consent-connector/pseudonym/1\0"
#: A key's id in the store: so many digits of its check.
ID_CHARS: Final = 16


class Pseudonymiser:
    """Hashes values under one key, and knows the others under which values were hashed.

    Args:
        key: at least 32 bytes; what is hashed now is hashed under it.
        others: under which something may have been hashed, each at least as long.

    Raises:
        Misconfigured: `CONFIG_INVALID` if a key is shorter.
    """

    __slots__ = ("_keyed", "all", "check", "id", "name")

    def __init__(self, key: Secret, others: Sequence[Secret] = ()) -> None:
        if len(key.reveal_bytes()) < MIN_KEY_BYTES:
            raise Misconfigured(
                Code.CONFIG_INVALID, f"the pseudonym key {key.id} is shorter than {MIN_KEY_BYTES} bytes"
            )
        # The key is worked in once; every hash goes on from a copy, which costs a third of a hash from the start.
        self._keyed = hmac.new(key.reveal_bytes(), digestmod="sha256")
        #: Tells under which key a hash was made, without telling the key.
        self.check = self.of("hold key", Private("which key is it"))
        self.id = id_of(self.check)
        #: The reference under which it is configured.
        self.name = key.id
        #: It, and after it the others: whoever looks something up asks for its hashes under all of them.
        self.all: tuple[Pseudonymiser, ...] = (self, *map(Pseudonymiser, others))

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(one.id for one in self.all)

    @property
    def checks(self) -> frozenset[str]:
        """The checks of all keys."""
        return frozenset(one.check for one in self.all)

    def each(self, scope: str, value: Private) -> tuple[str, ...]:
        """Return the hashes of a text under all keys, the one that counts now first."""
        return tuple(one.of(scope, value) for one in self.all)

    def of(self, scope: str, value: Private) -> str:
        """Return the hash of a text within a scope, as 64 hex digits. Equal only for equal scope and equal value."""
        # A lone surrogate, which JSON can carry, must neither raise (the exception would show the value) nor collide.
        return self._hash(b"t", scope, value.reveal().encode(errors="surrogatepass"))

    def of_bytes(self, scope: str, value: bytes) -> str:
        """Return the hash of bytes within a scope, as 64 hex digits. Never equal to one made by `of`."""
        return self._hash(b"b", scope, value)

    def of_target(self, account: str, table: str, field: str, value: Private) -> str:
        """Return the hash of a value as a field of a table of an account knows it."""
        return self.of(target_scope(account, table, field), value)

    def _hash(self, kind: bytes, scope: str, value: bytes) -> str:
        name = scope.encode(errors="surrogatepass")
        # The scope's length stands before it: no scope and value together can read as another scope and value.
        keyed = self._keyed.copy()
        keyed.update(b"".join((_DOMAIN, kind, len(name).to_bytes(4, "big"), name, value)))
        return keyed.hexdigest()


def id_of(check: str) -> str:
    """Return the id of the key that a check belongs to."""
    return check[:ID_CHARS]


def target_scope(account: str, table: str, field: str) -> str:
    """Return the scope within which values of one field of an account are told apart."""
    return f"target:{account}:{table}:{field}"


def identity_scope(source: str, kind: str) -> str:
    """Return the scope within which identities of one kind are told apart, as a source says them."""
    return f"identity:{source}:{kind.casefold()}"
