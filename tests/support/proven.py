"""What remains of an installation's work as proof, looked at after its processes were killed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from connector.config.load import load
from connector.proof import receipt
from connector.services.audit_check import check
from connector.services.receipts import assemble
from connector.sources.registry import PLATFORMS
from connector.store.database import Database
from connector.store.ledger_tables import receipts
from connector.wiring import proofs_of
from tests.support.processes import ROOT


def receipts_handed_out(store: str) -> int:
    """Count the receipts that a checkpoint covers."""
    with Database(store, pool_size=1) as database, database.read() as connection:
        rows = connection.execute(receipts.select()).all()
        return sum(assemble(connection, one) is not None for one in rows)


def everything_is_proven(store: str, settings: Sequence[str], number: int) -> None:
    """Check that the log is whole, and that so many requests have one receipt each, which verifies."""
    proofs = proofs_of(load(ROOT / "config" / "connector.toml", os.environ, settings, PLATFORMS))
    with Database(store, pool_size=1) as database, database.read() as connection:
        checked = check(connection, proofs)
        assert checked.findings == []
        rows = connection.execute(receipts.select()).all()
        assert Counter(one.request_id for one in rows) == {one.request_id: 1 for one in rows}
        assert len(rows) == number
        for row in rows:
            made = assemble(connection, row)
            assert made is not None
            stated = receipt.verify(made, proofs.keys).statement
            assert (stated["outcome"], stated["job"]) == ("completed", row.request_id)
