"""Reasons that lie in the store, the configuration or a process."""

from __future__ import annotations

from typing import Final

from connector.codes import Code, Entry, Family

ENTRIES: Final[dict[Code, Entry]] = {
    Code.STORE_UNAVAILABLE: Entry(
        Family.TEMPORARY,
        503,
        "The delivery could not be stored",
        "The sender repeats it; check the store with /health/ready.",
    ),
    Code.STORE_BUSY: Entry(
        Family.TEMPORARY,
        503,
        "More deliveries come in than the store can take",
        "The sender repeats it as Retry-After says; look at the disk, or use more than one machine.",
    ),
    Code.STORE_OUTDATED: Entry(
        Family.MISCONFIGURED, 503, "The store's schema is not current", "Run `connector db upgrade`."
    ),
    Code.STORE_MOVED: Entry(
        Family.MISCONFIGURED, 503, "The store was moved to PostgreSQL", "Set store.url to the new store."
    ),
    Code.STORE_INCOMPLETE: Entry(
        Family.MISCONFIGURED, 503, "The store is an unfinished or failed copy", "Give `connector db copy` again."
    ),
    Code.LOG_DAMAGED: Entry(
        Family.MISCONFIGURED,
        0,
        "The audit log is not what it was",
        "Run `connector audit verify`, which names the first bad entry; see docs/audit-log.md.",
    ),
    Code.STAMP_REFUSED: Entry(
        Family.TEMPORARY,
        0,
        "The time-stamping authority gives no stamp",
        "It is asked again; if it stays so, check proof.stamps: policy, hash and every_minutes.",
    ),
    Code.STAMP_WRONG: Entry(
        Family.TEMPORARY,
        0,
        "A stamp does not hold, and was not kept",
        "It is asked again; if it stays so, check proof.stamps.url and proof.stamps.trusted, and this machine's clock.",
    ),
    Code.SEALING_KEY_MISSING: Entry(
        Family.MISCONFIGURED,
        503,
        "A key that the store's values are sealed with is missing",
        "Put the key back into store.sealing_keys, beside the new one; nothing was changed.",
    ),
    Code.PSEUDONYM_KEY_MISSING: Entry(
        Family.MISCONFIGURED,
        503,
        "A key that is still needed to recognise who and what came before is missing",
        "Put the key back into store.other_pseudonym_keys; `connector keys pseudonyms` says for what it is needed and "
        "until when. Nothing was changed.",
    ),
    Code.PSEUDONYM_KEY_NEEDED: Entry(
        Family.MISCONFIGURED,
        0,
        "People would be forgotten without the pseudonym key",
        "Bring what can be read under the present key with `connector keys rotate`, and end or take off what "
        "`connector keys pseudonyms` counts.",
    ),
    Code.VALUE_UNREADABLE: Entry(
        Family.MISCONFIGURED,
        503,
        "A sealed value does not open",
        "It, or its data key, was changed or moved in the database: restore that row from a backup.",
    ),
    Code.SUPPRESSION_ILLEGIBLE: Entry(
        Family.MISCONFIGURED,
        503,
        "A pseudonym key of the suppression list is missing",
        "Put the key back into store.other_pseudonym_keys, or end those entries: `connector suppression end "
        "--former-key`.",
    ),
    Code.COPY_REFUSED: Entry(
        Family.MISCONFIGURED, 0, "The store cannot be copied like this", "Mend what is named, then copy again."
    ),
    Code.WORKER_ALREADY_RUNNING: Entry(
        Family.MISCONFIGURED,
        0,
        "Another worker holds this store",
        "Stop the other worker; the embedded engine runs exactly one.",
    ),
    Code.ENGINE_MISMATCH: Entry(
        Family.MISCONFIGURED,
        0,
        "The store does not fit the engine",
        "Use the engine that docs/configuration.md names for this store URL.",
    ),
    Code.CONFIG_INVALID: Entry(
        Family.MISCONFIGURED,
        0,
        "The configuration is not valid",
        "Mend every line listed; `connector config check` shows them again.",
    ),
    Code.REQUEST_UNKNOWN: Entry(
        Family.REJECTED, 0, "No request with this id", "See `connector status --list 100` or `connector dlq list`."
    ),
    Code.ILLEGAL_MOVE: Entry(
        Family.DEFECT,
        0,
        "A state change outside the table of moves",
        "Report it with the log record; nothing was changed.",
    ),
}
