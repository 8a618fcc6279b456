"""The people who may sign in to the dashboard: a file of names, roles and password hashes, read anew at each look.

They stand in a file and not in the store, so that whoever may change the store's rows cannot make users of its own, and
a copy of the store brings nobody along.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from connector.codes import Code
from connector.crypto import passwords
from connector.errors import Misconfigured
from connector.private import Private

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Role(IntEnum):
    """What a user may do; each may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class User:
    """One person.

    Attributes:
        password_hash: as `crypto.passwords` makes it; never shown.
    """

    name: str
    role: Role
    password_hash: str


class UserFile:
    """Reads and changes the file.

    Args:
        path: a JSON document that its owner alone may read; there need not be one yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def users(self) -> Mapping[str, User]:
        """Return everybody by name. Raises `Misconfigured` for a file that cannot be read or understood."""
        try:
            return _understood(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Misconfigured(Code.CONFIG_INVALID, f"dashboard.users_file: {type(error).__name__}") from None

    def signed_in(self, name: str, password: Private) -> User | None:
        """Return the user whose name and password these are."""
        user = self.users().get(name)
        known = user.password_hash if user is not None else ""
        return user if passwords.matches(password, known) else None

    def put(self, name: str, role: Role, password: Private) -> bool:
        """Add a user, or give one a new role and password; return whether it is new."""
        if not NAME.fullmatch(name):
            raise Misconfigured(Code.CONFIG_INVALID, "a user's name has lower-case letters, digits, '.', '_' and '-'")
        if fault := passwords.fault_in(password):
            raise Misconfigured(Code.CONFIG_INVALID, fault)
        with self._changing() as users:
            new = name not in users
            users[name] = User(name, role, passwords.hashed(password))
        return new

    def remove(self, name: str) -> bool:
        """Remove a user; return whether there was one. Its sessions end at their next call."""
        with self._changing() as users:
            return users.pop(name, None) is not None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, User]]:
        """Give everybody, and keep what was made of it: whole or not at all, one change after another."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(f"{self._path.suffix}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            users = dict(self.users())
            yield users
            self._write(users)
        finally:
            os.close(lock)

    def _write(self, users: Mapping[str, User]) -> None:
        rows = {one.name: {"role": one.role.word, "password": one.password_hash} for one in users.values()}
        new = self._path.with_suffix(f"{self._path.suffix}.new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"users": rows}, file, indent=2, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _understood(document: Any) -> dict[str, User]:
    return {
        name: User(name, Role[str(one["role"]).upper()], str(one["password"]))
        for name, one in document["users"].items()
        if NAME.fullmatch(name)
    }
