"""Passwords of people: Argon2id hashes (RFC 9106) with the library's current parameters."""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from connector.private import Private

#: NIST SP 800-63B-4 section 3.1.1.2: at least 15 characters where a password is all that there is; at most so many.
LEAST_CHARACTERS: Final = 15
MOST_CHARACTERS: Final = 256
_HASHER: Final = PasswordHasher()


def fault_in(password: Private) -> str:
    """Return what is wrong with a new password, or an empty text."""
    length = len(password.reveal())
    if not LEAST_CHARACTERS <= length <= MOST_CHARACTERS:
        return f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters"
    return ""


def hashed(password: Private) -> str:
    """Return the hash to keep; it holds its salt and its parameters."""
    return _HASHER.hash(password.reveal())


def matches(password: Private, known: str) -> bool:
    """Tell whether a password is the one of a hash. Both answers take the same, long time; a broken hash matches none.

    Args:
        known: the hash, or an empty text for a user that there is not: it costs as much.
    """
    given = password.reveal()[: MOST_CHARACTERS + 1]
    try:
        return _HASHER.verify(known or _NOBODYS, given) and bool(known)
    except (VerificationError, InvalidHashError):
        return False


# What an unknown name is compared with, so that time does not tell which names there are.
_NOBODYS: Final = hashed(Private("nobody has this password"))
