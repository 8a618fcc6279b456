"""What a source is told beside the state of its tasks, each where it is configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from connector.ports import Commenter, Filing, FollowUp, ResolutionCheck


class Evidence(StrEnum):
    """What the evidence file of a completion is."""

    TABLE = "table"
    RECEIPT = "receipt"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What becomes of the answers to access requests.

    Attributes:
        filing: where the document goes before the answer is reported; None if an operator takes it.
        hold_redacted: whether a request waits as long as a profile lacks its personal fields.
        keep: the longest time that anything read is kept here.
        max_bytes: the largest document, and the largest profile.
    """

    filing: Filing | None = None
    hold_redacted: bool = True
    keep: timedelta = timedelta(days=14)
    max_bytes: int = 5_000_000


@dataclass(frozen=True, slots=True)
class Extras:
    """Nothing, by default.

    Attributes:
        filing: where evidence goes before a completion is reported.
        follow_ups: what it is told after a report.
        commenter: what tells people there once a day that the work goes on.
        evidence: what is filed there.
        warner: what tells people there that a due date is near; `warn_before`: how near.
        resolutions: what looks whether it knows the resolutions that are sent along.
        access: what becomes of the answers to access requests.
    """

    filing: Filing | None = None
    follow_ups: Sequence[FollowUp] = ()
    commenter: Commenter | None = None
    warner: Commenter | None = None
    warn_before: timedelta = timedelta(days=7)
    resolutions: ResolutionCheck | None = None
    evidence: Evidence = Evidence.TABLE
    access: AccessRules = field(default_factory=AccessRules)
