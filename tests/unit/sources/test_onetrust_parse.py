from __future__ import annotations

import json
from typing import Any

import pytest

from connector.codes import Code
from connector.dialect.description import Description, IdentityPlace
from connector.dialect.place import Place
from connector.errors import Rejected
from connector.model import Call, Purpose
from connector.sources.generic.parse import GenericSource
from connector.sources.onetrust.parse import OneTrustSource
from connector.sources.registry import PLATFORMS

SUBTASK = "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"
REQUEST = "0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21"
REFERENCE = "K7Q2M9XW4D"
BASE: dict[str, Any] = {"subTaskId": SUBTASK, "identifiers": {"email": "jo.meyer@example.com"}}


def parse(**members: Any) -> Call:
    return OneTrustSource().parse(json.dumps(members).encode())


def read(**members: Any) -> Call:
    return parse(**(BASE | members))


def refusal(**members: Any) -> tuple[Code, str]:
    with pytest.raises(Rejected) as caught:
        parse(**members)
    assert caught.value.entry.status == 422
    return caught.value.code, caught.value.detail


def pairs(call: Call) -> list[tuple[str, str]]:
    return [(one.kind, one.value.reveal()) for one in call.identities]


@pytest.mark.parametrize("name", ["subTaskId", "subtaskId", "subTaskGuid", "subtask_id", "SUBTASKID", "Subtask_Id"])
def test_reads_the_subtask_under_each_of_its_names(name: str) -> None:
    call = parse(**{name: SUBTASK, "email": "jo@example.com"})
    assert call.external == {"subtask_id": SUBTASK}
    assert call.request_key == f"subtask:{SUBTASK}"


@pytest.mark.parametrize(
    "name", ["requestQueueRefId", "requestRefId", "requestId", "refId", "requestQueueRefID", "requestQueueId"]
)
def test_tells_a_reference_from_an_id_by_its_shape_under_each_name(name: str) -> None:
    assert read(**{name: REFERENCE}).external == {"subtask_id": SUBTASK, "request_ref": REFERENCE}
    assert read(**{name: REQUEST.upper()}).external == {"subtask_id": SUBTASK, "request_id": REQUEST}


def test_a_request_id_alone_does_not_name_a_request() -> None:
    assert refusal(requestId=REQUEST, email="jo@example.com") == (Code.REQUEST_ID_MISSING, "")


def test_looks_for_the_request_before_the_identities() -> None:
    assert refusal(identifiers={}) == (Code.REQUEST_ID_MISSING, "")


@pytest.mark.parametrize(
    "value",
    [
        "K7Q2M9XW4D",
        "a6f2b0c49f4a4b8e9b391f9f6f0f1b32",
        "{a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32}",
        "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b3٣",
        "00000000-0000-0000-0000-000000000000",
        "SUB-1",
        7,
        True,
        [SUBTASK],
        {"id": SUBTASK},
    ],
)
def test_refuses_a_subtask_that_is_not_a_uuid(value: Any) -> None:
    code, detail = refusal(subTaskId=value, email="jo@example.com")
    assert code is Code.FIELD_INVALID
    assert detail in ("subTaskId must be a UUID", "subTaskId must be text")


@pytest.mark.parametrize("value", ["k7q2m9xw4d", "K7Q2M9XW4", "K7Q2M9XW4DD", "K7Q2M9XW4Ä", "K7Q2 M9XW4"])
def test_refuses_a_reference_of_another_shape(value: str) -> None:
    code, detail = refusal(**BASE, requestQueueRefId=value)
    assert code is Code.FIELD_INVALID
    assert detail.startswith("requestQueueRefId must be a reference")


@pytest.mark.parametrize(
    "members",
    [
        {"subTaskGuid": REQUEST},
        {"requestRefId": REFERENCE, "refId": "AAAAAAAAAA"},
        {"requestId": REQUEST, "requestQueueGuid": "11111111-1111-4111-8111-111111111111"},
    ],
)
def test_refuses_two_different_ids_for_one_thing(members: dict[str, str]) -> None:
    assert refusal(**BASE, **members)[1].endswith("must be the same id in all its spellings")


def test_refuses_the_requests_id_in_the_place_of_the_subtask() -> None:
    code, detail = refusal(**BASE, requestQueueId=SUBTASK.upper())
    assert (code, detail) == (Code.FIELD_INVALID, "subTaskId must be the id of the subtask, not that of the request")


def test_the_same_id_twice_counts_once() -> None:
    assert read(subTaskGuid=f" {SUBTASK.upper()} ").external == {"subtask_id": SUBTASK}


@pytest.mark.parametrize("nothing", ["", " ", "null", "NULL", " undefined ", None])
def test_what_a_template_leaves_of_an_absent_value_is_missing(nothing: Any) -> None:
    call = read(
        event=nothing,
        eventId=nothing,
        requestId=nothing,
        requestTypes=nothing,
        deadline=nothing,
        countryCode=nothing,
        testRequest=nothing,
        identifiers={"email": "jo@example.com", "user_id": nothing},
    )
    assert call == parse(subTaskId=SUBTASK, email="jo@example.com")


@pytest.mark.parametrize("nothing", ["", " Null", None, {}, {"email": "", "phone": None, "user_id": "undefined"}])
def test_refuses_a_call_without_any_identity(nothing: Any) -> None:
    assert refusal(subTaskId=SUBTASK, identifiers=nothing) == (Code.IDENTITY_MISSING, "")


@pytest.mark.parametrize(
    "placeholder",
    ["${event.payload.x}", "a ${(x)!} b", "${", "#{price}", "<#if x>", "</#list>", "{{dataSubject.email}}"],
)
@pytest.mark.parametrize(
    "name",
    [
        "event",
        "eventId",
        "requestQueueRefId",
        "requestId",
        "subTaskId",
        "requestTypes",
        "countryCode",
        "deadline",
        "testRequest",
        "identifiers",
        "dataSubjectEmail",
        "email",
        "identifier",
    ],
)
def test_refuses_a_placeholder_left_in_any_field_that_is_used(name: str, placeholder: str) -> None:
    assert refusal(**{"subTaskId": SUBTASK, "refId": REFERENCE, name: placeholder}) == (Code.TEMPLATE_UNRENDERED, name)


def test_names_the_identifier_whose_placeholder_is_left() -> None:
    code, detail = refusal(subTaskId=SUBTASK, identifiers={"user id": "ok", "Loyalty ID": "${loyalty}"})
    assert (code, detail) == (Code.TEMPLATE_UNRENDERED, "identifiers.Loyalty ID")


def test_refuses_a_placeholder_left_in_a_label_or_in_a_list() -> None:
    code, detail = refusal(subTaskId=SUBTASK, identifiers={"email": "jo@example.com", "${label}": ""})
    assert (code, detail) == (Code.TEMPLATE_UNRENDERED, "the label of identifier 2")
    code, detail = refusal(**BASE, requestTypes=["Data Deletion", "${type}"])
    assert (code, detail) == (Code.TEMPLATE_UNRENDERED, "requestTypes")


@pytest.mark.parametrize("label", ["jo.meyer@example.com", "+1 202 555 0143", "2025550143", "Jo 2025550143", "J" * 41])
def test_does_not_show_a_label_that_might_be_a_value(label: str) -> None:
    assert refusal(subTaskId=SUBTASK, identifiers={label: "${email}"}) == (Code.TEMPLATE_UNRENDERED, "identifier 1")


def test_money_and_braces_in_a_value_are_no_placeholder() -> None:
    assert pairs(read(identifiers={"user_id": "$5{a}#<b>{c}"})) == [("user_id", "$5{a}#<b>{c}")]


@pytest.mark.parametrize("event", ["dsar.subtask.created", "DSAR.Stage.Changed", "dsar.x"])
def test_accepts_any_dsar_event(event: str) -> None:
    assert read(event=event) == read()


@pytest.mark.parametrize("event", ["consent.withdrawn", "dsar", "3010", 3010, "xdsar.subtask.created"])
def test_refuses_any_other_event(event: Any) -> None:
    code, detail = refusal(**BASE, event=event)
    assert code is Code.FIELD_INVALID
    assert detail.startswith("event must be")


def test_an_event_of_the_consent_modules_asks_for_nothing_and_nothing_of_it_is_kept() -> None:
    profile = {
        "eventId": "5b0e2f5a-6a3c-4e0c-9a5f-0b7d6f6f1c11",
        "eventType": "3010",
        "payload": {
            "dataSubjectEmail": "ana@example.com",
            "contactFields": {"Password": "open sesame", "MagicLink": "https://example.com/in?t=1"},
            "profiles": [{"profileFields": {"TransactionStatus": "WITHDRAWN"}}],
        },
    }
    for said in (
        profile,
        profile | {"eventType": 3010},
        {"event": "consent.profile.updated", "email": "ana@example.com"},
    ):
        call = OneTrustSource().parse(json.dumps(said).encode())
        assert (call.purpose, call.identities, call.external, call.event_id) == (Purpose.OTHER, (), {}, None)


def test_an_event_that_names_a_subtask_is_never_taken_for_one_that_asks_for_nothing() -> None:
    assert refusal(**BASE, event="consent.withdrawn")[0] is Code.FIELD_INVALID
    assert read(eventType="3010") == read()


def test_refuses_another_version_of_the_contract() -> None:
    assert refusal(**BASE, schema="consent-connector/v2")[1] == "schema must be consent-connector/v1, or left out"


@pytest.mark.parametrize(
    ("given", "types"),
    [
        (["Data Deletion", "Access"], ("Data Deletion", "Access")),
        ("Data Deletion", ("Data Deletion",)),
        ("Data Deletion, Access,,", ("Data Deletion", "Access")),
        (["Delete, please", " ", "null", None], ("Delete, please",)),
        (["Access", "Access"], ("Access",)),
        ([], ()),
    ],
)
def test_reads_request_types_as_a_list_a_text_or_a_text_with_commas(given: Any, types: tuple[str, ...]) -> None:
    assert read(requestTypes=given).request_types == types


def test_reads_the_singular_of_request_types_so_that_an_access_request_is_not_taken_for_a_deletion() -> None:
    assert read(requestType="Data Access").request_types == ("Data Access",)


@pytest.mark.parametrize("given", [7, {"name": "Data Deletion"}, [["Data Deletion"]], [1], ["x" * 201], ["a\x00"]])
def test_refuses_request_types_of_another_kind(given: Any) -> None:
    code, detail = refusal(**BASE, requestTypes=given)
    assert code is Code.FIELD_INVALID
    assert detail.startswith("requestTypes must be")


def test_refuses_too_many_request_types() -> None:
    assert len(read(requestTypes=[f"type {number}" for number in range(50)]).request_types) == 50
    assert refusal(**BASE, requestTypes=[f"type {number}" for number in range(51)])[0] is Code.FIELD_INVALID


@pytest.mark.parametrize(("given", "is_test"), [(True, True), ("true", True), (" True ", True), ("FALSE", False)])
def test_reads_a_test_request_as_a_boolean_or_as_text(given: Any, is_test: bool) -> None:
    assert read(testRequest=given).is_test is is_test


@pytest.mark.parametrize("given", ["yes", "1", 1, 0, [True], "tru"])
def test_refuses_a_test_request_that_is_neither_true_nor_false(given: Any) -> None:
    assert refusal(**BASE, testRequest=given)[0] is Code.FIELD_INVALID


@pytest.mark.parametrize(("given", "country"), [("DE", "DE"), ("fr", "FR"), (" us ", "US")])
def test_reads_a_country(given: str, country: str) -> None:
    assert read(countryCode=given).country == country


@pytest.mark.parametrize("given", ["DEU", "Germany", "D", "D1", "ßß", "ÄÖ", 49])
def test_refuses_what_is_no_country_code(given: Any) -> None:
    assert refusal(**BASE, countryCode=given)[0] is Code.FIELD_INVALID


def test_limits_the_event_id() -> None:
    assert read(eventId="e" * 200).event_id == "e" * 200
    assert read(eventId=12).event_id == "12"
    assert refusal(**BASE, eventId="e" * 201) == (Code.FIELD_INVALID, "eventId must be at most 200 characters long")


def test_ignores_what_is_not_in_the_contract() -> None:
    extra = {"firstName": "${x}", "language": 7, "payload": {"a": ["\ud800"]}, "Password": "x", "subjectTypes": None}
    assert read(**extra) == read()


def test_counts_the_same_kind_and_value_once_and_keeps_the_first_spelling() -> None:
    call = parse(
        subTaskId=SUBTASK,
        identifiers={"E-Mail": "jo@example.com", "e-mail": "jo@example.com ", "Email": "jo@example.com"},
        email="jo@example.com",
    )
    assert pairs(call) == [("E-Mail", "jo@example.com"), ("Email", "jo@example.com")]


def test_keeps_the_same_value_under_different_kinds_and_different_values_under_one() -> None:
    call = parse(subTaskId=SUBTASK, identifiers={"a": "1", "b": "1", "A": "2"})
    assert pairs(call) == [("a", "1"), ("b", "1"), ("A", "2")]


@pytest.mark.parametrize("name", ["dataSubjectEmail", "requesterEmail", "email", "EMAIL"])
def test_reads_an_address_outside_of_the_identifiers(name: str) -> None:
    assert pairs(parse(**{"subTaskId": SUBTASK, name: "jo@example.com"})) == [("email", "jo@example.com")]


@pytest.mark.parametrize(("value", "kind"), [("jo@example.com", "email"), ("00481516", "identifier")])
def test_an_identifier_with_an_at_sign_is_an_address(value: str, kind: str) -> None:
    assert pairs(parse(subTaskId=SUBTASK, identifier=value)) == [(kind, value)]


def test_refuses_two_addresses_that_may_belong_to_a_person_and_their_agent() -> None:
    code, detail = refusal(subTaskId=SUBTASK, email="jo@example.com", requesterEmail="agent@example.org")
    assert (code, detail) == (Code.FIELD_INVALID, "email must be the same as requesterEmail, where both are given")


def test_refuses_a_field_given_twice_in_different_case_and_value() -> None:
    assert refusal(**BASE, Identifiers={"email": "x@example.com"})[0] is Code.FIELD_INVALID
    assert refusal(**BASE, eventId="1", EventID="2")[0] is Code.FIELD_INVALID


@pytest.mark.parametrize(
    ("value", "text"), [(12345678901234567890, "12345678901234567890"), (0, "0"), (-3, "-3"), (False, "false")]
)
def test_reads_numbers_and_booleans_as_they_are_written(value: Any, text: str) -> None:
    assert pairs(read(identifiers={"user_id": value})) == [("user_id", text)]


def test_keeps_leading_zeros_and_thousands_separators_as_they_are() -> None:
    call = read(identifiers={"a": "00481516", "b": "481,516", "c": "481.516"})
    assert [value for _, value in pairs(call)] == ["00481516", "481,516", "481.516"]


@pytest.mark.parametrize("value", [1.0, 1e3, 0.1, ["jo@example.com"], {"value": "jo@example.com"}, [], {}])
def test_refuses_an_identifier_of_another_kind(value: Any) -> None:
    code, detail = refusal(subTaskId=SUBTASK, identifiers={"user_id": value})
    assert (code, detail) == (Code.FIELD_INVALID, "identifiers.user_id must be text or a whole number")


@pytest.mark.parametrize("value", ["jo@example.com", ["jo@example.com"], [{"type": "email"}], 7, True])
def test_refuses_identifiers_that_are_no_object(value: Any) -> None:
    assert refusal(subTaskId=SUBTASK, identifiers=value) == (Code.FIELD_INVALID, "identifiers must be an object")


@pytest.mark.parametrize("value", ["\ud800", "jo\udfff@example.com", "a\x00b", "a\nb", "a\x7fb"])
def test_refuses_half_characters_and_control_characters(value: str) -> None:
    for members in (
        {"identifiers": {"user_id": value}},
        {"identifiers": {value: "1"}},
        {"eventId": value},
        {"identifier": value},
    ):
        assert refusal(**(BASE | members))[0] is Code.FIELD_INVALID


@pytest.mark.parametrize("label", ["", "  ", "x" * 101])
def test_refuses_a_label_that_is_empty_or_too_long(label: str) -> None:
    assert refusal(subTaskId=SUBTASK, identifiers={label: "1"})[0] is Code.FIELD_INVALID


def test_limits_the_length_of_a_value() -> None:
    assert pairs(read(identifiers={"a": "x" * 4096})) == [("a", "x" * 4096)]
    assert refusal(subTaskId=SUBTASK, identifiers={"a": "x" * 4097}) == (
        Code.FIELD_INVALID,
        "identifiers.a must be at most 4096 characters long",
    )


def test_limits_the_number_of_identities() -> None:
    hundred = {f"id {number}": "1" for number in range(100)}
    assert len(read(identifiers=hundred).identities) == 100
    assert refusal(subTaskId=SUBTASK, identifiers=hundred, email="jo@example.com")[0] is Code.FIELD_INVALID


def test_the_registry_makes_a_source_for_each_platform() -> None:
    described = Description(identities=(IdentityPlace("email", Place("email")),))
    made = {name: make(described if name == "generic" else None) for name, make in PLATFORMS.items()}
    assert made == {"onetrust": OneTrustSource(), "generic": GenericSource(described)}
