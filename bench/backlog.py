"""Many rows at once, as a long history or a long queue would leave them; made by the database itself, so in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from connector.store import resealing

# Targets of one bulk call.
BATCH: Final = 100
_PER_CALL: Final = ("submissions", "operations")
# Of these there is a row for each identity or for a number of them; of all others for each request.
_PER_IDENTITY: Final = ("identities", "targets", *_PER_CALL)


@dataclass(frozen=True, slots=True)
class Stage:
    """How far requests have come, by the states of their rows; empty where they have none of a kind."""

    request: str
    identity: str = "mapped"
    target: str = ""
    known_before: str = ""
    operation: str = ""
    report: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it was so long ago that nothing personal of it is left."""
        return self.request == "completed" and self.report == "sent"


DONE: Final = Stage("completed", target="deleted", known_before="present", operation="finished", report="sent")
RECEIVED: Final = Stage("received", identity="received")
QUEUED: Final = Stage("queued", target="queued", report="sent")
LOOKED_UP: Final = Stage("queued", target="queued", known_before="present", report="sent")
SUBMITTED: Final = Stage("working", target="submitted", known_before="present", operation="running", report="sent")
CONFIRMING: Final = Stage("working", target="confirming", known_before="present", operation="finished", report="sent")
UNREPORTED: Final = Stage("completed", target="deleted", known_before="present", operation="finished", report="queued")


def pile_up(
    connection: Connection,
    stage: Stage,
    number: int,
    first: int,
    *,
    source: str,
    account: str,
    digest: str,
    batch: int = BATCH,
    each: int = 1,
    sealed: bool = True,
) -> None:
    """Insert requests that have come as far as `stage`.

    Args:
        first: the number of the first; what was piled up before has smaller ones.
        digest: of the present mapping rules.
        each: identities of one request: an e-mail address, and then loyalty ids.
        sealed: whether values are sealed, so that steps can open them; False, which is quicker, to look at plans alone.
    """
    names = {"source": source, "account": account, "digest": digest}
    tables = ["requests", "deliveries", "replays", "identities", "history"]
    tables += ["data_keys"] if not (sealed or stage.is_over) else []
    tables += [*_PER_CALL] if stage.operation else []
    tables += [one for one, wanted in (("targets", stage.target), ("reports", stage.report)) if wanted]
    for table in tables:
        step = batch if table in _PER_CALL else 1
        rows = each if table in _PER_IDENTITY else 1
        names |= {"first": (first - 1) * rows + 1, "last": (first + number - 1) * rows}
        columns = _columns(table, stage, batch, each)
        statement = (
            f"WITH RECURSIVE n(i) AS (SELECT CAST(:first AS INTEGER) UNION ALL SELECT i + {step} FROM n "
            f"WHERE i + {step} <= CAST(:last AS INTEGER)) "
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM n"
        )
        for word, meaning in _WORDS[connection.dialect.name].items():
            statement = statement.replace(word, meaning)
        connection.execute(text(statement), {name: one for name, one in names.items() if f":{name}" in statement})
    if sealed and not stage.is_over:
        resealing.seal_all(connection, after=f"{first - 1:032}")


# What the two databases say in different words. The time is long ago, one request a minute.
_WORDS: Final = {
    "sqlite": {
        "<time>": r"(strftime('%Y-%m-%d %H\:%M\:%S', '2020-01-01', '+' || i || ' minutes') || '.000000')",
        "<json>": "",
    },
    "postgresql": {
        "<time>": "(timestamptz '2020-01-01 UTC' + i * interval '1 minute')",
        "<json>": r"\:\:json",
    },
}


def _number(digits: int, of: str = "i") -> str:
    return f"substr('{'0' * digits}', 1, {digits} - length(CAST({of} AS TEXT))) || {of}"


def _columns(table: str, stage: Stage, batch: int, each: int) -> dict[str, str]:
    """Return the SQL of each column; `i` is the number of the row."""
    own = _number(32)
    # The first identity of a request is an e-mail address.
    is_email = f"(i - 1) % {each} = 0"
    value = "''" if stage.is_over else f"CASE WHEN {is_email} THEN 'p' || i || '@example.com' ELSE 'L' || i END"
    owner = _number(32, f"((i - 1) / {each} + 1)")
    call = _number(32, f"(i - (i - CAST(:first AS INTEGER)) % {batch})")
    started = stage.operation != ""
    ended = stage.request == "completed"
    found: dict[str, dict[str, str]] = {
        "requests": {
            "id": own,
            "source": ":source",
            "request_key": "'subtask:' || i",
            "state": f"'{stage.request}'",
            "reason": "''",
            "attempt": "1",
            "external": """('{"subtask_id"\\: "' || i || '"}')<json>""",
            "request_types": """'["Data Deletion"]'""",
            "country": "'DE'",
            "is_test": "false",
            "received_at": "<time>",
            "due_at": "<time>",
            "due_basis": "'gdpr'",
            "mapping_digest": "''" if stage.identity == "received" else ":digest",
            "finished_at": "<time>" if ended else "NULL",
            "shredded_at": "<time>" if stage.is_over else "NULL",
        },
        "deliveries": {
            "id": own,
            "source": ":source",
            "claim_key": "'event:' || i",
            "body_digest": _number(64),
            "received_at": "<time>",
            "principal": "'signature'",
            "secret_id": "'file:old'",
            "request_id": own,
        },
        "replays": {
            "source": ":source",
            "replay_hash": _number(64),
            "body_digest": _number(64),
            "request_id": own,
            "expires_at": "NULL",
        },
        "identities": {
            "id": own,
            "request_id": owner,
            "kind": f"CASE WHEN {is_email} THEN 'email' ELSE 'Loyalty ID' END",
            "value": value,
            "value_hash": _number(64),
            "state": f"'{stage.identity}'",
            "reason": "''",
        },
        "data_keys": {"request_id": own, "kek_id": f"'{'0' * 16}'", "wrapped": f"'{'A' * 84}'"},
        "history": {
            "request_id": own,
            "at": "<time>",
            "state": "'received'",
            "reason": "''",
            "attempt": "1",
            "log_index": "i",
        },
        "submissions": {
            "id": own,
            "account": ":account",
            "deletion_api": "'identity-delete'",
            "lytics_table": "'user'",
            "field": "'email'",
            "state": "'accepted'",
            "reason": "''",
            "size": str(batch),
            "fingerprint": _number(64),
            "intended_at": "<time>",
            "answered_at": "<time>",
            "correlation_id": "''",
        },
        "operations": {
            "id": own,
            "account": ":account",
            "submission_id": own,
            "remote_id": "'piled-' || i",
            "state": f"'{stage.operation}'",
            "word": "'pending'" if stage.operation == "running" else "'completed'",
            "requested": str(batch),
            "deleted": str(batch),
            "polls": "1",
            "next_at": "<time>",
            "started_at": "<time>",
        },
        "targets": {
            "id": own,
            "request_id": owner,
            "identity_id": own,
            "account": ":account",
            "lytics_table": "'user'",
            "field": f"CASE WHEN {is_email} THEN 'email' ELSE 'loyalty_id' END",
            "value": value,
            "value_hash": _number(64),
            "state": f"'{stage.target}'",
            "reason": "''",
            "due_at": "<time>",
            "known_before": f"'{stage.known_before}'" if stage.known_before else "NULL",
            "submission_id": call if started else "NULL",
            "operation_id": call if started else "NULL",
            "tries": "0",
            "failures": "0",
            "next_at": "<time>",
            "looks": "0",
            "entered_at": "<time>",
        },
        "reports": {
            "id": own,
            "request_id": own,
            "source": ":source",
            "attempt": "1",
            "final": "true" if ended else "false",
            "status": "'COMPLETED'" if ended else "'IN_PROGRESS'",
            "comment": "'what was done'",
            "state": f"'{stage.report}'",
            "reason": "''",
            "tries": "0",
            "next_at": "<time>",
            "created_at": "<time>",
            "ended_at": "NULL" if stage.report == "queued" else "<time>",
        },
    }
    return found[table]
