"""Whether a listing agrees with a delivery, and what looks like an identity that somebody forgot to name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model import Identity, Listing
from connector.policy.agreement import REFUSED_STAGES, Doubt, doubt, looks_like_an_identity
from connector.private import Private


def identity(kind: str, value: str) -> Identity:
    return Identity(kind, Private(value))


LISTING = Listing(
    external={"request_ref": "K7Q2M9XW4D"},
    request_types=("Data Deletion",),
    identities=(identity("email", "ana@example.com"),),
    answers=(identity("Second Address", "ana.b@example.org"), identity("Loyalty ID", "00481516")),
    stage="IN_PROGRESS",
    is_open=True,
)


def test_what_is_listed_as_it_was_said_is_not_doubted() -> None:
    said = [identity("email", " Ana@Example.COM "), identity("other", "\uff41na.b@example.org")]
    assert doubt(LISTING, said, REFUSED_STAGES) is None
    assert doubt(LISTING, [], REFUSED_STAGES) is None


@pytest.mark.parametrize("stage", sorted(REFUSED_STAGES))
def test_a_stage_before_verification_or_after_the_end_is_doubted(stage: str) -> None:
    assert doubt(replace(LISTING, stage=stage), [], REFUSED_STAGES) is Doubt.STAGE_NOT_ALLOWED
    assert doubt(replace(LISTING, stage=stage), [], ()) is None


def test_a_task_that_somebody_ended_is_doubted_unless_the_workflow_ends_it_at_once() -> None:
    ended = replace(LISTING, is_open=False)
    assert doubt(ended, [], REFUSED_STAGES) is Doubt.TASK_CLOSED
    assert doubt(ended, [], REFUSED_STAGES, closed_is_fine=True) is None


def test_a_request_without_a_type_is_doubted() -> None:
    assert doubt(replace(LISTING, request_types=()), [], REFUSED_STAGES) is Doubt.TYPE_MISSING


@pytest.mark.parametrize("value", ["eve@example.com", "ana@example.com.example.org", "a na@example.com@example.org"])
def test_an_address_that_is_not_listed_is_doubted_under_whatever_label_it_came(value: str) -> None:
    expected = None if " " in value else Doubt.ADDRESS_DIFFERS
    assert doubt(LISTING, [identity("Nickname", value)], REFUSED_STAGES) is expected


def test_an_identifier_that_is_no_address_is_not_compared() -> None:
    assert doubt(LISTING, [identity("Loyalty ID", "99999999")], REFUSED_STAGES) is None


@pytest.mark.parametrize(
    "value",
    [
        "ana@example.com",
        " ana@example.com ",
        "+49 30 23125 042",
        "00481516",
        "5b0e2f5a-6a3c-4e0c-9a5f-0b7d6f6f1c11",
        "AB-1234-5678",
    ],
)
def test_addresses_numbers_and_ids_look_like_identities(value: str) -> None:
    assert looks_like_an_identity(Private(value))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Berlin",
        "yes",
        "California",
        "2026-11-02",
        "02.11.2026",
        "2026-11-02T09:00:00Z",
        "please delete me",
        "12345",
        "+1",
    ],
)
def test_words_dates_and_short_numbers_do_not(value: str) -> None:
    assert not looks_like_an_identity(Private(value))
