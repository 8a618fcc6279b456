"""Where the source of a request is told, and by which ids of its own."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, update

from connector.crypto.seal import DataKey, Sealed
from connector.private import Private
from connector.store import vault
from connector.store.columns import AnyRow
from connector.store.tables import requests


def set_addresses(
    connection: Connection, request_id: str, external: Mapping[str, str], callback_url: Private | None
) -> None:
    """Replace the source's own ids of a request, and where the source is told."""
    key = vault.keys_of(connection, [request_id])[request_id]
    address = sealed_address(key, request_id, callback_url)
    connection.execute(
        update(requests).where(requests.c.id == request_id).values(external=dict(external), callback_url=address)
    )


def address_of(connection: Connection, row: AnyRow) -> Private | None:
    """Return where the source of a request is told."""
    (known,) = vault.opened(connection, [row], requests.c.callback_url, request_id="id")
    address: Private | None = known.callback_url
    return address


def sealed_address(key: DataKey, request_id: str, address: Private | None) -> Sealed | None:
    """Return where the source of a request is told as it is stored."""
    return None if address is None else vault.seal(key, address, requests.c.callback_url, request_id)
