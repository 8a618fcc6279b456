"""One wrapper for everything that must never be seen: identities, payloads, secrets.

A wrapped value shows nothing in `repr`, `str`, `format`, f-strings or tracebacks, cannot be pickled and is not JSON.
The only way in is `reveal()`, so that every use can be found by its name.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Any, Final, NoReturn, Self, final

MASK: Final = "<private>"


@final
class Private:
    """A personal value (text). Equality and hashing are by value, so that it can be a key."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; the caller takes care of where it goes."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Private) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Private, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private value cannot be pickled")


@final
class Secret:
    """A secret with an id that may be shown (`env:NAME`, `file:PATH`), so that one can say which one was used.

    Args:
        not_before: from when on it counts, and `not_after` until when, both inclusive; None for no limit.
    """

    __slots__ = ("_value", "id", "not_after", "not_before")

    def __init__(
        self,
        value: str,
        secret_id: str,
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> None:
        self._value = value
        self.id = secret_id
        self.not_before = not_before
        self.not_after = not_after

    def is_live(self, now: datetime) -> bool:
        """Say whether it counts at this time."""
        return (self.not_before is None or self.not_before <= now) and (self.not_after is None or now <= self.not_after)

    def reveal(self) -> str:
        """Return the secret; the caller takes care of where it goes."""
        return self._value

    def matches(self, candidate: str) -> bool:
        """Compare in constant time. A candidate that is not UTF-8 (lone surrogates) does not match."""
        return hmac.compare_digest(candidate.encode(errors="surrogatepass"), self._value.encode())

    def reveal_bytes(self) -> bytes:
        """Return the secret as UTF-8 bytes."""
        return self._value.encode()

    def __repr__(self) -> str:
        return f"<secret {self.id}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")
