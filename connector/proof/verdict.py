"""The verdict on something that was to be proved: nothing, if it holds, or `Refuted`, which says what does not."""

from __future__ import annotations

from enum import StrEnum


class Flaw(StrEnum):
    """Why a proof does not hold. The words are stable: scripts and auditors may rely on them."""

    NOT_CANONICAL = "not_canonical"  # not JSON in the one form of RFC 8785, or not of the expected shape
    FORMAT_UNKNOWN = "format_unknown"  # another format, or another version of it
    JWS_MALFORMED = "jws_malformed"
    KEY_UNKNOWN = "key_unknown"
    KEY_MALFORMED = "key_malformed"
    SIGNATURE_WRONG = "signature_wrong"
    COUNTS_WRONG = "counts_wrong"  # the numbers do not add up, or are not those of what is listed
    INCLUSION_WRONG = "inclusion_wrong"
    CONSISTENCY_WRONG = "consistency_wrong"
    NOTE_MALFORMED = "note_malformed"
    CHECKPOINT_MALFORMED = "checkpoint_malformed"
    CHECKPOINT_UNSIGNED = "checkpoint_unsigned"
    CHECKPOINT_FOREIGN = "checkpoint_foreign"  # of another log
    STAMP_REFUSED = "stamp_refused"  # the authority gives none
    STAMP_MALFORMED = "stamp_malformed"
    STAMP_FOREIGN = "stamp_foreign"  # of other bytes, or the answer to another question
    STAMP_UNTRUSTED = "stamp_untrusted"  # of an authority that is not trusted, or was not when it was made
    STAMP_PURPOSE_WRONG = "stamp_purpose_wrong"  # the certificate is not for time stamps
    STAMP_TIME_WRONG = "stamp_time_wrong"


class Refuted(Exception):
    """It does not hold.

    Attributes:
        flaw: the stable reason.
        detail: what was found, in words that quote nothing of it.
    """

    def __init__(self, flaw: Flaw, detail: str = "") -> None:
        self.flaw = flaw
        self.detail = detail
        super().__init__(f"{flaw}: {detail}" if detail else str(flaw))
