"""Profiles that may be several people's: what look-ups counted, and what a person let pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select, update

from connector.policy.tangle import most_of
from connector.private import Private
from connector.states import RequestState, TargetState
from connector.store import vault
from connector.store.insertion import insert_or_leave
from connector.store.moves import parts
from connector.store.tables import requests, targets
from connector.store.tangle_tables import tangle_releases

#: Why a request is held whose profile may be several people's.
TANGLED: Final = "tangled_profile"


def own_values(connection: Connection, request_ids: Collection[str]) -> Mapping[str, Mapping[str, list[Private]]]:
    """Return what requests name, as it is sent to Lytics: by table and field, as `table.field`."""
    found: dict[str, dict[str, list[Private]]] = {one: defaultdict(list) for one in request_ids}
    for part in parts(request_ids):
        wanted = select(*(targets.c[name] for name in ("id", "request_id", "lytics_table", "field", "value")))
        rows = connection.execute(wanted.where(targets.c.request_id.in_(part))).all()
        for row in vault.opened(connection, rows, targets.c.value):
            found[row.request_id][f"{row.lytics_table}.{row.field}"].append(row.value)
    return found


def findings(
    connection: Connection, request_ids: Collection[str], above: int, account: str | None = None
) -> Mapping[str, Mapping[str, int]]:
    """Return what was counted on the profiles of what is still queued of requests, by `table.field`.

    Only where more than `above` identifiers of one field are beyond the request; of all accounts unless one is named.
    """
    counted: dict[str, list[dict[str, int]]] = defaultdict(list)
    for part in parts(request_ids):
        rows = connection.execute(
            select(targets.c.request_id, targets.c.lytics_table, targets.c.strangers_in).where(
                targets.c.request_id.in_(part),
                targets.c.state == TargetState.QUEUED,
                targets.c.strangers > above,
                *([targets.c.account == account] if account is not None else []),
            )
        )
        for request_id, table, by_field in rows:
            counted[request_id].append({f"{table}.{name}": number for name, number in by_field.items()})
    return {request_id: most_of(those) for request_id, those in counted.items()}


def not_looked_up(connection: Connection, request_ids: Collection[str], account: str) -> set[str]:
    """Return those of the requests of which something queued in an account was not looked up yet."""
    return {
        one
        for part in parts(request_ids)
        for one in connection.scalars(
            select(targets.c.request_id).where(
                targets.c.request_id.in_(part),
                targets.c.state == TargetState.QUEUED,
                targets.c.account == account,
                targets.c.known_before.is_(None),
            )
        )
    }


def accepted(connection: Connection, request_ids: Collection[str]) -> Mapping[str, Mapping[str, int]]:
    """Return what people let pass of requests, by `table.field`; requests without such are left out."""
    found: dict[str, Mapping[str, int]] = {}
    for part in parts(request_ids):
        wanted = select(tangle_releases.c.request_id, tangle_releases.c.accepted)
        rows = connection.execute(wanted.where(tangle_releases.c.request_id.in_(part)))
        found |= {row.request_id: row.accepted for row in rows}
    return found


def accept(connection: Connection, request_id: str, found: Mapping[str, int], now: datetime) -> None:
    """Let what was found of a locked request pass, beside what was let pass of it before."""
    values = {"accepted": most_of([found, accepted(connection, [request_id]).get(request_id, {})]), "released_at": now}
    row = {"request_id": request_id, **values}
    connection.execute(insert_or_leave(connection.dialect.name, tangle_releases, ("request_id",)), [row])
    connection.execute(update(tangle_releases).where(tangle_releases.c.request_id == request_id).values(values))


def reason_of(connection: Connection, request_id: str) -> str:
    """Return why a locked request is in its state."""
    return connection.scalar(select(requests.c.reason).where(requests.c.id == request_id)) or ""


def held(connection: Connection, account: str) -> int:
    """Count the requests that are held for the sake of other people on a profile in an account."""
    stopped = select(requests.c.id).where(requests.c.state == RequestState.HELD, requests.c.reason == TANGLED)
    in_account = select(targets.c.request_id).where(
        targets.c.request_id.in_(stopped), targets.c.state == TargetState.QUEUED, targets.c.account == account
    )
    return connection.scalar(select(func.count()).select_from(in_account.distinct().subquery())) or 0
