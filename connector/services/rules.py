"""What is settled about a source or an account before any work begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connector.policy.polling import PollPolicy
from connector.ports import ReadBack, Roll


class LookUp(StrEnum):
    """When an account's profiles are looked up."""

    BEFORE_AND_AFTER = "before_and_after"
    AFTER = "after"
    OFF = "off"


class SchemaRule(StrEnum):
    """What follows if an account's schema lacks a field that the mapping names."""

    REQUIRE = "require"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests of a source are carried out.

    Attributes:
        deletion_types: the request types that mean erasure, as `services.kinds.plain` writes them.
        access_types: those that mean access, written alike; none of them means erasure.
    """

    deletion_types: frozenset[str]
    allow_test_requests: bool = False
    access_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListingRules:
    """What a source is asked about a request, and which answers let it pass.

    Attributes:
        visible_within: how long a new request may stay unlisted before it is held.
        again: when a request that is held for want of a listing is asked about again.
        every: after which time an open request is asked about once more.
    """

    reader: ReadBack
    refused_stages: frozenset[str]
    closed_is_fine: bool
    visible_within: timedelta
    again: PollPolicy
    every: timedelta


@dataclass(frozen=True, slots=True)
class BackstopRules:
    """How a source's own list of open tasks is looked through.

    Attributes:
        overlap: by how much a look reaches back beyond the last one that went well.
        first: by how much the very first one reaches back.
    """

    roll: Roll
    every: timedelta
    overlap: timedelta
    first: timedelta
