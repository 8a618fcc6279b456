"""Keep the audit log: put what happened into it, sign receipts of what ended, sign how the log stands.

What happens is written where it happens: moves of requests into their history, decisions of operators among the
decisions, each in the transaction that carries it out. Here these rows are given their places in the log, in a short
transaction of its own, in which nobody else appends. A delivery that comes in so waits for no log. Killed at any point,
the next run goes on: a row is in the log if and only if it names its place there.
"""

from __future__ import annotations

from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured
from connector.proof import entries, note
from connector.proof.note import Checkpoint
from connector.proof.verdict import Refuted
from connector.services.receipts import issue
from connector.services.site import Site
from connector.states import FINISHED_REQUESTS
from connector.store import ledger, receipts
from connector.store.columns import Connection
from connector.store.guard_tables import audit
from connector.store.tables import history

# Rows in one transaction: whoever writes meanwhile waits for no longer than that takes.
_AT_ONCE: Final = 250


def keep_ledger(site: Site) -> bool:
    """Put some of what happened into the log and sign what there is to sign; say whether there may be more."""
    more = _sequence(site)
    site.reached("logged")
    if site.proofs.key is not None:
        more = issue(site, site.proofs.key) or more
        site.reached("issued")
        _sign_checkpoint(site)
    return more


def _sequence(site: Site) -> bool:
    """Give what happened its places in the log, and owe a receipt for each request that ended."""
    now = site.clock.now()
    with site.database.read() as connection:
        # Mostly there is nothing, and then nobody else has to wait.
        if not ledger.moves_to_log(connection, 1) and not ledger.decisions_to_log(connection, 1):
            return False
    with site.database.write() as connection:
        size = ledger.lock(connection)
        moves = ledger.moves_to_log(connection, _AT_ONCE)
        decisions = ledger.decisions_to_log(connection, _AT_ONCE)
        said = [entries.move(one.id, one.request_id, one.at, one.state, one.reason, one.attempt) for one in moves]
        said += [entries.decision(one.id, one.at, one.actor, one.action, one.subject, one.reason) for one in decisions]
        ledger.append(connection, size, said)
        ledger.note_places(connection, history, moves, size)
        ledger.note_places(connection, audit, decisions, size + len(moves))
        ended = [(one.request_id, one.attempt) for one in moves if one.state in FINISHED_REQUESTS]
        receipts.owe(connection, ended, now)
        site.reached("sequenced")
    return _AT_ONCE in {len(moves), len(decisions)}


def _sign_checkpoint(site: Site) -> None:
    """Sign how the log stands, unless it stands as it did.

    Raises:
        Misconfigured: the log is not what was signed before. A log signs nothing that contradicts what it has signed.
    """
    with site.database.read() as connection:
        if _latest_size(connection) == ledger.size_of(connection):
            return
    key, origin, now = site.proofs.key, site.proofs.origin, site.clock.now()
    assert key is not None
    with site.database.write() as connection:
        size = ledger.lock(connection)
        _require_standing(connection, size)
        root = ledger.root_at(connection, size)
        signed = note.sign(Checkpoint(origin, size, root).text(), origin, key)
        ledger.keep_checkpoint(connection, size, signed, key.public.kid, now)
    site.log.info("checkpoint_signed", count=size)


def _latest_size(connection: Connection) -> int:
    latest = ledger.latest_checkpoint(connection)
    return 0 if latest is None else int(latest.size)


def _require_standing(connection: Connection, size: int) -> None:
    latest = ledger.latest_checkpoint(connection)
    if latest is None:
        return
    try:
        # Whose signature it is, is for `connector audit verify` to say; here the numbers decide.
        signed = note.parse_checkpoint(latest.note.rpartition("\n\n")[0] + "\n")
    except Refuted:
        signed = None
    if signed is None or signed.size != latest.size or not ledger.is_standing(connection, signed, size):
        raise Misconfigured(Code.LOG_DAMAGED, "the log contradicts its last signed checkpoint")
