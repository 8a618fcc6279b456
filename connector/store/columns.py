"""Column types: aware times, enums by value, and personal values, which enter and leave the database sealed."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, DateTime, Dialect, Row, String, Text, TypeDecorator

from connector.clock import require_aware
from connector.crypto.seal import Sealed


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite has no zone, so it is left out there and put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        aware = require_aware(value)
        return aware.replace(tzinfo=None) if dialect.name == "sqlite" else aware

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# Steps take connections and rows as they come; the SQL behind them stays in this package.
__all__ = ["AnyRow", "Connection", "Personal", "UtcDateTime", "Word"]

# A row of any select; its columns are known by name.
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

W = TypeVar("W", bound=StrEnum)


class Word(TypeDecorator[W]):
    """A StrEnum stored as its value."""

    impl = String(24)
    cache_ok = True

    def __init__(self, words: type[W]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: W | None, dialect: Dialect) -> str | None:
        return None if value is None else self.words(value).value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> W | None:
        return None if value is None else self.words(value)


class Personal(TypeDecorator[Sealed]):
    """A personal value, sealed with the data key of its request (`store.vault`). Nothing else is let through."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sealed | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError(f"a personal value has to be sealed, not {type(value).__name__}")
        return value.text

    def process_result_value(self, value: str | None, dialect: Dialect) -> Sealed | None:
        return None if value is None else Sealed(value)
