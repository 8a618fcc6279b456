"""What a receipt says of a request, from the store's rows: names, numbers, times and keyed hashes, and no person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connector import __version__
from connector.crypto.pseudonym import id_of
from connector.proof import receipt
from connector.proof.entries import moment, plain
from connector.services.operation import NOT_LOOKED_UP
from connector.services.proofs import Proofs
from connector.states import FINISHED_REQUESTS, FULFILLED_TARGETS, RequestKind
from connector.store.columns import AnyRow
from connector.store.receipts import FIRST, Found

ABSENCE: Final = (
    "A look-up that finds nobody says that Lytics shows no profile by this value any more. It cannot tell removal from "
    "suppression: archived events of before the deletion are suppressed at once and removed by Lytics later."
)


def statement(found: Found, attempt: int, proofs: Proofs, now: datetime, number: int = FIRST) -> dict[str, Any]:
    """Return what is stated of one attempt of a request that ended, or in an addendum to that.

    If the request was begun again since, what is listed stands as it does now, and `attempt_now` says so.
    """
    request = found.request
    identities = _identities(found)
    ended = [one for one in found.history if one.attempt == attempt and one.state in FINISHED_REQUESTS]
    last = ended[-1] if ended else None
    return {
        "format": receipt.FORMAT,
        "issuer": proofs.origin,
        "issued_at": moment(now),
        "job": request.id,
        "attempt": attempt,
        "attempt_now": request.attempt,
        "number": number,
        "outcome": last.state.value if last is not None else "",
        "reason": plain(last.reason) if last is not None else "",
        "finished_at": _time(last.at if last is not None else None),
        "request": _asked(request),
        "verified": [_verified(one) for one in found.deliveries],
        # Under which pseudonym key the hashes of identities and targets were made; none of before keys had ids.
        "hash_key": request.hash_key or None,
        "identities": identities,
        "counts": receipt.count(identities),
        "submissions": [_submission(one) for one in found.submissions],
        "operations": [_operation(one) for one in found.operations],
        "access": [_answer(one) for one in found.access],
        "follows": found.follows or None,
        "returns": [_return(one) for one in found.returns],
        "absence": None if request.kind is RequestKind.ACCESS else ABSENCE,
        "history": [
            {"at": moment(one.at), "attempt": one.attempt, "reason": plain(one.reason), "state": one.state.value}
            for one in found.history
        ],
        "configuration": proofs.configuration,
        "mapping": request.mapping_digest,
        "version": __version__,
    }


def _asked(request: AnyRow) -> dict[str, Any]:
    return {
        "source": request.source,
        "kind": request.kind.value if request.kind is not None else None,
        "ids": _texts(request.external),
        "types": [plain(str(one)) for one in request.request_types],
        "country": request.country,
        "test": request.is_test,
        "received_at": moment(request.received_at),
        "listed_by_source_at": _time(request.confirmed_at),
        "due_at": moment(request.due_at),
        "due_by": request.due_basis,
    }


def _verified(delivery: AnyRow) -> dict[str, Any]:
    """Say by whom a delivery was made and how that was established."""
    return {
        "received_at": moment(delivery.received_at),
        "sent_at": _time(delivery.sender_time),
        "check": plain(delivery.principal),
        "secret": plain(delivery.secret_id),
        "body": delivery.body_digest,
        "body_key": delivery.hash_key or None,
    }


def _identities(found: Found) -> list[dict[str, Any]]:
    targets: dict[str, list[AnyRow]] = defaultdict(list)
    for one in found.targets:
        targets[one.identity_id].append(one)
    return [
        {
            "hash": one.value_hash,
            "kind": plain(one.kind),
            "state": one.state.value,
            "reason": plain(one.reason),
            "targets": [_target(target) for target in targets[one.id]],
        }
        for one in found.identities
    ]


def _target(target: AnyRow) -> dict[str, Any]:
    fulfilled = target.state in FULFILLED_TARGETS
    looked_up = fulfilled and target.reason not in NOT_LOOKED_UP
    return {
        "account": target.account,
        "field": f"{target.lytics_table}.{target.field}",
        "hash": target.value_hash,
        "state": target.state.value,
        "reason": plain(target.reason),
        "known_before": target.known_before.value if target.known_before is not None else None,
        "look_up_after": "absent" if looked_up else "not_looked_up" if fulfilled else None,
        "approved_at": _time(target.approved_at),
        "submission": target.submission_id,
        "operation": target.operation_id,
    }


def _submission(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "account": row.account,
        "api": row.deletion_api,
        "field": f"{row.lytics_table}.{row.field}",
        "state": row.state.value,
        "reason": plain(row.reason),
        "size": row.size,
        "fingerprint": row.fingerprint,
        "fingerprint_key": row.hash_key or None,
        "sent_at": moment(row.intended_at),
        "answered_at": _time(row.answered_at),
        "correlation": plain(row.correlation_id),
    }


def _operation(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "account": row.account,
        "remote": plain(row.remote_id),
        "state": row.state.value,
        "word": plain(row.word),
        "requested": row.requested,
        "deleted": row.deleted,
        "started_at": moment(row.started_at),
        "finished_at": _time(row.finished_at),
    }


def _answer(row: AnyRow) -> dict[str, Any]:
    """Say what was handed over to answer an attempt of an access request: its digest, and never its content."""
    return {
        "attempt": row.attempt,
        "sha256": row.sha256,
        "bytes": row.bytes,
        "profiles": row.profiles,
        "redacted": row.redacted,
        "made_at": moment(row.made_at),
        "delivered": row.delivered_how or None,
        "delivered_at": _time(row.delivered_at),
        "destroyed_at": _time(row.shredded_at),
    }


def _return(row: AnyRow) -> dict[str, Any]:
    """Say that somebody who was deleted was found again, and what became of that."""
    return {
        "account": row.account,
        "field": f"{row.lytics_table}.{row.field}",
        "hash": row.value_hash,
        "hash_key": id_of(row.key_check),
        "found_at": moment(row.found_at),
        "state": row.state.value,
        "reason": plain(row.reason),
        "deleted_by": row.follow_on_id,
        "ended_at": _time(row.ended_at),
    }


def _texts(said: Mapping[str, Any]) -> dict[str, str]:
    return {plain(name): plain(str(value)) for name, value in said.items()}


def _time(at: datetime | None) -> str | None:
    return moment(at) if at is not None else None
