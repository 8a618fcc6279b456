"""Stamps on checkpoints (RFC 3161): what an authority is asked, and whether its answer is one to keep.

A stamp shows that an authority, which is neither the operator nor this program, had a checkpoint before it, and when.
It is judged at the time that it names, so it still holds when the authority's certificate has expired.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from asn1crypto import cms, core, tsp

from connector.proof import stamp_token
from connector.proof.stamp_token import Authorities, Said
from connector.proof.verdict import Flaw, Refuted

#: What may be asked for; what others were asked for before still verifies.
HASHES: Final = ("sha256", "sha512")
NONCE_BITS: Final = 64
_VERSION: Final = "v1"
_GRANTED: Final = frozenset({"granted", "granted_with_mods"})


class _Answer(core.Sequence):  # type: ignore[misc] # the library has no types
    """TimeStampResp (section 2.4.2). The library's own has no place for an answer without a token."""

    _fields: Final = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


@dataclass(frozen=True, slots=True)
class Question:
    """What an authority is asked.

    Attributes:
        content: what is to be stamped; only its hash is sent.
        hash: one of `HASHES`.
        nonce: a number that nobody can guess, so that no older answer fits.
        policy: the policy that is asked for, as a dotted OID; empty for the authority's own choice.
    """

    content: bytes
    hash: str
    nonce: int
    policy: str = ""

    def encoded(self) -> bytes:
        """Return the question as it is sent; the certificates are asked for, to be kept with the stamp."""
        imprint = {"hash_algorithm": {"algorithm": self.hash}, "hashed_message": _digest(self.hash, self.content)}
        asked: dict[str, Any] = {"version": _VERSION, "message_imprint": imprint, "nonce": self.nonce, "cert_req": True}
        der: bytes = tsp.TimeStampReq(asked | ({"req_policy": self.policy} if self.policy else {})).dump()
        return der


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp that holds: the token, which programs for such stamps read, and what it says."""

    token: bytes
    said: Said


def accept(answer: bytes, question: Question, authorities: Authorities, now: datetime, tolerance_s: float) -> Stamp:
    """Return the stamp in an authority's answer, if it is one to keep.

    Args:
        tolerance_s: how far, in seconds, its clock may be from `now`.

    Raises:
        Refuted: it gives none, or one that is not what was asked for, or not of a trusted authority.
    """
    token = _token(answer)
    said = verify(token, question.content, authorities)
    if said.nonce != question.nonce or said.hash != question.hash:
        raise Refuted(Flaw.STAMP_FOREIGN, "it answers another question")
    if question.policy and said.policy != question.policy:
        raise Refuted(Flaw.STAMP_FOREIGN, "it was made under another policy than asked for")
    if abs(said.at - now) > timedelta(seconds=tolerance_s):
        raise Refuted(Flaw.STAMP_TIME_WRONG, f"its time is more than {tolerance_s:g} s from ours")
    return Stamp(token, said)


def verify(token: bytes, content: bytes, authorities: Authorities) -> Said:
    """Return what a stamp says of these bytes.

    Raises:
        Refuted: it does not hold, or is of other bytes.
    """
    said = stamp_token.read(token, authorities)
    if said.hash not in stamp_token.HASHES or said.digest != _digest(said.hash, content):
        raise Refuted(Flaw.STAMP_FOREIGN, "it is of other bytes")
    return said


def _token(answer: bytes) -> bytes:
    if len(answer) > stamp_token.MOST_BYTES:
        raise Refuted(Flaw.STAMP_MALFORMED, "longer than any stamp")
    try:
        read = _Answer.load(answer, strict=True)
        status, token = read["status"]["status"].native, read["time_stamp_token"]
        failure = read["status"]["fail_info"].native or ()
        der: bytes = token.dump()
    except stamp_token.UNREADABLE:
        raise Refuted(Flaw.STAMP_MALFORMED, "the answer is none of a time-stamping authority") from None
    if status not in _GRANTED:
        # Words of the library's table; what the authority writes beside them is not repeated.
        known = sorted(one for one in failure if isinstance(one, str))
        raise Refuted(Flaw.STAMP_REFUSED, f"the authority answers {status}" + (f", {' '.join(known)}" if known else ""))
    return der


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.new(name, content).digest()
