"""Alerts in the store: who refuses us, what operators were told, and the messages that wait to be sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select, tuple_, update

from connector.alerting import Alert, Kind, Scope
from connector.policy.alerts import Standing
from connector.store.alert_tables import alert_messages, alerts, refusals
from connector.store.columns import AnyRow
from connector.store.insertion import insert_or_leave

Whose = tuple[Kind, Scope, str]

_WHOSE: Final = (alerts.c.kind, alerts.c.scope, alerts.c.name)
_WHOSE_MESSAGE: Final = (alert_messages.c.kind, alert_messages.c.scope, alert_messages.c.name)


def note_refusal(connection: Connection, system: str, code: str, now: datetime) -> None:
    """Write down that a remote system refused our credential or a permission."""
    values = {"system": system, "code": code, "first_at": now, "last_at": now}
    connection.execute(insert_or_leave(connection.dialect.name, refusals, ("system",)), [values])
    connection.execute(
        update(refusals).where(refusals.c.system == system, refusals.c.last_at < now).values(code=code, last_at=now)
    )


def refused(connection: Connection) -> Sequence[AnyRow]:
    """Return the remote systems that refuse us, as far as is known: one row each."""
    return connection.execute(select(refusals).order_by(refusals.c.system)).all()


def is_refused(connection: Connection, system: str, before: datetime) -> bool:
    """Say whether a remote system refused us, and not since a time."""
    asked = select(refusals.c.system).where(refusals.c.system == system, refusals.c.last_at < before)
    return connection.scalar(asked) is not None


def forget_refusal(connection: Connection, system: str, before: datetime) -> None:
    """Take it that a remote system takes our credential again, unless it refused it since a time."""
    connection.execute(delete(refusals).where(refusals.c.system == system, refusals.c.last_at < before))


def told(connection: Connection, *, lock: bool = False) -> dict[Whose, Standing]:
    """Return what operators were told.

    Args:
        lock: keep others from telling more until this transaction ends.
    """
    asked = select(alerts).order_by(*_WHOSE)
    rows = connection.execute(asked.with_for_update() if lock else asked)
    return {(row.kind, row.scope, row.name): Standing(row.since, row.told_at, row.told_count) for row in rows}


def remember(connection: Connection, changed: Mapping[Whose, Standing | None], before: Collection[Whose]) -> None:
    """Write down what operators are told now; None is forgotten.

    Another process that told the same meanwhile makes this transaction fail, and nothing is told twice.
    """
    for (kind, scope, name), standing in changed.items():
        here = (alerts.c.kind == kind) & (alerts.c.scope == scope) & (alerts.c.name == name)
        if standing is None:
            connection.execute(delete(alerts).where(here))
            continue
        values = {"since": standing.since, "told_at": standing.told_at, "told_count": standing.told_count}
        if (kind, scope, name) in before:
            connection.execute(update(alerts).where(here).values(**values))
        else:
            connection.execute(alerts.insert().values(kind=kind, scope=scope, name=name, **values))


def put(connection: Connection, channel: str, alert: Alert) -> None:
    """Let a message wait for its channel, in place of an older one about the same that was not sent yet.

    A channel that fails is left alone as long as was decided, whatever is new.
    """
    mine = alert_messages.c.channel == channel
    waits = connection.execute(
        select(func.max(alert_messages.c.next_at), func.max(alert_messages.c.tries)).where(mine)
    ).one()
    same = tuple_(alert_messages.c.channel, *_WHOSE_MESSAGE) == tuple_(channel, alert.kind, alert.scope, alert.name)
    connection.execute(delete(alert_messages).where(same))
    connection.execute(
        alert_messages.insert().values(
            id=alert.id,
            channel=channel,
            kind=alert.kind,
            scope=alert.scope,
            name=alert.name,
            phase=alert.phase,
            number=alert.count,
            since=alert.since,
            created_at=alert.at,
            tries=waits[1] or 0,
            next_at=max(alert.at, waits[0] or alert.at),
        )
    )


def waiting(connection: Connection, now: datetime) -> Sequence[AnyRow]:
    """Return the messages that are to be sent now, the oldest first."""
    return connection.execute(
        select(alert_messages).where(alert_messages.c.next_at <= now).order_by(alert_messages.c.id)
    ).all()


def all_waiting(connection: Connection) -> Sequence[AnyRow]:
    """Return every message that a channel has not taken yet, the oldest first."""
    return connection.execute(select(alert_messages).order_by(alert_messages.c.id)).all()


def alert_of(row: AnyRow) -> Alert:
    """Return the message that a row holds."""
    return Alert(row.id, row.kind, row.phase, row.scope, row.name, row.number, row.since, row.created_at)


def sent(connection: Connection, message_id: str) -> None:
    """Forget a message that was taken, or that nobody wants any more."""
    connection.execute(delete(alert_messages).where(alert_messages.c.id == message_id))


def try_again(connection: Connection, channel: str, next_at: datetime) -> None:
    """Let everything that waits for a channel wait until a time, after it failed."""
    connection.execute(
        update(alert_messages)
        .where(alert_messages.c.channel == channel, alert_messages.c.next_at < next_at)
        .values(next_at=next_at, tries=alert_messages.c.tries + 1)
    )
