"""identity-delete: an API whose answers nobody published, read tolerantly and never in favour of a deletion."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from responses import matchers

from connector.errors import Temporary
from connector.lytics.identity_delete import BodyKeys
from connector.model import RemoteState
from tests.unit.lytics.conftest import ANA, BASE, BO

RUNNING, FINISHED, FAILED = RemoteState.RUNNING, RemoteState.FINISHED, RemoteState.FAILED


def answered(http, body, status=202):
    http.post(f"{BASE}/v2/identity/delete", status=status, json=body)


@pytest.fixture
def api(lytics):
    return lytics.account().api


def test_the_keys_of_the_body_are_settings(lytics, http):
    body = {"entity": "user", "key": "email", "identifiers": [ANA.reveal(), BO.reveal()]}
    http.post(f"{BASE}/v2/identity/delete", json={"data": "i"}, match=[matchers.json_params_matcher(body)])
    api = lytics.account(body_keys=BodyKeys("entity", "key", "identifiers")).api
    assert set(api.submit("user", "email", [ANA, BO]).accepted.values()) == {"i"}


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    "body",
    [
        {"data": {"request_id": "id-1", "requestId": "b", "id": "c"}, "request_id": "corr"},
        {"data": {"requestId": "id-1", "id": "c", "delete_request_id": "d"}, "request_id": "corr"},
        {"data": {"id": "id-1", "delete_request_id": "d"}, "request_id": "corr"},
        {"data": {"request_id": "", "requestId": 7, "delete_request_id": " id-1 "}, "request_id": "corr"},
        {"data": "id-1", "request_id": "corr"},
        {"request_id": "id-1", "requestId": "b"},
        {"requestId": "id-1", "id": "c"},
        {"data": {}, "id": "id-1"},
        {"data": "", "id": "id-1"},
    ],
)
def test_the_id_is_the_first_one_in_the_documented_order(api, http, body, status):
    answered(http, body, status)
    answer = api.submit("user", "email", [ANA, BO])
    assert answer.accepted == {ANA: "id-1", BO: "id-1"}
    assert (answer.refused, answer.unconfirmed) == ({}, frozenset())


@pytest.mark.parametrize(
    "body",
    [
        {"data": None, "request_id": "corr"},
        {"data": {"status": "pending"}, "request_id": "corr"},
        {"data": {"request_id": "x" * 256}},
        {"data": {"successes": {}, "errors": {}}, "request_id": "corr"},
        {"data": 7, "id": "corr"},
        {},
        [],
        "id-1",
    ],
)
def test_a_success_without_an_id_of_its_own_leaves_the_outcome_unknown(api, lytics, http, body):
    answered(http, body)
    assert lytics.failure(api.submit, "user", "email", [ANA]).outcome_unknown


@pytest.mark.parametrize(("status", "body"), [(204, b""), (202, b""), (202, b" \n"), (206, b'{"data": "id"}')])
def test_an_empty_or_odd_success_leaves_the_outcome_unknown(api, lytics, http, status, body):
    http.post(f"{BASE}/v2/identity/delete", status=status, body=body)
    assert lytics.failure(api.submit, "user", "email", [ANA]).outcome_unknown


def test_an_answer_per_value_is_taken_value_by_value(api, http):
    answered(http, {"data": {"successes": {ANA.reveal(): "id-1"}, "errors": {BO.reveal(): "junk"}}})
    answer = api.submit("user", "email", [ANA, BO])
    assert (answer.accepted, answer.refused) == ({ANA: "id-1"}, {BO: "junk"})


def test_an_id_for_the_batch_beside_refusals_covers_the_others(api, http):
    answered(http, {"data": {"request_id": "id-1", "errors": {BO.reveal(): "junk"}}})
    answer = api.submit("user", "email", [ANA, BO])
    assert (answer.accepted, answer.refused) == ({ANA: "id-1"}, {BO: "junk"})
    assert (answer.unconfirmed, answer.contradictory) == (frozenset(), 0)


def test_a_count_of_errors_is_no_map_of_errors(api, http):
    answered(http, {"data": {"request_id": "id-1", "errors": 1}})
    assert api.submit("user", "email", [ANA]).accepted == {ANA: "id-1"}


@pytest.mark.parametrize(
    ("data", "state", "word", "requested", "deleted"),
    [
        ({"status": "pending", "requested": 3, "deleted": 0}, RUNNING, "pending", 3, 0),
        ({"status": "in_progress"}, RUNNING, "in_progress", None, None),
        ({"status": "In Progress"}, RUNNING, "In Progress", None, None),
        ({"status": "completed", "requested": 3, "deleted": 2}, FINISHED, "completed", 3, 2),
        ({"state": "COMPLETED", "profiles_requested": 3, "profiles_deleted": 3}, FINISHED, "COMPLETED", 3, 3),
        ({"status": 200, "state": "completed", "total": 3, "completed_count": 1}, FINISHED, "completed", 3, 1),
        ({"status": "completed", "completed": True, "count": 3, "succeeded": 1}, FINISHED, "completed", 3, 1),
        ({"status": "completed", "completed": False}, RUNNING, "completed", None, None),
        ({"status": "pending", "completed": True}, RUNNING, "pending", None, None),
        ({"status": "failed", "completed": True}, RUNNING, "failed", None, None),
        ({"status": "failed", "completed": False}, FAILED, "failed", None, None),
        ({"status": "failed"}, FAILED, "failed", None, None),
        ({"status": "completed", "requested": 5, "failed": 2}, FINISHED, "completed", 5, 3),
        ({"status": "completed", "requested": 5, "errors": 9}, FINISHED, "completed", 5, 0),
        ({"status": "completed", "requested": "3", "deleted": True}, FINISHED, "completed", None, None),
        ({"status": "completed", "requested": -1, "total": 4}, FINISHED, "completed", 4, None),
        ({"status": "done"}, RUNNING, "done", None, None),
        ({"status": "re\x00balancing" + "x" * 60}, RUNNING, ("re balancing" + "x" * 60)[:40], None, None),
    ],
)
def test_a_status_is_finished_only_when_everything_it_says_agrees(api, http, data, state, word, requested, deleted):
    http.get(f"{BASE}/v2/identity/delete/status/id-1", json={"data": data, "status": 200, "request_id": "corr"})
    status = api.status("id-1")
    assert (status.state, status.word, status.requested, status.deleted) == (state, word, requested, deleted)


def test_a_status_without_an_envelope_is_read_too(api, http):
    http.get(f"{BASE}/v2/identity/delete/status/id-1", json={"request_id": "corr", "status": "completed"})
    assert api.status("id-1").state is FINISHED


@pytest.mark.parametrize(
    "body",
    [
        {"data": None},
        {"data": []},
        {"data": "completed"},
        {"data": {"completed": True}},
        {"data": {"status": ""}},
        {"status": 200, "request_id": "corr"},
        {"data": {"request_id": "id-2", "status": "completed"}},
        {"data": {"requestId": "id-2", "status": "completed"}},
        [],
    ],
)
def test_a_status_that_does_not_tell_of_this_operation_is_asked_again(api, lytics, http, body):
    http.get(f"{BASE}/v2/identity/delete/status/id-1", json=body)
    assert type(lytics.failure(api.status, "id-1")) is Temporary


def test_an_id_is_encoded_into_the_path(api, http):
    http.get(f"{BASE}/v2/identity/delete/status/a%2Fb%3Fc", json={"data": {"status": "pending"}})
    assert api.status("a/b?c").state is RUNNING


ITEM = {"request_id": "id-1", "status": "pending", "requested": 2, "submitted": "2026-11-02T10:00:00+01:00"}


@pytest.mark.parametrize(
    "body",
    [
        {"data": [ITEM]},
        {"data": {"items": [ITEM]}},
        {"data": {"results": [ITEM], "total": 1}},
        {"data": {"id-1": {"status": "pending", "requested": 2, "submitted": ITEM["submitted"]}}},
        {"data": {"list": {"id-1": ITEM}}},
        {"requests": [ITEM], "status": 200},
    ],
)
def test_recent_operations_are_read_in_every_likely_shape(api, http, body):
    http.get(f"{BASE}/v2/identity/delete/status", json=body)
    (one,) = api.recent()
    assert (one.remote_id, one.status.requested) == ("id-1", 2)
    assert one.submitted_at == datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("body", [{"data": []}, {"data": None}, {"data": {}}, {"data": {"requests": None}}])
def test_no_recent_operations_are_an_empty_list(api, http, body):
    http.get(f"{BASE}/v2/identity/delete/status", json=body)
    assert list(api.recent()) == []


@pytest.mark.parametrize(
    "body",
    [
        {"status": 200, "request_id": "corr"},
        {"data": "none"},
        {"data": [ITEM, {"status": "pending"}]},
        {"data": [ITEM, None]},
        {"data": {"next": "x", "total": 0}},
        [],
    ],
)
def test_a_list_that_cannot_be_read_whole_does_not_count_as_absence(api, lytics, http, body):
    http.get(f"{BASE}/v2/identity/delete/status", json=body)
    assert type(lytics.failure(api.recent)) is Temporary


@pytest.mark.parametrize("time", ["2026-11-02T10:00:00", "0001-01-01T00:00:00Z", "yesterday", 1790000000, None, ""])
def test_a_time_that_does_not_tell_is_no_time(api, http, time):
    http.get(f"{BASE}/v2/identity/delete/status", json={"data": [{"id": "id-1", "submitted": time}]})
    (one,) = api.recent()
    assert (one.submitted_at, one.status.state, one.status.word) == (None, RUNNING, "")
