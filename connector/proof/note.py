"""Signed notes (https://c2sp.org/signed-note) and the checkpoints of a log in them (https://c2sp.org/tlog-checkpoint).

Signatures are Ed25519, of type 0x01. Everybody who follows transparency logs reads this format.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from connector.proof.keys import PublicKey, SigningKey
from connector.proof.tree import HASH_BYTES
from connector.proof.verdict import Flaw, Refuted

_ED25519: Final = b"\x01"
_ID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_MOST_SIGNATURES: Final = 16
_MOST_CHARS: Final = 100_000
_DASH: Final = "\N{EM DASH}"
_LINE: Final = re.compile(rf"{_DASH} (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={{0,2}})")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")
#: What names a log and its key: a URL without its scheme. No space and no plus, as the format asks for.
ORIGIN: Final = re.compile(r"[A-Za-z0-9._~:/-]{1,128}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How a log stood: its name, the number of its entries, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_id(name: str, key: PublicKey) -> bytes:
    """Return the four bytes by which a note names a key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:_ID_BYTES]


def verifier_key(name: str, key: PublicKey) -> str:
    """Return the key as tools for such logs take it: name, id and key."""
    return f"{name}+{key_id(name, key).hex()}+{base64.b64encode(_ED25519 + key.raw).decode()}"


def sign(text: str, name: str, key: SigningKey) -> str:
    """Return the note: the text, an empty line, and the line of the signature."""
    signature = key_id(name, key.public) + key.sign(text.encode())
    return f"{text}\n{_DASH} {name} {base64.b64encode(signature).decode()}\n"


def read(note: str, name: str, keys: Iterable[PublicKey], *, alone: bool = False) -> str:
    """Return the text of a note that one of the keys has signed under that name.

    Args:
        alone: whether there may be no other signature beside it. Others are ignored, as the format asks for.

    Raises:
        Refuted: it is no note, or none of the keys has signed it.
    """
    text, lines = _parts(note)
    if alone and len(lines) != 1:
        raise Refuted(Flaw.NOTE_MALFORMED, "more than one signature")
    known = {key_id(name, one): one for one in keys}
    signed = False
    for signer, data in lines:
        key = known.get(data[:_ID_BYTES]) if signer == name else None
        if key is None:
            continue
        if len(data) != _ID_BYTES + _SIGNATURE_BYTES or not key.verifies(data[_ID_BYTES:], text.encode()):
            raise Refuted(Flaw.SIGNATURE_WRONG, "the signature of the checkpoint")
        signed = True
    if not signed:
        raise Refuted(Flaw.CHECKPOINT_UNSIGNED, "no signature of a known key")
    return text


def read_checkpoint(note: str, origin: str, keys: Iterable[PublicKey], *, alone: bool = False) -> Checkpoint:
    """Return the checkpoint of a log that one of its keys has signed.

    Raises:
        Refuted: it is none, it is of another log, or none of the keys has signed it.
    """
    checkpoint = parse_checkpoint(read(note, origin, keys, alone=alone))
    if checkpoint.origin != origin:
        raise Refuted(Flaw.CHECKPOINT_FOREIGN, "the checkpoint is of another log")
    return checkpoint


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; lines behind the third may say anything."""
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]) or lines[-1]:  # noqa: PLR2004 - three lines, and the end of the last
        raise Refuted(Flaw.CHECKPOINT_MALFORMED, "three lines are expected")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise Refuted(Flaw.CHECKPOINT_MALFORMED, "the second line is no size")
    found = _base64(root, Flaw.CHECKPOINT_MALFORMED)
    if len(found) != HASH_BYTES:
        raise Refuted(Flaw.CHECKPOINT_MALFORMED, "the third line is no hash")
    return Checkpoint(origin, int(size), found)


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Split a note at its last empty line into the text and its signatures by (name, key id and signature)."""
    if len(note) > _MOST_CHARS or any(one < " " and one != "\n" for one in note) or not _is_unicode(note):
        raise Refuted(Flaw.NOTE_MALFORMED, "too long, or characters that a note has not")
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not text or not signatures.endswith("\n"):
        raise Refuted(Flaw.NOTE_MALFORMED, "no empty line before the signatures, or no end of the last line")
    lines = signatures[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise Refuted(Flaw.NOTE_MALFORMED, "too many signatures")
    found = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise Refuted(Flaw.NOTE_MALFORMED, "a line that is no signature")
        data = _base64(match["signature"], Flaw.NOTE_MALFORMED)
        if len(data) <= _ID_BYTES:
            raise Refuted(Flaw.NOTE_MALFORMED, "a signature that is too short")
        found.append((match["name"], data))
    return f"{text}\n", found


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _base64(text: str, flaw: Flaw) -> bytes:
    """Decode strictly: other spellings of the same bytes are refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refuted(flaw, "no base64") from None
    if base64.b64encode(data).decode() != text:
        raise Refuted(flaw, "base64 in another spelling")
    return data
