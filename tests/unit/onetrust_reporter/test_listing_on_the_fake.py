"""What the fake OneTrust lists, as the read-back reads it: every shape in which the same thing comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, NotFound, Refused, Temporary
from connector.sandbox.defaults import SUBTASK_NAME, WORKFLOW_ID
from connector.sources.onetrust.listing import OneTrustListing
from connector.sources.onetrust.roll import OneTrustRoll

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock(fake_clock):
    return fake_clock


@pytest.fixture
def onetrust(fake):
    return fake


@pytest.fixture
def listing(api):
    return OneTrustListing(api, subtask_name=SUBTASK_NAME)


@pytest.fixture
def asked(onetrust):
    return onetrust.add_request(
        "Ana@Example.com", identifiers={"Loyalty ID": "00481516", "City": "Berlin", "Empty": ""}
    )


def ids_of(asked):
    return {"subtask_id": asked.subtask_id, "request_ref": asked.ref_id, "request_id": asked.queue_id}


def plain(identities):
    return [(one.kind, one.value.reveal()) for one in identities]


@pytest.mark.parametrize("given", ["subtask_id", "request_ref", "all"])
def test_a_request_is_read_by_whatever_id_a_callback_gave(listing, asked, given):
    ids = ids_of(asked)
    found = listing.read(ids if given == "all" else {given: ids[given]})
    assert found.external == ids
    assert plain(found.identities) == [("email", "Ana@Example.com")]
    assert plain(found.answers) == [("Loyalty ID", "00481516"), ("City", "Berlin")]
    assert (found.stage, found.is_open, found.country, found.is_test) == ("IN_PROGRESS", True, "DE", False)
    assert found.due_at == START + timedelta(days=30)
    assert found.request_types == ("Data Deletion",)


@pytest.mark.parametrize("style", ["seconds", "micros"])
def test_other_spellings_of_types_and_dates_say_the_same(listing, onetrust, style):
    asked = onetrust.add_request("ana@example.com", request_types=("Data Deletion", "Opt Out"))
    onetrust.faults.turn_on("packed_types")
    onetrust.faults.turn_on("date_format", style)
    onetrust.faults.turn_on("timer_as_number")
    found = listing.read(ids_of(asked))
    assert found.request_types == ("Data Deletion", "Opt Out")
    assert found.due_at == START + timedelta(days=30)


def test_a_paused_request_has_no_due_date(listing, onetrust, asked):
    onetrust.desk.requests[asked.ref_id].paused = True
    assert listing.read(ids_of(asked)).due_at is None


def test_a_test_request_is_told_as_one(listing, onetrust):
    asked = onetrust.add_request("ana@example.com", test_request=True)
    assert listing.read(ids_of(asked)).is_test


@pytest.mark.parametrize("word", ["COMPLETED", "REJECTED", "READY_FOR_REVIEW"])
def test_a_subtask_that_is_not_ours_to_move_is_told_as_closed(listing, onetrust, asked, word):
    onetrust.person_sets(asked.subtask_id, word)
    assert not listing.read(ids_of(asked)).is_open


def test_ids_that_do_not_belong_together_are_refused(listing, onetrust, asked):
    other = onetrust.add_request("eve@example.com")
    mixed = [
        {"subtask_id": asked.subtask_id, "request_ref": other.ref_id},
        {"subtask_id": asked.subtask_id, "request_id": other.queue_id},
        {"request_ref": asked.ref_id, "request_id": other.queue_id},
        {"request_id": asked.queue_id},
        {"subtask_id": "not-a-uuid"},
    ]
    for ids in mixed:
        with pytest.raises(Refused) as caught:
            listing.read(ids)
        assert caught.value.code is Code.SUBTASK_NOT_IDENTIFIED
        assert "example.com" not in str(caught.value)


def test_a_subtask_of_another_name_or_workflow_is_not_ours(api, onetrust):
    stranger = onetrust.add_request("ana@example.com", subtask_name="Legal review")
    with pytest.raises(Refused):
        OneTrustListing(api, subtask_name=SUBTASK_NAME).read(ids_of(stranger))
    asked = onetrust.add_request("ana@example.com")
    assert OneTrustListing(api, workflow_id=WORKFLOW_ID.upper()).read(ids_of(asked)).is_open
    with pytest.raises(Refused):
        OneTrustListing(api, workflow_id="00000000-0000-4000-8000-000000000001").read(ids_of(asked))


@pytest.mark.parametrize("operation", ["subtask_get", "request_get"])
def test_what_is_not_listed_is_not_found(listing, onetrust, asked, operation):
    onetrust.faults.turn_on("not_found", operation=operation)
    with pytest.raises(NotFound):
        listing.read(ids_of(asked))


def test_a_new_request_is_seen_only_after_a_while(listing, onetrust, clock, asked):
    onetrust.faults.turn_on("visibility_delay", 90.0)
    with pytest.raises(NotFound):
        listing.read(ids_of(asked))
    clock.advance(seconds=91)
    assert listing.read(ids_of(asked)).is_open


def test_a_credential_without_scope_is_a_matter_for_the_operator(listing, onetrust, asked):
    onetrust.faults.turn_on("scope_missing", operation="request_get")
    with pytest.raises(Misconfigured) as caught:
        listing.read(ids_of(asked))
    assert caught.value.code is Code.PERMISSION_MISSING


def test_the_open_subtasks_are_those_of_our_system_and_workflow(api, onetrust, clock):
    asked = [onetrust.add_request(f"p{place}@example.com") for place in range(3)]
    onetrust.add_request("x@example.com", subtask_name="Legal review")
    onetrust.person_sets(asked[2].subtask_id, "FAILED")
    (tasks,) = OneTrustRoll(api, SUBTASK_NAME, workflow_id=WORKFLOW_ID).open_tasks(START - timedelta(hours=1))
    assert [(one.request_key, one.failed) for one in tasks] == [
        (f"subtask:{one.subtask_id}", place == 2) for place, one in enumerate(asked)
    ]
    assert dict(tasks[0].external) == ids_of(asked[0])
    (nothing,) = OneTrustRoll(api, SUBTASK_NAME).open_tasks(START + timedelta(seconds=1))
    assert list(nothing) == []


def test_a_list_that_repeats_itself_comes_to_an_end(onetrust, api):
    onetrust.add_request("ana@example.com")

    class Repeating(Answers):
        def filtered_subtasks(self, filters, page):
            return self._api.filtered_subtasks(filters, 0)[0], False

    parts = list(OneTrustRoll(Repeating(api), SUBTASK_NAME).open_tasks(START - timedelta(hours=1)))
    assert [len(one) for one in parts] == [1, 0]


class Answers:
    """An API that answers what it is given."""

    def __init__(self, api, **request):
        self._api = api
        self._changes = request

    def __getattr__(self, name):
        return getattr(self._api, name)

    def request(self, ref):
        return {**self._api.request(ref), **self._changes}


def test_the_map_goes_before_the_text_that_garbles_characters(api, asked):
    text = json.dumps({"Loyalty ID": "other", "Name": "M\ufffd\ufffdller"})
    both = OneTrustListing(Answers(api, additionalData=text)).read(ids_of(asked))
    assert plain(both.answers) == [("Loyalty ID", "00481516"), ("City", "Berlin")]
    for nothing in (None, {}, []):
        only_text = OneTrustListing(Answers(api, additionalData=text, requestAdditionalData=nothing)).read(
            ids_of(asked)
        )
        assert plain(only_text.answers)[0] == ("Loyalty ID", "other")


@pytest.mark.parametrize(
    "changes",
    [
        {"additionalData": "{not json", "requestAdditionalData": None},
        {"additionalData": "[1]", "requestAdditionalData": None},
        {"status": None},
        {"requestTypes": {"a": 1}},
        {"email": ["ana@example.com"]},
    ],
)
def test_an_answer_that_cannot_be_read_is_asked_for_again_and_shows_nothing(api, asked, changes):
    with pytest.raises(Temporary) as caught:
        OneTrustListing(Answers(api, **changes)).read(ids_of(asked))
    assert caught.value.code is Code.REMOTE_ANSWER_UNREADABLE
    assert caught.value.__cause__ is None
    assert "ana" not in str(caught.value)


def test_every_value_of_an_answer_counts_and_one_that_is_no_plain_value_is_named(api, asked):
    answers = {"Ids": ["a", "b", ""], "Number": 7, "Nothing": None, "": "x", "L" * 101: "x"}
    unusable = {" Phone ": "${event.phone}", "Nested": {"value": "x"}, "Part": [1.5, "c"], "Long": "x" * 4097}
    found = OneTrustListing(Answers(api, requestAdditionalData=answers | unusable)).read(ids_of(asked))
    assert plain(found.answers) == [("Ids", "a"), ("Ids", "b"), ("Number", "7"), ("Part", "c")]
    assert found.unreadable == ("Phone", "Nested", "Part", "Long")
    nobody = OneTrustListing(Answers(api, email="${event.email}")).read(ids_of(asked))
    assert (nobody.identities, nobody.unreadable) == ((), ("email",))


def test_a_form_is_never_cut(api, asked):
    listing = OneTrustListing(Answers(api, requestAdditionalData={f"Id {one}": "x" for one in range(501)}))
    with pytest.raises(Refused) as caught:
        listing.read(ids_of(asked))
    assert caught.value.code is Code.REMOTE_ANSWER_UNREADABLE


@pytest.mark.parametrize("said", [True, "true", "True", " TRUE "])
def test_a_test_is_one_in_every_spelling(api, asked, said):
    found = OneTrustListing(Answers(api, legalDeadLineInfo={"testRequest": said})).read(ids_of(asked))
    assert found.is_test


def test_a_reference_alone_needs_the_name_of_our_subtask(api, listing, asked):
    assert listing.read({"request_ref": asked.ref_id}).external["subtask_id"] == asked.subtask_id
    with pytest.raises(Refused) as caught:
        OneTrustListing(api).read({"request_ref": asked.ref_id})
    assert caught.value.code is Code.SUBTASK_NOT_IDENTIFIED


def test_a_task_for_a_person_is_none_of_ours(api, listing, onetrust):
    asked = onetrust.add_request("ana@example.com", subtask_type="MANUAL")
    for named in (ids_of(asked), {"request_ref": asked.ref_id}):
        with pytest.raises(Refused):
            listing.read(named)


@pytest.mark.parametrize("changes", [{"deadline": "soon"}, {"countryCode": "Germany"}])
def test_a_date_or_country_that_cannot_be_read_decides_nothing(api, asked, changes):
    found = OneTrustListing(Answers(api, **changes)).read(ids_of(asked))
    assert found.due_at is None or found.country is None


def test_another_request_than_the_one_asked_for_is_refused(api, asked):
    with pytest.raises(Refused):
        OneTrustListing(Answers(api, requestQueueRefId="ZZZZZZZZZZ")).read(ids_of(asked))
