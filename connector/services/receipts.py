"""Issue receipts: one signed statement for each attempt of a request that ended, with its entry in the audit log.

What becomes known later, such as that somebody came back, is said in an addendum: the same statement as it stands then.

A receipt is owed by the transaction that logs the end. It is signed outside of any transaction; then it is kept, and
its entry appended, in one. Killed before that, it is owed still; another worker that issues it meanwhile is noticed.
"""

from __future__ import annotations

from typing import Final

from connector.proof import receipt
from connector.proof.keys import SigningKey
from connector.proof.receipt import Place
from connector.services.site import Site
from connector.services.statement import statement
from connector.store import ledger, receipts
from connector.store.columns import AnyRow, Connection
from connector.store.receipts import Signed

_AT_ONCE: Final = 100


def issue(site: Site, key: SigningKey) -> bool:
    """Issue some of the receipts that are owed; say whether there may be more."""
    with site.database.read() as connection:
        owed = [(one.request_id, one.attempt, one.number) for one in receipts.owed(connection, _AT_ONCE)]
        known = {request: receipts.find(connection, request) for request, _, _ in owed}
    if not owed:
        return False
    now = site.clock.now()
    stated = {
        (request, attempt, number): statement(found, attempt, site.proofs, now, number)
        for request, attempt, number in owed
        if (found := known[request]) is not None
    }
    tokens = {one: receipt.sign(said, key) for one, said in stated.items()}
    impossible = [one for one in owed if one not in stated]
    with site.database.write() as connection:
        size = ledger.lock(connection)
        left = receipts.still_owed(connection, list(stated))
        mine = [one for one in stated if one in left]
        ledger.append(connection, size, [receipt.entry_of(stated[one]) for one in mine])
        signed = [Signed(one, key.public.kid, tokens[one], place) for place, one in enumerate(mine, size)]
        receipts.keep(connection, signed, now)
        receipts.forget(connection, impossible)
    for request, attempt, _ in mine:
        site.log.info("receipt_issued", request_id=request, attempt=attempt)
    for request, attempt, _ in impossible:
        site.log.warning("receipt_impossible", request_id=request, attempt=attempt)
    return len(owed) == _AT_ONCE


def assemble(connection: Connection, row: AnyRow) -> bytes | None:
    """Return an issued receipt as it is handed out; None until a checkpoint covers it.

    It is made with the first such checkpoint, so that it has the same bytes every time.
    """
    if row.log_index is None:
        return None
    signed = ledger.checkpoint_over(connection, row.log_index)
    if signed is None:
        return None
    path = ledger.inclusion(connection, row.log_index, signed.size)
    return receipt.assemble(row.jws, Place(row.log_index, signed.note, path))


def of_attempt(connection: Connection, request_id: str, attempt: int) -> bytes | None:
    """Return the receipt of one attempt of a request, without addenda; None if there is none yet."""
    for row in receipts.by_key(connection, [(request_id, attempt, receipts.FIRST)]):
        return assemble(connection, row)
    return None
