"""Receipts: a signed statement of what was done for one request, with the proof that the audit log holds it.

A receipt is one JSON document in canonical form: the statement as a JWS, and the log's checkpoint with the path from
the statement's entry to its root. It is verified from these bytes and the public keys alone.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.proof import canonical, jws, note, tree
from connector.proof.keys import PublicKey, SigningKey
from connector.proof.note import Checkpoint
from connector.proof.verdict import Flaw, Refuted

FORMAT: Final = "consent-connector-receipt/v1"
TYPE: Final = "consent-connector-receipt"
#: A receipt of ten thousand identities is about this long, in bytes.
MOST_BYTES: Final = 32 * 1024 * 1024
_HASH: Final = re.compile("[0-9a-f]{64}")
_MEMBERS: Final = {"format", "jws", "log"}
_LOG_MEMBERS: Final = {"checkpoint", "index", "path"}
_MOST_STEPS: Final = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where the log holds an entry: its index, a checkpoint that covers it, and the path to the checkpoint's root."""

    index: int
    checkpoint: str
    path: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Proven:
    """A receipt that holds.

    Attributes:
        statement: what was signed.
        key: which key signed it.
        index: the place of its entry in the log.
    """

    statement: Mapping[str, Any]
    key: PublicKey
    index: int
    checkpoint: Checkpoint


def sign(statement: Mapping[str, Any], key: SigningKey) -> str:
    """Return the statement, signed."""
    check_counts(statement)
    return jws.sign(canonical.write(statement), TYPE, key)


def entry_of(statement: Mapping[str, Any]) -> bytes:
    """Return the log's entry of a statement: which one it is, and its digest."""
    return canonical.write(
        {
            "at": statement["issued_at"],
            "attempt": statement["attempt"],
            "kind": "receipt",
            "number": statement["number"],
            "request": statement["job"],
            "sha256": digest(statement),
        }
    )


def digest(statement: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a statement's canonical form, in hex."""
    return hashlib.sha256(canonical.write(statement)).hexdigest()


def assemble(signed: str, place: Place) -> bytes:
    """Return the receipt as it is handed out."""
    log = {"checkpoint": place.checkpoint, "index": place.index, "path": [one.hex() for one in place.path]}
    return canonical.write({"format": FORMAT, "jws": signed, "log": log})


def verify(data: bytes, keys: Sequence[PublicKey]) -> Proven:
    """Check a receipt against the keys of whoever issued it.

    Raises:
        Refuted: it does not hold; the flaw says which part.
    """
    if len(data) > MOST_BYTES:
        raise Refuted(Flaw.NOT_CANONICAL, "longer than any receipt")
    envelope = canonical.read_object(data)
    if envelope.get("format") != FORMAT:
        raise Refuted(Flaw.FORMAT_UNKNOWN, f"expected {FORMAT}")
    log, signed = envelope.get("log"), envelope.get("jws")
    if envelope.keys() != _MEMBERS or not isinstance(signed, str) or not isinstance(log, dict):
        raise Refuted(Flaw.NOT_CANONICAL, "members are missing, or there are others")
    payload, key = jws.open_signed(signed, TYPE, keys)
    statement = read_statement(payload)
    place = _place(log)
    checkpoint = note.read_checkpoint(place.checkpoint, statement["issuer"], keys, alone=True)
    leaf = tree.leaf_hash(entry_of(statement))
    tree.check_inclusion(leaf, place.index, checkpoint.size, place.path, checkpoint.root)
    return Proven(statement, key, place.index, checkpoint)


def read_statement(payload: bytes) -> dict[str, Any]:
    """Read a statement; whatever else it says, what names it is there and its numbers add up.

    Raises:
        Refuted: they do not.
    """
    statement = canonical.read_object(payload)
    if statement.get("format") != FORMAT:
        raise Refuted(Flaw.FORMAT_UNKNOWN, f"the statement: expected {FORMAT}")
    texts = all(isinstance(statement.get(one), str) for one in ("issuer", "issued_at", "job"))
    numbers = all(type(statement.get(one)) is int for one in ("attempt", "number"))
    if not texts or not numbers or not note.ORIGIN.fullmatch(statement["issuer"]):
        raise Refuted(Flaw.NOT_CANONICAL, "the statement does not say which one it is")
    check_counts(statement)
    return statement


def check_counts(statement: Mapping[str, Any]) -> None:
    """Check that the counts are those of what the statement lists, and that each adds up to its total.

    Raises:
        Refuted: they are not.
    """
    try:
        counted = count(statement["identities"])
        said = statement["counts"]
    except (KeyError, TypeError, AttributeError):
        raise Refuted(Flaw.COUNTS_WRONG, "there is nothing to count") from None
    if said != counted:
        raise Refuted(Flaw.COUNTS_WRONG, "the counts are not those of what is listed")


def count(identities: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Count what became of identities, and of the Lytics fields that they were mapped to; `total` is the sum."""
    states = Counter(str(one["state"]) for one in identities)
    ended = Counter(str(target["state"]) for one in identities for target in one["targets"])
    return {"identities": {**states, "total": states.total()}, "targets": {**ended, "total": ended.total()}}


def _place(log: Mapping[str, Any]) -> Place:
    index, checkpoint, path = log.get("index"), log.get("checkpoint"), log.get("path")
    if log.keys() != _LOG_MEMBERS or type(index) is not int or not isinstance(checkpoint, str):
        raise Refuted(Flaw.NOT_CANONICAL, "the place in the log")
    if not isinstance(path, list) or len(path) > _MOST_STEPS:
        raise Refuted(Flaw.INCLUSION_WRONG, "the path")
    if not all(isinstance(one, str) and _HASH.fullmatch(one) for one in path):
        raise Refuted(Flaw.INCLUSION_WRONG, "a step of the path is no hash")
    return Place(index, checkpoint, [bytes.fromhex(one) for one in path])
