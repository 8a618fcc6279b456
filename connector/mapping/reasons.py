"""Why an identity has no target, and why a request waits for a person. Each word is explained in docs/mapping.md."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why one identity is not mapped. The first two mean unmapped, all others rejected."""

    NO_RULE = "no_rule"
    IGNORED = "ignored"
    EMPTY = "empty"
    JUNK = "junk"
    TOO_LONG = "too_long"
    CONTROL_CHARACTERS = "control_characters"
    UNCLEAN_EDGES = "unclean_edges"
    INVALID_EMAIL = "invalid_email"
    INVALID_PHONE = "invalid_phone"
    PATTERN = "pattern"


class HoldReason(StrEnum):
    """Why a request is held after mapping. If several apply, the first in this order is named."""

    UNMAPPED_IDENTITY = "unmapped_identity"
    REJECTED_IDENTITY = "rejected_identity"
    REQUIRED_IDENTITY_MISSING = "required_identity_missing"
    NOTHING_MAPPED = "nothing_mapped"


class Unusable(Exception):
    """A value that a step or check does not accept. Carries the reason never the value, and stays in this package."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)
