"""What operators decided that belongs to no single request: who, when, what and why, and never about whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from connector.store.columns import AnyRow
from connector.store.guard_tables import audit


@dataclass(frozen=True, slots=True)
class Decision:
    """An operator's reason, which is kept for good.

    Attributes:
        by: who decided.
    """

    by: str
    reason: str
    at: datetime


def note(connection: Connection, decision: Decision, action: str, subject: str) -> None:
    """Write down what was decided, in the transaction that carries it out."""
    connection.execute(
        insert(audit).values(
            at=decision.at, actor=decision.by, action=action, subject=subject[:80], reason=decision.reason
        )
    )


def latest(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """Return what was decided, the latest first."""
    return connection.execute(select(audit).order_by(audit.c.id.desc()).limit(limit)).all()
