"""Which of the targets that are due make up the next calls to an account, and which wait for a fuller one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.policy.batching import Batch, form_batches
from connector.services.site import AccountWork
from connector.store.columns import AnyRow


def batches_of(account: AccountWork, rows: Sequence[AnyRow], now: datetime) -> list[tuple[Batch, list[AnyRow]]]:
    """Cut due targets into batches; one that is not full waits until its oldest member has waited long enough."""
    by_cap: dict[int, list[AnyRow]] = defaultdict(list)
    for row in rows:
        by_cap[row.batch_cap or account.batch_max_values].append(row)
    ready_since = now - timedelta(seconds=account.batch_wait_s)
    formed = []
    for cap, items in by_cap.items():
        for batch, members in form_batches(
            items,
            max_values=cap,
            max_bytes=account.batch_max_bytes,
            key=lambda row: (row.lytics_table, row.field, row.value),
            size_of=account.api.encoded_bytes,
        ):
            if len(batch.values) >= cap or min(one.entered_at for one in members) <= ready_since:
                formed.append((batch, list(members)))
    return formed
