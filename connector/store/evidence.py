"""What the store knows of a request that was carried out, for its evidence: no personal value is read."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select

from connector.policy.evidence import Facts
from connector.policy.tangle import most_of
from connector.store.columns import AnyRow
from connector.store.tables import identities, operations, requests, submissions, targets


def facts(connection: Connection, report: AnyRow, counts: Mapping[str, int]) -> Facts:
    """Collect the facts about the request of a last report."""
    request = connection.execute(select(requests).where(requests.c.id == report.request_id)).one()
    of_request = targets.c.request_id == request.id
    submitted = connection.execute(
        select(func.min(submissions.c.intended_at), func.max(submissions.c.answered_at))
        .join(targets, targets.c.submission_id == submissions.c.id)
        .where(of_request)
    ).one()
    fields = connection.execute(
        select(targets.c.lytics_table, targets.c.field, targets.c.state, func.count())
        .where(of_request)
        .group_by(targets.c.lytics_table, targets.c.field, targets.c.state)
    )
    remote = connection.scalars(
        select(operations.c.remote_id).join(targets, targets.c.operation_id == operations.c.id).where(of_request)
    )
    known = connection.execute(
        select(identities.c.value_hash, identities.c.state, targets.c.lytics_table, targets.c.field, targets.c.state)
        .outerjoin(targets, (targets.c.identity_id == identities.c.id) & of_request)
        .where(identities.c.request_id == request.id)
    )
    others = connection.execute(
        select(targets.c.lytics_table, targets.c.strangers_in).where(of_request, targets.c.strangers > 0)
    )
    external = request.external
    return Facts(
        ids={
            "request": external.get("request_ref", ""),
            "request_uuid": external.get("request_id", ""),
            "subtask": external.get("subtask_id", ""),
            "job": request.id,
        },
        times={
            "received": request.received_at,
            "submitted": submitted[0],
            "accepted_by_lytics": submitted[1],
            "confirmed": request.finished_at,
        },
        attempt=request.attempt,
        counts=counts,
        fields={(f"{table}.{field}", str(state.value)): number for table, field, state, number in fields},
        operations=list(remote),
        identities=[
            (digest, f"{table}.{field} {ended.value}" if ended is not None else state.value)
            for digest, state, table, field, ended in known
        ],
        strangers=most_of({f"{table}.{name}": number for name, number in seen.items()} for table, seen in others),
    )
