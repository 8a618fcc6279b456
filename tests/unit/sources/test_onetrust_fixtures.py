"""Each callback under tests/fixtures/onetrust and what it has to be read as."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.model import Call, Identity
from connector.private import Private
from connector.sources.onetrust.parse import OneTrustSource

FIXTURES = Path(__file__).parents[2] / "fixtures" / "onetrust"

SUBTASK = "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"
REQUEST = "0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21"
REFERENCE = "K7Q2M9XW4D"


def identities(*pairs: tuple[str, str]) -> tuple[Identity, ...]:
    return tuple(Identity(kind, Private(value)) for kind, value in pairs)


READ = {
    "subtask_created__full": Call(
        request_key=f"subtask:{SUBTASK}",
        event_id="5b0e2f5a-6a3c-4e0c-9a5f-0b7d6f6f1c11",
        external={"subtask_id": SUBTASK, "request_ref": REFERENCE, "request_id": REQUEST},
        request_types=("Data Deletion",),
        identities=identities(
            ("email", "Jo.Meyer@Example.com"), ("Phone", "+49 30 23125 678"), ("Loyalty ID", "00481516")
        ),
        due_at=datetime(2026, 12, 1, 11, tzinfo=UTC),
        country="DE",
        is_test=False,
    ),
    "subtask_created__minimal": Call(
        request_key=f"subtask:{SUBTASK}",
        event_id=None,
        external={"subtask_id": SUBTASK},
        request_types=(),
        identities=identities(("email", "jo.meyer@example.com")),
    ),
    "subtask_created__by_reference": Call(
        request_key=f"request:{REFERENCE}",
        event_id=None,
        external={"request_ref": REFERENCE},
        request_types=(),
        identities=identities(("email", "jo.meyer@example.com")),
    ),
    "subtask_created__aliases": Call(
        request_key=f"subtask:{SUBTASK}",
        event_id=None,
        external={"subtask_id": SUBTASK, "request_ref": REFERENCE, "request_id": REQUEST},
        request_types=("Data Deletion", "Do Not Sell"),
        identities=identities(("email", "jo.meyer@example.com"), ("identifier", "00481516")),
    ),
    "subtask_created__everything_as_text": Call(
        request_key=f"subtask:{SUBTASK}",
        event_id=None,
        external={"subtask_id": SUBTASK, "request_ref": REFERENCE},
        request_types=(),
        identities=identities(("Customer No", "481516"), ("Newsletter", "true")),
        due_at=datetime(2026, 12, 1, 11, tzinfo=UTC),
        is_test=True,
    ),
}

REFUSED = {
    "subtask_created__read_back": (Code.IDENTITY_MISSING, ""),
    "subtask_created__no_ids": (Code.REQUEST_ID_MISSING, ""),
    "subtask_created__unrendered_placeholder": (Code.TEMPLATE_UNRENDERED, "identifiers.Loyalty ID"),
    "subtask_created__reference_in_subtask": (Code.FIELD_INVALID, "subTaskId must be a UUID"),
    "subtask_created__unescaped_quote": (Code.BODY_UNREADABLE, ""),
    "subtask_created__duplicate_key": (Code.BODY_DUPLICATE_KEY, ""),
    "subtask_created__list_of_requests": (Code.BODY_NOT_AN_OBJECT, ""),
    "subtask_created__two_addresses": (
        Code.FIELD_INVALID,
        "requesterEmail must be the same as dataSubjectEmail, where both are given",
    ),
    "consent_profile_updated__withdrawal": (
        Code.FIELD_INVALID,
        "event must be a dsar event, such as dsar.subtask.created",
    ),
}


def payload(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", sorted(READ))
def test_reads_the_callback(name: str) -> None:
    assert OneTrustSource().parse(payload(name)) == READ[name]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refuses_the_callback_and_names_the_field(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        OneTrustSource().parse(payload(name))
    assert (caught.value.code, caught.value.detail) == REFUSED[name]


def test_takes_a_callback_without_identifiers_where_they_are_read_back() -> None:
    call = OneTrustSource(require_identity=False).parse(payload("subtask_created__read_back"))
    assert (call.request_key, call.identities) == (f"subtask:{SUBTASK}", ())


def test_every_fixture_is_named_here() -> None:
    assert {path.stem for path in FIXTURES.glob("*.json")} == set(READ) | set(REFUSED)


def test_a_call_shows_no_identity() -> None:
    assert "meyer" not in repr(READ["subtask_created__full"]).lower()
