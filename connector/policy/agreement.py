"""Whether a platform's own listing agrees with what a delivery said, so that something may be deleted. Pure.

Whoever holds the secret of a source can send a delivery. What the platform lists, only the platform decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

import phonenumbers

from connector.model import Identity, Listing
from connector.private import Private


class Doubt(StrEnum):
    """Why a request is held although it was verified: a person has to look."""

    NOT_LISTED = "not_listed"  # the platform does not know it, or not for our credential
    IDS_DIFFER = "ids_differ"  # its ids do not belong together, or name no task of ours
    NOT_READABLE = "not_readable"  # the platform refuses to show it
    ANSWER_UNUSABLE = "answer_unusable"  # an answer of the form that a rule names is no plain value
    STAGE_NOT_ALLOWED = "stage_not_allowed"  # it is not verified yet, or was closed
    TASK_CLOSED = "task_closed"  # somebody ended the task that is ours
    TYPE_MISSING = "type_missing"  # it is listed without any type
    NOT_ASKED_FOR = "not_asked_for"  # the delivery named a test, or no erasure; the platform lists one
    BOTH_TYPES = "access_and_erasure"  # it is listed as an access and an erasure in one
    TYPE_CHANGED = "type_changed"  # it was taken for an erasure or an access, and is listed as something else now
    ADDRESS_DIFFERS = "address_differs"  # the delivery named another e-mail address


#: Not verified, or closed, in OneTrust's default stages.
REFUSED_STAGES: Final = frozenset({"UNVERIFIED", "NEW", "VERIFYING_IDENTITY", "REJECTED", "COMPLETED"})

_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
# At least eight characters and four digits, and no blank: how customer numbers, UUIDs and device ids look.
_LONG_ID: Final = re.compile(r"(?=(?:\D*\d){4})[A-Za-z0-9][A-Za-z0-9:._-]{7,}")
# Dates look like long ids, and are none.
_DATE: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")


def doubt(
    listing: Listing, said: Iterable[Identity], refused_stages: Collection[str], *, closed_is_fine: bool = False
) -> Doubt | None:
    """Return what speaks against deleting anybody for a request; None if nothing does.

    Args:
        said: the identities of the deliveries; whatever reads as an e-mail address has to be among those listed.
        refused_stages: as `Listing.stage` writes them.
        closed_is_fine: whether the task may have been ended: some workflows end it as soon as a call was answered.
    """
    if listing.stage in refused_stages:
        return Doubt.STAGE_NOT_ALLOWED
    if not listing.is_open and not closed_is_fine:
        return Doubt.TASK_CLOSED
    if not listing.request_types:
        return Doubt.TYPE_MISSING
    listed = {_folded(one.value) for one in (*listing.identities, *listing.answers)}
    addresses = {_folded(one.value) for one in said if _is_address(one.value.reveal())}
    return None if addresses <= listed else Doubt.ADDRESS_DIFFERS


def looks_like_an_identity(value: Private) -> bool:
    """Say whether a value reads as an e-mail address, a telephone number or an id: somebody may have forgotten it."""
    text = value.reveal().strip()
    if _is_address(text):
        return True
    if _DATE.fullmatch(text) is not None:
        return False
    return _LONG_ID.fullmatch(text) is not None or _is_phone(text)


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text.strip()) is not None


def _is_phone(text: str) -> bool:
    if not text.startswith("+"):
        return False
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text))
    except phonenumbers.NumberParseException:
        return False


def _folded(value: Private) -> str:
    """Return a value as it is compared: NFKC, without the blanks around it and without case."""
    return unicodedata.normalize("NFKC", value.reveal()).strip().casefold()
