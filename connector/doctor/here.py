"""What can be looked at without asking anybody: secrets, the store, due dates, what Lytics said of everybody last."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from connector.codes import Code
from connector.config import Config
from connector.config.checks import leaves
from connector.doctor.findings import Finding, told
from connector.errors import Misconfigured, Temporary
from connector.outbound import is_loopback
from connector.policy.rotation import group_end
from connector.private import Secret
from connector.store import checkup, schema
from connector.store.database import Database

# What `openssl rand -hex 32` makes has 64 characters of 16 kinds; a word repeated, or a name, has fewer kinds.
_SHORT: Final = 32
_FEW: Final = 10
_SOON: Final = timedelta(days=14)
# Every secret that comes with the sandbox says so itself.
_PUBLIC: Final = "not-a-secret"


def secrets(config: Config, now: datetime) -> Iterator[Finding]:
    """Look at the secrets: those that we share with senders, our own key, and those that vendors gave us."""
    made, given = _known(_made_here(config)), _known(_given_by_vendors(config))
    found = [*_weak(made), *_shared([*made, *given])]
    if any(not is_loopback(urlsplit(one.base_url).hostname or "") for one in config.accounts.values()):
        found += [Finding("secret_public", one.id) for one in (*made, *given) if _PUBLIC in one.reveal()]
    for name, source in config.sources.items():
        for place, check in leaves(source.verify):
            # Those of one group may take each other's place; each group has to have one that counts.
            for group in check.secret_groups:
                found += _ending(f"{name}, check {place}", group, now)
    for name, client in config.api.clients.items():
        found += _ending(f"api client {name}", client.secrets, now)
    yield from found or [Finding("secrets_fine")]


def _weak(held: Sequence[Secret]) -> Iterator[Finding]:
    for one in held:
        text = one.reveal()
        if len(text) < _SHORT or len(set(text)) < _FEW:
            yield Finding("secret_weak", one.id, f"{len(text)} characters of {len(set(text))} kinds")


def _shared(held: Sequence[Secret]) -> Iterator[Finding]:
    for place, one in enumerate(held):
        for other in held[place + 1 :]:
            if hmac.compare_digest(one.reveal_bytes(), other.reveal_bytes()):
                yield Finding("secret_shared", f"{one.id} and {other.id}")


def _made_here(config: Config) -> Iterator[Secret]:
    yield config.store.pseudonym_key
    yield from config.store.other_pseudonym_keys
    for client in config.api.clients.values():
        yield from client.secrets
    yield from config.store.sealing_keys
    for source in config.sources.values():
        for _, check in leaves(source.verify):
            # `keys` may be public ones.
            for name in ("secrets", "passwords", "signing_keys"):
                yield from getattr(check, name, ())


def _given_by_vendors(config: Config) -> Iterator[Secret]:
    for account in config.accounts.values():
        yield account.token
    for source in config.sources.values():
        if source.report is not None:
            yield source.report.client_secret


def _known(secrets: Iterator[Secret]) -> list[Secret]:
    """Return each once: two places may name the same reference on purpose, as two sources of one tenant do."""
    return [*{(one.id, one.reveal()): one for one in secrets}.values()]


def _ending(subject: str, held: Sequence[Secret], now: datetime) -> Iterator[Finding]:
    if not held:
        return
    end = group_end(held)
    if not any(one.is_live(now) for one in held):
        yield Finding("secret_ended", subject)
    elif end is not None and end <= now + _SOON:
        yield Finding("secret_ending", subject, f"{end:%Y-%m-%d}")


def store(database: Database, now: datetime) -> Iterator[Finding]:
    """Look at the store, and at what is due in it."""
    try:
        # Pseudonym keys are looked at by themselves.
        schema.require_current(database, hashes=False)
        with database.read() as connection:
            due = checkup.deadlines(connection, now)
            alike = checkup.refused_alike(connection, now)
    except Temporary as error:
        yield Finding("store_unreachable", found=told(error))
        return
    except Misconfigured as error:
        missing = error.code is Code.SEALING_KEY_MISSING
        yield Finding("sealing_key_missing" if missing else "store_outdated", found=told(error))
        return
    yield Finding("store_fine")
    if due.late:
        yield Finding("deadline_passed", found=f"{due.late} of them, the first since {due.first:%Y-%m-%d %H:%M}Z")
    if due.soon:
        yield Finding("deadline_near", found=f"{due.soon} of them, the next {due.next:%Y-%m-%d %H:%M}Z")
    if not (due.late or due.soon):
        yield Finding("deadlines_fine", found=f"the next {due.next:%Y-%m-%d}" if due.next else "")
    for account, count in alike:
        yield Finding("values_refused_alike", account, f"{count} values")
